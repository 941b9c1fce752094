"""Finds the frames in which two clips show the same moments of one scene."""

import numpy as np

from dfjax.data.clip_row import ClipInfo
from dfjax.faces.boxes import overlaps

_MIN_OVERLAP = 0.5
"""Mean intersection over union of the face boxes of a fake and its original."""


def same_moments(first: ClipInfo, second: ClipInfo) -> tuple[np.ndarray, np.ndarray]:
    """Returns the frames that two clips have in common in time: positions in each, int64 [n].

    Videos of different lengths are sampled at different times, so the number of a sampled frame
    says nothing. Times may differ by less than half a frame.

    Args:
      first: A clip of one video.
      second: A clip of another.
    """
    times, others = first.timestamps, second.timestamps
    nearest, back = _nearest(times, others), _nearest(others, times)
    apart = np.abs(times - others[nearest])
    found = (back[nearest] == np.arange(len(times))) & (apart < 0.5 / max(1.0, first.fps))
    return np.flatnonzero(found), nearest[found]


def is_same_face(
    first: ClipInfo, of_first: np.ndarray, second: ClipInfo, of_second: np.ndarray
) -> bool:
    """Returns whether the faces of two clips lie at the same places of their pictures.

    Args:
      first: A clip.
      of_first: int64 [n], positions of its frames.
      second: Another clip.
      of_second: int64 [n], positions of the frames of the same moments, as from `same_moments`.
    """
    if not len(of_first):
        return False
    boxes, others = (
        clip.boxes_xyxy[positions] / ([clip.width, clip.height] * 2)
        for clip, positions in ((first, of_first), (second, of_second))
    )
    return bool(np.mean(np.diagonal(overlaps(boxes, others))) >= _MIN_OVERLAP)


def _nearest(times: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns for each time the position of the nearest of `others`, which increase."""
    return np.searchsorted((others[1:] + others[:-1]) / 2, times)
