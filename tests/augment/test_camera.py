import dataclasses

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from dfjax.augment.camera import augment
from dfjax.train_config import AugmentConfig
from tests.augment.faces import face_clips
from tests.compiling import COMPILE_SOON

NUM_CLIPS, NUM_FRAMES, SIZE = 16, 2, 64
CONFIG = AugmentConfig()


def _only(**shares: float) -> AugmentConfig:
    """Returns the config in which nothing but this is done."""
    off = ("flip", "zoom", "colour", "darken", "retouch", "sharpen", "blur", "reduce", "noise")
    return dataclasses.replace(CONFIG, **dict.fromkeys((*off, "jpeg"), 0.0) | shares)


_augment = jax.jit(augment, static_argnames="config", compiler_options=COMPILE_SOON)


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
    augmented = _augment(*jax.device_put((_keys(), _clips(), frame_mask), split), CONFIG)
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
