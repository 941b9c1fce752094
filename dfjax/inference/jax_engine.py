"""The reference engine: the detector itself, compiled by jax."""

from collections.abc import Sequence
from typing import Any, Self

import jax
import numpy as np
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from dfjax.compiler_options import compiler_options, in_float32
from dfjax.config import Config
from dfjax.inference.engine import FaceLogits, batches, check_crops
from dfjax.models.detector import Detector
from dfjax.models.fingerprint import fingerprint
from dfjax.models.output import DetectorOutput

CROPS_AT_ONCE = 8
"""Batch size of the encoder for scoring single videos, in face crops."""

MANY_CROPS, MANY_CLIPS = 32, 16
"""Batch sizes of the encoder (crops) and the temporal part (clips) for scoring whole data sets."""


class JaxEngine:
    """Runs a detector on devices of this process. Holds its weights and compiled functions.

    Two functions are compiled, each at its first call: the encoder for a batch of crops, and the
    temporal part for a batch of clips. Not thread-safe.
    """

    def __init__(
        self,
        detector: Detector,
        *,
        crops_per_batch: int = CROPS_AT_ONCE,
        clips_per_batch: int = 1,
        devices: Sequence[Any] | None = None,
    ):
        """Makes an engine for a detector.

        Args:
          detector: The detector; its weights are copied to the devices.
          crops_per_batch: Number of crops to encode at once, rounded up to a multiple of the number
            of devices.
          clips_per_batch: Number of clips to score at once, rounded up in the same way.
          devices: The jax devices that share every batch; None: the first one of this process.
        """
        devices = list(jax.local_devices()[:1] if devices is None else devices)
        mesh = jax.make_mesh(
            (len(devices),), ("data",), axis_types=(AxisType.Auto,), devices=devices
        )
        self.config: Config = detector.config
        self._num_devices = len(devices)
        self.crops_per_batch = _multiple(crops_per_batch, self._num_devices)
        self.clips_per_batch = _multiple(clips_per_batch, self._num_devices)
        self._replicated = NamedSharding(mesh, PartitionSpec())
        split = NamedSharding(mesh, PartitionSpec("data"))
        self._published, state = nnx.split(detector)
        self.load(state)

        def encode(state, images):
            return self._detector(state).encode(images)

        def score(state, features, mask, past=None):
            return self._detector(state).score_features(features, mask, past=past)

        def remember(state, features, mask, past):
            return self._detector(state).remember(features, mask, past)

        # Where a model rounds to bfloat16, it does so itself; all else is float32 on any device.
        is_exact = self.config.encoder.compute_dtype == "float32"
        self._encode = jax.jit(
            in_float32(encode) if is_exact else encode,
            in_shardings=(self._replicated, split),
            compiler_options=compiler_options(),
        )
        self._score = jax.jit(in_float32(score), in_shardings=(self._replicated, split, split))
        self._score_after = jax.jit(in_float32(score))
        self._remember = jax.jit(in_float32(remember))

    @classmethod
    def for_many(cls, detector: Detector) -> Self:
        """Returns an engine for a whole data set: large batches over all devices of the process."""
        is_cpu = jax.default_backend() == "cpu"  # where large batches take longer
        return cls(
            detector,
            crops_per_batch=CROPS_AT_ONCE if is_cpu else MANY_CROPS,
            clips_per_batch=MANY_CLIPS,
            devices=jax.local_devices(),
        )

    def load(self, variables: Any) -> None:
        """Replaces the weights with others of the same shape, without recompiling.

        Args:
          variables: All variables of a detector, in the form of `nnx.state`.
        """
        detector = nnx.merge(self._published, jax.device_put(variables, self._replicated))
        self._digest = fingerprint(nnx.state(detector), self.config)
        detector.encoder.fold()
        self._graph, state = nnx.split(detector)
        self._state = jax.device_put(state, self._replicated)

    def _detector(self, state: Any) -> Detector:
        return nnx.merge(self._graph, state)

    def digest(self) -> str:
        """Returns the fingerprint; see `Engine.digest`."""
        return self._digest

    def encode(self, crops: np.ndarray) -> np.ndarray:
        """Returns float32 [N,C]; see `Engine.encode`."""
        check_crops(crops, self.config)
        encoded = [
            np.asarray(self._encode(self._state, batch))
            for batch in batches(crops, _multiple(self.crops_per_batch, self._num_devices))
        ]
        return np.concatenate(encoded)[: len(crops)]

    def score(self, features: np.ndarray, frame_mask: np.ndarray) -> DetectorOutput:
        """Returns the logits as numpy arrays; see `Engine.score`."""
        if not len(features):
            raise ValueError("features is empty; at least one clip is needed.")
        size = _multiple(self.clips_per_batch, self._num_devices)
        outputs = [
            self._score(self._state, *pair)
            for pair in zip(batches(features, size), batches(frame_mask, size), strict=True)
        ]
        return DetectorOutput(
            frame_logits=np.concatenate([o.frame_logits for o in outputs])[: len(features)],
            clip_logits=np.concatenate([o.clip_logits for o in outputs])[: len(features)],
        )

    def remember(self, features: np.ndarray, past: Any = None) -> Any:
        """Returns the state after frames; see `StreamingEngine.remember`."""
        frame_mask = np.ones((1, len(features)), bool)
        return self._remember(self._state, features[None], frame_mask, past)

    def score_after(self, past: Any, features: np.ndarray, frame_mask: np.ndarray) -> FaceLogits:
        """Returns the logits of frames of a stream; see `StreamingEngine.score_after`."""
        output = self._score_after(self._state, features[None], frame_mask[None], past)
        return FaceLogits(
            np.asarray(output.frame_logits)[0, frame_mask], float(output.clip_logits[0])
        )


def _multiple(least: int, of: int) -> int:
    return -(-least // of) * of
