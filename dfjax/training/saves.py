"""Saved states for resuming a run: the last one and the best one."""

import logging
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from dfjax.training.state import TrainState

AUC = "validation_auc"

SAVES_FOLDER = "saves"
"""In the run folder: the states."""


class Saves:
    """Saves states in the background, and keeps the last and the best.

    A save only counts once it is complete: one interrupted by a kill is never read, and the
    previous one is kept until then. Every process takes part and saves for its own devices.
    """

    def __init__(self, folder: Path):
        """Opens the folder, creating it if it does not exist."""
        # orbax logs several lines per save, and warns about every save without a metric.
        logging.getLogger("absl").setLevel(logging.ERROR)
        policies = [
            checkpoint_managers.LatestN(n=1),
            checkpoint_managers.BestN(
                n=1, get_metric_fn=lambda m: m[AUC], keep_checkpoints_without_metrics=False
            ),
        ]
        folder.mkdir(parents=True, exist_ok=True)
        self._manager = ocp.CheckpointManager(
            folder.absolute(),
            options=ocp.CheckpointManagerOptions(
                best_fn=lambda metrics: metrics[AUC],
                preservation_policy=checkpoint_managers.AnyPreservationPolicy(policies),
                enable_async_checkpointing=True,
                # With the processes named, they wait for each other by the coordinator. Otherwise
                # they do by exchanges between the devices, which ended runs on busy CPUs: "name
                # mismatch", while the steps before had exchanges of their own.
                multiprocessing_options=ocp.options.MultiprocessingOptions(
                    active_processes=set(range(jax.process_count()))
                ),
                create=False,  # orbax cannot, if the processes are named
            ),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._manager.wait_until_finished()
        self._manager.close()

    @property
    def last_step(self) -> int | None:
        """The step of the last save, or None."""
        return self._manager.latest_step()

    @property
    def best_step(self) -> int | None:
        """The step of the save with the highest validation AUC, or None."""
        return self._manager.best_step()

    def save(self, state: TrainState, *, validation_auc: float | None = None) -> None:
        """Starts to save a state; its arrays may be donated as soon as this returns."""
        step = int(state.step)
        if step in self._manager.all_steps():
            return
        self._manager.save(
            step,
            args=ocp.args.StandardSave(state),
            metrics=None if validation_auc is None else {AUC: validation_auc},
            force=True,
        )

    def restore(self, step: int, like: TrainState) -> TrainState:
        """Returns a saved state, on the devices and in the shapes of `like`."""
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        self._manager.wait_until_finished()
        return cast(
            TrainState, self._manager.restore(step, args=ocp.args.StandardRestore(abstract))
        )
