"""The detector as a function of its clips: what must change its logits, and what must not."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from dfjax.config import Config
from dfjax.models.detector import Detector
from dfjax.models.encoders.resnet import ResNet
from dfjax.models.output import DetectorOutput
from dfjax.models.temporal import TemporalModel
from dfjax.models.tensors import to_tensors
from tests.models.reference import pooled_features, relative_error
from tests.models.tiny import CONFIG, HEAD, RESNET, filled

RNG = np.random.default_rng(3)
FEATURES = RNG.normal(size=(3, 6, RESNET.widths[-1])).astype(np.float32)
PRESENT = np.ones((3, 6), bool)
CLIPS = RNG.integers(0, 256, size=(8, 4, 32, 32, 3), dtype=np.uint8)


def detector_for(config: Config) -> Detector:
    return filled(lambda rngs: Detector(config, rngs=rngs))


def scorer(detector: Detector):
    """Returns the compiled temporal part: (features, frame_mask, key) to DetectorOutput."""
    graph, state = nnx.split(detector)
    compiled = jax.jit(
        lambda state, *args, **kw: nnx.merge(graph, state).score_features(*args, **kw)
    )

    def score(features: Any, frame_mask: Any, key: jax.Array | None = None) -> DetectorOutput:
        return compiled(state, jnp.asarray(features), jnp.asarray(frame_mask), key=key)

    return score


@pytest.fixture(scope="module")
def detector() -> Detector:
    return detector_for(CONFIG)


@pytest.fixture(scope="module")
def fresh(detector) -> Detector:
    return Detector(CONFIG, rngs=nnx.Rngs(0), encoder=detector.encoder)


@pytest.fixture(scope="module")
def encode(detector):
    graph, state = nnx.split(detector)
    compiled = jax.jit(lambda state, images: nnx.merge(graph, state).encode(images))
    return lambda images: np.asarray(compiled(state, images))


@pytest.fixture(scope="module")
def score(detector):
    return scorer(detector)


@pytest.fixture(scope="module")
def run(detector):
    """The whole detector, compiled: (clips, frame_mask) to (output, batch statistics after)."""
    graph, params, batch_stats = nnx.split(detector, nnx.Param, nnx.BatchStat)

    def forward(clips: Any, frame_mask: Any, *, use_running_average: bool = True):
        model = nnx.merge(graph, params, batch_stats, copy=True)
        output = model(clips, frame_mask, use_running_average=use_running_average)
        return output, nnx.state(model, nnx.BatchStat)

    return jax.jit(forward, static_argnames="use_running_average")


def assert_close(found: DetectorOutput, expected: DetectorOutput) -> None:
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), found, expected)


@pytest.mark.parametrize("with_dropout", [False, True])
@pytest.mark.parametrize("places", [[6, 7, 8], [0, 3, 8], [0, 1, 2]], ids=str)
def test_absent_frames_change_nothing_wherever_they_stand(score, places, with_dropout):
    key = jax.random.key(0) if with_dropout else None
    present = np.ones(9, bool)
    present[places] = False
    padded = np.full((3, 9, FEATURES.shape[2]), np.nan, np.float32)
    padded[:, present] = FEATURES
    expected = score(FEATURES, PRESENT, key)
    found = score(padded, np.tile(present, (3, 1)), key)
    np.testing.assert_allclose(found.clip_logits, expected.clip_logits, atol=1e-5)
    np.testing.assert_allclose(found.frame_logits[:, present], expected.frame_logits, atol=1e-5)
    np.testing.assert_array_equal(found.frame_logits[:, ~present], 0.0)


def test_permuting_the_frames_changes_the_clip_logit(score):
    permuted = score(FEATURES[:, [3, 0, 5, 1, 4, 2]], PRESENT)
    difference = np.abs(permuted.clip_logits - score(FEATURES, PRESENT).clip_logits)
    assert (difference > 1e-3).all()


def test_clips_of_a_batch_do_not_influence_each_other(score):
    others = np.concatenate([FEATURES[:1], -FEATURES[1:]])
    expected, found = score(FEATURES, PRESENT), score(others, PRESENT)
    np.testing.assert_allclose(found.frame_logits[0], expected.frame_logits[0], atol=1e-6)
    np.testing.assert_allclose(found.clip_logits[0], expected.clip_logits[0], atol=1e-6)
    assert (np.abs(found.clip_logits[1:] - expected.clip_logits[1:]) > 1e-3).all()


def test_clips_of_a_batch_do_not_influence_each_other_through_the_encoder(run):
    present = np.ones((8, 4), bool)
    expected, _ = run(CLIPS, present)
    found, _ = run(np.concatenate([CLIPS[:1], 255 - CLIPS[1:]]), present)
    np.testing.assert_allclose(found.clip_logits[0], expected.clip_logits[0], atol=1e-5)


def test_a_frames_logit_knows_of_no_other_frame(score):
    changed = FEATURES.copy()
    changed[:, 3] *= -1
    expected, found = (score(x, PRESENT).frame_logits for x in (FEATURES, changed))
    np.testing.assert_allclose(found[:, [0, 1, 2, 4, 5]], expected[:, [0, 1, 2, 4, 5]], atol=1e-6)
    assert (np.abs(found - expected)[:, 3] > 1e-3).all()


def test_the_lstm_corrects_the_mean_of_the_frames_and_a_fresh_one_leaves_it(score, fresh):
    for output, is_fresh in (
        (score(FEATURES, PRESENT), False),
        (scorer(fresh)(FEATURES, PRESENT), True),
    ):
        difference = np.abs(output.clip_logits - output.frame_logits.mean(axis=1))
        assert (difference < 1e-5).all() == is_fresh


def test_of_the_correction_as_much_counts_as_was_said():
    detector = detector_for(CONFIG)
    before = scorer(detector)(FEATURES, PRESENT)
    assert isinstance(detector.temporal, TemporalModel)
    detector.temporal.weigh_correction(0.25)
    after = scorer(detector)(FEATURES, PRESENT)
    mean = jnp.mean(before.frame_logits, axis=1)
    assert np.abs(before.clip_logits - mean).min() > 1e-3
    np.testing.assert_allclose(
        after.clip_logits - mean, 0.25 * (before.clip_logits - mean), rtol=1e-3, atol=1e-6
    )
    np.testing.assert_array_equal(after.frame_logits, before.frame_logits)


def test_the_clips_label_trains_the_lstm_and_nothing_that_it_reads(detector):
    graph, params, rest = nnx.split(detector, nnx.Param, ...)

    @jax.jit
    @jax.grad
    def gradients(params):
        output = nnx.merge(graph, params, rest).score_features(FEATURES, PRESENT)
        return jnp.sum(output.clip_logits)

    found = gradients(params)
    assert not np.any(found["temporal"]["frame_head"]["kernel"][...])
    assert not np.any(found["temporal"]["projection"]["kernel"][...])
    assert np.any(found["temporal"]["forward_lstm"]["input_kernel"][...])


def test_a_clip_of_one_frame_gives_finite_logits_that_depend_on_it(score):
    one = score(FEATURES[:, :1], PRESENT[:, :1])
    other = score(-FEATURES[:, :1], PRESENT[:, :1])
    # Without motion there is nothing for the LSTM to correct.
    np.testing.assert_array_equal(one.clip_logits, one.frame_logits[:, 0])
    assert one.frame_logits.shape == (3, 1) and np.isfinite(one.clip_logits).all()
    assert (np.abs(one.clip_logits - other.clip_logits) > 1e-3).all()


def test_what_stands_at_absent_frames_never_reaches_logits_or_gradients(detector):
    graph, state = nnx.split(detector)
    mask = PRESENT.copy()
    mask[0, 2:] = mask[1] = False  # of the second clip no frame is present

    @jax.jit
    @jax.value_and_grad
    def total(state, features):
        output = nnx.merge(graph, state).score_features(features, jnp.asarray(mask))
        return jnp.sum(output.clip_logits) + jnp.sum(output.frame_logits)

    found = total(state, jnp.asarray(np.where(mask[:, :, None], FEATURES, np.nan)))
    expected = total(state, jnp.asarray(FEATURES))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found, expected)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))


def test_dropout_is_drawn_from_the_key_and_only_while_training(score):
    a, b = jax.random.key(1), jax.random.key(2)
    assert_close(score(FEATURES, PRESENT, a), score(FEATURES, PRESENT, a))
    for other in (score(FEATURES, PRESENT, b), score(FEATURES, PRESENT)):
        assert (np.abs(score(FEATURES, PRESENT, a).clip_logits - other.clip_logits) > 1e-4).any()


def test_dropout_leaves_the_logit_of_a_frame_as_it_is_on_average(score):
    many = np.repeat(FEATURES[:1, :1], 4096, axis=0), np.ones((4096, 1), bool)
    dropped = score(*many, jax.random.key(0)).frame_logits
    (plain,) = score(FEATURES, PRESENT).frame_logits[0, :1]
    off = abs(dropped.mean() - plain)
    assert off < 4 * dropped.std() / 64  # of the mean of 4,096 draws


def test_one_shape_is_compiled_once(detector):
    graph, state = nnx.split(detector)
    traces = []

    @jax.jit
    def score(state, features, mask):
        traces.append(features.shape)
        return nnx.merge(graph, state).score_features(features, mask)

    for share in (1.0, 0.5, 0.0):
        score(state, FEATURES * share, np.random.default_rng(0).uniform(size=(3, 6)) < share)
    assert traces == [(3, 6, 32)]


def test_uint8_and_float_pictures_give_the_same_features(encode):
    images = CLIPS.reshape(-1, 32, 32, 3)
    assert relative_error(encode(images.astype(np.float32)), encode(images)) < 1e-6


def test_pictures_are_normalised_as_the_config_says(detector, encode):
    images = CLIPS.reshape(-1, 32, 32, 3)
    mean, std = (np.asarray(v)[None, None, None] for v in dataclasses.astuple(RESNET.normalization))
    tensors = to_tensors(detector.encoder, ResNet.published)
    expected = pooled_features(tensors, RESNET, (images / 255 - mean) / std)
    assert relative_error(encode(images), expected) < 1e-4


def test_the_two_halves_make_the_whole(encode, score, run):
    features = encode(CLIPS.reshape(-1, 32, 32, 3)).reshape(8, 4, -1)
    mask = np.arange(4)[None] < np.array([4, 3, 2, 1, 4, 4, 4, 4])[:, None]
    assert_close(run(CLIPS, mask)[0], score(features, mask))


def test_absent_frames_do_not_count_in_the_batch_statistics(run):
    mask = np.ones((8, 4), bool)
    mask[2, 1:] = mask[5, :2] = False
    other = np.where(mask[:, :, None, None, None], CLIPS, 0).astype(np.uint8)
    expected, stats = run(CLIPS, mask, use_running_average=False)
    found, found_stats = run(other, mask, use_running_average=False)
    assert_close(found, expected)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), found_stats, stats)


def test_gradients_reach_every_parameter(detector):
    graph, params, batch_stats = nnx.split(detector, nnx.Param, nnx.BatchStat)
    targets = jnp.asarray([0.0, 1.0])

    @jax.jit
    @jax.grad
    def gradients(params):
        model = nnx.merge(graph, params, batch_stats, copy=True)
        output = model(CLIPS[:2], jnp.ones((2, 4), bool))
        frame_loss = jnp.mean((output.frame_logits - targets[:, None]) ** 2)
        return jnp.mean((output.clip_logits - targets) ** 2) + frame_loss

    for path, gradient in nnx.to_flat_state(gradients(params)):
        values = np.asarray(gradient[...])
        assert np.isfinite(values).all() and (values != 0).any(), path


def test_bfloat16_is_close_to_float32(run):
    half = detector_for(
        dataclasses.replace(CONFIG, encoder=dataclasses.replace(RESNET, compute_dtype="bfloat16"))
    )
    present = np.ones((8, 4), bool)
    graph, state = nnx.split(half)
    found = jax.jit(lambda state, *args: nnx.merge(graph, state)(*args))(state, CLIPS, present)
    expected, _ = run(CLIPS, present)
    assert found.clip_logits.dtype == found.frame_logits.dtype == jnp.float32
    assert 0 < relative_error(found.clip_logits, np.asarray(expected.clip_logits)) < 0.05


@pytest.mark.parametrize("use_running_average", [True, False])
def test_eight_devices_equal_one(run, use_running_average):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    sharding = NamedSharding(mesh, PartitionSpec("data"))
    mask = RNG.uniform(size=(8, 4)) < 0.8
    expected, stats = run(CLIPS, mask, use_running_average=use_running_average)
    clips, sharded_mask = jax.device_put((CLIPS, mask), sharding)
    found, found_stats = run(clips, sharded_mask, use_running_average=use_running_average)
    assert len(found.clip_logits.sharding.device_set) == 8
    assert_close(found, expected)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), found_stats, stats
    )


def test_an_lstm_sees_the_past_or_read_backwards_the_future_only(detector):
    x = np.random.default_rng(0).normal(size=(3, 6, HEAD.projection_size))
    changed = x.copy()
    changed[:, 3] *= -1
    for reverse, untouched in ((False, slice(0, 3)), (True, slice(4, 6))):
        lstm = detector.temporal.forward_lstm
        states, others = (
            lstm(jnp.asarray(v, jnp.float32), PRESENT, reverse=reverse)[0] for v in (x, changed)
        )
        difference = np.abs(states - others).max(axis=(0, 2))
        np.testing.assert_array_equal(difference[untouched], 0.0)
        assert difference[3] > 1e-5


def test_a_fresh_lstm_remembers(fresh):
    lstm, size = fresh.temporal.backward_lstm, HEAD.hidden_size
    biases = np.asarray(lstm.bias[...]).reshape(4, size)
    np.testing.assert_array_equal(biases[1], 1.0)  # the forget gate
    np.testing.assert_array_equal(biases[[0, 2, 3]], 0.0)
    for gate in np.split(np.asarray(lstm.recurrent_kernel[...]), 4, axis=1):
        np.testing.assert_allclose(gate @ gate.T, np.eye(size), atol=1e-5)


def test_a_fresh_detector_tells_clips_apart_without_being_sure(fresh):
    logits = np.asarray(scorer(fresh)(FEATURES, PRESENT).clip_logits)
    assert np.unique(logits).size == 3 and np.abs(logits).max() < 3


def test_a_loaded_encoder_is_taken_as_it_is(detector, fresh):
    assert fresh.encoder is detector.encoder


def test_an_encoder_of_another_shape_is_refused():
    other = filled(lambda rngs: ResNet(dataclasses.replace(RESNET, depths=(1, 1)), rngs=rngs))
    with pytest.raises(ValueError, match="Set Config.encoder"):
        Detector(CONFIG, rngs=nnx.Rngs(0), encoder=other)


@pytest.mark.parametrize(
    ("clips", "mask", "message"),
    [
        (np.zeros((2, 32, 32, 3)), np.ones((2,), bool), r"clips has shape .*\[B,T,S,S,3\]"),
        (np.zeros((2, 4, 24, 24, 3)), np.ones((2, 4), bool), r"\[N,32,32,3\] is needed"),
        (np.zeros((2, 4, 32, 32, 3)), np.ones((4, 2), bool), r"bool \(2, 4\) is needed"),
        (np.zeros((2, 4, 32, 32, 3)), np.ones((2, 4)), r"bool \(2, 4\) is needed"),
    ],
    ids=["no frames", "size", "mask shape", "mask type"],
)
def test_clips_that_do_not_fit_are_refused(detector, clips, mask, message):
    with pytest.raises(ValueError, match=message):
        detector(clips, mask)


def test_features_that_do_not_fit_are_refused(detector):
    with pytest.raises(ValueError, match=r"\[B,T,32\] is needed"):
        detector.score_features(np.zeros((2, 4, 31)), np.ones((2, 4), bool))
