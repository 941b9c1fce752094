"""Heat maps by occlusion: how much each place of a face crop adds to the frame's logit.

One place after another is covered, and the logit measured without it. That needs nothing but
logits, so it works with every engine. Class activation mapping would be cheaper, but the layers
after the encoder's last feature map are not linear, and that map has four by four places.

Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014.
"""

import functools

import numpy as np
from PIL import Image, ImageFilter

_STEPS = 8
"""Windows begin every eighth of the crop's side, and are two eighths wide."""

_EDGE = 0.015  # standard deviation of an area's soft edge, as a share of the crop's side
_BLUR = 0.08
"""Standard deviation of the blur that covers a place, as a share of the crop's side."""


def covered(crop: np.ndarray) -> np.ndarray:
    """Returns copies of a crop with one window of each covered by blur: uint8 [49, S, S, 3].

    Args:
      crop: uint8 [S, S, 3] RGB.
    """
    windows = _windows(len(crop))[..., None]
    plain, blurred = crop.astype(np.float32), blur(crop).astype(np.float32)
    return np.round(plain + windows * (blurred - plain)).astype(np.uint8)


def heat_map(drops: np.ndarray, size: int) -> np.ndarray:
    """Returns the mean drop of the windows over each pixel: float32 [size, size].

    Args:
      drops: float [49], by how much covering each window of `covered` lowers the logit.
      size: Side of the crop, pixels.
    """
    windows = _windows(size)
    total = np.tensordot(np.asarray(drops, np.float32), windows, axes=1)
    return (total / windows.sum(axis=0)).astype(np.float32)


def blur(crop: np.ndarray) -> np.ndarray:
    """Returns a crop without any detail, uint8 [S, S, 3]; colours and light stay."""
    smooth = Image.fromarray(crop).filter(ImageFilter.GaussianBlur(_BLUR * len(crop)))
    return np.asarray(smooth)


def hottest(map: np.ndarray, share: float) -> np.ndarray:
    """Returns the hottest pixels of a heat map, this share of them: bool [S, S]."""
    order = np.argsort(-map, axis=None, kind="stable")
    area = np.zeros(map.size, bool)
    area[order[: round(share * map.size)]] = True
    return area.reshape(map.shape)


def with_areas(below: np.ndarray, above: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Returns copies of a picture that show another in one area each: uint8 [n, S, S, 3].

    Args:
      below: uint8 [S, S, 3].
      above: The other, of the same shape.
      areas: bool [n, S, S]; their edges are softened.
    """
    radius = _EDGE * len(below)
    soft = [
        np.asarray(
            Image.fromarray(area.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(radius))
        )
        for area in areas
    ]
    weights = np.stack(soft).astype(np.float32)[..., None] / 255
    return np.round(below + weights * (above.astype(np.float32) - below)).astype(np.uint8)


@functools.cache
def _windows(size: int) -> np.ndarray:
    """Returns the windows with soft edges, float32 [49, size, size], from 0 to 1."""
    # A hard edge would be just what a detector of blended faces looks for.
    places = (np.arange(size) + 0.5) * (_STEPS / size)
    starts = np.arange(_STEPS - 1)
    away = np.abs(places[None] - (starts[:, None] + 1))
    edges = np.clip(1.5 - away, 0.0, 1.0).astype(np.float32)
    return (edges[:, None, :, None] * edges[None, :, None, :]).reshape(-1, size, size)
