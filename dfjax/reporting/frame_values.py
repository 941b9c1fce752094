"""The values of the timeline as a table, as the page and reports on videos show it."""

from dfjax.prediction import Prediction
from dfjax.shown_numbers import clock, frame_value


def value_rows(prediction: Prediction) -> list[tuple[float, str, list[str]]]:
    """Returns the values of the frames: a row for each time, a cell for each face."""
    columns = [
        {frame.timestamp: frame_value(frame.probability_fake) for frame in track.frames}
        for track in prediction.tracks
    ]
    return [
        (
            frame.timestamp,
            clock(frame.timestamp, decimals=2),
            [column.get(frame.timestamp, "–") for column in columns],
        )
        for frame in prediction.frames
    ]
