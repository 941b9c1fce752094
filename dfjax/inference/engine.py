"""What scores face crops, whatever runs the network, and how faces are handed to it.

`Predictor`, the evaluation and the checks before a push all score through an `Engine`, so that a
crop gets the same logits everywhere. `JaxEngine` is the reference; another runtime is one more
class with these methods.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from dfjax.config import Config
from dfjax.models.output import DetectorOutput


class Engine(Protocol):
    """A detector that is ready to score."""

    config: Config
    crops_per_batch: int
    """Crops that are computed at once: `encode` wastes least with a multiple of them."""
    clips_per_batch: int
    """Clips that are computed at once, for `score`."""

    def encode(self, crops: np.ndarray) -> np.ndarray:
        """Returns the features of face crops.

        Args:
          crops: uint8 [N,S,S,3] RGB; S is `config.crops.image_size`.

        Returns:
          float32 [N,C].

        Raises:
          ValueError: `crops` has another shape or type.
        """
        ...

    def score(self, features: np.ndarray, frame_mask: np.ndarray) -> DetectorOutput:
        """Returns the logits of clips, as arrays of numpy.

        Args:
          features: float32 [B,T,C], from `encode`.
          frame_mask: bool [B,T], True where the frame is present. T may be anything; a runtime
            that compiles does so once for each T.

        Raises:
          ValueError: The shapes do not match.
        """
        ...


class FaceLogits(NamedTuple):
    """What a detector says of one face in n sampled frames; positive means fake."""

    frame_logits: np.ndarray  # float32 [n]
    clip_logit: float


def score_faces(
    engine: Engine, features: Sequence[np.ndarray], frame_indices: Sequence[np.ndarray]
) -> list[FaceLogits]:
    """Returns the logits of faces whose crops are encoded.

    Every face becomes a clip of `config.video.num_frames` frames, so that one shape is compiled.

    Args:
      engine: Gave the features.
      features: float32 [n,C] of each face; n may differ.
      frame_indices: int [n] of each face, increasing: which of the sampled frames show it.
    """
    num_frames = engine.config.video.num_frames
    logits = []
    for start in range(0, len(features), engine.clips_per_batch):
        chosen = features[start : start + engine.clips_per_batch]
        indices = frame_indices[start : start + engine.clips_per_batch]
        padded = np.zeros((len(chosen), num_frames, chosen[0].shape[1]), np.float32)
        frame_mask = np.zeros((len(chosen), num_frames), bool)
        for row, (of_face, places) in enumerate(zip(chosen, indices, strict=True)):
            padded[row, places] = of_face
            frame_mask[row, places] = True
        output = engine.score(padded, frame_mask)
        logits += [
            FaceLogits(output.frame_logits[row, places], float(output.clip_logits[row]))
            for row, places in enumerate(indices)
        ]
    return logits


def batches(array: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Yields the rows of an array in parts of `size`, the last padded with zeros to that."""
    for start in range(0, len(array), size):
        part = array[start : start + size]
        missing = size - len(part)
        yield np.pad(part, [(0, missing)] + [(0, 0)] * (array.ndim - 1)) if missing else part
