"""From pairs to labelled clips: what is real stays real, and a pair goes through the same mill."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from dfjax.train_config import AugmentConfig, BlendConfig, TrainConfig
from dfjax.training.examples import Examples, make_examples
from dfjax.training.loader import PairBatch
from tests.compiling import COMPILE_SOON
from tests.training.prepared_set import CONFIG, SIZE, plain

NUM_PAIRS, NUM_FRAMES = 6, 4
PLACES = np.array([[0.35, 0.4], [0.65, 0.4], [0.5, 0.55], [0.38, 0.7], [0.62, 0.7]], np.float32)


def _pairs(**changes) -> PairBatch:
    """Half of the pairs are to be blended; the fakes of the others are 9 grey levels up."""
    generator = np.random.default_rng(0)
    shape = (NUM_PAIRS, NUM_FRAMES, SIZE, SIZE, 3)
    real = np.repeat(generator.integers(60, 180, (NUM_PAIRS, 1, *shape[2:]), np.uint8), 4, axis=1)
    frame_mask = np.ones(shape[:2], bool)
    frame_mask[1, 2] = False
    batch = PairBatch(
        real=real,
        fake=real + np.uint8(9),
        landmarks=np.tile(SIZE * PLACES, (*shape[:2], 1, 1)),
        frame_mask=frame_mask,
        is_blended=np.arange(NUM_PAIRS) < NUM_PAIRS // 2,
        is_aligned=np.ones(NUM_PAIRS, bool),
    )
    return dataclasses.replace(batch, **changes)


@functools.cache
def _compiled(config: TrainConfig):
    def examples(keys: jax.Array, pairs: PairBatch, augmented: float) -> Examples:
        return make_examples(keys, pairs, config, augmented)

    return jax.jit(examples, compiler_options=COMPILE_SOON)


def _examples(config: TrainConfig, pairs: PairBatch, augmented: float | None = None) -> Examples:
    keys = jax.random.split(jax.random.key(0), NUM_PAIRS)
    share = config.augmented if augmented is None else augmented
    return jax.tree.map(np.asarray, _compiled(config)(keys, pairs, share))


def _of_pairs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the values of the real clips and those of the fakes."""
    return values[0::2], values[1::2]


BLENDED = plain(self_blended=0.5, partial_fakes=1.0, blend=BlendConfig(generated=0.0))


@pytest.fixture(scope="module")
def examples() -> Examples:
    return _examples(BLENDED, _pairs())


def test_the_real_clip_of_a_pair_comes_first_as_it_is_and_labelled_real(examples):
    real, _ = _of_pairs(examples.clips)
    pairs = _pairs()
    np.testing.assert_array_equal(real[~pairs.is_blended], pairs.real[~pairs.is_blended])
    assert not _of_pairs(examples.clip_is_fake)[0].any()
    assert not _of_pairs(examples.frame_is_fake)[0].any()
    assert _of_pairs(examples.clip_is_fake)[1].all()


def test_nothing_but_the_blend_tells_a_self_blend_from_its_real_clip(examples):
    """A tint or softness of the whole picture would tell the label, and teach nothing of faces."""
    is_blended = _pairs().is_blended
    real, fake = (clips[is_blended] for clips in _of_pairs(examples.clips))
    labels = _of_pairs(examples.frame_is_fake.astype(bool))[1][is_blended]
    np.testing.assert_array_equal(real[..., 0, :, :], fake[..., 0, :, :])  # the topmost row
    np.testing.assert_array_equal(real[~labels], fake[~labels])
    for clip, other, is_fake in zip(real, fake, labels, strict=True):
        assert np.abs(clip - other)[is_fake].mean() > 0.1


def test_a_partial_fake_is_manipulated_where_its_labels_say_so_and_nowhere_else(examples):
    _, fake = _of_pairs(examples.clips)
    _, labels = _of_pairs(examples.frame_is_fake.astype(bool))
    pairs = _pairs()
    assert (labels.any(axis=1) & (~labels & pairs.frame_mask).any(axis=1)).all()
    manipulated = ~pairs.is_blended[:, None] & labels
    np.testing.assert_array_equal(fake[manipulated], pairs.fake[manipulated])
    untouched = ~pairs.is_blended[:, None] & ~labels
    np.testing.assert_array_equal(fake[untouched], pairs.real[untouched])


def test_a_partial_self_blend_changes_in_the_face_alone_from_segment_to_segment(examples):
    """A jump in the whole picture would tell the segments, and teach nothing of faces."""
    _, fake = _of_pairs(examples.clips)
    _, labels = _of_pairs(examples.frame_is_fake.astype(bool))
    for pair in np.flatnonzero(_pairs().is_blended):
        present = _pairs().frame_mask[pair]
        inside = fake[pair][present & labels[pair]][0]
        outside = fake[pair][present & ~labels[pair]][0]
        np.testing.assert_array_equal(inside[0], outside[0])  # the topmost row is no face
        assert np.abs(inside - outside).mean() > 0.1


def test_absent_frames_are_never_labelled_fake(examples):
    assert not examples.frame_is_fake[~examples.frame_mask].any()


def test_pairs_that_do_not_show_the_same_moments_are_not_mixed():
    strangers = _examples(BLENDED, _pairs(is_aligned=np.zeros(NUM_PAIRS, bool)))
    _, labels = _of_pairs(strangers.frame_is_fake)
    np.testing.assert_array_equal(labels, _pairs().frame_mask)


def test_a_pair_that_is_the_same_twice_is_so_behind_camera_and_codec():
    config = dataclasses.replace(CONFIG, self_blended=0.0, partial_fakes=0.0, augmented=1.0)
    pairs = _pairs()
    twins = _examples(config, dataclasses.replace(pairs, fake=pairs.real))
    real, fake = _of_pairs(twins.clips)
    assert (np.abs(real - pairs.real).mean(axis=(1, 2, 3, 4)) > 0.5).sum() >= NUM_PAIRS - 2
    difference = np.abs(real - fake)
    assert np.mean(difference > 0) < 0.01  # noise is drawn from the same key; rounding is free


def test_pairs_are_only_moved_where_the_share_has_not_begun_to_grow():
    config = dataclasses.replace(
        CONFIG,
        self_blended=0.0,
        partial_fakes=0.0,
        augmented=1.0,
        augment=AugmentConfig(flip=0.5, zoom=0.0),
    )
    pairs = _pairs()
    moved = _of_pairs(_examples(config, pairs, augmented=0.0).clips)
    flips = set()
    for pair, mask in enumerate(pairs.frame_mask):
        is_flipped = not np.array_equal(moved[0][pair][mask], pairs.real[pair][mask])
        for clips, given in zip(moved, (pairs.real, pairs.fake), strict=True):
            expected = given[pair][..., ::-1, :] if is_flipped else given[pair]
            np.testing.assert_array_equal(clips[pair][mask], expected[mask])
        flips.add(is_flipped)
    assert flips == {False, True}


def test_what_is_drawn_for_a_pair_does_not_hang_on_the_other_pairs(examples):
    others = _pairs()
    real = others.real.copy()
    real[1:] = 255 - real[1:]
    found = _examples(BLENDED, dataclasses.replace(others, real=real))
    np.testing.assert_allclose(found.clips[:2], examples.clips[:2], atol=1)
    np.testing.assert_array_equal(found.frame_is_fake, examples.frame_is_fake)
