"""Publishes a finished run: turns the averaged weights into a calibrated checkpoint and record."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from dfjax.config import CalibrationConfig
from dfjax.data.trained_on import digests, write_trained_on
from dfjax.evaluation.calibration import calibrate_on, correction_share, with_correction
from dfjax.evaluation.figures import report
from dfjax.evaluation.scoring import ScoredClip
from dfjax.files import write_text_atomically
from dfjax.json_values import dumps
from dfjax.models.temporal import TemporalModel
from dfjax.training.metrics_log import read_metrics
from dfjax.training.opening import OpenedRun
from dfjax.training.start import RECORD_FILE
from dfjax.training.validation import SPLIT

CHECKPOINT_FOLDER = "checkpoint"
"""In the run folder: the model, in the format for the Hub."""


def publish(opened: OpenedRun, variables: nnx.State, *, step: int) -> dict[str, Any]:
    """Averages, rounds, evaluates and calibrates a detector, and writes it with its record.

    Beside it is written whom it was trained on (`TRAINED_ON_FILE`).

    Every process must call this, because all of them score; only the first one writes.

    Args:
      opened: The run. Its detector becomes the published one.
      variables: The detector's variables after training, in the form of `nnx.state`.
      step: The number of steps after which they were taken.

    Returns:
      The record, also written to `training.json` in the checkpoint.
    """
    detector, validation = opened.detector, opened.validation
    exact = _with_share_of_start(opened, variables)
    unrounded = validation.score(exact)
    nnx.update(detector, exact)
    share = None
    if isinstance(detector.temporal, TemporalModel):
        share = correction_share(unrounded)
        unrounded = with_correction(unrounded, share)
        detector.temporal.weigh_correction(share)
    nnx.update(detector, _rounded(nnx.state(detector)))
    scored = validation.score(nnx.state(detector))
    calibration = calibrate_on(
        scored,
        max_false_positive_rate=opened.train_config.max_false_positive_rate,
        max_false_negative_rate=opened.train_config.max_false_negative_rate,
        burst_frames=(
            detector.config.video.burst_frames if opened.train_config.weigh_evidence else None
        ),
        mirror_bursts=opened.train_config.mirror_bursts,
    )
    detector.config = dataclasses.replace(detector.config, calibration=calibration)
    record = _record(
        opened,
        scored,
        calibration,
        step=step,
        correction_share=share,
        largest_logit_change=_largest_change(unrounded, scored),
    )
    if jax.process_index() == 0:
        folder = opened.out / CHECKPOINT_FOLDER
        detector.save_pretrained(folder)
        write_text_atomically(folder / RECORD_FILE, dumps(record))
        shown = map(digests, opened.data.shown(opened.train_config))
        write_trained_on(folder, opened.trained_before.union(*shown))
    return record


def _with_share_of_start(opened: OpenedRun, variables: nnx.State) -> nnx.State:
    """Returns the mean of `variables` and the starting ones, weighted as the options say."""
    share = opened.options.start_share
    if not share:
        return variables
    first = jax.device_put(nnx.state(opened.detector), opened.machinery.replicated)
    return jax.tree.map(lambda end, begin: end + share * (begin - end), variables, first)


def _rounded(variables: nnx.State) -> nnx.State:
    """Returns the variables as they are published: kernels rounded to float16.

    Rounding comes before evaluation, so that the figures describe the model that people download.
    """
    return jax.tree.map(
        lambda x: x.astype(jnp.float16).astype(x.dtype) if x.ndim > 1 else x, variables
    )


def _largest_change(exact: Sequence[ScoredClip], rounded: Sequence[ScoredClip]) -> float:
    """Returns the largest change that rounding made to the logit of a clip or frame."""
    return max(
        max(
            abs(before.clip_logit - after.clip_logit),
            float(np.abs(before.frame_logits - after.frame_logits).max()),
        )
        for before, after in zip(exact, rounded, strict=True)
    )


def _record(
    opened: OpenedRun,
    scored: Sequence[ScoredClip],
    calibration: CalibrationConfig,
    *,
    step: int,
    correction_share: float | None,
    largest_logit_change: float,
) -> dict[str, Any]:
    """Returns what the detector was trained on, how, and its validation results."""
    options, description = opened.options, opened.description
    data = opened.data.describe(
        opened.train_config, [clip.row for clip in scored], about=options.about_data
    )
    for earlier in opened.started_from:
        for name, methods in (earlier["trained_methods"] or {}).items():
            known = data["trained_methods"].get(name, [])
            data["trained_methods"][name] = sorted({*known, *methods})
    return {
        "data": data,
        "license": options.license,
        "started_from": opened.started_from,
        "train_config": description["train_config"],
        "versions": description["versions"],
        "command": options.command,
        "published": opened.train_config.publish,
        "step": step,
        "start_share": options.start_share,
        "correction_share": correction_share,
        "rounding": {"largest_logit_change": largest_logit_change},
        "validation": report(
            scored,
            opened.data.validation_skipped,
            calibration,
            split=SPLIT,
            trained_methods=data["trained_methods"],
            has_lstm=correction_share is not None,
        ),
        "seconds": _seconds(opened.out),
    }


def _seconds(out: Path) -> float:
    """Returns the total time of all steps and validations, including those before a resume."""
    rows = read_metrics(out)
    names = ("step_seconds", "validation_seconds")
    return round(sum(row[name] for row in rows for name in names if name in row), 1)
