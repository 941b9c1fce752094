"""MTCNN's networks in JAX, compiled for a few fixed shapes: the reference."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from flax import nnx

from dfjax.compiler_options import compiler_options, in_float32
from dfjax.faces.mtcnn import load_networks
from dfjax.faces.networks import Scores

_NUM_CROPS = {24: 16, 48: 4}
"""Per call of R-Net, which sees 24 pixels, and of O-Net. Calls with fewer are filled up."""

_SplitNetwork = tuple[nnx.GraphDef, nnx.State]


class JaxNetworks:
    """P-Net, R-Net and O-Net in JAX; see `FaceNetworks`."""

    def __init__(self):
        """Reads the weights.

        Raises:
          ModelFormatError: The package `mtcnn`, which holds them, is missing or the wrong version.
        """
        pnet, rnet, onet = load_networks()
        self._pnet: _SplitNetwork = nnx.split(pnet)
        self._rnet: _SplitNetwork = nnx.split(rnet)
        self._onet: _SplitNetwork = nnx.split(onet)

    def start_pnet(self, sheets: np.ndarray) -> Callable[[], Scores]:
        """Starts P-Net on some sheets; see `FaceNetworks.start_pnet`."""
        # JAX returns at once, and computes in threads of its own. One sheet at a time: what is
        # computed on the way stays in the CPU's cache, which saves a third of the time.
        found = [_compiled()(*self._pnet, sheet[None]) for sheet in sheets]

        def result() -> Scores:
            confidences, offsets = zip(*found, strict=True)
            return np.concatenate(confidences), np.concatenate(offsets)

        return result

    def rnet(self, crops: np.ndarray) -> Scores:
        """Returns what R-Net says of crops; see `FaceNetworks.rnet`."""
        confidences, offsets = _score(self._rnet, crops)
        return confidences, offsets

    def onet(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns what O-Net says of crops; see `FaceNetworks.onet`."""
        confidences, offsets, landmarks = _score(self._onet, crops)
        return confidences, offsets, landmarks

    def warm_up(self, sheet_sizes: Sequence[tuple[int, int]]) -> None:
        """Compiles every shape that may be needed; see `FaceNetworks.warm_up`."""
        for width, height in sheet_sizes:
            self.start_pnet(np.zeros((1, height, width, 3), np.uint8))()
        for network, size in ((self._rnet, 24), (self._onet, 48)):
            _score(network, np.zeros((1, size, size, 3), np.uint8))


def _score(network: _SplitNetwork, crops: np.ndarray) -> list[np.ndarray]:
    """Returns the outputs of R-Net or O-Net for crops, at least one."""
    at_once = _NUM_CROPS[crops.shape[1]]
    outputs = [
        _compiled()(*network, _padded(crops[start : start + at_once], at_once))
        for start in range(0, len(crops), at_once)
    ]
    return [
        np.concatenate([np.asarray(part) for part in parts])[: len(crops)]
        for parts in zip(*outputs, strict=True)
    ]


def _padded(pictures: np.ndarray, number: int) -> np.ndarray:
    """Returns pictures with black ones after them, so that there are `number`."""
    padded = np.zeros((number, *pictures.shape[1:]), np.uint8)
    padded[: len(pictures)] = pictures
    return padded


@functools.cache
def _compiled() -> Callable[..., Any]:
    """Returns a function of a network's graph, state and pictures, compiled for each shape."""

    def run(graph, state, pictures):
        return nnx.merge(graph, state)(pictures)

    return jax.jit(in_float32(run), static_argnums=0, compiler_options=compiler_options())
