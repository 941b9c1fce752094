import functools

import jax
import numpy as np
import pytest

from dfjax.augment.generator import generated
from dfjax.augment.picture_area import picture_area
from dfjax.augment.self_blend import blend_parts
from dfjax.train_config import BlendConfig
from tests.augment.faces import face_clips
from tests.compiling import COMPILE_SOON

NUM_CLIPS, NUM_FRAMES, SIZE = 16, 4, 64

_generated = jax.jit(
    jax.vmap(lambda key, clip, present: generated(key, clip, picture_area(clip), present).drawn),
    compiler_options=COMPILE_SOON,
)
_parts = jax.jit(
    functools.partial(blend_parts, config=BlendConfig(generated=1.0)), compiler_options=COMPILE_SOON
)


def _keys() -> jax.Array:
    return jax.random.split(jax.random.key(0), NUM_CLIPS)


def _draw(clips: np.ndarray, frame_mask: np.ndarray | None = None) -> np.ndarray:
    """Returns what generators draw of clips, as a numpy array."""
    present = np.ones(clips.shape[:2], bool) if frame_mask is None else frame_mask
    return np.asarray(_generated(_keys(), clips, present))


@pytest.fixture(scope="module")
def clips() -> np.ndarray:
    return face_clips(NUM_CLIPS, NUM_FRAMES, SIZE)[0]


@pytest.fixture(scope="module")
def drawn(clips: np.ndarray) -> np.ndarray:
    return _draw(clips)


def _fine_detail(clips: np.ndarray) -> np.ndarray:
    """Returns the mean difference of neighbouring pixels' differences, for each clip."""
    return np.abs(np.diff(clips, n=2, axis=2)).mean((1, 2, 3, 4))


def test_every_clip_is_changed_a_little_and_stays_within_the_range(clips, drawn):
    change = np.abs(drawn - clips).mean((1, 2, 3, 4))
    assert change.min() > 0.5 and change.max() < 16
    assert drawn.min() >= 0 and drawn.max() <= 255


def test_most_clips_lose_fine_detail_and_some_gain_a_grid(clips, drawn):
    kept = _fine_detail(drawn) / _fine_detail(clips)
    assert np.mean(kept < 0.9) > 0.5
    assert kept.max() > kept.min() * 1.5


def test_the_grid_has_steps_of_two_four_and_eight_pixels_and_stands_out_of_the_detail():
    shape = (NUM_CLIPS, NUM_FRAMES, SIZE, SIZE, 1)
    noise = 120 + np.random.default_rng(0).normal(0, 8, shape) * np.ones(3)
    drawn = _draw(noise.astype(np.float32).clip(0, 255))
    spectra = np.abs(np.fft.fft2(drawn.mean((1, -1))))
    steps = np.array([2, 4, 8])
    peaks = spectra[:, SIZE // steps, SIZE // steps] / np.median(spectra, axis=(1, 2))[:, None]
    assert np.mean(peaks.max(1) > 5) > 0.8
    assert set(np.argmax(peaks[peaks.max(1) > 5], axis=1)) == {0, 1, 2}


def test_a_dark_face_flickers_less_than_a_light_one(clips, drawn):
    light, dark = (
        np.abs(np.diff(found, axis=1)).mean((1, 2, 3, 4)) for found in (drawn, _draw(0.2 * clips))
    )
    np.testing.assert_allclose(dark, 0.2 * light, rtol=0.1)


def test_light_flickers_where_a_still_clip_stands_still(drawn):
    flicker = np.abs(np.diff(drawn, axis=1)).mean((1, 2, 3, 4))
    assert flicker.min() > 0
    assert 0.5 < np.median(flicker) < 5


def test_detail_of_a_moving_face_sticks_to_the_picture_in_about_half_of_the_clips(clips):
    rng = np.random.default_rng(0)
    moving = clips + rng.normal(0, 8, clips.shape).astype(np.float32)  # new detail in each frame
    moving = moving.clip(0, 255)
    drawn = _draw(moving)

    def alike(clip: np.ndarray) -> float:
        fine = np.diff(clip, n=2, axis=1)
        return float(np.corrcoef(fine[0].ravel(), fine[1].ravel())[0, 1])

    gain = np.array([alike(d) - alike(c) for d, c in zip(drawn, moving, strict=True)])
    assert 0.2 < np.mean(gain > 0.25) < 0.8


@pytest.mark.parametrize("absent", [0.0, 200.0])
def test_a_frame_is_drawn_alike_however_many_frames_are_absent(clips, drawn, absent):
    few = clips.copy()
    few[:, 1:] = absent
    few[:, 2:, ::2] = 0  # stripes, which are detail
    frame_mask = np.tile(np.arange(NUM_FRAMES) < 1, (NUM_CLIPS, 1))
    np.testing.assert_allclose(_draw(few, frame_mask)[:, 0], drawn[:, 0], atol=1e-3)


def test_black_around_a_picture_stays_black(clips):
    framed = clips.copy()
    framed[:, :, :20] = 0
    drawn = _draw(framed)
    assert drawn[:, :, :20].max() == 0
    assert (
        np.abs(drawn[:, :, 20].mean((1, 2, 3)) / framed[:, :, 20].mean((1, 2, 3)) - 1).max() < 0.2
    )


def test_in_a_blend_the_whole_crop_is_drawn_or_a_part_of_the_face(clips):
    landmarks = face_clips(NUM_CLIPS, NUM_FRAMES, SIZE)[1]
    present = np.ones((NUM_CLIPS, NUM_FRAMES), bool)
    parts = jax.tree.map(np.asarray, _parts(_keys(), clips, landmarks, present))
    whole = (parts.masks == 1).all((1, 2, 3, 4))
    np.testing.assert_array_equal(parts.targets[~whole], clips[~whole])
    assert 0.2 < whole.mean() < 0.8
    corners = parts.masks[~whole][:, :, 0, 0]
    assert (corners == 0).all()
    assert parts.masks.max((1, 2, 3, 4)).min() > 0.9


def test_softness_of_the_whole_picture_does_not_tell_which_one_was_drawn(clips):
    landmarks = face_clips(NUM_CLIPS, NUM_FRAMES, SIZE)[1]
    present = np.ones((NUM_CLIPS, NUM_FRAMES), bool)
    sharper = []
    for seed in range(6):
        keys = jax.random.split(jax.random.key(seed), NUM_CLIPS)
        parts = jax.tree.map(np.asarray, _parts(keys, clips, landmarks, present))
        whole = (parts.masks == 1).all((1, 2, 3, 4))
        real, fake = _fine_detail(parts.targets)[whole], _fine_detail(parts.sources)[whole]
        sharper += (real > fake).tolist()
    assert len(sharper) > 20
    assert 0.25 < np.mean(sharper) < 0.75


def test_a_share_out_of_range_is_refused():
    with pytest.raises(ValueError, match="generated is 1.5; it is a share"):
        BlendConfig(generated=1.5)
