"""Turns pairs into training examples on the devices: self-blends, partial fakes, distortions."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from dfjax.augment.camera import augment
from dfjax.augment.donors import donors
from dfjax.augment.occlusion import occlude
from dfjax.augment.segments import partial_frames
from dfjax.augment.self_blend import self_blend
from dfjax.train_config import TrainConfig
from dfjax.training.loader import PairBatch


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Examples:
    """Two clips per pair, the real one first: B is twice the number of pairs."""

    clips: Any  # float32 [B,T,S,S,3], in [0, 255]
    frame_mask: Any  # bool [B,T], True = present
    clip_is_fake: Any  # float32 [B], 0 = real, 1 = manipulated in some frame
    frame_is_fake: Any  # float32 [B,T]


def make_examples(
    keys: jax.Array, batch: PairBatch, config: TrainConfig, augmented: jax.Array | float
) -> Examples:
    """Returns the clips of one part of a batch, with labels.

    Every random choice depends only on the pair's own key, so the result does not depend on how
    the pairs are spread over devices or parts; but faces of others (`config.blend.swapped`) are
    taken from the same part.

    Args:
      keys: [P], one per pair.
      batch: Its arrays are [P,…], without the axis of parts.
      config: Probabilities and ranges.
      augmented: Share of pairs that get camera and codec effects, at most `config.augmented`. The
        others are only moved and mirrored.
    """
    pair_keys = jax.vmap(lambda key: jax.random.split(key, 5))(keys)
    drawn = jax.vmap(jax.random.bernoulli, in_axes=(0, None))
    real, fake = (x.astype(jnp.float32) for x in (batch.real, batch.fake))
    is_manipulated = batch.frame_mask
    if config.partial_fakes > 0 and batch.frame_mask.shape[1] > 1:
        in_part = drawn(pair_keys[:, 1], config.partial_fakes) & batch.is_aligned
        some = partial_frames(pair_keys[:, 2], batch.frame_mask, config.blend)
        is_manipulated = jnp.where(in_part[:, None], some, is_manipulated)
        fake = jnp.where(is_manipulated[:, :, None, None, None], fake, real)
    if config.self_blended or config.still_self_blended:
        others = None
        if config.blend.swapped > 0:
            others = donors(real, batch.landmarks, batch.frame_mask)
        # The real clip of such a pair is the one that was blended into, which may differ from the
        # original in all of the picture. Beside the original, that would give the fake away.
        blend = self_blend(
            pair_keys[:, 0],
            real,
            batch.landmarks,
            batch.frame_mask,
            config.blend,
            others=others,
            segments=is_manipulated,
        )
        is_blended = batch.is_blended[:, None, None, None, None]
        real = jnp.where(is_blended, blend.real, real)
        fake = jnp.where(is_blended, blend.fake, fake)
    if config.augmented > 0 and config.augment.occlude > 0:
        occlusion_keys = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, 5)
        real, fake = occlude(occlusion_keys, real, fake, config.augment)
    # The two clips of a pair are adjacent, so that the axis of pairs stays split over the devices.
    clips = jnp.stack([real, fake], axis=1).reshape(-1, *real.shape[1:])
    frame_mask = jnp.repeat(batch.frame_mask, 2, axis=0)
    if config.augmented > 0:
        is_degraded = jnp.repeat(drawn(pair_keys[:, 3], augmented), 2)
        augment_keys = jnp.repeat(pair_keys[:, 4], 2, axis=0)  # the same for both clips of a pair
        clips = augment(augment_keys, clips, frame_mask, config.augment, is_degraded=is_degraded)
    labels = jnp.stack([jnp.zeros_like(is_manipulated), is_manipulated], axis=1)
    frame_is_fake = labels.reshape(frame_mask.shape).astype(jnp.float32)
    return Examples(clips, frame_mask, jnp.max(frame_is_fake, axis=1), frame_is_fake)
