"""Self-blended video: a fake made from a single real clip, inside the jitted train step.

A face swap leaves a boundary, and a face whose colours, sharpness and position do not quite match
its surroundings. A clip blended with a changed version of itself has exactly these flaws. The real
clip beside it is the one that it was blended into, changed or not, so nothing else distinguishes
the two: no other person, generator or codec, and no tint or softness of the whole picture. By
default, half of the clips get the same change in all frames; in the others, position and shape
drift, as they do when each frame of a video is forged independently. A share of the clips gets a
generator's traces instead, in part of the face or in the whole crop; see `generator`. A share may
get another person's face instead of the clip's own; see `donors`.

Around a picture that is smaller than its crop, black stays black, and its edge stays where it is.

Sources: Shiohara and Yamasaki, "Detecting Deepfakes with Self-Blended Images", CVPR 2022; Yan et
al., "Generalizing Deepfake Video Detection with Plug-and-Play: Video-Level Blending and
Spatiotemporal Adapter Tuning", CVPR 2025. Written from the papers.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dfjax.augment.colour import hue_saturation_matrix, mix_channels
from dfjax.augment.donors import Donors
from dfjax.augment.face_outline import draw_outline, inside_distance, place_outline
from dfjax.augment.generator import generated
from dfjax.augment.picture_area import picture_area, smoothed
from dfjax.augment.resample import (
    blur_matrix,
    gather_bilinear,
    low_resolution_matrix,
    pixel_middles,
    resample,
    sampling_matrix,
)
from dfjax.train_config import BlendConfig

_MIN_DETAIL = 0.2  # smallest change of detail that a clip gets, as a share of the largest
_SHARPENED = (0.8, 2.0)  # blur that separates the detail to sharpen, standard deviation, pixels
_BEND_GRID = 8  # points on each axis at which the elastic deformation is drawn
_WANDERING = (1.0, 4.0)  # frames over which a drifting clip roughly keeps its position
_HALF_STEP = 1.88  # half-width of a cubic step as steep as a Gaussian's integral, over its sigma
_WHOLE = 0.5  # share of the drawn clips of which the whole crop is drawn
_SOFT = 0.5  # share of those of which the real clip is without the detail that was drawn anew
_MAX_BOOST = 4.0  # largest factor by which a change that is too small is amplified
_AT_EDGE = 0.65  # share of a pixel's surroundings in the picture up to which a mask is 0
_RIM = 0.02  # over which a mask fades towards the picture's edge, share of the crop's side


class Blend(NamedTuple):
    """A real clip and a fake that differs from it in the blend alone."""

    real: jax.Array  # float32 [B, T, S, S, 3], whole numbers from 0 to 255
    fake: jax.Array  # likewise


class BlendParts(NamedTuple):
    """The parts of a blend, `targets + masks * (sources - targets)`."""

    sources: jax.Array  # float32 [B, T, S, S, 3], 0 to 255
    targets: jax.Array  # float32 [B, T, S, S, 3], 0 to 255
    masks: jax.Array  # float32 [B, T, S, S, 1], 0 to 1


def self_blend(
    keys: jax.Array,
    clips: jax.Array,
    landmarks: jax.Array,
    frame_mask: jax.Array,
    config: BlendConfig = BlendConfig(),
    *,
    others: Donors | None = None,
    segments: jax.Array | None = None,
) -> Blend:
    """Returns fakes made from real clips, each beside the real clip that it was blended into.

    Args:
      keys: [B], one per clip.
      clips: float32 [B, T, S, S, 3] RGB, 0 to 255.
      landmarks: float32 [B, T, 5, 2], xy in pixels of the crop: eyes, nose, mouth corners.
      frame_mask: bool [B, T], True where the face is present.
      config: Probabilities and ranges.
      others: Other people's faces for a share of the clips, `config.swapped`; None: there are none.
      segments: bool [B, T], the frames in which the source is blended in; in the others the fake is
        as the real clip. None: all frames.

    Returns:
      Both; absent frames are unchanged.
    """
    sources, targets, masks = blend_parts(keys, clips, landmarks, frame_mask, config, others)
    if segments is not None:
        masks = jnp.where(segments[:, :, None, None, None], masks, 0.0)
    # Rounded, because real clips have 8 bits and fractions would give a fake away.
    present = frame_mask[:, :, None, None, None]
    real, fake = (
        jnp.where(present, jnp.round(blended), clips)
        for blended in (targets, targets + masks * (sources - targets))
    )
    return Blend(real, fake)


def blend_parts(
    keys: jax.Array,
    clips: jax.Array,
    landmarks: jax.Array,
    frame_mask: jax.Array,
    config: BlendConfig = BlendConfig(),
    others: Donors | None = None,
) -> BlendParts:
    """Draws the parts that `self_blend` blends; it takes the same arguments.

    Absent frames do not affect the others, but their own parts are meaningless.
    """
    return jax.vmap(functools.partial(_clip_parts, config=config))(
        keys, clips, landmarks, frame_mask, others
    )


def _clip_parts(
    key: jax.Array,
    clip: jax.Array,
    landmarks: jax.Array,
    frame_mask: jax.Array,
    donor: Donors | None,
    *,
    config: BlendConfig,
) -> BlendParts:
    """Returns the parts for one clip; shapes as in `BlendParts`, without B."""
    swap_key, tone_key, detail_key, motion_key, outline_key, mask_key = jax.random.split(key, 6)
    draw_key, drawn_key = jax.random.split(jax.random.fold_in(key, 1))
    present = frame_mask[:, None, None, None]
    pivot = jnp.sum(jnp.where(present, clip, 0.0)) / jnp.maximum(jnp.sum(frame_mask), 1)
    pivot = jnp.maximum(pivot / clip[0].size, 1.0)
    inside = picture_area(clip)
    choice, whole, soft = jax.random.uniform(draw_key, (3,))
    is_drawn = choice < config.generated
    face, face_inside, is_swapped = clip, inside, jnp.zeros((), bool)
    if donor is not None:
        is_swapped = jax.random.uniform(jax.random.fold_in(key, 2)) < config.swapped
        is_swapped &= donor.is_usable & ~is_drawn
        face = jnp.where(is_swapped, donor.clips, clip)
        face_inside = jnp.where(is_swapped, donor.inside, inside)
    changed = _change_tone(tone_key, face, pivot, config)
    changed = jnp.clip(_change_detail(detail_key, changed, face_inside, config), 0, 255)
    swap = jax.random.uniform(swap_key) < config.transform_target
    target = jnp.where(swap & ~is_swapped, changed, clip)
    source = jnp.where(swap, face, changed)

    motion = _draw_motion(motion_key, len(clip), config)
    moved = gather_bilinear(
        jnp.concatenate([source, 255 * face_inside], axis=-1),
        _positions_before(motion, clip.shape[1]),
    )
    source, moved_inside = moved[..., :3], moved[..., 3:] / 255
    outline = place_outline(draw_outline(outline_key), landmarks)
    outline = _positions_after(motion, outline, clip.shape[1])
    mask, ratio = _draw_mask(mask_key, outline, clip.shape[1], config)
    mask *= _away_from_edge(inside * moved_inside)
    is_whole = is_drawn & (whole < _WHOLE)
    traces = generated(drawn_key, clip, inside, frame_mask)
    source = jnp.where(is_drawn, traces.drawn, source)
    target = jnp.where(is_drawn, clip, target)
    # Else the softer of the two pictures would always be the fake.
    target = jnp.where(is_whole & (soft < _SOFT), traces.soft, target)
    mask = jnp.where(is_whole, 1.0, mask)
    ratio = jnp.where(is_drawn | is_swapped, 1.0, ratio)  # no half of another face
    weights = jnp.where(present, mask, 0.0)
    difference = jnp.where(present, source - target, 0.0)
    change = jnp.sum(weights * jnp.mean(jnp.abs(difference), axis=-1, keepdims=True))
    change = ratio * change / jnp.maximum(jnp.sum(weights), 1.0)
    # A clip labelled fake must differ visibly from the real one.
    boost = jnp.clip(config.min_change / jnp.maximum(change, 1e-3), 1.0, _MAX_BOOST)
    # Traces are as strong as they were drawn, and another face is another face.
    boost = jnp.where(is_drawn | is_swapped, 1.0, boost)
    return BlendParts(
        sources=jnp.clip(target + boost * (source - target), 0, 255),
        targets=target,
        masks=ratio * mask,
    )


def _change_tone(
    key: jax.Array, clip: jax.Array, pivot: jax.Array, config: BlendConfig
) -> jax.Array:
    """Returns the clip with changed colours; changes of contrast preserve the grey level `pivot`.

    All changes preserve black, and so the area of a crop that lies outside the frame; an offset
    would turn it grey and give the fake away.
    """
    numbers = jax.random.uniform(key, (10,))
    chosen = jnp.repeat(numbers[:3] < config.colour_probability, np.array([3, 2, 2]))
    limits = [config.max_tint] * 3 + [np.radians(config.max_hue), config.max_saturation]
    limits = jnp.array([*limits, config.max_light, config.max_contrast])
    changes = jnp.where(chosen, limits * (2 * numbers[3:] - 1), 0.0)
    hue, saturation, light, contrast = changes[3:]
    gains = jnp.exp(changes[:3] + light)
    matrix = hue_saturation_matrix(hue, jnp.exp(saturation))
    clip = jnp.maximum(mix_channels(clip, gains[:, None] * matrix), 0.0)
    return pivot * (clip / pivot) ** jnp.exp(contrast)


def _change_detail(
    key: jax.Array, clip: jax.Array, inside: jax.Array, config: BlendConfig
) -> jax.Array:
    """Returns the clip at a lower resolution, or sharpened; `inside` is its `picture_area`."""
    choice, strength, width = jax.random.uniform(key, (3,))
    lower = choice < 0.5
    strength = _MIN_DETAIL + (1 - _MIN_DETAIL) * strength
    size = clip.shape[1]
    coarse = low_resolution_matrix(config.min_resolution**strength, size)
    finest, coarsest = _SHARPENED
    smooth = blur_matrix(finest + (coarsest - finest) * width, size)
    matrix = jnp.where(lower, coarse, smooth)
    detail = clip - smoothed(clip, matrix, inside)
    return clip + jnp.where(lower, -1.0, strength * config.max_sharpening) * detail


class _Motion(NamedTuple):
    """How the source is placed over the target in each of T frames."""

    shift: jax.Array  # float32 [T, 2], xy, as a share of the side
    log_scale: jax.Array  # float32 [T]
    rotation: jax.Array  # float32 [T], radians, clockwise in the picture
    bend: jax.Array  # float32 [T, G, G, 2], xy, as a share of the side, on a grid over the crop


def _draw_motion(key: jax.Array, num_frames: int, config: BlendConfig) -> _Motion:
    number_key, noise_key = jax.random.split(key)
    drifting, smoothness = jax.random.uniform(number_key, (2,))
    shortest, longest = _WANDERING
    smoothness = shortest * (longest / shortest) ** smoothness
    # A path is white noise, smoothed over the frames and scaled to unit variance; or, without
    # drift, the first frame's noise repeated in all frames.
    apart = jnp.arange(num_frames)[:, None] - jnp.arange(num_frames)[None, :]
    smooth = jnp.exp(-0.5 * jnp.square(apart / smoothness))
    smooth = smooth / jnp.linalg.norm(smooth, axis=1, keepdims=True)
    steady = jnp.zeros_like(smooth).at[:, 0].set(1.0)
    mixing = jnp.where(drifting < config.drifting, smooth, steady)

    noise = jax.random.normal(noise_key, (num_frames, 4 + 2 * _BEND_GRID**2))
    paths = jnp.clip(jnp.matmul(mixing, noise, precision="highest") / 2, -1.0, 1.0)
    across, down, scale, rotation = paths[:, :4].T
    bend = paths[:, 4:].reshape(num_frames, _BEND_GRID, _BEND_GRID, 2)
    return _Motion(
        shift=config.max_shift * jnp.stack([across, down / 2], axis=-1),
        log_scale=config.max_scale * scale,
        rotation=np.radians(config.max_rotation) * rotation,
        bend=config.max_bend * bend,
    )


def _turns(motion: _Motion) -> jax.Array:
    """Returns the rotation matrices, float32 [T, 2, 2]."""
    cos, sin = jnp.cos(motion.rotation), jnp.sin(motion.rotation)
    return jnp.stack([jnp.stack([cos, -sin], -1), jnp.stack([sin, cos], -1)], axis=1)


def _positions_before(motion: _Motion, size: int) -> jax.Array:
    """Returns the source position of each pixel of the moved source: [T, S, S, 2], xy."""
    grid_places = (jnp.arange(size) + 0.5) * (_BEND_GRID / size)
    upsample = sampling_matrix(grid_places, _BEND_GRID)
    bend = size * resample(motion.bend, upsample, upsample)
    away = pixel_middles(size)[None] - size / 2 - size * motion.shift[:, None, None]
    turned = jnp.einsum("tji,tyxj->tyxi", _turns(motion), away, precision="highest")
    return size / 2 + turned * jnp.exp(-motion.log_scale)[:, None, None, None] + bend


def _positions_after(motion: _Motion, points: jax.Array, size: int) -> jax.Array:
    """Returns where points [T, K, 2] of the source end up, ignoring the bend."""
    turned = jnp.einsum("tij,tkj->tki", _turns(motion), points - size / 2, precision="highest")
    scaled = turned * jnp.exp(motion.log_scale)[:, None, None]
    return size / 2 + scaled + size * motion.shift[:, None]


def _away_from_edge(inside: jax.Array) -> jax.Array:
    """Returns weights [T, S, S, 1] that fall to 0 towards the edge of a picture, from its area.

    A mask that crosses the edge would show where the source has moved, which no swap does.
    """
    blur = blur_matrix(_RIM * inside.shape[1], inside.shape[1])
    share = resample(inside, blur, blur)  # somewhat over a half in the pixels next to the edge
    return jnp.clip((share - _AT_EDGE) / (1 - _AT_EDGE), 0.0, 1.0)


def _draw_mask(
    key: jax.Array, outlines: jax.Array, size: int, config: BlendConfig
) -> tuple[jax.Array, jax.Array]:
    """Returns the mask [T, S, S, 1], 0 to 1, and the weight of the source within it.

    The paper blurs a mask, keeps what is still 1, and blurs again. The first blur moves the edge
    inwards and the second softens it; here both are applied to the distance from the edge. A cubic
    step replaces the Gaussian's integral: it is as steep but ends at a finite distance.
    """
    erosion, softness, choice = jax.random.uniform(key, (3,))
    distance = inside_distance(outlines, size)
    depth = jnp.max(distance, axis=(1, 2), keepdims=True)
    erosion = config.max_erosion * erosion * depth
    hardest, softest = config.softness
    softness = size * (hardest + (softest - hardest) * softness)
    # Even the smallest mask must reach 1 in its middle.
    half_width = jnp.clip(_HALF_STEP * softness, 0.5, jnp.maximum(depth - erosion, 0.5))
    step = jnp.clip(0.5 + (distance - erosion) / (2 * half_width), 0.0, 1.0)
    mask = step * step * (3 - 2 * step)
    ratio = jnp.array(config.ratios)[jnp.floor(choice * len(config.ratios)).astype(jnp.int32)]
    return mask[..., None], ratio
