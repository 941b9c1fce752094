"""Plots of a report. They use `Figure` directly: no window, no pyplot state."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from dfjax.evaluation.drawing import GREY, draw_intervals, entitle, one_panel
from dfjax.evaluation.metrics import NUM_BINS
from dfjax.evaluation.scores import Scores

# Every plot has a caption that names the data: data sets, split and counts.

_REAL, _FAKE = "tab:blue", "tab:red"

Json = Mapping[str, Any]


def draw_roc(videos: Scores, caption: str) -> Figure:
    """Returns a plot of the ROC curve of each data set that has both classes."""
    figure, axes = one_panel(5, 5)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, label="chance")
    for name in np.unique(videos.datasets).tolist():
        of_set = videos.take(videos.datasets == name)
        counts = of_set.counts()
        if counts["real"] and counts["fake"]:
            fpr, tpr, _ = roc_curve(of_set.is_fake, of_set.logits, drop_intermediate=False)
            axes.plot(fpr, tpr, label=f"{name}: {counts['real']} real, {counts['fake']} fake")
    axes.set(xlabel="share of real videos called fake", ylabel="share of fakes called fake")
    axes.set(xlim=(0, 1), ylim=(0, 1.01))
    entitle(figure, "ROC", caption)
    axes.legend(loc="lower right", fontsize="small")
    return figure


def draw_probabilities(videos: Scores, threshold: float, caption: str) -> Figure:
    """Returns histograms of `probability_fake`, each class normalised by its count."""
    figure, axes = one_panel(6, 3.5)
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
    entitle(figure, "Scores of videos", caption)
    axes.legend(fontsize="small")
    return figure


def draw_reliability(report: Json, caption: str) -> Figure:
    """Returns a reliability diagram, with the number of videos in each bin below it.

    Args:
      report: The result of `figures.report`.
      caption: Names the data.
    """
    figure = Figure(figsize=(5, 6), layout="constrained")
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    bins = [bin for bin in report["reliability"] if bin["count"]]
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, label="perfect calibration")
    axes.plot(
        [bin["mean_probability"] for bin in bins],
        [bin["fake_share"] for bin in bins],
        marker="o",
        label="this model",
    )
    axes.set(ylabel="share of fakes (classes weighted equally)", ylim=(-0.02, 1.02))
    error = report["video"]["calibration_error"]["value"]
    noise = report["video"]["calibration_noise"]["value"]
    suffix = "" if error is None else f", calibration error {error:.3f} ({noise:.3f} by chance)"
    entitle(figure, f"Reliability{suffix}", caption)
    axes.legend(loc="upper left", fontsize="small")
    middles = (np.arange(NUM_BINS) + 0.5) / NUM_BINS
    below.bar(middles, [bin["count"] for bin in report["reliability"]], width=0.9 / NUM_BINS)
    below.set(xlabel="probability_fake", ylabel="videos", xlim=(0, 1))
    return figure


def draw_methods(report: Json, caption: str) -> Figure:
    """Returns a plot of the AUC of each manipulation method with its interval.

    Args:
      report: The result of `figures.report`.
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
    figure, axes = one_panel(7, 1.2 + 0.32 * len(labels))
    draw_intervals(axes, labels, figures)
    axes.set(xlabel="AUC, 95% interval")
    entitle(figure, "Methods", caption)
    return figure
