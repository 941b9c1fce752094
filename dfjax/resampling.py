"""Resamples pictures with one kernel, Catmull and Rom's cubic (a = -0.5), rounded to whole levels.

Pillow's `resize` uses that kernel. Its `transform` has a sharper one (a = -1) and cuts fractions
off, so crops would become sharper and darker depending on how a face happens to lie.

Source: Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981.
"""

import numpy as np
from PIL import Image

_TAPS = 4  # pixels per axis under the kernel
_EDGE = _TAPS - 1


def resize(
    picture: np.ndarray,
    size: tuple[int, int],
    box: tuple[float, float, float, float] | None = None,
) -> np.ndarray:
    """Returns a part of a picture, resized; the kernel is widened so that nothing aliases.

    Args:
      picture: uint8 [H, W, 3].
      size: Width and height of the result, pixels.
      box: Left, top, right and bottom of the part, in pixels; None: all of it.

    Returns:
      uint8 [size[1], size[0], 3].
    """
    if box is None and size == (picture.shape[1], picture.shape[0]):
        return picture
    image = Image.fromarray(picture)
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=3.0))


def sample_affine(picture: np.ndarray, back: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a picture moved, turned or slightly scaled.

    There is no protection against aliasing: `resize` first if the picture is to shrink. Beyond the
    edges, the outermost pixels are repeated.

    Args:
      picture: uint8 [H, W, 3].
      back: float [2, 3], maps a position in the result to one in the picture, in pixels; pixel i
        covers [i, i + 1).
      size: Width and height of the result, pixels.

    Returns:
      uint8 [size[1], size[0], 3].
    """
    width, height = size
    across, down = np.arange(width) + 0.5, (np.arange(height) + 0.5)[:, None]
    x = back[0, 0] * across + back[0, 1] * down + back[0, 2] - 0.5
    y = back[1, 0] * across + back[1, 1] * down + back[1, 2] - 0.5
    left, top = np.floor(x), np.floor(y)
    x_weights = _weights((x - left).astype(np.float32))
    y_weights = _weights((y - top).astype(np.float32))
    # With repeated edges as wide as the kernel, a position far outside needs no special case.
    padded = np.pad(picture, ((_EDGE, _EDGE), (_EDGE, _EDGE), (0, 0)), mode="edge")
    column = np.clip(left, -2, picture.shape[1]).astype(np.int64) + _EDGE - 1
    row = np.clip(top, -2, picture.shape[0]).astype(np.int64) + _EDGE - 1
    first = row * padded.shape[1] + column
    # Gathering from one channel at a time is three times as fast as gathering pixels.
    channels = np.ascontiguousarray(padded.reshape(-1, 3).T, np.float32)
    total = np.zeros((3, height, width), np.float32)
    for n in range(_TAPS):
        for m in range(_TAPS):
            weights = y_weights[n] * x_weights[m]
            places = first + n * padded.shape[1] + m
            for channel, sum_ in zip(channels, total, strict=True):
                sum_ += weights * channel.take(places)
    return np.clip(np.round(total), 0, 255).astype(np.uint8).transpose(1, 2, 0).copy()


def _weights(fraction: np.ndarray) -> np.ndarray:
    """Returns the kernel's four weights at positions in [0, 1) after the second pixel: [4, …]."""
    f = fraction
    return np.stack(
        [
            ((-0.5 * f + 1) * f - 0.5) * f,
            (1.5 * f - 2.5) * f * f + 1,
            ((-1.5 * f + 2) * f + 0.5) * f,
            (0.5 * f - 0.5) * f * f,
        ]
    )
