"""A whole training run, from prepared data to a checkpoint folder."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
from flax import nnx

from dfjax.files import only_here
from dfjax.head_config import HeadConfig
from dfjax.train_config import TrainConfig
from dfjax.training.folder import release_folder
from dfjax.training.loop import OnStep, Trainer
from dfjax.training.metrics_log import MetricsLog
from dfjax.training.opening import OpenedRun, RunOptions, open_run
from dfjax.training.publish import publish
from dfjax.training.saves import SAVES_FOLDER, Saves


def run(
    sources: Sequence[str],
    weights: Sequence[str],
    out: Path,
    *,
    train_config: TrainConfig,
    detector_config: HeadConfig,
    options: RunOptions,
    on_step: OnStep,
    on_note: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Trains a detector, calibrates it, and writes `out/checkpoint`.

    `out` also gets `run.json`, `metrics.jsonl`, `tensorboard/`, `loss.png`, `roc.png`, and the
    states in `saves/`, from which an interrupted run can be resumed. Its result is then
    bit-identical to that of an uninterrupted run. With several processes, each must call this with
    the same arguments; the folder is shared, and the first process writes.

    Args:
      sources: Prepared data sets, as for `open_rows`; each has the splits "train" and "validation".
      weights: A folder or Hub repository with published files, such as a ResNet's, to start from an
        encoder; or one or more with detectors of the same shape, to continue training them. If
        there are several, training starts from the mean of their weights.
      out: A new folder; or with `options.resume`, that of a run with the same configs and data.
      train_config: How to train.
      detector_config: Shape of the layers after the encoder.
      options: Options that do not affect training itself.
      on_step: Called with the metrics after each step and each validation.
      on_note: Called before the first step, with a sentence on each kind of clips in the data that
        the configs leave unused, and on what the figures may hide.

    Returns:
      The record, also written to `training.json` in the checkpoint.

    Raises:
      DatasetError: A data set was not prepared, two were prepared differently, splits share
        identities, `weights` were trained on validation clips, or no data set has both labels in
        validation.
      TrainingError: `out` is not usable, or training cannot start or continue.
      DfjaxError: Another process is working in `out`.
    """
    opened = open_run(
        sources,
        weights,
        out,
        train_config=train_config,
        detector_config=detector_config,
        options=options,
    )
    if on_note is not None:
        for note in opened.notes:
            on_note(note)
    is_first = jax.process_index() == 0
    with only_here(out) if is_first else contextlib.nullcontext():
        try:
            variables, step = _train(opened, on_step)
        except BaseException:
            if is_first:
                release_folder(out)
            raise
        return publish(opened, variables, step=step)


def _train(opened: OpenedRun, on_step: OnStep) -> tuple[nnx.State, int]:
    """Returns averaged weights with the untrained variables, for publishing, and their step."""
    machinery = opened.machinery
    with contextlib.ExitStack() as stack:
        saves = stack.enter_context(Saves(opened.out / SAVES_FOLDER))
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
