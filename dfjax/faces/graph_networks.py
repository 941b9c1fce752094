"""MTCNN's networks in a runtime other than JAX."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from dfjax.faces.mtcnn_graph import mtcnn_graphs
from dfjax.faces.networks import Scores
from dfjax.runtimes.runtime import Network, Runtime

_MAX_CROPS = 32  # per call of R-Net and O-Net, so that what they compute stays in the cache


class GraphNetworks:
    """P-Net, R-Net and O-Net in a runtime, always in float32; see `FaceNetworks`."""

    def __init__(self, runtime: Runtime):
        """Reads the weights.

        Raises:
          ModelFormatError: The package `mtcnn`, which holds them, is missing or the wrong version.
        """
        self._pnet, self._rnet, self._onet = map(runtime.load, mtcnn_graphs())
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="pnet")

    def start_pnet(self, sheets: np.ndarray) -> Callable[[], Scores]:
        """Starts P-Net; see `FaceNetworks.start_pnet`."""
        return self._executor.submit(self._run_pnet, sheets).result

    def _run_pnet(self, sheets: np.ndarray) -> Scores:
        # One sheet at a time, as in JAX.
        confidences, offsets = zip(*(self._pnet(sheet[None]) for sheet in sheets), strict=True)
        return np.concatenate(confidences), np.concatenate(offsets)

    def rnet(self, crops: np.ndarray) -> Scores:
        """Returns what R-Net says of crops; see `FaceNetworks.rnet`."""
        confidences, offsets = _run(self._rnet, crops)
        return confidences, offsets

    def onet(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns what O-Net says of crops; see `FaceNetworks.onet`."""
        confidences, offsets, landmarks = _run(self._onet, crops)
        return confidences, offsets, landmarks

    def warm_up(self, sheet_sizes: Sequence[tuple[int, int]]) -> None:
        """Runs each network once; see `FaceNetworks.warm_up`."""
        for width, height in sheet_sizes:
            self.start_pnet(np.zeros((1, height, width, 3), np.uint8))()
        self.rnet(np.zeros((1, 24, 24, 3), np.uint8))
        self.onet(np.zeros((1, 48, 48, 3), np.uint8))


def _run(network: Network, crops: np.ndarray) -> list[np.ndarray]:
    parts = [network(crops[n : n + _MAX_CROPS]) for n in range(0, len(crops), _MAX_CROPS)]
    return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]
