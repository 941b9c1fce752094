"""Where in a face crop the detector sees manipulation, found by covering one place after another.

Occlusion needs nothing but logits, so it works with every engine, and what a map shows is what was
measured: how much lower the frame's logit gets without a place. The last feature map of the encoder
has only a few places, and the layers after it are not linear, so class activation mapping has
nothing exact to say here.

Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014.
"""

import functools

import numpy as np
from PIL import Image, ImageFilter

from dfjax.inference.engine import Engine, score_faces

_STEPS = 8
"""Windows begin every eighth of the crop's side, and are two eighths wide."""

_BLUR = 0.08
"""Standard deviation of the blur that covers a place, as a share of the crop's side."""


def heat_maps(engine: Engine, crops: np.ndarray) -> np.ndarray:
    """Returns how much each place of face crops adds to their frame logits: float32 [n, S, S].

    Positive: covering the place makes the frame look more real. Each crop costs as much as scoring
    50 crops.

    Args:
      engine: Scores the covered crops.
      crops: uint8 [n, S, S, 3] RGB, n at least 1; S is `config.crops.image_size`.
    """
    maps = []
    for crop in crops:
        batch = np.concatenate([crop[None], covered(crop)])
        (face,) = score_faces(engine, [engine.encode(batch)], [np.arange(len(batch))])
        maps.append(heat_map(face.frame_logits[0] - face.frame_logits[1:], len(crop)))
    return np.stack(maps)


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


@functools.cache
def _windows(size: int) -> np.ndarray:
    """Returns the windows with soft edges, float32 [49, size, size], from 0 to 1."""
    # A hard edge would be just what a detector of blended faces looks for.
    places = (np.arange(size) + 0.5) * (_STEPS / size)
    starts = np.arange(_STEPS - 1)
    away = np.abs(places[None] - (starts[:, None] + 1))
    edges = np.clip(1.5 - away, 0.0, 1.0).astype(np.float32)
    return (edges[:, None, :, None] * edges[None, :, None, :]).reshape(-1, size, size)
