"""Pictures of a report. Each is a figure of its own: no window, nothing kept between them."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from dfjax.evaluation.metrics import NUM_BINS
from dfjax.evaluation.scores import Scores

# Every picture has a caption that names the data: data sets, split and counts.

_REAL, _FAKE, _GREY = "tab:blue", "tab:red", "0.6"

_CHARACTERS_PER_INCH = 12  # of a caption; the widest of such a line still fits

Json = Mapping[str, Any]


def draw_roc(videos: Scores, caption: str) -> Figure:
    """Returns the ROC curve of each data set that has both classes."""
    figure, axes = _one_panel(5, 5)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8, label="chance")
    for name in np.unique(videos.datasets).tolist():
        of_set = videos.take(videos.datasets == name)
        counts = of_set.counts()
        if counts["real"] and counts["fake"]:
            fpr, tpr, _ = roc_curve(of_set.is_fake, of_set.logits, drop_intermediate=False)
            axes.plot(fpr, tpr, label=f"{name}: {counts['real']} real, {counts['fake']} fake")
    axes.set(xlabel="share of real videos called fake", ylabel="share of fakes called fake")
    axes.set(xlim=(0, 1), ylim=(0, 1.01))
    _entitle(figure, "ROC", caption)
    axes.legend(loc="lower right", fontsize="small")
    return figure


def draw_probabilities(videos: Scores, threshold: float, caption: str) -> Figure:
    """Returns histograms of `probability_fake`, each class as shares of its own count."""
    figure, axes = _one_panel(6, 3.5)
    edges = np.linspace(0, 1, 21).tolist()
    for label, (name, color) in enumerate((("real", _REAL), ("fake", _FAKE))):
        values = videos.probabilities[videos.is_fake == label]
        if count := len(values):
            weights = np.full(count, 1 / count)
            axes.hist(
                values, edges, weights=weights, alpha=0.5, color=color, label=f"{count} {name}"
            )
    axes.axvline(threshold, color="black", linewidth=0.8, label=f"threshold {threshold:.2f}")
    axes.set(xlabel="probability_fake", ylabel="share of the class", xlim=(0, 1))
    _entitle(figure, "Scores of videos", caption)
    axes.legend(fontsize="small")
    return figure


def draw_reliability(report: Json, caption: str) -> Figure:
    """Returns how often what gets some probability of being fake is fake, and how many videos do.

    Args:
      report: As `report` gives it.
      caption: Names the data.
    """
    figure = Figure(figsize=(5, 6), layout="constrained")
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    bins = [bin for bin in report["reliability"] if bin["count"]]
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8, label="calibrated perfectly")
    axes.plot(
        [bin["mean_probability"] for bin in bins],
        [bin["fake_share"] for bin in bins],
        marker="o",
        label="this model",
    )
    axes.set(ylabel="share of fakes (real and fake weigh alike)", ylim=(-0.02, 1.02))
    error = report["video"]["calibration_error"]["value"]
    told = "" if error is None else f", calibration error {error:.3f}"
    _entitle(figure, f"Reliability{told}", caption)
    axes.legend(loc="upper left", fontsize="small")
    middles = (np.arange(NUM_BINS) + 0.5) / NUM_BINS
    below.bar(middles, [bin["count"] for bin in report["reliability"]], width=0.9 / NUM_BINS)
    below.set(xlabel="probability_fake", ylabel="videos", xlim=(0, 1))
    return figure


def draw_methods(report: Json, caption: str) -> Figure:
    """Returns the AUC of each method of manipulation with its interval.

    Args:
      report: As `report` gives it.
      caption: Names the data.
    """
    rows = report["per_method"]
    labels = [
        f"{row['method']} ({row['dataset']} {row['compression']}, {row['fake']} fake)"
        for row in rows
    ]
    figures = [row["auc"] for row in rows]
    labels.append("mean over methods")
    figures.append(report["mean_over_methods"]["auc"])
    figure, axes = _one_panel(7, 1.2 + 0.32 * len(labels))
    _draw_intervals(axes, labels, figures)
    axes.set(xlabel="AUC, 95% interval")
    _entitle(figure, "Methods", caption)
    return figure


def draw_slices(slices: Sequence[Json], caption: str) -> Figure:
    """Returns the AUC of each part of the split with its interval.

    Args:
      slices: As `slices` gives them.
      caption: Names the data.
    """
    labels, figures = [], []
    for entry in slices:
        for part in entry["parts"]:
            counts = f"{part['real']} real, {part['fake']} fake"
            labels.append(f"{entry['by']} {part['label']} ({counts})")
            figures.append(part["auc"])
    figure, axes = _one_panel(7.5, 1.2 + 0.3 * len(labels))
    _draw_intervals(axes, labels, figures)
    axes.set(xlabel="AUC, 95% interval")
    _entitle(figure, "Parts of the data", caption)
    return figure


def draw_robustness(robustness: Json, caption: str) -> Figure:
    """Returns what each kind of distortion does, by severity.

    Args:
      robustness: As `measure_robustness` gives it.
      caption: Names the data.
    """
    unchanged, *distorted = robustness["distortions"]
    kinds = list(dict.fromkeys(row["kind"] for row in distorted))
    columns = min(4, len(kinds))
    lines = -(-len(kinds) // columns)
    size = max(6.2, 3.1 * columns), 2.6 * lines + 1.2  # room for caption and legend
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    curves = (
        ("AUC", "C0-", lambda row: row["auc"]["value"]),
        ("balanced accuracy", "C2--", lambda row: row["balanced_accuracy"]["value"]),
        ("real videos called fake", "C3-", lambda row: row["false_positive_rate"]["value"]),
        ("no face found", "k:", lambda row: row["no_face_share"]),
    )
    for axes, kind in zip(panels, kinds, strict=False):
        rows = [unchanged, *(row for row in distorted if row["kind"] == kind)]
        severities = [row["severity"] for row in rows]
        for name, style, value in curves:
            values = np.array([value(row) for row in rows], np.float64)  # None becomes NaN: a gap
            axes.plot(severities, values, style, marker="o", markersize=3, label=name)
        axes.set_title(f"{kind}, by severity", fontsize="medium")
        axes.set(ylim=(-0.03, 1.03), xticks=range(6), xticklabels=["none", *range(1, 6)])
        axes.grid(color="0.9")
    for axes in panels[len(kinds) :]:
        axes.remove()
    ncols = 4 if columns > 2 else 2
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=ncols)
    counts = f"{robustness['real']} real and {robustness['fake']} fake distorted"
    _entitle(figure, f"{counts}, threshold {robustness['threshold']:.2f}", caption)
    return figure


def _entitle(figure: Figure, title: str, caption: str) -> None:
    """Writes a title and a caption over the figure, in lines as wide as it is."""
    width = int(_CHARACTERS_PER_INCH * figure.get_figwidth())
    lines = [line for text in (title, caption) for line in textwrap.wrap(text, width)]
    figure.suptitle("\n".join(lines), fontsize="medium")


def _one_panel(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _draw_intervals(axes: Axes, labels: Sequence[str], figures: Sequence[Json]) -> None:
    """Draws a point and a line per figure, from top to bottom; says so where there is none."""
    for place, figure in enumerate(figures):
        if figure["value"] is None:
            axes.text(0.5, place, f"  {figure['reason']}", va="center", fontsize="small")
            continue
        if figure["interval"] is not None:
            axes.plot(figure["interval"], [place, place], color="C0", linewidth=1.5)
        axes.plot(figure["value"], place, "o", color="C0")
    axes.axvline(0.5, color=_GREY, linewidth=0.8)  # chance
    axes.set_yticks(range(len(labels)), labels, fontsize="small")
    lows = [end for figure in figures for end in (figure["interval"] or [0.5])]
    axes.set(xlim=(max(0.0, min([0.45, *lows]) - 0.02), 1.01), ylim=(len(labels) - 0.5, -0.5))
    axes.grid(axis="x", color="0.9")
