"""The timeline: one lane per face, with the value of every frame and the suspicious stretches.

Frames have a scale of their own: a verdict weighs all of them, and the model's thresholds mean
nothing for one. So none is drawn here, and frames get no colour of a verdict. What is on the
video's scale, faces and stretches, is written in per cent; what is on that of frames is not.

Across, everything is in shares of the width, so that it fits a phone and a wide screen alike. It
needs no script to be read; `player.js` makes it lead through the video.
"""

import json

import numpy as np

from dfjax.page.rendering import render
from dfjax.prediction import (
    Decision,
    Prediction,
    Segment,
    TrackFrameScore,
    TrackScore,
    VideoSummary,
)
from dfjax.shown_numbers import clock, clocks, frame_value, percent
from dfjax.words import words

NUM_SHADES = 5

_TICK_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)  # seconds

_LANE = 100  # height of a lane in its own units, and 1000 is its width
_SHORTEST_BAR = 4

# One outline per face, around (0, 0), so that faces differ by more than their colour.
_MARKS = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",  # circle
    "M-3.6-3.6h7.2v7.2h-7.2z",  # square
    "M0-4.8 4.4 3.4H-4.4z",  # triangle
    "M0-5 5 0 0 5-5 0z",  # diamond
    "M0 4.8 4.4-3.4H-4.4z",  # triangle, point down
    "M-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",  # plus
    "M-4.5-2.2h9v4.4h-9z",  # bar
    "M-2.2-4.5h4.4v9h-4.4z",  # upright bar
)


def score_plot(prediction: Prediction) -> str:
    """Returns the timeline as HTML: a `<figure>` with a lane for each face.

    Args:
      prediction: One with at least one track.
    """
    duration = length(prediction)
    return render(
        "timeline.html",
        lanes=[_lane(track, prediction, duration) for track in prediction.tracks],
        ticks=_ticks(duration),
        duration=duration,
        clock_start=round(prediction.clock_start, 4),
        is_still=duration <= 0,
        num_shades=NUM_SHADES,
    )


def length(prediction: Prediction) -> float:
    """Returns how long the time axis is, seconds; a container may state too short a time."""
    return max(prediction.video.duration, prediction.frames[-1].timestamp)


def mark(track_id: int) -> str:
    """Returns the little SVG that stands for a face in its lane and next to its crops."""
    return (
        f'<svg class="df-mark df-track-{track_id % 8}" width="16" height="12" viewBox="-8 -6 16 12"'
        f' aria-hidden="true"><path class="df-dot" d="{_MARKS[track_id % 8]}"/></svg>'
    )


def tick_times(duration: float) -> list[float]:
    """Returns at most six round times from 0 to `duration`, seconds, to be marked on the axis."""
    if duration <= 0:
        return []
    steps = (step for step in _TICK_STEPS if duration / step <= 5)
    step = next(steps, 3600 * np.ceil(duration / 5 / 3600))
    return [round(n * float(step), 3) for n in range(int(duration / step + 1e-9) + 1)]


def _lane(track: TrackScore, prediction: Prediction, duration: float) -> dict[str, object]:
    """Returns what the template shows of one face."""
    name = words.evidence.face.format(number=track.id + 1)
    segments = [segment for segment in prediction.segments if segment.track == track.id]
    values = [frame.probability_fake for frame in track.frames]
    return {
        "id": track.id,
        "css": f"df-track-{track.id % 8}",
        "mark": mark(track.id),
        "name": name,
        "percent": percent(track.probability_fake, prediction.decision),
        "left_out": words.evidence.left_out[track.left_out] if track.left_out else "",
        "bars": bars(track.frames, duration),
        "frames": json.dumps(
            [_row(frame, prediction.video) for frame in track.frames], separators=(",", ":")
        ),
        "last": len(values) - 1,
        "first_value": words.evidence.value_at.format(
            time=clock(track.start, decimals=2), value=frame_value(values[0]), face=name
        ),
        # Its times and values are filled in by the script.
        "any_value": words.evidence.value_at.format(time="{time}", value="{value}", face=name),
        "range": words.evidence.range.format(
            count=len(values),
            start=clock(track.start),
            end=clock(track.end),
            low=frame_value(min(values)),
            high=frame_value(max(values)),
        ),
        "segments": [
            _segment(segment, name, track, prediction.decision, duration) for segment in segments
        ],
    }


def _row(frame: TrackFrameScore, video: VideoSummary) -> list[float]:
    """Returns what the script knows of a frame: time, probability, and the box in per cent."""
    left, top, right, bottom = frame.box_xyxy
    box = (left, video.width), (top, video.height), (right, video.width), (bottom, video.height)
    shares = [round(100 * edge / side, 2) for edge, side in box]
    return [round(frame.timestamp, 4), round(frame.probability_fake, 4), *shares]


def _segment(
    segment: Segment, face: str, track: TrackScore, decision: Decision, duration: float
) -> dict[str, object]:
    """Returns what the template shows of a stretch; its shade is that of its own probability."""
    number = percent(segment.probability_fake, decision)
    times = (frame.timestamp for frame in track.frames)
    start, end = clocks(segment.start, segment.end)
    return {
        "css": f"df-{decision.label(segment.probability_fake)}",
        # The script goes to a frame that was looked at.
        "seek": next((t for t in times if t >= segment.start), segment.start),
        "left": f"{_x(segment.start, duration):.2f}",
        "width": f"{_x(segment.end, duration) - _x(segment.start, duration):.2f}",
        "percent": number,
        "label": words.evidence.stretch.format(face=face, start=start, end=end, percent=number),
    }


def bars(frames: tuple[TrackFrameScore, ...], duration: float) -> list[tuple[int, str]]:
    """Returns the bars of a lane as SVG paths: a shade from 0, the lightest, and its outline.

    Both shade and height say a frame's value; neither knows any threshold.

    Args:
      frames: Of the face.
      duration: That the lane stands for, seconds.
    """
    paths: dict[int, list[str]] = {}
    for frame in frames:
        shade = min(int(frame.probability_fake * NUM_SHADES), NUM_SHADES - 1)
        top = _LANE - max(_SHORTEST_BAR, frame.probability_fake * _LANE)
        x = 10 * _x(frame.timestamp, duration)
        paths.setdefault(shade, []).append(f"M{x:.1f} {_LANE}V{top:.1f}")
    return [(shade, "".join(paths[shade])) for shade in sorted(paths)]


def _x(timestamp: float, duration: float) -> float:
    """Returns how far across a time is drawn, per cent. A still picture sits in the middle."""
    return 100 * timestamp / duration if duration > 0 else 50.0


def _ticks(duration: float) -> list[dict[str, str]]:
    ticks = []
    for time in tick_times(duration):
        x = _x(time, duration)
        side = "start" if x < 3 else "end" if x > 94 else "middle"
        ticks.append({"x": f"{x:.2f}", "side": side, "time": clock(time)})
    return ticks
