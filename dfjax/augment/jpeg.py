"""JPEG compression losses on the accelerator, without writing a file.

Agrees with libjpeg, as used by Pillow, to within rounding: conversion to Y, Cb and Cr, chroma at
half the resolution, a cosine transform of 8x8 blocks, quantization with the standard tables, and
the inverse of all this with interpolated chroma.

Source: ITU-T T.81, annexes A.3 and K.1; the scaling of the tables and the rounding of chroma follow
the Independent JPEG Group's library.
"""

import jax
import jax.numpy as jnp
import numpy as np

from dfjax.augment.colour import LUMA, mix_channels

UNIT = 16
"""Height and width must be multiples of this: the pixels that one chroma block covers."""

_BLOCK = 8

_LUMA_TABLE = """
    16 11 10 16  24  40  51  61
    12 12 14 19  26  58  60  55
    14 13 16 24  40  57  69  56
    14 17 22 29  51  87  80  62
    18 22 37 56  68 109 103  77
    24 35 55 64  81 104 113  92
    49 64 78 87 103 121 120 101
    72 92 95 98 112 100 103  99
"""
_CHROMA_TABLE = """
    17 18 24 47 99 99 99 99
    18 21 26 66 99 99 99 99
    24 26 56 99 99 99 99 99
    47 66 99 99 99 99 99 99
    99 99 99 99 99 99 99 99
    99 99 99 99 99 99 99 99
    99 99 99 99 99 99 99 99
    99 99 99 99 99 99 99 99
"""
_LUMA = np.array(_LUMA_TABLE.split(), np.float32)
_CHROMA = np.array(_CHROMA_TABLE.split(), np.float32)

_TO_YCC = (LUMA, (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))  # chroma about 0
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def jpeg_round_trip(images: jax.Array, quality: jax.Array) -> jax.Array:
    """Returns pictures as they would be after saving and loading them as JPEG.

    Args:
      images: float32 [T, H, W, 3] RGB, 0 to 255; H and W are multiples of `UNIT`.
      quality: float [], 1 to 100, on Pillow's scale; rounded.

    Returns:
      float32 [T, H, W, 3], whole numbers from 0 to 255.

    Raises:
      ValueError: H or W is not a multiple of `UNIT`.
    """
    height, width = images.shape[1:3]
    if height % UNIT or width % UNIT:
        raise ValueError(
            f"the pictures are {width}x{height}; both must be multiples of {UNIT}. Pad them."
        )
    luma, blue, red = jnp.moveaxis(
        jnp.round(mix_channels(_to_pixels(images), jnp.array(_TO_YCC))), -1, 0
    )
    luma = _code(luma - 128, _scaled(_LUMA, quality)) + 128
    chroma = _code(_halve(jnp.stack([blue, red])), _scaled(_CHROMA, quality))
    blue, red = _double(chroma)
    return _to_pixels(mix_channels(jnp.stack([luma, blue, red], axis=-1), jnp.array(_TO_RGB)))


def _to_pixels(values: jax.Array) -> jax.Array:
    return jnp.clip(jnp.round(values), 0, 255)


def _scaled(table: np.ndarray, quality: jax.Array) -> jax.Array:
    """Returns a table's 64 quantization steps at the given quality, integers from 1 to 255."""
    quality = jnp.round(quality)
    percent = jnp.where(quality < 50, jnp.floor(5000 / quality), 200 - 2 * quality)
    return jnp.clip(jnp.floor((table * percent + 50) / 100), 1, 255)


def _code(planes: jax.Array, steps: jax.Array) -> jax.Array:
    """Returns planes [..., H, W], centred on 0, after quantization with `steps` [64]."""
    *leading, height, width = planes.shape
    tiled = (*leading, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    blocks = jnp.swapaxes(planes.reshape(tiled), -3, -2)
    vectors = blocks.reshape(-1, _BLOCK * _BLOCK)
    # Rows and columns in one 64x64 product: for such small matrices, faster than two of 8x8.
    transform = jnp.asarray(_cosines())
    coefficients = jnp.matmul(vectors, transform.T, precision="highest")
    steps = jnp.broadcast_to(steps, coefficients.shape)
    coefficients = jnp.round(coefficients / steps) * steps
    vectors = jnp.matmul(coefficients, transform, precision="highest")
    blocks = jnp.swapaxes(vectors.reshape(blocks.shape), -3, -2)
    return jnp.clip(jnp.round(blocks.reshape(planes.shape)), -128, 127)


def _cosines() -> np.ndarray:
    """Returns the orthonormal cosine transform of a block: float32 [64, 64], a wave per row."""
    waves = np.arange(_BLOCK)[:, None]
    places = np.arange(_BLOCK)[None, :]
    one_axis = np.sqrt(2 / _BLOCK) * np.cos((2 * places + 1) * waves * np.pi / (2 * _BLOCK))
    one_axis[0] = np.sqrt(1 / _BLOCK)
    return np.kron(one_axis, one_axis).astype(np.float32)


def _halve(planes: jax.Array) -> jax.Array:
    """Returns the rounded means of 2x2 pixels, [..., H / 2, W / 2]."""
    *leading, height, width = planes.shape
    sums = planes.reshape(*leading, height // 2, 2, width // 2, 2).sum(axis=(-3, -1))
    # Halves are rounded down in one column and up in the next, so that no hue is favoured.
    bias = 1 + jnp.arange(width // 2) % 2
    return jnp.floor((sums + jnp.broadcast_to(bias, sums.shape)) / 4)


def _double(planes: jax.Array) -> jax.Array:
    """Returns [..., 2 H, 2 W], interpolated: three quarters of the nearer value on each axis."""
    doubled = jnp.swapaxes(_double_columns(jnp.swapaxes(planes, -2, -1)), -2, -1)
    return jnp.round(_double_columns(doubled))


def _double_columns(planes: jax.Array) -> jax.Array:
    before = jnp.concatenate([planes[..., :1], planes[..., :-1]], axis=-1)
    after = jnp.concatenate([planes[..., 1:], planes[..., -1:]], axis=-1)
    pairs = jnp.stack([0.75 * planes + 0.25 * before, 0.75 * planes + 0.25 * after], axis=-1)
    return pairs.reshape(*planes.shape[:-1], -1)
