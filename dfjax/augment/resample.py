"""Resampling of pictures on the accelerator: by two matrices, or by a field of positions.

Separable operations (blur, a lower resolution, sampling on another grid) are a pair of matrices,
one per axis: two matrix products per picture. The matrices of an axis are multiplied together
first, so a chain of such operations costs no more than one. Rotation and bending are gathers.

Positions are continuous: pixel i covers [i, i + 1) and its centre is i + 0.5.
"""

import jax
import jax.numpy as jnp


def sampling_matrix(
    positions: jax.Array, size: int, *, stretch: jax.Array | float = 1.0
) -> jax.Array:
    """Returns the matrix that samples `size` pixels at the given positions, with a cubic kernel.

    Near a border the kernel uses only the pixels that exist, as in Pillow. A position beyond the
    centre of the outermost pixel is moved to that centre.

    Args:
      positions: float [N], in pixels of the source.
      size: Pixels of the source.
      stretch: Widening of the kernel, at least 1. To avoid aliasing, use the step between positions
        if it is more than a pixel.

    Returns:
      float32 [N, size]; each row sums to 1.

    Source: Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981, a = -0.5.
    """
    positions = jnp.clip(positions, 0.5, size - 0.5)
    x = jnp.abs(_offsets(positions, size)) / stretch
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    weights = jnp.where(x < 1, near, jnp.where(x < 2, far, 0.0))
    return weights / jnp.sum(weights, axis=1, keepdims=True)


def blur_matrix(sigma: jax.Array | float, size: int) -> jax.Array:
    """Returns the matrix of a Gaussian blur.

    Args:
      sigma: float [], standard deviation in pixels; 0 changes nothing.
      size: Pixels.

    Returns:
      float32 [size, size]; each row sums to 1.
    """
    offsets = _offsets(jnp.arange(size) + 0.5, size)
    weights = jnp.exp(-0.5 * jnp.square(offsets / jnp.maximum(sigma, 1e-3)))
    return weights / jnp.sum(weights, axis=1, keepdims=True)


def low_resolution_matrix(resolution: jax.Array, size: int) -> jax.Array:
    """Returns the matrix that scales pixels down and back up.

    Args:
      resolution: float [], lower resolution relative to the original, in (0, 1]; 1 changes nothing.
      size: Pixels.

    Returns:
      float32 [size, size]; each row sums to 1.
    """
    middles = jnp.arange(size) + 0.5
    down = sampling_matrix(middles / resolution, size, stretch=1 / resolution)
    up = sampling_matrix(middles * resolution, size)
    return jnp.matmul(up, down, precision="highest")


def resample(images: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """Returns pictures resampled by one matrix for the rows and one for the columns.

    Args:
      images: float32 [T, H, W, C], at most 255.
      rows: float32 [H', H].
      columns: float32 [W', W].

    Returns:
      float32 [T, H', W', C].
    """
    # "high" is TF32 on a GPU: off by at most a tenth of a grey level, and exact if a matrix only
    # moves whole pixels. The default would be bfloat16 on a TPU, off by half a level.
    images = jnp.einsum("ih,thwc->tiwc", rows, images, precision="high")
    return jnp.einsum("jw,tiwc->tijc", columns, images, precision="high")


def gather_bilinear(images: jax.Array, positions_xy: jax.Array) -> jax.Array:
    """Returns pictures sampled bilinearly at the given positions; borders are replicated.

    Args:
      images: float32 [T, H, W, C], H and W at least 2.
      positions_xy: float32 [T, H', W', 2], in pixels of `images`.

    Returns:
      float32 [T, H', W', C].
    """
    _, height, width, channels = images.shape
    limits = jnp.array([width - 1.0, height - 1.0])
    positions = jnp.clip(positions_xy - 0.5, 0.0, limits[None, None, None])
    corners = jnp.minimum(jnp.floor(positions), limits[None, None, None] - 1)
    across, down = jnp.moveaxis(positions - corners, -1, 0)[..., None]
    # One gather of 2x2 patches takes half the time of four gathers of pixels.
    patches = jax.lax.GatherDimensionNumbers(
        offset_dims=(2, 3, 4), collapsed_slice_dims=(), start_index_map=(0, 1)
    )

    def gather(image: jax.Array, corners_yx: jax.Array) -> jax.Array:
        return jax.lax.gather(image, corners_yx, patches, (2, 2, channels), mode="clip")

    taken = jax.vmap(gather)(images, corners[..., ::-1].astype(jnp.int32))
    left, right = taken[..., 0, :], taken[..., 1, :]  # [T, H', W', 2, C], upper and lower
    rows = left + (right - left) * across[..., None]
    return rows[..., 0, :] + (rows[..., 1, :] - rows[..., 0, :]) * down


def pixel_middles(size: int) -> jax.Array:
    """Returns float32 [size, size, 2], the xy of the centre of each pixel of a square picture."""
    middles = jnp.arange(size, dtype=jnp.float32) + 0.5
    return jnp.stack(jnp.meshgrid(middles, middles), axis=-1)


def _offsets(positions: jax.Array, size: int) -> jax.Array:
    """Returns float32 [N, size], the offset from each position to the centre of each pixel."""
    middles = jnp.arange(size, dtype=jnp.float32) + 0.5
    return middles[None, :] - positions[:, None]
