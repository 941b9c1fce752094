"""The three networks of MTCNN.

Source: Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks", IEEE Signal Processing Letters 23 (2016).
"""

import functools
from collections.abc import Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from dfjax.errors import ModelFormatError
from dfjax.faces.mtcnn_weights import REMEDY, read_weights


class _ChannelPReLU(nnx.Module):
    """`x` where positive, else `x` times a learned slope per channel (nnx.PReLU has just one)."""

    def __init__(self, num_channels: int):
        self.slope = nnx.Param(jnp.zeros((num_channels,)))

    def __call__(self, x: jax.Array) -> jax.Array:
        slope = self.slope[...].reshape((1,) * (x.ndim - 1) + (-1,))
        return jnp.where(x >= 0, x, slope * x)


class _Network(nnx.Module):
    """What the three networks share: loading their published arrays in order."""

    published_layers: ClassVar[tuple[str, ...]]

    def load(self, arrays: Sequence[np.ndarray]) -> None:
        """Loads the published arrays: kernel and bias, or slopes, layer by layer.

        Kernels are HWIO, or [in, out]; slopes have leading axes of size one.

        Raises:
          ModelFormatError: The number of arrays or a shape is not this network's.
        """
        params = []
        for name in self.published_layers:
            layer = getattr(self, name)
            is_slope = isinstance(layer, _ChannelPReLU)
            params += [layer.slope] if is_slope else [layer.kernel, layer.bias]
        found = [_without_leading_ones(a, p.ndim) for a, p in zip(arrays, params, strict=False)]
        if len(arrays) != len(params) or any(
            a.shape != p.shape for a, p in zip(found, params, strict=True)
        ):
            raise ModelFormatError(
                f"{type(self).__name__} got arrays of shapes {[a.shape for a in arrays]}; "
                f"it needs {[p.shape for p in params]}. {REMEDY}"
            )
        for param, array in zip(params, found, strict=True):
            param.set_value(jnp.asarray(array, jnp.float32))


