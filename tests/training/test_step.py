import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import AxisType

from dfjax.config import DetectorConfig, TrainConfig
from dfjax.models.temporal import TemporalModel
from dfjax.training.step import Batch, TrainState, data_mesh, make_optimizer, make_train_step
from tests.models.tiny import filled

NUM_FEATURES = 12
CONFIG = TrainConfig(steps=10, warmup_steps=2, learning_rate=1e-2)


def _batch() -> Batch:
    generator = np.random.default_rng(0)
    frame_mask = generator.random((16, 6)) < 0.8
    frame_mask[:, 0] = True
    return Batch(
        features=generator.normal(size=(16, 6, NUM_FEATURES)).astype(np.float32),
        frame_mask=frame_mask,
        is_fake=np.tile(np.array([0, 1], np.float32), 8),
    )


@functools.cache
def _model():
    """Returns the graph and the initial weights."""
    config = DetectorConfig(projection_size=8, hidden_size=4)
    return nnx.split(filled(lambda rngs: TemporalModel(NUM_FEATURES, config, rngs=rngs)), nnx.Param)


@functools.cache
def _step(mesh, config: TrainConfig):
    """Returns the optimizer and the compiled step."""
    optimizer = make_optimizer(config)
    return optimizer, make_train_step(_model()[0], optimizer, config, mesh)


def _run(mesh, steps: int, batch: Batch | None = None, config: TrainConfig = CONFIG):
    """Returns the parameters and the last metrics after some steps on one batch."""
    optimizer, step = _step(mesh, config)
    params = jax.tree.map(jnp.copy, _model()[1])  # the step donates what it is given
    state = TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params))
    metrics = {}
    for _ in range(steps):
        state, metrics = step(state, batch or _batch(), jax.random.key(0))
    return jax.tree.map(np.asarray, state.params), jax.tree.map(np.asarray, metrics)


@pytest.fixture(scope="module")
def one_device():
    return jax.make_mesh((1,), ("data",), (AxisType.Auto,), devices=jax.devices()[:1])


def test_eight_devices_equal_one(one_device):
    assert data_mesh().size == 8
    params, metrics = _run(data_mesh(), 5)
    expected_params, expected_metrics = _run(one_device, 5)
    for name, value in expected_metrics.items():
        np.testing.assert_allclose(metrics[name], value, rtol=1e-4, err_msg=name)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), params, expected_params
    )


def test_the_same_seed_gives_the_same_weights_bit_for_bit(one_device):
    first, again = _run(one_device, 3)[0], _run(one_device, 3)[0]
    jax.tree.map(np.testing.assert_array_equal, first, again)


def test_the_loss_falls_on_a_batch_that_is_shown_again_and_again(one_device):
    config = TrainConfig(steps=60, warmup_steps=2, learning_rate=3e-2)
    last, first = (_run(one_device, steps, config=config)[1]["loss"] for steps in (60, 1))
    assert last < 0.5 * first


def test_absent_frames_have_no_part_in_the_loss(one_device):
    batch = _batch()
    other = Batch(
        features=np.where(batch.frame_mask[:, :, None], batch.features, 1e3).astype(np.float32),
        frame_mask=batch.frame_mask,
        is_fake=batch.is_fake,
    )
    assert _run(one_device, 1, batch)[1]["loss"] == _run(one_device, 1, other)[1]["loss"]


def test_the_learning_rate_ends_at_zero():
    optimizer = make_optimizer(CONFIG)
    params = {"w": jnp.ones(3)}
    opt_state = optimizer.init(params)
    sizes = []
    for _ in range(CONFIG.steps + 1):
        updates, opt_state = optimizer.update({"w": jnp.ones(3)}, opt_state, params)
        sizes.append(float(optax.tree.norm(updates)))
    assert max(sizes) > 1e-3
    assert sizes[-1] == 0
