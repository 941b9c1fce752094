import numpy as np
import pytest

from dfjax.training.batches import balanced_batch, steps_per_epoch

IS_FAKE = np.array([1] * 323 + [0] * 77)


@pytest.mark.parametrize("step", [0, 7, 1000])
def test_every_batch_is_half_real_and_half_fake(step):
    rows = balanced_batch(IS_FAKE, 16, seed=0, step=step)
    assert IS_FAKE[rows].tolist() == [0] * 8 + [1] * 8


def test_a_batch_depends_on_the_seed_and_the_step_alone():
    first = balanced_batch(IS_FAKE, 16, seed=3, step=41)
    assert np.array_equal(first, balanced_batch(IS_FAKE, 16, seed=3, step=41))
    assert not np.array_equal(first, balanced_batch(IS_FAKE, 16, seed=4, step=41))
    assert not np.array_equal(first, balanced_batch(IS_FAKE, 16, seed=3, step=42))


def test_an_epoch_shows_every_clip_of_the_larger_class():
    steps = range(steps_per_epoch(IS_FAKE, 16))
    seen = np.concatenate([balanced_batch(IS_FAKE, 16, seed=0, step=step)[8:] for step in steps])
    assert set(seen) == set(np.flatnonzero(IS_FAKE == 1))


def test_within_a_pass_no_clip_is_shown_twice():
    real = np.concatenate([balanced_batch(IS_FAKE, 14, seed=0, step=s)[:7] for s in range(11)])
    assert len(real) == len(set(real)) == 77
