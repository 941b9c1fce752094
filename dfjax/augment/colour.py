"""Colour changes that are linear in the three channels."""

import jax
import jax.numpy as jnp
import numpy as np

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in luminance, from ITU-R BT.601."""


def luma(images: jax.Array) -> jax.Array:
    """Returns the luminance [..., 1] of pictures [..., 3] RGB, on the same scale."""
    red, green, blue = LUMA
    return red * images[..., :1] + green * images[..., 1:2] + blue * images[..., 2:]


def mix_channels(images: jax.Array, matrix: jax.Array) -> jax.Array:
    """Returns pictures [..., 3] with each pixel's RGB vector multiplied by `matrix` [3, 3].

    Computed elementwise: in a matrix product, the hardware would round the matrix to fewer digits.
    """
    red, green, blue = matrix.T.reshape(3, *[1] * (images.ndim - 1), 3)
    return images[..., :1] * red + images[..., 1:2] * green + images[..., 2:] * blue


def hue_saturation_matrix(hue: jax.Array | float, saturation: jax.Array) -> jax.Array:
    """Returns the matrix that rotates hues and scales saturation; grey stays grey.

    Args:
      hue: float [], rotation about the grey axis, radians.
      saturation: float []; 1 changes nothing and 0 gives grey.

    Returns:
      float32 [3, 3], for `mix_channels`.
    """
    cos, sin = jnp.cos(hue), jnp.sin(hue) / np.sqrt(3)
    level = (1 - cos) / 3
    turn = jnp.array(  # Rodrigues' rotation about (1, 1, 1)
        [
            [cos + level, level - sin, level + sin],
            [level + sin, cos + level, level - sin],
            [level - sin, level + sin, cos + level],
        ]
    )
    to_grey = jnp.broadcast_to(jnp.array([LUMA]), (3, 3))
    stretch = saturation * jnp.eye(3) + (1 - saturation) * to_grey
    return jnp.matmul(stretch, turn, precision="highest")
