"""The step as a function of its batch: what eight devices, parts and a bad batch do to it."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from dfjax.errors import MissingExtraError, TrainingError
from dfjax.models.encoders.resnet import ResNet
from dfjax.models.temporal import TemporalModel
from dfjax.train_config import TrainConfig
from dfjax.training import torch_step
from dfjax.training.loader import Batch, PairBatch
from dfjax.training.state import ModelParts, TrainState, augmented_share, make_optimizer
from dfjax.training.step import data_mesh, make_train_step
from dfjax.training.torch_step import make_torch_step
from tests.compiling import COMPILE_SOON
from tests.tiny import tiny_detector
from tests.training.prepared_set import CONFIG, SIZE, plain

EVERYTHING = dataclasses.replace(CONFIG, batch_statistics=True, still_pairs=0)
"""All that is drawn, of videos; stills go the same way and would double the time to compile."""

PARTIAL = plain(partial_fakes=0.5)
"""One draw for each pair, that hangs on its place in the batch."""

_ALIKE = COMPILE_SOON | {"xla_cpu_use_fusion_emitters": True}
"""As `COMPILE_SOON`, but slower, and one device's program rounds as that of eight does."""

LEARNING = plain(steps=30, learning_rate=1e-2, ema_decay=0.5)
"""Nothing is drawn, and the weights move far."""


def _pairs(num_pairs: int, num_frames: int, *, parts: int = 1, seed: int = 0) -> PairBatch:
    generator = np.random.default_rng(seed)
    real = generator.integers(60, 180, (num_pairs, num_frames, SIZE, SIZE, 3), np.uint8)
    fake = real.copy()
    fake[:, :, 10:20, :, 0] = 255
    frame_mask = generator.random((num_pairs, num_frames)) < 0.8
    frame_mask[:, 0] = True
    places = np.array([[0.35, 0.4], [0.65, 0.4], [0.5, 0.55], [0.38, 0.7], [0.62, 0.7]], np.float32)
    batch = PairBatch(
        real=real,
        fake=fake,
        landmarks=np.tile(SIZE * places, (num_pairs, num_frames, 1, 1)),
        frame_mask=frame_mask,
        is_blended=np.arange(num_pairs) % 2 == 0,
        is_aligned=np.ones(num_pairs, bool),
    )
    return jax.tree.map(lambda x: x.reshape(parts, num_pairs // parts, *x.shape[1:]), batch)


def _batch(step: int = 0, *, parts: int = 1, stills: bool = True) -> Batch:
    return Batch(
        step=np.int32(step),
        clips=_pairs(16, 3, parts=parts),
        stills=_pairs(8, 1, parts=parts, seed=1) if stills else None,
    )


@functools.cache
def _parts(config: TrainConfig) -> ModelParts:
    detector = tiny_detector()
    # Drawn for a part of a batch at once, so that parts do not give what the whole gives.
    assert isinstance(detector.temporal, TemporalModel)
    detector.temporal.config = dataclasses.replace(detector.temporal.config, dropout=0.0)
    detector.config = dataclasses.replace(detector.config, detector=detector.temporal.config)
    return ModelParts.of(detector, config)


@functools.cache
def _step(config: TrainConfig, num_devices: int):
    parts = _parts(config)
    mesh = jax.make_mesh(
        (num_devices,), ("data",), (AxisType.Auto,), devices=jax.devices()[:num_devices]
    )
    optimizer = make_optimizer(config, parts)
    options = _ALIKE if config == EVERYTHING else COMPILE_SOON
    step = make_train_step(parts, optimizer, config, mesh)
    return mesh, optimizer, _quickly_compiled(step, options)


def _quickly_compiled(step: Any, options: Mapping[str, Any]) -> Callable[..., Any]:
    """Returns a step that takes less time to compile and more to run; here it runs a few times."""
    compiled: dict[Any, Any] = {}

    def run(*arguments: Any) -> Any:
        shapes = str(jax.tree.map(jnp.shape, arguments[2]))
        if shapes not in compiled:
            compiled[shapes] = step.lower(*arguments).compile(dict(options))
        return compiled[shapes](*arguments)

    return run


def _run(
    config: TrainConfig,
    batches: list[Batch],
    *,
    num_devices: int = 1,
    start: TrainState | None = None,
):
    """Returns the state and the metrics of every step; from the first state if none is given."""
    mesh, optimizer, step = _step(config, num_devices)
    replicated = NamedSharding(mesh, PartitionSpec())
    split = NamedSharding(mesh, PartitionSpec(None, "data"))
    parts = _parts(config)
    state = jax.device_put(start or parts.initial_state(optimizer), replicated)
    frozen = jax.device_put(parts.frozen, replicated)
    all_metrics = []
    for batch in batches:
        placed = Batch(
            step=jax.device_put(batch.step, replicated),
            clips=jax.device_put(batch.clips, split),
            stills=jax.device_put(batch.stills, split),
        )
        state, metrics = step(state, frozen, placed, jax.random.key(0))
        all_metrics.append(jax.tree.map(float, metrics))
    return jax.tree.map(np.asarray, state), all_metrics


def _assert_close(found, expected, **tolerance) -> None:
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerance), found, expected)


