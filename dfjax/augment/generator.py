"""Traces that generators leave all over a face: missing detail, a fine grid, and flicker.

A network that draws a face enlarges small maps of features several times. What it draws lacks the
finest detail or repeats it at the step of its grid, and is a little different in every frame where
a camera's picture is not, or sticks to the picture where a camera's detail moves with the skin.
These traces are put into real clips here, so that a detector meets them without a generator.

Sources: Zhang et al., "Detecting and Simulating Artifacts in GAN Fake Images", WIFS 2019 (the
spectrum that upsampling leaves); Tan et al., "Rethinking the Up-Sampling Operations in CNN-based
Generative Network for Generalizable Deepfake Detection", CVPR 2024; Karras et al., "Alias-Free
Generative Adversarial Networks", NeurIPS 2021 (detail that sticks to the picture).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dfjax.augment.picture_area import smoothed
from dfjax.augment.resample import low_resolution_matrix, pixel_middles, resample, sampling_matrix

_RESOLUTION = 0.35, 0.8  # of the maps, as a share of the crop's
_DETAIL_KEPT = 0.0, 0.4  # share of what is finer than that
_STEPS = (2.0, 4.0, 8.0)  # of the grid, pixels
_GRID = 0.1, 0.4  # strength of the grid, relative to the detail around it
_STUCK = 0.5  # share of clips in which the detail is that of one frame
_FLICKER = 1.0, 4.0  # change of light from frame to frame, standard deviation in grey levels
_FLICKER_POINTS = 5  # on each axis at which it is drawn
_MIDDLE_GREY = 127.5  # at which the grid and the flicker have the strengths above


class Generated(NamedTuple):
    """A clip as a generator might have drawn it, and what it drew on."""

    drawn: jax.Array  # float32 [T, S, S, 3], 0 to 255, black outside of the picture
    soft: jax.Array  # likewise: the clip without the detail that a generator has to invent


def generated(
    key: jax.Array, clip: jax.Array, inside: jax.Array, frame_mask: jax.Array
) -> Generated:
    """Returns a clip as a generator might have drawn it.

    Absent frames do not affect the others, but what is drawn in their place is meaningless.

    Args:
      key: For this clip.
      clip: float32 [T, S, S, 3] RGB, 0 to 255.
      inside: Its `picture_area`.
      frame_mask: bool [T], True where the face is present.
    """
    number_key, flicker_key = jax.random.split(key)
    resolution, kept, step, grid, stuck, flicker, *offset = jax.random.uniform(number_key, (8,))
    size = clip.shape[1]
    smooth = low_resolution_matrix(_between(resolution, *_RESOLUTION), size)
    soft = smoothed(clip, smooth, inside)
    detail = clip - soft
    # The first frame, which is never absent.
    one = jnp.broadcast_to(detail[0], detail.shape)
    detail = jnp.where(stuck < _STUCK, one, detail)

    step = jnp.array(_STEPS)[jnp.floor(step * len(_STEPS)).astype(jnp.int32)]
    waves = jnp.cos(2 * np.pi * (pixel_middles(size) / step + jnp.stack(offset)[None, None]))
    # Absent frames have no detail: with them, the grid of a short clip would be a weak one.
    shown = jnp.where(frame_mask[:, None, None, None], jnp.abs(detail), 0.0)
    around = jnp.sum(shown) / (detail[0].size * jnp.maximum(jnp.sum(frame_mask), 1))
    strength = 2 * _between(grid, *_GRID) * around
    drawn = soft + _between(kept, *_DETAIL_KEPT) * detail

    places = (jnp.arange(size) + 0.5) * (_FLICKER_POINTS / size)
    enlarge = sampling_matrix(places, _FLICKER_POINTS)
    noise = jax.random.normal(flicker_key, (len(clip), _FLICKER_POINTS, _FLICKER_POINTS, 1))
    light = _between(flicker, *_FLICKER) * resample(noise, enlarge, enlarge)
    light += strength * jnp.prod(waves, axis=-1)[None, ..., None]
    # A factor, since black areas outside the picture must stay black.
    drawn *= 1 + light / _MIDDLE_GREY
    return Generated(inside * jnp.clip(drawn, 0, 255), inside * jnp.clip(soft, 0, 255))


def _between(number: jax.Array, low: float, high: float) -> jax.Array:
    return low + (high - low) * number
