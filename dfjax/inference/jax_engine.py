"""The engine that is the reference: the detector itself, compiled by jax."""

from collections.abc import Sequence
from typing import Any, Self

import jax
import numpy as np
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from dfjax.config import Config
from dfjax.inference.engine import batches
from dfjax.models.detector import Detector
from dfjax.models.output import DetectorOutput

CROPS_AT_ONCE = 8
"""Face crops that go through the encoder together where one video is scored after another."""

MANY_CROPS, MANY_CLIPS = 32, 16
"""The same, and of clips through the temporal part, where a whole data set is scored."""


class JaxEngine:
    """Runs a detector on some devices of this process. Holds its weights and compiled functions.

    Two shapes are compiled, at the first call of each: a batch of crops through the encoder, and a
    batch of clips through the temporal part. Not to be called from two threads at once.
    """

    def __init__(
        self,
        detector: Detector,
        *,
        crops_per_batch: int = CROPS_AT_ONCE,
        clips_per_batch: int = 1,
        devices: Sequence[Any] | None = None,
    ):
        """Takes a detector.

        Args:
          detector: Its weights are copied to the devices.
          crops_per_batch: How many crops are encoded at once; rounded up to a multiple of the
            devices.
          clips_per_batch: How many clips are scored at once; rounded up too.
          devices: Those of jax that share every batch; None: the first of this process.
        """
        devices = list(jax.local_devices()[:1] if devices is None else devices)
        mesh = jax.make_mesh(
            (len(devices),), ("data",), axis_types=(AxisType.Auto,), devices=devices
        )
        self.config: Config = detector.config
        self.crops_per_batch = _multiple(crops_per_batch, len(devices))
        self.clips_per_batch = _multiple(clips_per_batch, len(devices))
        self._replicated = NamedSharding(mesh, PartitionSpec())
        split = NamedSharding(mesh, PartitionSpec("data"))
        graph, state = nnx.split(detector)
        self._encode = jax.jit(
            lambda state, images: nnx.merge(graph, state).encode(images),
            in_shardings=(self._replicated, split),
        )
        self._score = jax.jit(
            lambda state, features, mask: nnx.merge(graph, state).score_features(features, mask),
            in_shardings=(self._replicated, split, split),
        )
        self.load(state)

    @classmethod
    def for_many(cls, detector: Detector) -> Self:
        """Returns an engine for a whole data set: large batches over all devices of the process."""
        return cls(
            detector,
            crops_per_batch=MANY_CROPS,
            clips_per_batch=MANY_CLIPS,
            devices=jax.local_devices(),
        )

    def load(self, variables: Any) -> None:
        """Takes other weights of the same shape, without compiling again.

        Args:
          variables: All of a detector's, as `nnx.state` gives them.
        """
        self._state = jax.device_put(variables, self._replicated)

    def encode(self, crops: np.ndarray) -> np.ndarray:
        """Returns float32 [N,C]; see `Engine.encode`."""
        size = self.config.crops.image_size
        if crops.dtype != np.uint8 or crops.shape[1:] != (size, size, 3):
            raise ValueError(
                f"crops is {crops.dtype} {list(crops.shape)}; uint8 [N,{size},{size},3] is needed, "
                "as in the model's config.crops.image_size."
            )
        encoded = [
            np.asarray(self._encode(self._state, batch))
            for batch in batches(crops, self.crops_per_batch)
        ]
        if not encoded:
            raise ValueError("crops is empty; at least one crop is needed.")
        return np.concatenate(encoded)[: len(crops)]

    def score(self, features: np.ndarray, frame_mask: np.ndarray) -> DetectorOutput:
        """Returns the logits as arrays of numpy; see `Engine.score`."""
        if not len(features):
            raise ValueError("features is empty; at least one clip is needed.")
        outputs = [
            self._score(self._state, *pair)
            for pair in zip(
                batches(features, self.clips_per_batch),
                batches(frame_mask, self.clips_per_batch),
                strict=True,
            )
        ]
        return DetectorOutput(
            frame_logits=np.concatenate([o.frame_logits for o in outputs])[: len(features)],
            clip_logits=np.concatenate([o.clip_logits for o in outputs])[: len(features)],
        )


def _multiple(least: int, of: int) -> int:
    return -(-least // of) * of
