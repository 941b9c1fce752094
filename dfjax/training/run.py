"""A training run, from prepared data to a checkpoint folder."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from flax import nnx

from dfjax.config import DetectorConfig
from dfjax.train_config import TrainConfig
from dfjax.training.loop import OnStep, Trainer
from dfjax.training.metrics_log import MetricsLog
from dfjax.training.opening import OpenedRun, RunOptions, open_run
from dfjax.training.publish import publish
from dfjax.training.saves import Saves


def run(
    sources: Sequence[str],
    weights: Sequence[str],
    out: Path,
    *,
    train_config: TrainConfig,
    detector_config: DetectorConfig,
    options: RunOptions,
    on_step: OnStep,
) -> dict[str, Any]:
    """Trains a detector, calibrates it, and writes `out/checkpoint`.

    `out` also gets `run.json`, `metrics.jsonl`, `tensorboard/`, `loss.png`, `roc.png`, and the
    states in `saves/`, from which an interrupted run is resumed: it ends with the same bits as an
    uninterrupted one. With several processes, each calls this with the same arguments, the folder
    is shared, and the first process writes.

    Args:
      sources: Prepared data sets, as for `open_rows`; each has the splits "train" and "validation".
      weights: Folder or Hub repository with published encoder files, to start from a pretrained
        encoder; or one or more with detectors of the same shape, to continue from them, or from the
        mean of several.
      out: A new folder, or with `options.resume` that of a run with the same configs and data.
      train_config: How to train.
      detector_config: Shape of what follows the encoder.
      options: How to run, and what to publish; see `RunOptions`.
      on_step: Called with the metrics after each step and each validation.

    Returns:
      The record, also written to `training.json` in the checkpoint.

    Raises:
      DatasetError: A data set was not prepared, two were prepared differently, splits share
        identities, or no data set has both labels in validation.
      TrainingError: `out` cannot be used, or training cannot continue.
    """
    opened = open_run(
        sources,
        weights,
        out,
        train_config=train_config,
        detector_config=detector_config,
        options=options,
    )
    variables, step = _train(opened, on_step)
    return publish(opened, variables, step=step)


def _train(opened: OpenedRun, on_step: OnStep) -> tuple[nnx.State, int]:
    """Returns the averaged weights to publish, with all that is not trained, and their step."""
    machinery = opened.machinery
    with contextlib.ExitStack() as stack:
        saves = stack.enter_context(Saves(opened.out / "saves"))
        state = machinery.initial_state()
        if saves.last_step is not None:
            state = saves.restore(saves.last_step, state)
        record = None
        if jax.process_index() == 0:
            record = stack.enter_context(MetricsLog(opened.out, start=int(state.step)))
        trainer = Trainer(
            parts=machinery.parts,
            step=machinery.step,
            loader=machinery.loader,
            validation=opened.validation,
            saves=saves,
            config=opened.train_config,
            save_every=opened.options.save_every,
            record=record,
            on_step=on_step,
        )
        state = trainer.run(state)
        if opened.train_config.publish == "best" and saves.best_step is not None:
            state = saves.restore(saves.best_step, state)
    return trainer.variables(state), int(state.step)
