"""Alignment and uniformity of features, against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dfjax.training.sphere_losses import alignment, uniformity

RNG = np.random.default_rng(0)
DRAWN = RNG.normal(size=(7, 5)).astype(np.float32)
FEATURES = jnp.asarray(DRAWN / np.linalg.norm(DRAWN, axis=1, keepdims=True))
IS_FAKE = jnp.array([0, 1, 1, 0, 1, 0, 0], jnp.float32)
MASK = jnp.array([1, 1, 0, 1, 1, 1, 0], bool)
PAIRS = [(i, j) for i in range(7) for j in range(7) if i != j and MASK[i] and MASK[j]]


def _distance(pair: tuple[int, int]) -> float:
    first, second = (np.asarray(FEATURES[place]) for place in pair)
    return float(np.square(first - second).sum())


def test_alignment_is_the_mean_squared_distance_within_a_class():
    same = [_distance(pair) for pair in PAIRS if IS_FAKE[pair[0]] == IS_FAKE[pair[1]]]
    assert alignment(FEATURES, IS_FAKE, MASK) == pytest.approx(np.mean(same), rel=1e-5)


def test_uniformity_is_the_logarithm_of_the_mean_potential():
    potentials = [np.exp(-2 * _distance(pair)) for pair in PAIRS]
    assert uniformity(FEATURES, MASK) == pytest.approx(np.log(np.mean(potentials)), rel=1e-5)


def test_frames_that_do_not_count_have_no_gradient():
    def total(features):
        return alignment(features, IS_FAKE, MASK) + uniformity(features, MASK)

    gradient = np.asarray(jax.grad(total)(FEATURES))
    mask = np.asarray(MASK)
    assert not gradient[~mask].any() and gradient[mask].any()


def test_features_that_are_all_alike_are_aligned_and_not_uniform():
    alike = jnp.tile(FEATURES[:1], (7, 1))
    assert alignment(alike, IS_FAKE, MASK) == pytest.approx(0, abs=1e-5)
    assert uniformity(alike, MASK) == pytest.approx(0, abs=1e-5)


def test_without_two_frames_of_one_class_there_is_nothing_to_align():
    mask = jnp.array([1, 1, 0, 0, 0, 0, 0], bool)
    assert alignment(FEATURES, IS_FAKE, mask) == 0
