"""Tells where a video cuts from one shot to another, on the frames that are sampled anyway."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

_SIZE = (64, 36)  # of the pictures whose colours are counted, pixels
_SAMPLES = 4  # a side, of the frame's own pixels that one of these is the mean of, at least
_SHADES = 8  # per channel

_MIN_COMMON = 0.55
"""Share of their colours that two frames of one shot have in common.

Measured on people filmed by many cameras, on frames one to three seconds apart: of 671 pairs from
one clip, 0.4% have less in common; of 1,498 pairs from clips of two people 97%, and of the 142 of
these that are from one source 92%. `tests/faces/test_shots.py` repeats it on fewer clips.
"""

_SAME_ASPECT = 0.02
"""Share by which the aspects of two pictures may differ, for rounding, and be one camera's view."""


def shot_numbers(frames: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the number of the shot of each frame: int64 [T], from 0, rising at every cut.

    Two frames in a row are of one shot if most of their colours are the same, wherever in the
    picture: people and cameras move between samples that are seconds apart, but the light and the
    things in a room stay. A cut between two views of one room, lit alike, goes unnoticed.

    Args:
      frames: T frames, uint8 [H, W, 3] RGB.
    """
    return shots_of([colours(frame) for frame in frames])


def shots_of(shares: Sequence[np.ndarray]) -> np.ndarray:
    """Returns `shot_numbers` of frames of which only the `colours` are left."""
    common = [np.minimum(a, b).sum() for a, b in zip(shares, shares[1:], strict=False)]
    return np.append(0, np.cumsum(np.array(common) < _MIN_COMMON)).astype(np.int64)[: len(shares)]


def num_in_shot(shots: np.ndarray, frame_indices: np.ndarray) -> int:
    """Returns how many sampled frames the shot of a face has.

    Args:
      shots: int64 [T], the number of each sampled frame's shot.
      frame_indices: int64 [n], those that show the face, all of one shot.
    """
    return int(np.sum(shots == shots[frame_indices[0]]))


def views(sizes: Sequence[tuple[int, int]]) -> np.ndarray:
    """Returns int64 [T], from 0, rising where the picture turns from wide to high, or back.

    What is at one place before and after that is not one face. A picture that only grows shows the
    same.

    Args:
      sizes: Height and width of each picture as displayed.
    """
    aspects = np.log([width / height for height, width in sizes])
    turns = np.abs(np.diff(aspects, prepend=aspects[:1])) > _SAME_ASPECT
    return np.cumsum(turns).astype(np.int64)


def colours(frame: np.ndarray) -> np.ndarray:
    """Returns the share of each colour in a picture: float64 [_SHADES ** 3]."""
    # Shares of colours need few pixels, and to look at all of them takes several times as long.
    step = max(1, min(frame.shape[1] // _SIZE[0], frame.shape[0] // _SIZE[1]) // _SAMPLES)
    sampled = Image.fromarray(frame[::step, ::step])
    small = np.asarray(sampled.resize(_SIZE, Image.Resampling.BOX))
    red, green, blue = np.moveaxis(small.astype(np.int64) * _SHADES // 256, -1, 0)
    numbers = (red * _SHADES + green) * _SHADES + blue
    return np.bincount(numbers.ravel(), minlength=_SHADES**3) / numbers.size
