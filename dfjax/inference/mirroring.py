"""Shows every other burst of a video to the detector as its mirror image.

A face is as real as its mirror image, but a detector's answers to the two differ. If bursts take
turns, the score of a video depends less on which way round it is, and by how much the two ways
differ is part of the noise that the model of evidence takes into account. It takes no longer. A
picture, or a video that is a single burst, is seen both ways. Its mirror image still gets another
answer, if a similar one, for the face's landmarks are found elsewhere, and so its crop is another.
"""

from collections.abc import Sequence

import numpy as np

from dfjax.inference.engine import FaceLogits


def is_mirrored(burst: int) -> bool:
    """Returns whether the frames of a burst are mirrored, if bursts take turns."""
    return burst % 2 == 1


def mirrorings(bursts: np.ndarray, *, take_turns: bool) -> list[np.ndarray]:
    """Returns which sampled frames are mirrored, for each time that they are scored.

    Args:
      bursts: int64 [T], the number of each frame's burst, from 0.
      take_turns: Whether bursts take turns, as `CalibrationConfig.mirror_bursts` says.

    Returns:
      bool [T] each: one, or two if all frames are of one burst.
    """
    as_they_are = np.zeros(len(bursts), bool)
    if not take_turns:
        return [as_they_are]
    if not np.any(bursts):
        return [as_they_are, ~as_they_are]
    return [np.array([is_mirrored(burst) for burst in bursts.tolist()])]


def mirror(crops: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """Returns crops of which some are mirrored left to right.

    Args:
      crops: uint8 [n, S, S, 3].
      mirrored: bool [n].
    """
    return np.where(mirrored[:, None, None, None], crops[:, :, ::-1], crops)


def mean_logits(scored: Sequence[FaceLogits]) -> FaceLogits:
    """Returns the mean of the logits of one face, scored once or both ways round."""
    if len(scored) == 1:
        return scored[0]
    frame_logits, clip_logits = zip(*scored, strict=True)
    return FaceLogits(np.mean(frame_logits, axis=0), float(np.mean(clip_logits)))
