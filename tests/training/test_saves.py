import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from dfjax.training.saves import Saves
from dfjax.training.state import ModelParts, TrainState, make_optimizer
from dfjax.training.step import data_mesh
from tests.tiny import tiny_detector
from tests.training.prepared_set import CONFIG


@pytest.fixture(scope="module")
def state() -> TrainState:
    parts = ModelParts.of(tiny_detector(), CONFIG)
    initial = parts.initial_state(make_optimizer(CONFIG, parts))
    return jax.device_put(initial, NamedSharding(data_mesh(), PartitionSpec()))


def _at(state: TrainState, step: int) -> TrainState:
    params = jax.tree.map(lambda p: p + step, state.params)
    return dataclasses.replace(state, step=jnp.asarray(step, jnp.int32), params=params)


def test_the_last_and_the_best_are_kept_and_no_others(tmp_path, state):
    with Saves(tmp_path) as saves:
        for step, auc in ((2, None), (4, 0.7), (6, None), (8, 0.9), (10, 0.8), (12, None)):
            saves.save(_at(state, step), validation_auc=auc)
    with Saves(tmp_path) as saves:
        assert (saves.best_step, saves.last_step) == (8, 12)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["12", "8"]


def test_a_restored_state_is_the_saved_one_on_the_same_devices(tmp_path, state):
    with Saves(tmp_path) as saves:
        saves.save(_at(state, 3))
    with Saves(tmp_path) as saves:
        found = saves.restore(3, state)
    assert jax.tree.structure(found) == jax.tree.structure(state)
    jax.tree.map(np.testing.assert_array_equal, found, _at(state, 3))
    for leaf, expected in zip(jax.tree.leaves(found), jax.tree.leaves(state), strict=True):
        assert leaf.sharding == expected.sharding


def test_an_empty_folder_has_no_saves(tmp_path):
    with Saves(tmp_path / "new") as saves:
        assert saves.last_step is None and saves.best_step is None
