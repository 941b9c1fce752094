"""The metrics that a run logs: JSON lines, TensorBoard events and plots."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve
from tensorboardX import SummaryWriter

from dfjax.evaluation.drawing import png_bytes
from dfjax.evaluation.scores import Scores
from dfjax.files import write_bytes_atomically, write_text_atomically

METRICS_FILE = "metrics.jsonl"
EVENTS_FOLDER = "tensorboard"


class MetricsLog:
    """Appends the metrics of a run to its folder.

    `metrics.jsonl` has one line per step and one per validation; `tensorboard/` has the same data
    as events. When a run is resumed, lines after the step at which it resumes are dropped, because
    those steps are repeated.
    """

    def __init__(self, folder: Path, *, start: int):
        """Opens the files of a run that starts or resumes at step `start`."""
        self._folder = folder
        path = folder / METRICS_FILE
        kept = [row for row in read_metrics(folder) if row["step"] <= start]
        write_text_atomically(path, "".join(json.dumps(row) + "\n" for row in kept))
        self._rows = kept
        self._file = path.open("a", encoding="utf-8")
        logging.getLogger("tensorboardX").setLevel(logging.ERROR)
        # TensorBoard hides this step and the later ones. Step `start` is not repeated.
        self._events = SummaryWriter(str(folder / EVENTS_FOLDER), purge_step=start + 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self._events.close()

    def add(self, step: int, values: Mapping[str, Any]) -> None:
        """Appends the metrics after `step` updates."""
        row = {"step": step, **values}
        self._rows.append(row)
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        for name, value in values.items():
            if isinstance(value, int | float):
                self._events.add_scalar(name, value, step)

    def draw(self, scores: Mapping[str, Scores]) -> None:
        """Draws `loss.png` from all metrics so far, and `roc.png` from validation scores.

        Args:
          scores: Scores of the validation videos, by data set.
        """
        for name, figure in {"loss": _draw_losses(self._rows), "roc": _draw_roc(scores)}.items():
            write_bytes_atomically(self._folder / f"{name}.png", png_bytes(figure))


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Returns the rows of a run's `metrics.jsonl`; none if there is no such file.

    If the process was killed while writing, the incomplete last line is left out.
    """
    path = folder / METRICS_FILE
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def _draw_losses(rows: Sequence[Mapping[str, Any]]) -> Figure:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    losses = [(row["step"], row["loss"]) for row in rows if "loss" in row]
    aucs = [(row["step"], row["validation_auc"]) for row in rows if "validation_auc" in row]
    if losses:
        steps, values = np.array(losses).T
        width = max(1, len(values) // 50)
        smooth = np.convolve(values, np.full(width, 1 / width), mode="valid")
        axes.plot(steps, values, color="C0", alpha=0.25, linewidth=0.8)
        axes.plot(steps[width - 1 :], smooth, color="C0", label=f"loss, mean of {width} steps")
    axes.set(xlabel="step", ylabel="loss")
    handles, labels = axes.get_legend_handles_labels()
    if aucs:
        right = axes.twinx()
        right.plot(*np.array(aucs).T, color="C1", marker="o", label="validation AUC")
        right.set(ylabel="validation AUC", ylim=(0.4, 1))
        more_handles, more_labels = right.get_legend_handles_labels()
        handles, labels = handles + more_handles, labels + more_labels
    axes.legend(handles, labels, loc="upper right")
    return figure


def _draw_roc(scores: Mapping[str, Scores]) -> Figure:
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    for name, of in scores.items():
        false_positives, true_positives, _ = roc_curve(of.is_fake, of.logits)
        axes.plot(false_positives, true_positives, label=f"{name}, {len(of)} validation videos")
    axes.set(xlabel="real called fake", ylabel="fake called fake", xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="lower right")
    return figure
