"""Which faces have a say in the verdict on a video: those that were seen well enough."""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np

LeftOut = Literal["short", "small"]
"""Why a face has no say: it is in hardly any frame, or hardly a face's details can be seen."""

FEWEST_FRAMES = 4
"""A face in fewer sampled frames is "short"."""

SMALLEST = 32
"""Pixels: a face whose box is lower, in most frames, is "small". It is enlarged fourfold or more to
be judged, so what is seen is mostly the enlargement."""


class SeenFace(Protocol):
    """A face clip, as it is read or as it is prepared."""

    @property
    def frame_indices(self) -> np.ndarray:
        """Of its frames, int [n]."""
        ...

    @property
    def boxes_xyxy(self) -> np.ndarray:
        """Float [n, 4], pixels of the video."""
        ...


def left_out(clips: Sequence[SeenFace]) -> list[LeftOut | None]:
    """Returns why each face has no say, and None for those that have.

    Nobody can say whether a figure in the background was manipulated, so it must not decide the
    verdict while others are seen well. If there are none, all have a say: a brief look is better
    than none, and the warnings say how brief it was.
    """
    reasons: list[LeftOut | None] = [_reason(clip) for clip in clips]
    return reasons if None in reasons else [None for _ in clips]


def _reason(clip: SeenFace) -> LeftOut | None:
    if len(clip.frame_indices) < FEWEST_FRAMES:
        return "short"
    if np.median(clip.boxes_xyxy[:, 3] - clip.boxes_xyxy[:, 1]) < SMALLEST:
        return "small"
    return None