def test_eight_devices_equal_one_in_loss_gradients_and_statistics():
    assert data_mesh().size == 8
    state, expected = None, None
    # What is drawn for the second batch, and written to 256 values, falls here and there on the
    # other side of a half.
    for step, (close, of_gradients) in enumerate([(1e-5, 1e-6), (5e-3, 1e-3)]):
        batch = _batch(step, stills=False)
        state, metrics = _run(EVERYTHING, [batch], num_devices=8, start=state)
        expected, expected_metrics = _run(EVERYTHING, [batch], start=expected)
        _assert_close(metrics, expected_metrics, rtol=close)
        _assert_close(state.batch_stats, expected.batch_stats, rtol=close, atol=close)
        # Adam's first moment is the gradient, whose size an update hides.
        moments, expected_moments = state.opt_state[1].mu, expected.opt_state[1].mu
        _assert_close(moments, expected_moments, rtol=1e-2, atol=of_gradients)


def test_parts_of_a_batch_give_what_the_whole_gives():
    whole, metrics = _run(PARTIAL, [_batch(stills=False)])
    config = dataclasses.replace(PARTIAL, accumulation=2)
    in_parts, metrics_of_parts = _run(config, [_batch(parts=2, stills=False)])
    _assert_close(metrics_of_parts, metrics, rtol=1e-3)
    _assert_close(in_parts.opt_state[1].mu, whole.opt_state[1].mu, rtol=1e-2, atol=1e-4)


def test_the_same_seed_gives_the_same_weights_bit_for_bit():
    batches = [_batch(step, stills=False) for step in range(3)]
    first, again = _run(EVERYTHING, batches)[0], _run(EVERYTHING, batches)[0]
    jax.tree.map(np.testing.assert_array_equal, first, again)


def test_the_loss_falls_on_a_batch_that_is_shown_again_and_again():
    _, metrics = _run(LEARNING, [_batch(step) for step in range(30)])
    assert metrics[-1]["loss"] < 0.6 * metrics[0]["loss"]


@pytest.mark.parametrize(
    "figure, place",
    [
        ("loss", ("temporal", "frame_head", "kernel")),
        # On a CPU, what is not a number ends as 0 in the encoder's ReLU, but not its gradient.
        ("grad_norm", ("encoder", "stages", 0, 0, "layer", 0, "kernel")),
    ],
)
def test_a_loss_or_a_gradient_that_is_not_finite_changes_nothing(figure, place):
    good, _ = _run(LEARNING, [_batch(0)])
    params = dict(nnx.to_flat_state(good.params))
    params[place] = params[place].replace(np.full_like(params[place][...], np.nan))
    spoilt = dataclasses.replace(good, params=nnx.from_flat_state(params))
    state, metrics = _run(LEARNING, [_batch(1)], start=spoilt)
    assert not np.isfinite(metrics[0][figure])
    jax.tree.map(np.testing.assert_array_equal, state, spoilt)


