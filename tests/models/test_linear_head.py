"""The linear head: a clip's probability is the mean of those of the frames that are present."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dfjax.head_config import LinearHeadConfig
from dfjax.models.linear_head import LinearHead, l2_normalized
from tests.models.tiny import filled

MASK = np.array([[True, False, True, True], [False, True, False, False]])
FEATURES = np.random.default_rng(0).normal(size=(2, 4, 6)).astype(np.float32)


@pytest.fixture(scope="module", params=[True, False])
def head(request) -> LinearHead:
    config = LinearHeadConfig(normalized=request.param)
    return filled(lambda rngs: LinearHead(6, config, rngs=rngs))


def test_the_probability_of_a_clip_is_the_mean_of_those_of_its_frames(head):
    output = head(jnp.asarray(FEATURES), jnp.asarray(MASK))
    of_frames = np.asarray(jax.nn.sigmoid(output.frame_logits))
    expected = [row[mask].mean() for row, mask in zip(of_frames, MASK, strict=True)]
    np.testing.assert_allclose(jax.nn.sigmoid(output.clip_logits), expected, rtol=1e-5)


def test_absent_frames_do_not_change_a_logit_or_a_gradient(head):
    junk = np.where(MASK[:, :, None], FEATURES, np.nan)

    def total(features):
        output = head(features, jnp.asarray(MASK))
        return jnp.sum(output.clip_logits) + jnp.sum(output.frame_logits)

    found, gradient = jax.value_and_grad(total)(jnp.asarray(junk))
    assert found == total(jnp.asarray(FEATURES))
    assert np.isfinite(gradient).all() and not np.asarray(gradient)[~MASK].any()


def test_only_a_head_without_normalisation_sees_how_long_a_feature_vector_is(head):
    once = head(jnp.asarray(FEATURES), jnp.asarray(MASK)).frame_logits
    twice = head(jnp.asarray(2 * FEATURES), jnp.asarray(MASK)).frame_logits
    assert np.allclose(once, twice, atol=1e-5) == head.config.normalized


def test_a_clip_without_frames_gets_a_finite_logit(head):
    output = head(jnp.asarray(FEATURES), jnp.zeros((2, 4), bool))
    assert np.isfinite(output.clip_logits).all()


def test_certain_frames_do_not_overflow(head):
    output = head(jnp.full((1, 4, 6), 1e4), jnp.ones((1, 4), bool))
    assert np.isfinite(output.clip_logits).all()


def test_zeros_stay_zeros_and_have_a_gradient():
    zeros = jnp.zeros((1, 3))
    assert not np.asarray(l2_normalized(zeros)).any()
    assert np.isfinite(jax.grad(lambda x: jnp.sum(l2_normalized(x)))(zeros)).all()