class PNet(_Network):
    """Proposal network: is there a face in each 12-pixel window of a picture of any size?"""

    published_layers = (
        *("conv1", "prelu1", "conv2", "prelu2", "conv3", "prelu3"),
        *("box_head", "face_head"),
    )

    def __init__(self, *, rngs: nnx.Rngs):
        self.conv1, self.prelu1 = _conv(3, 10, 3, rngs), _ChannelPReLU(10)
        self.conv2, self.prelu2 = _conv(10, 16, 3, rngs), _ChannelPReLU(16)
        self.conv3, self.prelu3 = _conv(16, 32, 3, rngs), _ChannelPReLU(32)
        self.box_head = _conv(32, 4, 1, rngs)
        self.face_head = _conv(32, 2, 1, rngs)

    def __call__(self, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Scores every window. Window [i, j] covers the pixels from (2j, 2i) to (2j+12, 2i+12).

        Args:
          images: [N,H,W,3] RGB, 0 to 255, H and W at least 12.

        Returns:
          float32 confidences [N,h,w] in [0, 1], and float32 offsets [N,h,w,4] of the box's left,
          top, right and bottom edges from the window's, as fractions of 12 pixels. For even sizes,
          h = H/2 - 5 and w = W/2 - 5.
        """
        x = self.prelu1(self.conv1(_normalize(images)))
        x = _max_pool(x, 2, "SAME")
        x = self.prelu2(self.conv2(x))
        x = self.prelu3(self.conv3(x))
        return _confidence(self.face_head(x)), self.box_head(x)


class RNet(_Network):
    """Refinement network: is this 24-pixel crop a face, and where in it?"""

    published_layers = (
        *("conv1", "prelu1", "conv2", "prelu2", "conv3", "prelu3", "hidden", "prelu4"),
        *("box_head", "face_head"),
    )

    def __init__(self, *, rngs: nnx.Rngs):
        self.conv1, self.prelu1 = _conv(3, 28, 3, rngs), _ChannelPReLU(28)
        self.conv2, self.prelu2 = _conv(28, 48, 3, rngs), _ChannelPReLU(48)
        self.conv3, self.prelu3 = _conv(48, 64, 2, rngs), _ChannelPReLU(64)
        self.hidden, self.prelu4 = nnx.Linear(576, 128, rngs=rngs), _ChannelPReLU(128)
        self.box_head = nnx.Linear(128, 4, rngs=rngs)
        self.face_head = nnx.Linear(128, 2, rngs=rngs)

    def __call__(self, crops: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Scores crops.

        Args:
          crops: [N,24,24,3] RGB, 0 to 255.

        Returns:
          float32 confidences [N] in [0, 1], and float32 offsets [N,4] of the box's left, top,
          right and bottom edges from the crop's, as fractions of the crop's side.
        """
        x = self.prelu1(self.conv1(_normalize(crops)))
        x = _max_pool(x, 3, "SAME")
        x = self.prelu2(self.conv2(x))
        x = _max_pool(x, 3, "VALID")
        x = self.prelu3(self.conv3(x))
        x = self.prelu4(self.hidden(_flatten_width_first(x)))
        return _confidence(self.face_head(x)), self.box_head(x)


class ONet(_Network):
    """Output network: is this 48-pixel crop a face, where in it, and where are its landmarks?"""

    published_layers = (
        *("conv1", "prelu1", "conv2", "prelu2", "conv3", "prelu3", "conv4", "prelu4"),
        *("hidden", "prelu5", "box_head", "landmark_head", "face_head"),
    )

    def __init__(self, *, rngs: nnx.Rngs):
        self.conv1, self.prelu1 = _conv(3, 32, 3, rngs), _ChannelPReLU(32)
        self.conv2, self.prelu2 = _conv(32, 64, 3, rngs), _ChannelPReLU(64)
        self.conv3, self.prelu3 = _conv(64, 64, 3, rngs), _ChannelPReLU(64)
        self.conv4, self.prelu4 = _conv(64, 128, 2, rngs), _ChannelPReLU(128)
        self.hidden, self.prelu5 = nnx.Linear(1152, 256, rngs=rngs), _ChannelPReLU(256)
        self.box_head = nnx.Linear(256, 4, rngs=rngs)
        self.landmark_head = nnx.Linear(256, 10, rngs=rngs)
        self.face_head = nnx.Linear(256, 2, rngs=rngs)

    def __call__(self, crops: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Scores crops and places landmarks.

        Args:
          crops: [N,48,48,3] RGB, 0 to 255.

        Returns:
          float32 confidences [N] in [0, 1]; float32 offsets [N,4] as from `RNet`; and float32
          landmarks [N,5,2], xy as fractions of the crop's side from its left and top edges: left
          eye, right eye, nose, left and right mouth corner, as seen in the picture.
        """
        x = self.prelu1(self.conv1(_normalize(crops)))
        x = _max_pool(x, 3, "SAME")
        x = self.prelu2(self.conv2(x))
        x = _max_pool(x, 3, "VALID")
        x = self.prelu3(self.conv3(x))
        x = _max_pool(x, 2, "SAME")
        x = self.prelu4(self.conv4(x))
        x = self.prelu5(self.hidden(_flatten_width_first(x)))
        # The published head gives five x, then five y.
        landmarks = self.landmark_head(x).reshape(-1, 2, 5).transpose(0, 2, 1)
        return _confidence(self.face_head(x)), self.box_head(x), landmarks


@functools.cache
def load_networks() -> tuple[PNet, RNet, ONet]:
    """Returns the three networks with the weights of the installed package `mtcnn`.

    Raises:
      ModelFormatError: As for `read_weights`.
    """
    networks = [
        nnx.eval_shape(lambda kind=kind: kind(rngs=nnx.Rngs(0))) for kind in (PNet, RNet, ONet)
    ]
    for network, arrays in zip(networks, read_weights(), strict=True):
        network.load(arrays)
    pnet, rnet, onet = networks
    return pnet, rnet, onet


def _conv(num_in: int, num_out: int, size: int, rngs: nnx.Rngs) -> nnx.Conv:
    return nnx.Conv(num_in, num_out, (size, size), padding="VALID", rngs=rngs)


def _without_leading_ones(array: np.ndarray, ndim: int) -> np.ndarray:
    extra = array.ndim - ndim
    return array.reshape(array.shape[extra:]) if set(array.shape[:extra]) == {1} else array


def _normalize(images: jax.Array) -> jax.Array:
    return (images.astype(jnp.float32) - 127.5) / 128


def _max_pool(x: jax.Array, size: int, padding: str) -> jax.Array:
    return nnx.max_pool(x, (size, size), (2, 2), padding)


def _flatten_width_first(x: jax.Array) -> jax.Array:
    # The networks were trained in a framework that stores pictures column by column.
    return x.transpose(0, 2, 1, 3).reshape(x.shape[0], -1)


def _confidence(logits: jax.Array) -> jax.Array:
    """Returns the second of two softmax probabilities: [..., 2] -> [...]."""
    return jax.nn.sigmoid(logits[..., 1] - logits[..., 0])
