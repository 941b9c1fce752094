"""The interface of MTCNN's three networks, independent of the runtime."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

Scores = tuple[np.ndarray, np.ndarray]
"""Confidences and offsets of boxes, float32 [...] and [..., 4]."""


class FaceNetworks(Protocol):
    """P-Net, R-Net and O-Net with the published weights, ready to run. Not thread-safe."""

    def start_pnet(self, sheets: np.ndarray) -> Callable[[], Scores]:
        """Starts P-Net, so that other work can be done meanwhile.

        Args:
          sheets: uint8 [N,H,W,3] RGB; H and W even, at least 12.

        Returns:
          A function that waits for the result: confidences [N,h,w] and offsets [N,h,w,4], as
          `dfjax.faces.mtcnn.PNet` defines them.
        """
        ...

    def rnet(self, crops: np.ndarray) -> Scores:
        """Returns the confidences [N] and offsets [N,4] of crops, uint8 [N,24,24,3] RGB."""
        ...

    def onet(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns confidences [N], offsets [N,4] and landmarks [N,5,2] of crops of 48 pixels."""
        ...

    def warm_up(self, sheet_sizes: Sequence[tuple[int, int]]) -> None:
        """Prepares all that may be needed.

        Args:
          sheet_sizes: Width and height of the sheets that may come, pixels.
        """
        ...
