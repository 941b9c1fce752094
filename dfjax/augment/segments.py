"""Partial fakes: which frames of a clip are manipulated."""

import functools

import jax
import jax.numpy as jnp

from dfjax.train_config import BlendConfig


def partial_frames(
    keys: jax.Array, frame_mask: jax.Array, config: BlendConfig = BlendConfig()
) -> jax.Array:
    """Draws one or two segments of the frames of each clip.

    A segment is a run of consecutive present frames; absent frames between them do not count. If
    two or more frames are present, at least one is chosen and at least one is not. If only one is
    present, it is chosen.

    Args:
      keys: [B], one per clip.
      frame_mask: bool [B, T], True where the face is present.
      config: Its `partial_share` and `two_segments` are used.

    Returns:
      bool [B, T], True in the segments; always False where a frame is absent.
    """
    return jax.vmap(functools.partial(_clip_frames, config=config))(keys, frame_mask)


def _clip_frames(key: jax.Array, frame_mask: jax.Array, *, config: BlendConfig) -> jax.Array:
    share, two, first, before, between = jax.random.uniform(key, (5,))
    num_present = jnp.sum(frame_mask)
    low, high = config.partial_share
    num_fake = jnp.round((low + (high - low) * share) * num_present).astype(jnp.int32)
    num_fake = jnp.where(num_present > 1, jnp.clip(num_fake, 1, num_present - 1), num_present)
    num_real = num_present - num_fake

    # Real frames lie before, between and after the segments; two need at least one in between.
    two = (two < config.two_segments) & (num_fake > 1)
    first = jnp.where(two, 1 + _whole(first, num_fake - 1), num_fake)
    before = _whole(before, jnp.where(two, num_real, num_real + 1))
    between = 1 + _whole(between, num_real - before)
    second_start = before + first + between
    place = jnp.cumsum(frame_mask) - 1  # index of each frame among those present
    in_first = (place >= before) & (place < before + first)
    in_second = two & (place >= second_start) & (place < second_start + num_fake - first)
    return frame_mask & (in_first | in_second)


def _whole(number: jax.Array, count: jax.Array) -> jax.Array:
    """Maps a number in [0, 1) to an integer from 0 to count - 1."""
    return jnp.floor(number * count).astype(jnp.int32)
