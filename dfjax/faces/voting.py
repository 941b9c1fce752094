"""Which faces have a say in the verdict on a video: those that were seen well enough."""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np

LeftOut = Literal["short", "small"]
"""Why a face has no say: it is in hardly any frame, or hardly a face's details can be seen."""

FEWEST_FRAMES = 4
"""A face in fewer sampled frames is "short", unless its shot has no more."""

SMALLEST = 32
"""Pixels: a face whose box is lower, in most frames, is "small". It is enlarged fourfold or more to
be judged, so what is seen is mostly the enlargement. What counts are pixels of the picture as it
was recorded: where those of a video differ in size, smaller ones are shown enlarged."""


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


def left_out(
    clips: Sequence[SeenFace],
    shot_frames: Sequence[int | None] | None = None,
    scales: Sequence[np.ndarray | None] | None = None,
) -> list[LeftOut | None]:
    """Returns why each face has no say, and None for those that have.

    Nobody can say whether a figure in the background was manipulated, so it must not decide the
    verdict while others are seen well. If there are none, all have a say: a brief look is better
    than none, and the warnings say how brief it was.

    Of a video that is cut every few seconds, most shots are looked at once, perhaps in a pair of
    frames. A face that is in all sampled frames of its shot is not "short": else nobody would judge
    brief shots, or, of a long video, only those that were looked at again because they seemed
    suspicious.

    Args:
      clips: The faces of a video.
      shot_frames: How many sampled frames the shot of each has. None: of one or all, not known.
      scales: How many times as large as recorded the picture is shown in each frame of each face,
        float [n]. None: of one or all, as recorded.
    """
    none = [None] * len(clips)
    each = zip(clips, shot_frames or none, scales or none, strict=True)
    reasons: list[LeftOut | None] = [_reason(*of_face) for of_face in each]
    return reasons if None in reasons else [None for _ in clips]


def _reason(clip: SeenFace, shot_frames: int | None, scales: np.ndarray | None) -> LeftOut | None:
    num_frames = len(clip.frame_indices)
    if num_frames < FEWEST_FRAMES and num_frames != shot_frames:
        return "short"
    heights = clip.boxes_xyxy[:, 3] - clip.boxes_xyxy[:, 1]
    if np.median(heights if scales is None else heights / scales) < SMALLEST:
        return "small"
    return None
