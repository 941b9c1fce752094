"""Simulates camera and codec effects on batches of clips, inside the jitted train step.

Parameters are drawn once per clip, from its key, and applied to all of its frames. A real clip and
its fake get the same key and so the same distortions, which therefore cannot reveal the label.

The order is that of a real video: a camera that is closer, rotated or mirrored; colours and light;
retouching; a lens out of focus; a lower resolution; noise; JPEG at that resolution; and back to the
size of a crop. Apart from noise and JPEG the last steps are linear, so blur and change of
resolution together take two matrices per axis: onto the codec's grid, and back.
"""

import functools
import math

import jax
import jax.numpy as jnp

from dfjax.augment.bilateral import bilateral
from dfjax.augment.colour import hue_saturation_matrix, mix_channels
from dfjax.augment.jpeg import UNIT, jpeg_round_trip
from dfjax.augment.resample import (
    blur_matrix,
    gather_bilinear,
    pixel_middles,
    resample,
    sampling_matrix,
)
from dfjax.train_config import AugmentConfig

_MIDDLE_GREY = 127.5
_RETOUCH_SIGMA = 0.6, 2.0  # standard deviation over distance of a beauty filter, pixels
_RETOUCH_CONTRAST = 10.0, 30.0  # the same over luminance, grey levels; larger steps are edges
_RETOUCHED = 0.6, 1.0  # strength: 1 is the filter's output, 0 the original
_DETAIL_SIGMA = 0.9, 2.5  # blur that separates detail from the rest, standard deviation, pixels
_MIN_SHARPENING = 0.2  # as a share of the maximum
_MIN_NOISE = 0.15  # as a share of the maximum


def augment(
    keys: jax.Array,
    clips: jax.Array,
    frame_mask: jax.Array | None = None,
    config: AugmentConfig = AugmentConfig(),
    *,
    is_degraded: jax.Array | None = None,
) -> jax.Array:
    """Returns clips as another camera and another codec might have recorded them.

    Args:
      keys: [B], one per clip; the same for a real clip and its fake.
      clips: float32 [B, T, S, S, 3] RGB, 0 to 255.
      frame_mask: bool [B, T], True where the face is present; absent frames are left unchanged.
        None: all are present.
      config: How often each effect occurs, and its range.
      is_degraded: bool [B], True where the effects may change more than where the camera is. None:
        everywhere.

    Returns:
      float32 [B, T, S, S, 3], whole numbers from 0 to 255.
    """
    if is_degraded is None:
        is_degraded = jnp.ones(len(clips), bool)
    one = functools.partial(_augment_clip, config=config)
    augmented = jax.vmap(one)(keys, clips, is_degraded)
    if frame_mask is None:
        return augmented
    return jnp.where(frame_mask[:, :, None, None, None], augmented, clips)


def _augment_clip(
    key: jax.Array, clip: jax.Array, is_degraded: jax.Array, *, config: AugmentConfig
) -> jax.Array:
    move_key, colour_key, detail_key, film_key = jax.random.split(key, 4)
    clip = _move(move_key, clip, config)
    degraded = _recolour(colour_key, clip, config)
    degraded = _change_detail(detail_key, degraded, config)
    degraded = _film(film_key, degraded, config)
    return jnp.clip(jnp.round(jnp.where(is_degraded, degraded, clip)), 0, 255)


# Each step draws all of its numbers at once, from 0 to 1, and scales them: a single draw takes XLA
# longer to compile than most of the code that uses it.


def _between(number: jax.Array, low: float, high: float) -> jax.Array:
    return low + (high - low) * number


def _either_way(number: jax.Array, limit: jax.Array | float) -> jax.Array:
    return limit * (2 * number - 1)


def _move(key: jax.Array, clip: jax.Array, config: AugmentConfig) -> jax.Array:
    """Returns the clip mirrored, nearer or further away, rotated and shifted.

    What lies beyond the edges is black, as beyond those of a picture that a face fills.
    """
    flip, chance, zoom, rotation, *shift = jax.random.uniform(key, (6,))
    moved = chance < config.zoom
    nearest, furthest = math.log(config.max_zoom), math.log(config.min_zoom)
    zoom = jnp.where(moved, jnp.exp(_between(zoom, furthest, nearest)), 1.0)
    rotation = jnp.where(moved, _either_way(rotation, math.radians(config.max_rotation)), 0.0)
    shift = jnp.where(moved, _either_way(jnp.stack(shift), config.max_shift), 0.0)
    cos, sin = jnp.cos(rotation), jnp.sin(rotation)
    size = clip.shape[1]
    away = (pixel_middles(size) - size / 2) / zoom
    x = jnp.where(flip < config.flip, -away[..., 0], away[..., 0])
    y = away[..., 1]
    positions = jnp.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)
    positions = positions + size * (0.5 + shift)[None, None]
    seen = gather_bilinear(clip, jnp.broadcast_to(positions, (len(clip), size, size, 2)))
    within = jnp.min(jnp.minimum(positions, size - positions), axis=-1, keepdims=True)
    return seen * jnp.clip(within + 0.5, 0.0, 1.0)[None]


