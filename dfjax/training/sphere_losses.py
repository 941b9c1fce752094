"""Losses on features on the unit sphere: alike within a class, and spread over the sphere.

Source: Wang and Isola, "Understanding Contrastive Representation Learning through Alignment and
Uniformity on the Hypersphere", ICML 2020. As in Yermakov et al. (WACV 2026), two frames of the same
class are a positive pair.
"""

import jax
import jax.numpy as jnp

_SHARPNESS = 2.0  # of the Gaussian potential between two features


def alignment(features: jax.Array, is_fake: jax.Array, mask: jax.Array) -> jax.Array:
    """Returns the mean squared distance between two frames of the same class.

    Args:
      features: float32 [M,C], each with an L2 norm of 1.
      is_fake: float32 [M], 0 or 1.
      mask: bool [M], frames that count.

    Returns:
      float32 [], from 0 to 4; 0 if no two frames are of one class.
    """
    pairs = _pairs(mask) & (is_fake[:, None] == is_fake[None])
    total = jnp.sum(jnp.where(pairs, _squared_distances(features), 0.0))
    return total / jnp.maximum(jnp.sum(pairs), 1)


def uniformity(features: jax.Array, mask: jax.Array) -> jax.Array:
    """Returns the logarithm of the mean Gaussian potential between two frames.

    Args:
      features: float32 [M,C], each with an L2 norm of 1.
      mask: bool [M], frames that count, at least two.

    Returns:
      float32 [], at most 0, and the lower the more evenly the features are spread.
    """
    pairs = _pairs(mask)
    potentials = -_SHARPNESS * _squared_distances(features)
    return jax.nn.logsumexp(potentials, where=pairs) - jnp.log(jnp.sum(pairs))


def _pairs(mask: jax.Array) -> jax.Array:
    """Returns which two frames count and are not the same, bool [M,M]."""
    return mask[:, None] & mask[None] & ~jnp.eye(len(mask), dtype=bool)


def _squared_distances(features: jax.Array) -> jax.Array:
    return 2 - 2 * features @ features.T
