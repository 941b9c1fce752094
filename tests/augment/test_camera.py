import dataclasses
import functools
import types
from typing import Any

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from dfjax.augment.camera import augment
from dfjax.augment.colour import LUMA
from dfjax.train_config import AugmentConfig
from tests.augment.faces import face_clips
from tests.compiling import COMPILE_SOON

NUM_CLIPS, NUM_FRAMES, SIZE = 16, 2, 64
CONFIG = AugmentConfig()


def _only(**values: Any) -> AugmentConfig:
    """Returns the config in which nothing but this is done."""
    off = ("flip", "zoom", "colour", "darken", "retouch", "sharpen", "blur", "reduce", "noise")
    return dataclasses.replace(CONFIG, **dict.fromkeys((*off, "jpeg"), 0.0) | values)


@functools.partial(jax.jit, compiler_options=COMPILE_SOON)
def _augment_with(keys, clips, frame_mask, is_degraded, values) -> jax.Array:
    config: Any = types.SimpleNamespace(**dataclasses.asdict(CONFIG) | values)
    return augment(keys, clips, frame_mask, config, is_degraded=is_degraded)


def _augment(keys, clips, frame_mask, config: AugmentConfig, is_degraded=None) -> jax.Array:
    """Returns what `augment` does, with one program for all configs: it takes long to compile."""
    values = dataclasses.asdict(config)
    for fixed in ("min_zoom", "max_zoom", "max_rotation"):
        assert values.pop(fixed) == getattr(CONFIG, fixed)
    if is_degraded is None:
        is_degraded = jax.device_put(np.ones(NUM_CLIPS, bool), getattr(keys, "sharding", None))
    return _augment_with(keys, clips, frame_mask, is_degraded, values)


def _keys() -> jax.Array:
    return jax.random.split(jax.random.key(0), NUM_CLIPS)


def _clips() -> np.ndarray:
    return face_clips(NUM_CLIPS, NUM_FRAMES, SIZE)[0]


def _run(
    clips: np.ndarray, config: AugmentConfig = CONFIG, frame_mask: np.ndarray | None = None
) -> np.ndarray:
    if frame_mask is None:
        frame_mask = np.ones((NUM_CLIPS, NUM_FRAMES), bool)
    return np.asarray(_augment(_keys(), clips, frame_mask, config))


def test_where_nothing_is_drawn_a_clip_stays_as_it_is_and_a_mirrored_one_is_exact():
    clips = _clips()
    augmented = _run(clips, _only(flip=0.5))
    is_kept = (augmented == clips).all((1, 2, 3, 4))
    is_mirrored = (augmented == clips[..., ::-1, :]).all((1, 2, 3, 4))
    assert (is_kept ^ is_mirrored).all()
    assert 0 < is_mirrored.sum() < NUM_CLIPS


def test_all_frames_of_a_clip_get_the_same_but_for_noise():
    clips = _run(_clips())
    change = clips[:, 1] - clips[:, 0]
    is_still = (change == 0).all((1, 2, 3))
    assert 0.4 < is_still.mean() < 1
    noise = change[~is_still]
    assert np.abs(noise).mean((1, 2, 3)).min() > 0.1
    assert np.abs(noise.mean((1, 2, 3))).max() < 0.5
    assert len(np.unique(clips, axis=0)) == NUM_CLIPS


def test_a_real_clip_and_its_fake_get_the_same_from_one_key():
    real = _clips()
    fake = real.copy()
    fake[:, :, 28:36, 28:36] = 255 - fake[:, :, 28:36, 28:36]
    differences = np.abs(_run(real) - _run(fake)).mean((1, 2, 3, 4))
    # Zoom and contrast make the patch larger and stronger. Two draws would differ everywhere.
    assert differences.min() > 0
    assert differences.max() < 4 * np.abs(real - fake).mean()
    others = np.abs(np.diff(_run(real), axis=0)).mean((1, 2, 3, 4))
    assert others.min() > 4 * np.abs(real - fake).mean()


def test_clips_are_pixels_of_eight_bits():
    clips = _run(_clips())
    np.testing.assert_array_equal(clips, clips.round().clip(0, 255))