def _recolour(key: jax.Array, clip: jax.Array, config: AugmentConfig) -> jax.Array:
    chance, darken, darkness, *numbers = jax.random.uniform(key, (10,))
    chosen, darken = chance < config.colour, darken < config.darken
    limits = [config.max_light, config.max_contrast, config.max_gamma, config.max_saturation]
    limits = jnp.array(limits + [config.max_tint] * 3)
    factors = jnp.exp(jnp.where(chosen, _either_way(jnp.stack(numbers), limits), 0.0))
    light, contrast, gamma, saturation = factors[:4]
    light_left = jnp.where(darken, _between(darkness, *config.darkness), 1.0)
    gains = light * light_left * factors[4:]
    mixed = mix_channels(clip, gains[:, None] * hue_saturation_matrix(0.0, saturation))
    mixed = _MIDDLE_GREY + contrast * (mixed - _MIDDLE_GREY)
    mixed = 255 * jnp.power(jnp.clip(mixed / 255, 0.0, 1.0), gamma)
    # A clip that is not recoloured must stay exactly as it was, without rounding errors.
    return jnp.where(chosen | darken, mixed, clip)


def _change_detail(key: jax.Array, clip: jax.Array, config: AugmentConfig) -> jax.Array:
    """Returns the clip retouched, sharpened or unchanged."""
    choice, amount, sigma, contrast = jax.random.uniform(key, (4,))
    retouch = choice < config.retouch
    sharpen = choice > 1 - config.sharpen
    smooth = bilateral(
        clip, _between(sigma, *_RETOUCH_SIGMA), _between(contrast, *_RETOUCH_CONTRAST)
    )
    retouched = clip + _between(amount, *_RETOUCHED) * (smooth - clip)
    blur = blur_matrix(_between(sigma, *_DETAIL_SIGMA), clip.shape[1])
    detail = clip - resample(clip, blur, blur)
    sharpened = clip + _between(amount, _MIN_SHARPENING, 1.0) * config.max_sharpening * detail
    changed = jnp.where(retouch, retouched, jnp.where(sharpen, sharpened, clip))
    return jnp.clip(changed, 0, 255)


def _film(key: jax.Array, clip: jax.Array, config: AugmentConfig) -> jax.Array:
    """Returns the clip after passing through lens, sensor and codec."""
    number_key, noise_key = jax.random.split(key)
    numbers = jax.random.uniform(number_key, (8,))
    blurred, blur, reduced, resolution, coding, quality, *offsets = numbers
    size = clip.shape[1]
    codec_size = UNIT * math.ceil((size + UNIT - 1) / UNIT)  # room for every offset of the blocks
    sigma = jnp.where(blurred < config.blur, config.max_blur * size * blur, 0.0)
    lens = blur_matrix(sigma, size)
    resolution = jnp.where(reduced < config.reduce, config.min_resolution**resolution, 1.0)
    # The codec's blocks are aligned with the full frame, so a crop can start anywhere in a block.
    top, left = (jnp.floor(UNIT * offset) for offset in offsets)

    def onto_codec_grid(offset: jax.Array) -> jax.Array:
        positions = (jnp.arange(codec_size) + 0.5 - offset) / resolution
        shrink = sampling_matrix(positions, size, stretch=1 / resolution)
        return jnp.matmul(shrink, lens, precision="highest")

    def back(offset: jax.Array) -> jax.Array:
        return sampling_matrix(offset + (jnp.arange(size) + 0.5) * resolution, codec_size)

    coded = resample(clip, onto_codec_grid(top), onto_codec_grid(left))
    coded = _add_noise(noise_key, coded, config)
    compressed = jpeg_round_trip(coded, _between(quality, *config.jpeg_quality))
    coded = jnp.where(coding < config.jpeg, compressed, coded)
    return resample(coded, back(top), back(left))


def _add_noise(key: jax.Array, clip: jax.Array, config: AugmentConfig) -> jax.Array:
    """Returns the clip with independent noise in each frame.

    Part of its variance is constant, and part is proportional to brightness, like photon noise.
    """
    number_key, noise_key = jax.random.split(key)
    chance, strength, by_light = jax.random.uniform(number_key, (3,))
    strength = config.max_noise * _between(strength, _MIN_NOISE, 1.0)
    strength = jnp.where(chance < config.noise, strength, 0.0)
    light = jnp.clip(clip, 0, 255) / _MIDDLE_GREY
    deviation = strength * jnp.sqrt(1 - by_light + by_light * light)
    return jnp.clip(clip + deviation * jax.random.normal(noise_key, clip.shape), 0, 255)
