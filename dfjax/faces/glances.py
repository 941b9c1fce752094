"""Looks briefly over a whole video, to find out when faces are in it."""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from dfjax.faces.detection import FaceDetector

_ACROSS = 2
"""Pictures side by side, and one above the other, that are searched as one."""

_ROOM = 4  # pictures of several such at once

APART = 1.0
"""Seconds: what lies further away has no effect on a crop, and is read later."""

_SPREAD = 1.5  # times that from one look to the next, as looks last for a while


def times_with_faces(
    pictures: Iterable[tuple[float, np.ndarray]], face_detector: FaceDetector
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the times of all pictures, and whether there is a face in each.

    Several small pictures are searched as one, so that a hundred cost no more than a few dozen
    frames. Small faces are missed, and whoever asks must look elsewhere, too.

    Args:
      pictures: Times, seconds, and pictures: uint8 [h, w, 3] RGB, all of the same size.
      face_detector: Used as it is.

    Returns:
      float64 [N] and bool [N].
    """
    times, seen = [], []
    for group in _groups(pictures, _ROOM * _ACROSS**2):
        times += [time for time, _ in group]
        seen += _search([picture for _, picture in group], face_detector)
    return np.array(times, np.float64), np.array(seen, bool)


def looks_at_faces(
    times: np.ndarray, seen: np.ndarray, duration: float, num_looks: int, most_near: int
) -> np.ndarray | None:
    """Returns when to look at a video, so that most looks fall where faces are.

    A third of them are spread evenly over the whole video, for faces that were missed. So are those
    for which there is no room where faces are: the frames of looks that are near each other are
    held in memory together.

    Args:
      times: float64 [N], seconds, increasing, of brief looks.
      seen: bool [N], whether there was a face.
      duration: Of the video, seconds.
      num_looks: How many to plan.
      most_near: How many may be less than `APART` from each other.

    Returns:
      float64 [n], seconds, increasing, n at most `num_looks`; None if faces are nowhere, or in more
      than half of the video.
    """
    before = np.concatenate([[0.0], (times[:-1] + times[1:]) / 2])
    after = np.append(times[1:], duration)
    # From halfway to the picture before it up to the next one, for each with a face.
    starts, ends = before[seen], after[seen]
    starts = np.maximum(starts, np.append(0.0, ends[:-1]))
    shown = np.append(0.0, np.cumsum(ends - starts))
    if len(starts) == 0 or shown[-1] > duration / 2:
        return None
    room = max(1, most_near, int(shown[-1] / (_SPREAD * APART)))
    num_there = min(num_looks - num_looks // 3, room)
    num_anywhere = num_looks - num_there
    anywhere = np.arange(num_anywhere) * (duration / max(1, num_anywhere))
    places = (np.arange(num_there) + 0.5) * (shown[-1] / num_there)
    interval = np.searchsorted(shown, places, side="right") - 1
    return np.unique(np.concatenate([anywhere, starts[interval] + places - shown[interval]]))


def nearest(times: np.ndarray, duration: float, num_looks: int) -> np.ndarray:
    """Returns those of some times that are nearest to evenly spread looks, none twice.

    Args:
      times: float64 [N], seconds, increasing, N at least 1.
      duration: Of the video, seconds.
      num_looks: How many looks.
    """
    evenly = (np.arange(num_looks) + 0.5) * (duration / num_looks)
    after = np.minimum(np.searchsorted(times, evenly), len(times) - 1)
    before = np.maximum(after - 1, 0)
    is_later = times[after] - evenly < evenly - times[before]
    return times[np.unique(np.where(is_later, after, before))]


def _groups(
    pictures: Iterable[tuple[float, np.ndarray]], size: int
) -> Iterator[list[tuple[float, np.ndarray]]]:
    group: list[tuple[float, np.ndarray]] = []
    for picture in pictures:
        group.append(picture)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _search(pictures: Sequence[np.ndarray], face_detector: FaceDetector) -> list[bool]:
    """Returns whether there is a face in each of some small pictures."""
    height, width = pictures[0].shape[:2]
    in_one = _ACROSS**2
    sheets = np.zeros(
        (math.ceil(len(pictures) / in_one), _ACROSS * height, _ACROSS * width, 3), np.uint8
    )
    for number, picture in enumerate(pictures):
        sheet, place = divmod(number, in_one)
        top, left = (
            n * side for n, side in zip(divmod(place, _ACROSS), (height, width), strict=True)
        )
        sheets[sheet, top : top + height, left : left + width] = picture
    seen = [False] * len(pictures)
    for sheet, faces in enumerate(face_detector.detect(list(sheets))):
        middles = (faces.boxes_xyxy[:, :2] + faces.boxes_xyxy[:, 2:]) / 2
        for x, y in middles.tolist():
            row, column = int(y // height), int(x // width)
            number = sheet * in_one + row * _ACROSS + column
            if 0 <= row < _ACROSS and 0 <= column < _ACROSS and number < len(seen):
                seen[number] = True
    return seen
