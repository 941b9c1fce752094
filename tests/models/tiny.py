"""Small models with weights from numpy: nothing to compile, and statistics that are not 0 and 1."""

import dataclasses
from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from dfjax.config import CalibrationConfig, Config, CropConfig, DetectorConfig, VideoConfig
from dfjax.encoder_config import NormalizationConfig, ResNetConfig
from dfjax.models.detector import Detector

ModuleT = TypeVar("ModuleT", bound=nnx.Module)

RESNET = ResNetConfig(embedding_size=8, depths=(1, 2), widths=(16, 32))
OTHER_STATISTICS = NormalizationConfig(mean=(0.5, 0.4, 0.3))
HEAD = DetectorConfig(projection_size=8, hidden_size=6, dropout=0.5)
CONFIG = Config(crops=CropConfig(image_size=32), encoder=RESNET, detector=HEAD)

MODEL_CONFIG = dataclasses.replace(
    CONFIG,
    video=VideoConfig(num_frames=9),
    encoder=dataclasses.replace(RESNET, normalization=OTHER_STATISTICS),
    calibration=CalibrationConfig(scale=0.7, bias=-0.2, real_below=0.3, false_positive_rate=0.05),
)
"""A config with other values than the defaults, which a saved model must keep."""


def filled(make: Callable[[nnx.Rngs], ModuleT], *, seed: int = 0) -> ModuleT:
    """Returns the module that `make` gives, with random values of a sensible size."""
    rng = np.random.default_rng(seed)
    graph, state = nnx.split(nnx.eval_shape(lambda: make(nnx.Rngs(0))))
    flat = []
    for path, variable in nnx.to_flat_state(state):
        shape = variable.shape
        if len(shape) > 1:
            value = rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1]))
        elif path[-1] in ("scale", "var"):
            value = rng.uniform(0.5, 1.5, size=shape)
        else:
            value = rng.normal(size=shape) * 0.2
        flat.append((path, variable.replace(jnp.asarray(value, jnp.float32))))
    return nnx.merge(graph, nnx.from_flat_state(flat))


def make_detector(seed: int = 0) -> Detector:
    """Returns a detector of `MODEL_CONFIG`."""
    return filled(lambda rngs: Detector(MODEL_CONFIG, rngs=rngs), seed=seed)


def assert_same_weights(found: nnx.Module, expected: nnx.Module) -> None:
    found_leaves, found_tree = jax.tree.flatten(nnx.state(found))
    expected_leaves, expected_tree = jax.tree.flatten(nnx.state(expected))
    assert found_tree == expected_tree
    for a, b in zip(found_leaves, expected_leaves, strict=True):
        assert a.dtype == b.dtype and np.asarray(a).tobytes() == np.asarray(b).tobytes()
