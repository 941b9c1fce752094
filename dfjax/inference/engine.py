"""The interface for scoring face crops, independent of the runtime, and its use on faces.

`Predictor`, the evaluation and the checks before a push all score through an `Engine`, so that a
crop gets the same logits everywhere. `JaxEngine` is the reference, `GraphEngine` runs the same
network in other runtimes.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from dfjax.config import Config
from dfjax.models.output import DetectorOutput


@runtime_checkable
class Engine(Protocol):
    """A detector that is ready to score."""

    config: Config
    crops_per_batch: int
    """Batch size of `encode`, which is most efficient with a multiple of this many crops."""
    clips_per_batch: int
    """Batch size of `score`, which is most efficient with a multiple of this many clips."""

    def digest(self) -> str:
        """Returns the fingerprint of weights and config, 16 hex digits, the same in any runtime."""
        ...

    def encode(self, crops: np.ndarray) -> np.ndarray:
        """Returns the features of face crops.

        Args:
          crops: uint8 [N,S,S,3] RGB; S is `config.crops.image_size`.

        Returns:
          float32 [N,C].

        Raises:
          ValueError: `crops` has the wrong shape or type.
        """
        ...

    def score(self, features: np.ndarray, frame_mask: np.ndarray) -> DetectorOutput:
        """Returns the logits of clips, as numpy arrays.

        Args:
          features: float32 [B,T,C], from `encode`.
          frame_mask: bool [B,T], True where the frame is present. T can be any length; a runtime
            that compiles does so once for each T.

        Raises:
          ValueError: The shapes do not match.
        """
        ...


class FaceLogits(NamedTuple):
    """The logits of one face in n sampled frames; positive means fake."""

    frame_logits: np.ndarray  # float32 [n]
    clip_logit: float


@runtime_checkable
class StreamingEngine(Engine, Protocol):
    """An engine that remembers what a stream of frames has shown before.

    The LSTM that reads forward goes on from its state; one that reads backward, and the attention
    over the frames, see the frames that are given.
    """

    def remember(self, features: np.ndarray, past: Any = None) -> Any:
        """Returns what the forward LSTM knows after further frames of one face.

        Args:
          features: float32 [n,C], from `encode`, n at least 1.
          past: What it knew before; None: nothing.
        """
        ...

    def score_after(self, past: Any, features: np.ndarray, frame_mask: np.ndarray) -> FaceLogits:
        """Returns the logits of the frames that are present, given what came before.

        Args:
          past: From `remember`; None: nothing came before.
          features: float32 [T,C].
          frame_mask: bool [T], True where the frame is present.
        """
        ...


def score_faces(
    engine: Engine, features: Sequence[np.ndarray], frame_indices: Sequence[np.ndarray]
) -> list[FaceLogits]:
    """Returns the logits of faces from the features of their crops.

    Every face becomes a clip of `config.video.num_frames` frames, so only one shape is compiled. If
    more frames were sampled, it becomes several, and its clip logit is the mean of theirs, weighted
    by their frames.

    Args:
      engine: The engine that encoded the crops.
      features: float32 [n,C] for each face; n may differ.
      frame_indices: int [n] for each face: the sampled frames that show it, in increasing order.
    """
    num_frames = engine.config.video.num_frames
    parts: list[tuple[int, np.ndarray, np.ndarray]] = []  # face, features and places of a clip
    for face, (of_face, indices) in enumerate(zip(features, frame_indices, strict=True)):
        clip_of = np.asarray(indices) // num_frames
        for clip in np.unique(clip_of):
            rows = clip_of == clip
            parts.append((face, of_face[rows], np.asarray(indices)[rows] % num_frames))
    scored = _score_clips(engine, [part[1] for part in parts], [part[2] for part in parts])
    of_faces: list[list[FaceLogits]] = [[] for _ in features]
    for (face, _, _), logits in zip(parts, scored, strict=True):
        of_faces[face].append(logits)
    return [_joined(clips) for clips in of_faces]


def _joined(clips: Sequence[FaceLogits]) -> FaceLogits:
    """Returns the logits of a face from those of its clips."""
    if len(clips) == 1:
        return clips[0]
    lengths = [len(clip.frame_logits) for clip in clips]
    return FaceLogits(
        np.concatenate([clip.frame_logits for clip in clips]),
        float(np.average([clip.clip_logit for clip in clips], weights=lengths)),
    )


def _score_clips(
    engine: Engine, features: Sequence[np.ndarray], frame_indices: Sequence[np.ndarray]
) -> list[FaceLogits]:
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


def check_crops(crops: np.ndarray, config: Config) -> None:
    """Checks that crops are as `Engine.encode` needs them.

    Raises:
      ValueError: They have the wrong shape or type, or there is none.
    """
    size = config.crops.image_size
    if crops.dtype != np.uint8 or crops.shape[1:] != (size, size, 3):
        raise ValueError(
            f"crops is {crops.dtype} {list(crops.shape)}; uint8 [N,{size},{size},3] is needed, "
            "as in the model's config.crops.image_size."
        )
    if not len(crops):
        raise ValueError("crops is empty; at least one crop is needed.")


def batches(array: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Yields the rows of an array in parts of `size`, padding the last part with zeros."""
    for start in range(0, len(array), size):
        part = array[start : start + size]
        missing = size - len(part)
        yield np.pad(part, [(0, missing)] + [(0, 0)] * (array.ndim - 1)) if missing else part
