"""Where the picture is in a crop that reaches beyond it, and operations that stay within it.

What lies outside of a picture is black. A filter that ran across its edge, or a face that moved
with it, would leave traces there that no manipulated video has.
"""

import functools

import jax
import jax.numpy as jnp

from dfjax.augment.resample import resample

_LEAST = 0.25  # share of a filter that lies within the picture, at its corners


def picture_area(clip: jax.Array) -> jax.Array:
    """Returns where the picture is: float32 [T, S, S, 1], 1 in it and 0 in the black around it.

    Something that is not black lies on all four sides of every pixel of a picture, so black ones in
    its middle belong to it.

    Args:
      clip: float32 [T, S, S, 3], 0 to 255.
    """
    bright = (jnp.max(clip, axis=-1, keepdims=True) > 0).astype(jnp.float32)
    sides = [
        jax.lax.cummax(bright, axis=axis, reverse=reverse)
        for axis in (1, 2)
        for reverse in (False, True)
    ]
    return functools.reduce(jnp.minimum, sides)


def smoothed(clip: jax.Array, matrix: jax.Array, inside: jax.Array) -> jax.Array:
    """Returns a clip after a low-pass filter that takes nothing from the black around the picture.

    Args:
      clip: float32 [T, S, S, C], 0 to 255.
      matrix: float32 [S, S], the filter of each axis; see `resample`.
      inside: The clip's `picture_area`.

    Returns:
      float32 [T, S, S, C], black where the clip is.
    """
    share = resample(inside, matrix, matrix)
    return inside * resample(clip, matrix, matrix) / jnp.maximum(share, _LEAST)
