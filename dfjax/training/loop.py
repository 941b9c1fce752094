"""The training loop: runs the steps, validates, saves states and reports metrics."""

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import nnx

from dfjax.errors import TrainingError
from dfjax.train_config import TrainConfig
from dfjax.training.loader import Loader
from dfjax.training.metrics_log import MetricsLog
from dfjax.training.saves import Saves
from dfjax.training.state import ModelParts, TrainState
from dfjax.training.step import TrainStep
from dfjax.training.validation import Validation, auc, per_dataset

OnStep = Callable[[int, dict[str, Any]], None]
"""Called with the number of updates done and the metrics after the last one."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trainer:
    """Everything that the training loop needs."""

    parts: ModelParts
    step: TrainStep
    loader: Loader
    validation: Validation
    saves: Saves
    config: TrainConfig
    save_every: int  # steps between two saves
    record: MetricsLog | None  # None except in the first process
    on_step: OnStep

    def variables(self, state: TrainState) -> nnx.State:
        """Returns averaged weights and untrained variables, in the form of `nnx.state`."""
        return nnx.merge_state(state.ema_params, state.batch_stats, self.parts.frozen)

    def run(self, state: TrainState) -> TrainState:
        """Trains from `state.step` to the end.

        A step's metrics are read while the next step computes, so the devices never wait for them.

        Args:
          state: The state to start from, on the devices. It is donated.

        Returns:
          The final state, which has also been saved.

        Raises:
          TrainingError: A loss or gradient is not finite. The last valid state is saved.
        """
        key = jax.random.key(self.config.seed)
        clock = _Clock(self.loader)
        before: dict[str, jax.Array] | None = None
        done = int(state.step)
        for batch in self.loader.batches(done):
            state, metrics = self.step(state, self.parts.frozen, batch, key)
            if before is not None:
                self._tell(done, before, state, clock)
            done, before = done + 1, metrics
            is_last = done == self.config.steps
            validates = is_last or done % self.config.validate_every == 0
            if validates or done % self.save_every == 0:
                self._tell(done, before, state, clock)
                before = None
                validation_auc = self._validate(done, state) if validates else None
                self.saves.save(state, validation_auc=validation_auc)
                clock.restart()  # validation and saving do not count as step time
        return state

    def _tell(
        self, done: int, metrics: dict[str, jax.Array], state: TrainState, clock: "_Clock"
    ) -> None:
        values = {name: float(value) for name, value in metrics.items()}
        if not all(map(math.isfinite, values.values())):
            self.saves.save(state)
            raise TrainingError(
                f"step {done} had a loss of {values['loss']} and a gradient norm of "
                f"{values['grad_norm']}. The last valid state is saved. Start a new run with a "
                "lower --learning-rate or --clip-norm, or look for damaged pictures in the data."
            )
        self._record(done, values | clock.tick())

    def _validate(self, done: int, state: TrainState) -> float:
        started = time.perf_counter()
        scores = per_dataset(self.validation.score(self.variables(state)))
        aucs = {name: auc(of) for name, of in scores.items()}
        # A mean over data sets, so that a large one does not drown out a small one.
        mean = float(np.mean(list(aucs.values())))
        seconds = round(time.perf_counter() - started, 2)
        self._record(
            done,
            {"validation_auc": mean, "validation_seconds": seconds}
            | {f"validation_auc_{name}": value for name, value in aucs.items()},
        )
        if self.record is not None:
            self.record.draw(scores)
        return mean

    def _record(self, done: int, values: dict[str, Any]) -> None:
        if self.record is not None:
            self.record.add(done, values)
        self.on_step(done, values)


class _Clock:
    """Measures how long steps take, and the share of that time spent waiting for data."""

    def __init__(self, loader: Loader):
        self._loader = loader
        self.restart()

    def restart(self) -> None:
        """Starts a new measurement."""
        self._time, self._waited = time.perf_counter(), self._loader.waited

    def tick(self) -> dict[str, float]:
        """Returns the seconds since the last call or restart, and the share spent waiting."""
        seconds = time.perf_counter() - self._time
        waited = self._loader.waited - self._waited
        self.restart()
        return {"step_seconds": round(seconds, 4), "wait_share": round(waited / seconds, 4)}