def test_the_batches_behind_one_that_changed_nothing_change_nothing_either():
    """They were already queued; their own loss may well be finite."""
    expected, _ = _run(LEARNING, [_batch(0)])
    state, metrics = _run(LEARNING, [_batch(0), _batch(2)])
    assert state.step == 1 and np.isfinite(metrics[1]["loss"])
    jax.tree.map(np.testing.assert_array_equal, state, expected)


@pytest.mark.parametrize("trained_stages", [0, 1, 2, 3])
def test_only_the_stages_that_are_asked_for_are_trained(trained_stages):
    parts = ModelParts.of(tiny_detector(), plain(trained_stages=trained_stages))
    trained = {path[:3] for path, _ in nnx.to_flat_state(parts.params)}
    stages = {path[2] for path in trained if path[:2] == ("encoder", "stages")}
    assert stages == {0: set(), 1: {1}, 2: {0, 1}, 3: {0, 1}}[trained_stages]
    assert any(path[:2] == ("encoder", "embedder") for path in trained) == (trained_stages == 3)
    assert any(path[0] == "temporal" for path in trained)


def test_more_stages_than_the_encoder_has_are_refused():
    with pytest.raises(TrainingError, match="--trained-stages is 4; .*resnet.* has 3. Use 0 to 3"):
        ModelParts.of(tiny_detector(), plain(trained_stages=4))


@pytest.mark.parametrize("place", ["detector", "encoder"])
def test_a_variable_that_nobody_knows_is_refused_and_not_taken_for_a_head(place):
    detector = tiny_detector()
    module: Any = detector if place == "detector" else detector.encoder
    module.adapter = nnx.Param(jnp.zeros(3))
    with pytest.raises(ValueError, match="no variable.*adapter"):
        ModelParts.of(detector, plain(trained_stages=0))


def test_deeper_stages_learn_more_slowly():
    config = dataclasses.replace(CONFIG, trained_stages=3, layer_decay=0.5, weight_decay=0.0)
    params = _parts(config).params
    optimizer = make_optimizer(config, _parts(config))
    opt_state, gradients = jax.jit(optimizer.init)(params), jax.tree.map(jnp.ones_like, params)
    update = jax.jit(optimizer.update)
    updates, opt_state = update(gradients, opt_state, params)  # the first has rate 0
    updates, _ = update(gradients, opt_state, params)
    sizes = {
        path[:3]: np.abs(u[...]).max() for path, u in nnx.to_flat_state(cast(nnx.State, updates))
    }
    heads = sizes["temporal", "frame_head", "kernel"]
    assert sizes["encoder", "stages", 1] == pytest.approx(heads * 0.5, rel=1e-3)
    assert sizes["encoder", "stages", 0] == pytest.approx(heads * 0.25, rel=1e-3)
    assert sizes["encoder", "embedder", "kernel"] == pytest.approx(heads * 0.125, rel=1e-3)


def test_distortions_come_slowly_where_that_is_asked_for_and_at_once_where_not():
    ramp = augmented_share(plain(augmented=0.8, augment_ramp=4))
    shares = np.array([np.asarray(ramp(step)) for step in range(6)])
    np.testing.assert_allclose(shares, [0.2, 0.4, 0.6, 0.8, 0.8, 0.8], rtol=1e-6)
    at_once = augmented_share(plain(augmented=0.8))
    np.testing.assert_allclose(np.asarray(at_once(0)), 0.8, rtol=1e-6)


def test_norms_of_frozen_stages_keep_their_statistics():
    assert EVERYTHING.batch_statistics and EVERYTHING.trained_stages == 2  # of three
    state, _ = _run(EVERYTHING, [_batch(stills=False)])
    before = dict(nnx.to_flat_state(_parts(EVERYTHING).batch_stats))
    stages = set()
    for path, variable in nnx.to_flat_state(state.batch_stats):
        is_same = np.array_equal(variable[...], before[path][...])
        assert is_same == (path[:2] == ("encoder", "embedder")), path
        stages.add(path[1:3] if path[1] == "stages" else path[1])
    assert stages == {"embedder", ("stages", 0), ("stages", 1)}


