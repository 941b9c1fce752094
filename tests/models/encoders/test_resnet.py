"""The encoder as a network: its two modes of normalisation and its two compute types."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from dfjax.models.encoders.resnet import ConvNorm, ResNet
from dfjax.models.tensors import to_tensors
from tests.models.reference import pooled_features, relative_error
from tests.models.tiny import RESNET, filled

IMAGES = np.random.default_rng(1).normal(size=(6, 32, 32, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def resnet() -> ResNet:
    return filled(lambda rngs: ResNet(RESNET, rngs=rngs))


@pytest.fixture(scope="module")
def run(resnet: ResNet):
    """Runs the model as training does: (images, mask) to (features, batch statistics after)."""
    graph, params, batch_stats = nnx.split(resnet, nnx.Param, nnx.BatchStat)

    def forward(images: Any, image_mask: Any = None, *, use_running_average: bool):
        model = nnx.merge(graph, params, batch_stats, copy=True)
        features = model(images, use_running_average=use_running_average, image_mask=image_mask)
        return features, nnx.state(model, nnx.BatchStat)

    return jax.jit(forward, static_argnames="use_running_average")


def test_frozen_statistics_leave_a_picture_to_itself(run):
    features, _ = run(IMAGES, use_running_average=True)
    others, _ = run(np.concatenate([IMAGES[:1], IMAGES[1:] * 3 + 1]), use_running_average=True)
    np.testing.assert_allclose(features[0], others[0], rtol=1e-5)
    assert relative_error(others[1:], np.asarray(features[1:])) > 0.1


def test_folded_norms_give_the_same_features(run):
    folded = filled(lambda rngs: ResNet(RESNET, rngs=rngs))
    folded.fold()
    assert not nnx.state(folded, nnx.BatchStat)
    expected, _ = run(IMAGES, use_running_average=True)
    found = np.asarray(folded(jnp.asarray(IMAGES)))
    assert relative_error(found, np.asarray(expected)) < 1e-5


def test_frozen_statistics_stay_as_they_are(resnet, run):
    _, after = run(IMAGES, use_running_average=True)
    jax.tree.map(np.testing.assert_array_equal, after, nnx.state(resnet, nnx.BatchStat))


def test_batch_statistics_give_the_features_of_a_plain_numpy_forward_pass(resnet, run):
    features, _ = run(IMAGES, use_running_average=False)
    tensors = to_tensors(resnet, ResNet.published)
    expected = pooled_features(tensors, RESNET, IMAGES, use_running_average=False)
    assert relative_error(features, expected) < 1e-4


def test_batch_statistics_move_the_running_ones_by_a_tenth(resnet, run):
    _, after = run(IMAGES, use_running_average=False)
    kernel = resnet.embedder.kernel[...]
    x = jax.lax.conv_general_dilated(
        jnp.asarray(IMAGES),
        kernel,
        (2, 2),
        ((3, 3), (3, 3)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    before = resnet.embedder.normalization
    norm = after["embedder"]["normalization"]
    expected_mean = 0.9 * before.mean[...] + 0.1 * x.mean((0, 1, 2))
    expected_var = 0.9 * before.var[...] + 0.1 * x.var((0, 1, 2))
    np.testing.assert_allclose(norm["mean"][...], expected_mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(norm["var"][...], expected_var, rtol=1e-4)


def test_masked_pictures_do_not_count_in_the_batch_statistics(run):
    mask = np.array([True, True, False, True, False, True])
    features, after = run(IMAGES, mask, use_running_average=False)
    changed = np.where(mask[:, None, None, None], IMAGES, 5.0)
    others, after_others = run(changed, mask, use_running_average=False)
    np.testing.assert_allclose(features[mask], others[mask], rtol=1e-5, atol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), after, after_others)


def test_the_model_passed_in_is_not_changed_by_a_step_with_batch_statistics(resnet, run):
    before = jax.tree.map(np.array, nnx.state(resnet))
    run(IMAGES, use_running_average=False)
    jax.tree.map(np.testing.assert_array_equal, before, nnx.state(resnet))


def test_gradients_reach_every_parameter_through_batch_statistics(resnet):
    graph, params, batch_stats = nnx.split(resnet, nnx.Param, nnx.BatchStat)

    @jax.jit
    @jax.grad
    def gradients(params):
        model = nnx.merge(graph, params, batch_stats, copy=True)
        return jnp.sum(model(IMAGES, use_running_average=False) ** 2)

    for path, gradient in nnx.to_flat_state(gradients(params)):
        values = np.asarray(gradient[...])
        assert np.isfinite(values).all() and (values != 0).any(), path


def test_bfloat16_is_close_to_float32_and_its_parameters_and_statistics_stay_float32(run):
    config = dataclasses.replace(RESNET, compute_dtype="bfloat16")
    half = filled(lambda rngs: ResNet(config, rngs=rngs))
    graph, state = nnx.split(half)

    @jax.jit
    def forward(state, images):
        model = nnx.merge(graph, state, copy=True)
        return model(images, use_running_average=False), nnx.state(model)

    features, after = forward(state, IMAGES)
    expected, _ = run(IMAGES, use_running_average=False)
    assert features.dtype == jnp.float32
    assert 0 < relative_error(features, np.asarray(expected)) < 0.03
    assert {leaf.dtype for leaf in jax.tree.leaves(after)} == {jnp.dtype(jnp.float32)}


def test_fresh_kernels_are_as_large_as_their_fan_out_asks():
    conv_norm = ConvNorm(8, 16, 3, compute_dtype="float32", rngs=nnx.Rngs(0))
    assert np.asarray(conv_norm.kernel[...]).std() == pytest.approx(np.sqrt(2 / (9 * 16)), rel=0.1)
