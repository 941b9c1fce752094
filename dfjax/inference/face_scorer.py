"""Scores the faces of a video, each crop once, however often the video is looked at."""

import time
from typing import NamedTuple

import numpy as np

from dfjax.faces.clips import FaceClip, FaceClips, OnProgress
from dfjax.inference.engine import Engine, score_faces
from dfjax.inference.evidence import FaceFrames


class ScoredFaces(NamedTuple):
    """The faces of a video, and what the detector says of each."""

    read: FaceClips
    faces: list[FaceFrames]
    seconds: float  # that it took to score them


_CropKey = tuple[float, bytes]
"""Time and box of a face."""


class FaceScorer:
    """Scores the faces of one video; holds the features of its crops."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._known: dict[_CropKey, np.ndarray] = {}

    def __call__(self, read: FaceClips, on_progress: OnProgress) -> ScoredFaces:
        """Scores every face; the crops of all of them share the encoder's batches.

        Args:
          read: The faces. Crops that were there before are not encoded again.
          on_progress: Called with the progress of this function.
        """
        started = time.perf_counter()
        if not read.clips:
            return ScoredFaces(read, [], 0.0)
        keys = [_keys(read, clip) for clip in read.clips]
        new = {
            key: crop
            for clip, of_clip in zip(read.clips, keys, strict=True)
            for key, crop in zip(of_clip, clip.frames, strict=True)
            if key not in self._known
        }
        if new:
            encoded = self._encode(np.stack(list(new.values())), on_progress)
            self._known.update(zip(new, encoded, strict=True))
        scored = score_faces(
            self._engine,
            [np.stack([self._known[key] for key in of_clip]) for of_clip in keys],
            [clip.frame_indices for clip in read.clips],
        )
        faces = [
            FaceFrames(*logits, read.timestamps[clip.frame_indices])
            for clip, logits in zip(read.clips, scored, strict=True)
        ]
        return ScoredFaces(read, faces, time.perf_counter() - started)

    def _encode(self, crops: np.ndarray, on_progress: OnProgress) -> np.ndarray:
        """Returns float32 [n, C] features of uint8 [n, S, S, 3] crops."""
        features = []
        for start in range(0, len(crops), self._engine.crops_per_batch):
            batch = crops[start : start + self._engine.crops_per_batch]
            features.append(self._engine.encode(batch))
            on_progress((start + len(batch)) / len(crops), "Scoring faces")
        return np.concatenate(features)


def _keys(read: FaceClips, clip: FaceClip) -> list[_CropKey]:
    times = read.timestamps[clip.frame_indices].tolist()
    return [(time, box.tobytes()) for time, box in zip(times, clip.boxes_xyxy, strict=True)]
