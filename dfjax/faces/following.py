"""Finds the faces in frames of a video, most of which follow another at once.

To search a whole frame costs several times as much as to look where its faces were a twenty-fifth
of a second ago. So of a few frames in a row the first is searched, and in the others faces are
looked for where they were. If one is not there any more, the frame is searched after all.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from dfjax.faces.detection import FaceDetector, Faces

Frame = tuple[float, np.ndarray]
"""Time, seconds, and picture, uint8 [H, W, 3] RGB."""

_SOON = 0.09
"""Seconds: a frame that comes later than this after another is searched by itself."""

_IN_A_ROW = 4
"""One in so many frames is searched at least, so that nobody who appears is missed for long."""


def detect_in_video(
    frames: Sequence[np.ndarray], timestamps: Sequence[float], face_detector: FaceDetector
) -> list[Faces]:
    """Returns the faces of each frame, as `FaceDetector.detect` does of frames by themselves.

    The faces of a frame depend on those in the up to three frames that lead to it without a gap.
    Frames may be passed in parts, as `batches` cuts them.

    Args:
      frames: uint8 [H, W, 3] RGB each.
      timestamps: Of the frames, seconds, increasing.
      face_detector: Finds the faces.
    """
    places = np.array([*_places(timestamps)], np.int64)
    faces: dict[int, Faces] = {}
    for place in range(_IN_A_ROW):
        rows = np.flatnonzero(places == place).tolist()
        followed = [row for row in rows if place > 0 and len(faces[row - 1].boxes_xyxy) > 0]
        near = [faces[row - 1].boxes_xyxy for row in followed]
        refined = face_detector.refine([frames[row] for row in followed], near)
        for row, found, before in zip(followed, refined, near, strict=True):
            if len(found.boxes_xyxy) == len(before):
                faces[row] = found
        rest = [row for row in rows if row not in faces]
        searched = face_detector.detect([frames[row] for row in rest])
        faces.update(zip(rest, searched, strict=True))
    return [faces[row] for row in range(len(frames))]


def batches(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    """Yields frames in groups of at least `size` (but for the last), which start with a search."""
    batch: list[Frame] = []
    place, last = 0, -np.inf
    for timestamp, picture in frames:
        place = _place(timestamp, place, last)
        last = timestamp
        if place == 0 and len(batch) >= size:
            yield batch
            batch = []
        batch.append((timestamp, picture))
    if batch:
        yield batch


def _places(timestamps: Iterable[float]) -> Iterator[int]:
    """Yields for each frame how many frames before it lead back to one that is searched."""
    place, last = 0, -np.inf
    for timestamp in timestamps:
        place = _place(timestamp, place, last)
        last = timestamp
        yield place


def _place(timestamp: float, place: int, last: float) -> int:
    """Returns a frame's place, from that and the time of the frame before it."""
    return (place + 1) % _IN_A_ROW if timestamp - last <= _SOON else 0
