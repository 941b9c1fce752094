"""The loop, with a step that is told what to give."""

import dataclasses
import math
from typing import Any, cast

import jax.numpy as jnp
import pytest

from dfjax.errors import TrainingError
from dfjax.training.loop import Trainer
from dfjax.training.state import ModelParts, TrainState
from tests.training.prepared_set import CONFIG


class _Loader:
    waited = 0.0

    def batches(self, start: int):
        yield from range(start, CONFIG.steps)


@dataclasses.dataclass
class _Saves:
    steps: list[int] = dataclasses.field(default_factory=list)

    def save(self, state: TrainState, *, validation_auc: float | None = None) -> None:
        del validation_auc
        self.steps.append(int(state.step))


def _state(step: int = 0) -> TrainState:
    return TrainState(jnp.asarray(step, jnp.int32), {}, {}, (), {})


def _trainer(losses: dict[int, float], told: list[tuple[int, dict[str, Any]]]) -> Trainer:
    def step(state, frozen, batch, key):
        loss = losses.get(batch, 1.0)
        is_applied = math.isfinite(loss) and batch == int(state.step)
        metrics = {"loss": jnp.asarray(loss), "grad_norm": jnp.asarray(1.0)}
        return (_state(int(state.step) + 1) if is_applied else state), metrics

    unused: Any = None
    loader: Any = _Loader()
    saves: Any = _Saves()
    trainer = Trainer(
        parts=ModelParts(unused, unused, unused, unused, 3, lambda path: 0),
        step=step,
        loader=loader,
        validation=unused,
        saves=saves,
        config=dataclasses.replace(CONFIG, validate_every=10_000),
        save_every=2,
        record=None,
        on_step=lambda done, values: told.append((done, values)),
    )
    object.__setattr__(trainer, "_validate", lambda done, state: 0.5)
    return trainer


def test_every_step_is_told_once_in_order_with_its_share_of_waiting():
    told: list[tuple[int, dict[str, Any]]] = []
    _trainer({}, told).run(_state())
    assert [done for done, _ in told] == list(range(1, CONFIG.steps + 1))
    assert all(0 <= values["wait_share"] <= 1 for _, values in told)


def test_a_run_that_is_taken_up_does_only_what_is_left():
    told: list[tuple[int, dict[str, Any]]] = []
    trainer = _trainer({}, told)
    assert int(trainer.run(_state(4)).step) == CONFIG.steps
    assert [done for done, _ in told] == [5, 6]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_run_with_the_last_sound_state_saved(bad):
    told: list[tuple[int, dict[str, Any]]] = []
    trainer = _trainer({2: bad}, told)
    with pytest.raises(TrainingError, match="step 3 .*--learning-rate"):
        trainer.run(_state())
    assert set(cast(_Saves, trainer.saves).steps) == {2}
    assert [done for done, _ in told] == [1, 2]