def test_absent_frames_stay_as_they_are():
    clips = _clips()
    frame_mask = np.tile([True, False], (NUM_CLIPS, 1))
    augmented = _run(clips, CONFIG, frame_mask)
    np.testing.assert_array_equal(augmented[:, 1], clips[:, 1])
    np.testing.assert_array_equal(augmented[:, 0], _run(clips)[:, 0])


def test_a_clip_comes_nearer_or_moves_away_and_beyond_its_edges_it_is_black():
    places = np.linspace(4, 256 - 4, SIZE, dtype=np.float32)
    ramps = np.stack([*np.meshgrid(places, places), np.full((SIZE, SIZE), 9)], axis=-1)
    clips = np.tile(ramps.astype(np.float32), (NUM_CLIPS, NUM_FRAMES, 1, 1, 1))
    moved = _run(clips, _only(zoom=1.0))
    is_inside = moved[..., 2] == 9
    # A border that was repeated beyond itself would be neither a ramp nor black.
    middle = slice(SIZE // 4, -SIZE // 4)
    assert is_inside[:, :, middle, middle].all()
    across = (
        np.diff(moved[:, :, middle, middle, 0], axis=3).mean((1, 2, 3)) / np.diff(places).mean()
    )
    assert across.min() >= 1 / CONFIG.max_zoom - 0.03
    assert across.max() <= 1 / CONFIG.min_zoom + 0.03
    assert across.min() < 0.97 and across.max() > 1.03
    share_outside = 1 - is_inside.mean((1, 2, 3))
    assert share_outside[across > 1.05].min() > 0.02
    assert moved[..., :2][moved[..., 2] == 0].max() < 16


def _ramps() -> np.ndarray:
    """Returns clips whose red says how far to the right a pixel is, and green how far down."""
    places = 4 * np.arange(SIZE, dtype=np.float32)
    ramps = np.stack([*np.meshgrid(places, places), np.full((SIZE, SIZE), 9)], axis=-1)
    return np.tile(ramps.astype(np.float32), (NUM_CLIPS, NUM_FRAMES, 1, 1, 1))


def test_a_moved_clip_is_turned_and_shifted_and_not_sheared():
    middle = _run(_ramps(), _only(zoom=1.0))[:, 0, 16:48, 16:48, :2] / 4  # where it is from, pixels
    across = (middle[:, :, -1] - middle[:, :, 0]).mean(1)
    down = (middle[:, -1] - middle[:, 0]).mean(1)
    np.testing.assert_allclose(down, np.stack([-across[:, 1], across[:, 0]], axis=-1), atol=0.3)
    angles = np.degrees(np.arctan2(across[:, 1], across[:, 0]))
    assert np.abs(angles).max() <= CONFIG.max_rotation + 0.3
    assert angles.min() < -2 and angles.max() > 2
    shifts = middle.mean((1, 2)) - (SIZE - 1) / 2
    assert np.abs(shifts).max() <= CONFIG.max_shift * SIZE + 0.1
    assert shifts.min() < -1 and shifts.max() > 1


# What changes of colour do to black, middle grey, white and a red: the two limits of each.
_COLOURS = np.array([[0, 0, 0], [128, 128, 128], [255, 255, 255], [160, 80, 80]], np.float32)


def _recoloured(**values: float) -> np.ndarray:
    """Returns `_COLOURS` as they come out of each clip: [16, 4, 3]."""
    stripes = np.repeat(_COLOURS, SIZE // 4, axis=0)[:, None]
    clips = np.broadcast_to(stripes, (NUM_CLIPS, NUM_FRAMES, SIZE, SIZE, 3))
    limits = dict.fromkeys(
        ("max_light", "max_contrast", "max_gamma", "max_saturation", "max_tint"), 0.0
    )
    recoloured = _run(np.ascontiguousarray(clips), _only(**limits | values))
    assert np.ptp(recoloured, axis=3).max() == 0
    return recoloured[:, 0, SIZE // 8 :: SIZE // 4, 0]


def test_light_scales_all_channels_up_or_down():
    found = _recoloured(colour=1.0, max_light=0.25)
    gains = found[:, 1] / 128
    np.testing.assert_allclose(gains, gains[:, :1].repeat(3, 1))
    assert 0.77 < gains.min() < 0.9 and 1.1 < gains.max() < 1.29
    np.testing.assert_allclose(found[:, 3], gains * _COLOURS[3], atol=1)


def test_a_dark_clip_has_the_share_of_its_light_that_is_asked_for():
    gains = _recoloured(darken=1.0)[:, 2] / 255
    low, high = CONFIG.darkness
    assert low - 0.01 < gains.min() < 0.3 and 0.4 < gains.max() < high + 0.01


def test_contrast_leaves_middle_grey_and_moves_the_rest_away_from_it_or_towards_it():
    found = _recoloured(colour=1.0, max_contrast=0.5)
    np.testing.assert_allclose(found[:, 1], 128, atol=1)
    assert found[:, 3, 1].min() < 70 and found[:, 3, 1].max() > 90


def test_gamma_leaves_black_and_white_and_moves_grey_both_ways():
    found = _recoloured(colour=1.0, max_gamma=0.25)
    np.testing.assert_array_equal(found[:, [0, 2]], _COLOURS[[0, 2]][None].repeat(NUM_CLIPS, 0))
    grey = found[:, 1]
    assert 255 * 0.5 ** np.exp(0.25) - 1 < grey.min() < 120
    assert 136 < grey.max() < 255 * 0.5 ** np.exp(-0.25) + 2


def test_saturation_leaves_greys_and_luminance_and_moves_colours_both_ways():
    found = _recoloured(colour=1.0, max_saturation=0.3)
    np.testing.assert_array_equal(found[:, :3], _COLOURS[None, :3].repeat(NUM_CLIPS, 0))
    np.testing.assert_allclose(found[:, 3] @ LUMA, _COLOURS[3] @ LUMA, atol=1)
    spread = (found[:, 3, 0] - found[:, 3, 1]) / 80
    assert 0.73 < spread.min() < 0.9 and 1.1 < spread.max() < 1.37


def test_a_tint_is_another_one_for_each_channel():
    grey = _recoloured(colour=1.0, max_tint=0.1)[:, 1]
    assert np.ptp(grey, axis=1).max() > 8
    assert np.exp(-0.1) * 128 - 1 < grey.min() and grey.max() < np.exp(0.1) * 128 + 1


def _detail(clips: np.ndarray) -> np.ndarray:
    """Returns the mean difference of neighbouring pixels in each clip."""
    return np.abs(np.diff(clips, axis=3)).mean((1, 2, 3, 4))


def test_a_sharpened_clip_has_more_detail_and_one_out_of_focus_has_less():
    clips = _clips()
    gains = _detail(_run(clips, _only(sharpen=1.0))) / _detail(clips)
    assert gains.min() > 1.02 and gains.max() > 1.3
    left = _detail(_run(clips, _only(blur=1.0, max_blur=0.04))) / _detail(clips)
    assert left.min() < 0.6 and left.max() < 1.001
    assert np.median(left) < 0.8


def test_a_lower_resolution_takes_fine_stripes_without_false_ones_and_moves_nothing():
    stripes = np.tile(np.array([0, 255], np.float32), SIZE // 2)[:, None].repeat(3, 1)
    clips = np.broadcast_to(stripes, (NUM_CLIPS, NUM_FRAMES, SIZE, SIZE, 3))
    found = _run(np.ascontiguousarray(clips), _only(reduce=1.0))[:, :, :, 8:-8]
    contrast = found.std((1, 2, 3, 4)) / 127.5
    assert np.median(contrast) < 0.15
    ramps = _ramps()
    found = _run(ramps, _only(reduce=1.0))
    np.testing.assert_allclose(found[:, :, 8:-8, 8:-8], ramps[:, :, 8:-8, 8:-8], atol=1)


def test_noise_is_as_strong_as_asked_for_and_in_some_clips_stronger_where_it_is_light():
    levels = np.where(np.arange(SIZE) < SIZE // 2, 40, 215)[:, None] * np.ones(3)
    clips = np.broadcast_to(levels, (NUM_CLIPS, NUM_FRAMES, SIZE, SIZE, 3)).astype(np.float32)
    noise = _run(clips, _only(noise=1.0)) - clips
    dark, light = (part.std((1, 2, 3, 4)) for part in np.split(noise, 2, axis=3))
    middle = np.sqrt((dark**2 + light**2) / 2)
    assert middle.min() >= 0.14 * CONFIG.max_noise
    assert 0.7 * CONFIG.max_noise < middle.max() < 1.05 * CONFIG.max_noise
    assert (light > 0.97 * dark).all()
    assert (light / dark).min() < 1.2 and (light / dark).max() > 1.6
    assert np.abs(noise.mean((1, 2, 3, 4))).max() < 0.2


def test_jpeg_loses_more_at_a_low_quality_and_its_blocks_begin_anywhere():
    clips = _clips()
    coarse, fine = (
        _run(clips, _only(jpeg=1.0, jpeg_quality=(quality, quality))) for quality in (10.0, 95.0)
    )
    loss, little = (np.abs(found - clips).mean((1, 2, 3, 4)) for found in (coarse, fine))
    assert (loss > 3 * little).all() and little.min() > 0
    edges = np.abs(np.diff(coarse.mean(-1), axis=3)).mean((1, 2))
    edges -= np.abs(np.diff(clips.mean(-1), axis=3)).mean((1, 2))
    first = np.argmax([edges[:, n::8].mean(1) for n in range(8)], axis=0)
    assert len(np.unique(first)) > 4


def test_a_clip_that_is_not_degraded_is_only_moved_and_mirrored():
    clips = _clips()
    everywhere = np.ones((NUM_CLIPS, NUM_FRAMES), bool)
    some = np.arange(NUM_CLIPS) % 2 == 0
    found = np.asarray(_augment(_keys(), clips, everywhere, CONFIG, some))
    np.testing.assert_array_equal(found[some], _run(clips)[some])
    moved = _run(clips, _only(flip=CONFIG.flip, zoom=CONFIG.zoom))
    np.testing.assert_array_equal(found[~some], moved[~some])


def test_a_retouched_face_is_smoother_and_no_darker():
    clips = _clips() + np.random.default_rng(0).normal(0, 4, (NUM_CLIPS, NUM_FRAMES, SIZE, SIZE, 1))
    clips = clips.clip(0, 255).astype(np.float32)
    retouched = _run(clips, _only(retouch=1.0))
    detail, detail_left = (
        np.abs(np.diff(x, axis=3)).mean((1, 2, 3, 4)) for x in (clips, retouched)
    )
    assert (detail_left < 0.9 * detail).all()
    assert np.ptp(detail_left / detail) > 0.05
    np.testing.assert_allclose(retouched.mean((1, 2, 3, 4)), clips.mean((1, 2, 3, 4)), atol=1)


def test_a_clip_hangs_on_its_key_and_not_on_its_place():
    order = np.random.default_rng(0).permutation(NUM_CLIPS)
    frame_mask = np.ones((NUM_CLIPS, NUM_FRAMES), bool)
    moved = np.asarray(_augment(_keys()[order], _clips(), frame_mask, CONFIG))
    np.testing.assert_array_equal(moved, _run(_clips())[order])


def test_eight_devices_equal_one():
    mesh = jax.make_mesh((8,), ("data",), (AxisType.Auto,))
    split = NamedSharding(mesh, PartitionSpec("data"))
    frame_mask = np.ones((NUM_CLIPS, NUM_FRAMES), bool)
    keys, clips, frame_mask = jax.device_put((_keys(), _clips(), frame_mask), split)
    augmented = _augment(keys, clips, frame_mask, CONFIG)
    assert len(augmented.sharding.device_set) == 8
    difference = np.abs(np.asarray(augmented) - _run(_clips()))
    # Where a coefficient of JPEG lies between two steps, the last bit decides for a whole block.
    assert (difference > 0).mean() < 0.01
    assert difference.mean() < 0.01


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"jpeg": -0.1}, "jpeg is -0.1; it is a share"),
        ({"max_zoom": 0.8}, "min_zoom 0.87 and max_zoom 0.8"),
        ({"max_noise": -1.0}, "max_noise is -1.0; it must be at least 0"),
        ({"jpeg_quality": (0.0, 90.0)}, "from 1.0 to 100.0"),
        ({"retouch": 0.6, "sharpen": 0.6}, "no clip gets both"),
        ({"min_resolution": 1.5}, r"min_resolution is 1.5; it must be in \(0, 1\]"),
    ],
)
def test_a_config_out_of_range_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        AugmentConfig(**values)
