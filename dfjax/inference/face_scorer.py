"""Scores the faces of a video, each crop once, however often the video is looked at."""

import dataclasses
import hashlib
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dfjax.faces.clips import FaceClips, OnProgress
from dfjax.faces.held_frames import AheadCrop
from dfjax.inference.engine import Engine, score_faces
from dfjax.inference.evidence import FaceFrames
from dfjax.inference.mirroring import is_mirrored, mean_logits, mirror, mirrorings


class ScoredFaces(NamedTuple):
    """The faces of a video, and what the detector says of each."""

    read: FaceClips
    faces: list[FaceFrames]
    seconds: float  # that it took to score them, with what was scored before


class _Key(NamedTuple):
    """What the features of a crop are known by: frames that show the same are encoded once."""

    digest: bytes  # of the crop as it was cut
    is_mirrored: bool


class FaceScorer:
    """Scores the faces of one video; holds the features of its crops, by what they show."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._take_turns = engine.config.calibration.mirror_bursts
        self._known: dict[_Key, np.ndarray] = {}
        self._waiting: dict[_Key, np.ndarray] = {}
        self._seconds = self._seconds_ahead = 0.0

    def encode_ahead(self, crops: Sequence[AheadCrop]) -> None:
        """Encodes crops that will most likely be scored, while the video is still being read.

        Args:
          crops: What does not fill a batch waits for more.
        """
        started = time.perf_counter()
        for burst, crop in crops:
            key = _Key(_digest(crop), self._take_turns and is_mirrored(burst))
            if key not in self._known:
                self._waiting[key] = crop
        size = self._engine.crops_per_batch
        while len(self._waiting) >= size:
            keys = list(self._waiting)[:size]
            self._encode(keys, [self._waiting.pop(key) for key in keys])
        self._seconds_ahead += time.perf_counter() - started

    def __call__(self, read: FaceClips, on_progress: OnProgress) -> ScoredFaces:
        """Scores every face; the crops of all of them share the encoder's batches.

        Args:
          read: The faces. Crops that were there before are not encoded again. The time that
            `encode_ahead` took while they were read counts as time for scoring.
          on_progress: Called with the progress of this function.
        """
        started = time.perf_counter()
        faces = self._score(read, on_progress) if read.clips else []
        self._seconds += time.perf_counter() - started
        ahead = self._seconds_ahead
        read = dataclasses.replace(read, face_seconds=read.face_seconds - ahead)
        return ScoredFaces(read, faces, self._seconds + ahead)

    def _score(self, read: FaceClips, on_progress: OnProgress) -> list[FaceFrames]:
        digests = [[_digest(crop) for crop in clip.frames] for clip in read.clips]
        ways = [
            [
                list(map(_Key, of_clip, mirrored[clip.frame_indices].tolist()))
                for clip, of_clip in zip(read.clips, digests, strict=True)
            ]
            for mirrored in mirrorings(read.bursts, take_turns=self._take_turns)
        ]
        new = {
            key: crop
            for keys in ways
            for clip, of_clip in zip(read.clips, keys, strict=True)
            for key, crop in zip(of_clip, clip.frames, strict=True)
            if key not in self._known
        }
        self._waiting.clear()
        keys, size = list(new), self._engine.crops_per_batch
        for start in range(0, len(keys), size):  # in a long video, copies of all take much memory
            part = keys[start : start + size]
            self._encode(part, [new[key] for key in part])
            on_progress((start + len(part)) / len(keys), "Scoring faces")
        scored = [
            score_faces(
                self._engine,
                [np.stack([self._known[key] for key in of_clip]) for of_clip in keys],
                [clip.frame_indices for clip in read.clips],
            )
            for keys in ways
        ]
        return [
            FaceFrames(*mean_logits(logits), read.timestamps[clip.frame_indices])
            for clip, *logits in zip(read.clips, *scored, strict=True)
        ]

    def _encode(self, keys: Sequence[_Key], crops: Sequence[np.ndarray]) -> None:
        """Encodes a batch of crops, as they are cut, and holds their features."""
        shown = mirror(np.stack(crops), np.array([key.is_mirrored for key in keys]))
        self._known.update(zip(keys, self._engine.encode(shown), strict=True))


def _digest(crop: np.ndarray) -> bytes:
    return hashlib.sha256(crop.tobytes()).digest()
