import dataclasses

import jax
import numpy as np
import pytest

from dfjax.augment.occlusion import occlude
from dfjax.train_config import AugmentConfig

ALWAYS = AugmentConfig(occlude=1.0)


def _pairs(count: int = 64):
    generator = np.random.default_rng(0)
    real = generator.integers(0, 256, (count, 2, 32, 32, 3)).astype(np.float32)
    fake = real.copy()
    fake[:, :, 8:24, 8:24] = 255 - fake[:, :, 8:24, 8:24]
    return real, fake


def _run(config, real, fake):
    keys = jax.random.split(jax.random.key(1), len(real))
    return [np.asarray(x) for x in jax.jit(lambda r, f: occlude(keys, r, f, config))(real, fake)]


def test_both_clips_of_a_pair_are_covered_in_one_place_by_one_colour_in_all_frames():
    real, fake = _pairs()
    covered_real, covered_fake = _run(ALWAYS, real, fake)
    covered = (covered_real != real).any(axis=(1, 4))
    assert 0.5 < covered.any(axis=(1, 2)).mean() < 1
    for index in np.flatnonzero(covered.any(axis=(1, 2))):
        rows, columns = np.flatnonzero(covered[index].any(1)), np.flatnonzero(covered[index].any(0))
        part = np.s_[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert max(len(rows), len(columns)) <= 0.6 * 32 + 1
        assert len(np.unique(covered_real[index][part].reshape(-1, 3), axis=0)) == 1
        np.testing.assert_array_equal(covered_real[index][part], covered_fake[index][part])
        outside = ~covered[index]
        np.testing.assert_array_equal(covered_fake[index][:, outside], fake[index][:, outside])


def test_most_of_what_tells_a_fake_from_its_original_stays_visible():
    real, fake = _pairs()
    covered_real, covered_fake = _run(dataclasses.replace(ALWAYS, occluder=(0.5, 1.0)), real, fake)
    before = np.abs(fake - real).sum(axis=(1, 2, 3, 4))
    after = np.abs(covered_fake - covered_real).sum(axis=(1, 2, 3, 4))
    assert (after >= 0.5 * before - 1).all()
    assert (after < before).any()


def test_the_share_of_covered_pairs_is_the_given_one():
    real, fake = _pairs(400)
    covered_real, _ = _run(
        dataclasses.replace(ALWAYS, occlude=0.25, occluder=(0.3, 0.3)), real, fake
    )
    assert 0.15 < (covered_real != real).any(axis=(1, 2, 3, 4)).mean() < 0.32


def test_a_range_the_wrong_way_round_is_refused():
    with pytest.raises(ValueError, match="occluder"):
        AugmentConfig(occluder=(0.6, 0.2))