def test_stills_train_the_encoder_and_the_frame_head_and_never_the_lstm():
    config = plain(weight_decay=0.0, pairs=0)
    batch = Batch(step=np.int32(0), clips=None, stills=_pairs(8, 1))
    state, metrics = _run(config, [batch])
    assert metrics[0]["clip_loss"] == 0
    moments = dict(nnx.to_flat_state(state.opt_state[1].mu))
    for path, moment in moments.items():
        is_temporal = path[0] == "temporal" and path[1] in (
            "forward_lstm",
            "backward_lstm",
            "attention",
            "correction_head",
        )
        assert np.any(moment[...]) != is_temporal, path


def test_the_average_follows_the_weights():
    state, _ = _run(LEARNING, [_batch(step) for step in range(3)])
    difference = optax.tree.sub(state.params, state.ema_params)
    moved = optax.tree.sub(state.params, _parts(LEARNING).params)
    assert 0 < optax.tree.norm(difference) < optax.tree.norm(moved)


def test_bfloat16_trains_what_float32_publishes():
    config = dataclasses.replace(PARTIAL, compute_dtype="bfloat16")
    state, metrics = _run(config, [_batch(stills=False)])
    _, expected = _run(PARTIAL, [_batch(stills=False)])
    assert metrics[0]["loss"] == pytest.approx(expected[0]["loss"], rel=0.05)
    assert {leaf.dtype for leaf in jax.tree.leaves(state.params)} == {np.dtype(np.float32)}


@pytest.mark.parity
def test_torch_takes_the_step_that_jax_takes(monkeypatch):
    monkeypatch.setattr(torch_step, "compiler_options", lambda: dict(COMPILE_SOON))
    config = plain(trained_stages=2, self_blended=0.5, partial_fakes=0.5, steps=5)
    with_torch = dataclasses.replace(config, encoder_backend="torch")
    parts, optimizer = _parts(config), make_optimizer(config, _parts(config))
    mesh = jax.make_mesh((1,), ("data",), (AxisType.Auto,), devices=jax.devices()[:1])
    step = make_torch_step(parts, optimizer, with_torch, mesh, tiny_detector().config.encoder)
    state = parts.initial_state(optimizer)
    batches = [_batch(0), _batch(1), _batch(1)]  # the third is out of turn, and has no effect
    metrics = {}
    for batch in batches:
        state, metrics = step(state, parts.frozen, batch, jax.random.key(0))
    expected, expected_metrics = _run(config, batches)
    assert int(state.step) == 2
    _assert_close(metrics, expected_metrics[-1], rtol=1e-4)
    _assert_close(state.params, expected.params, rtol=1e-4, atol=1e-6)
    moved = optax.tree.norm(optax.tree.sub(state.params, parts.params))
    assert float(moved) > 1e-3


@pytest.mark.parity
def test_torch_gives_the_features_of_a_frozen_encoder_and_no_gradients():
    from dfjax.training.torch_encoder import TorchEncoder

    detector = tiny_detector()
    resnet = detector.encoder
    assert isinstance(resnet, ResNet)
    images = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    encoder = TorchEncoder(dtype="float32", frozen_stages=resnet.num_stages, num_threads=2)
    features = encoder.features(resnet.folded(), resnet.normalize(images))
    np.testing.assert_allclose(features, detector.encode(images), rtol=1e-4, atol=1e-5)
    assert encoder.gradients(jnp.ones_like(features)) == []


def test_torch_is_refused_where_it_cannot_take_the_step():
    config = plain(encoder_backend="torch")
    with pytest.raises(ValueError, match="accumulation is 2.*encoder_backend"):
        dataclasses.replace(config, accumulation=2, pairs=4, still_pairs=4)
    parts = _parts(plain())
    optimizer = make_optimizer(config, parts)
    encoder = tiny_detector().config.encoder
    with pytest.raises((TrainingError, MissingExtraError), match="8 devices|needs torch"):
        make_torch_step(parts, optimizer, config, data_mesh(), encoder)
