"""Covers a part of a real clip and of its fake, inside the jitted train step.

A detector that was shown few people tells them by their faces as a whole. If a part of the face is
missing, and each time another one, it has to look at all of them. What is covered is the same in
both clips and never most of what tells them apart.

Sources: Zhong et al., "Random Erasing Data Augmentation", AAAI 2020; Das et al., "Towards Solving
the DeepFake Problem", ICCV 2021 workshops, which covers parts of faces. Written from the papers.
"""

import functools

import jax
import jax.numpy as jnp

from dfjax.augment.resample import pixel_middles
from dfjax.train_config import AugmentConfig

_MOST_HIDDEN = 0.5  # share of a pair's difference that may be covered


def occlude(
    keys: jax.Array, real: jax.Array, fake: jax.Array, config: AugmentConfig = AugmentConfig()
) -> tuple[jax.Array, jax.Array]:
    """Returns pairs of clips of which some have a rectangle of one colour in all frames.

    Args:
      keys: [B], one per pair.
      real: float32 [B, T, S, S, 3] RGB, 0 to 255.
      fake: float32 [B, T, S, S, 3].
      config: Its `occlude` and `occluder` are used.
    """
    return jax.vmap(functools.partial(_occlude_pair, config=config))(keys, real, fake)


def _occlude_pair(
    key: jax.Array, real: jax.Array, fake: jax.Array, *, config: AugmentConfig
) -> tuple[jax.Array, jax.Array]:
    numbers = jax.random.uniform(key, (8,))
    chance, middle, sides, colour = numbers[0], numbers[1:3], numbers[3:5], numbers[5:]
    size = real.shape[1]
    low, high = config.occluder
    half = (low + (high - low) * sides) / 2 * size
    away = jnp.abs(pixel_middles(size) - (middle * size)[None, None])
    covered = jnp.all(away < half[None, None], axis=-1)
    difference = jnp.sum(jnp.abs(fake - real), axis=(0, 3))
    hidden = jnp.sum(jnp.where(covered, difference, 0.0))
    chosen = (chance < config.occlude) & (hidden <= _MOST_HIDDEN * jnp.sum(difference))
    covered = (covered & chosen)[None, :, :, None]
    colour = jnp.round(255 * colour)[None, None, None]
    return jnp.where(covered, colour, real), jnp.where(covered, colour, fake)
