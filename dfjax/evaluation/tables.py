"""Figures as text: their names, a figure with its interval, and Markdown tables."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MEASURES = {
    "auc": "ROC AUC",
    "average_precision": "average precision",
    "equal_error_rate": "equal error rate",
    "tpr_at_1_percent_fpr": "fakes found at 1% false positives",
    "tpr_at_5_percent_fpr": "fakes found at 5% false positives",
    "balanced_accuracy": "balanced accuracy at the threshold",
    "false_positive_rate": "real called fake at the threshold",
    "true_positive_rate": "fakes found at the threshold",
    "brier": "Brier score",
    "calibration_error": "expected calibration error",
    "calibration_noise": "what chance makes of that error",
    "debiased_calibration_error": "expected calibration error less chance",
}
"""Readable names of figures, by their keys in a report."""


def cell(figure: Mapping[str, Any]) -> str:
    """Returns a figure with its interval, or the reason why either is absent."""
    if figure["value"] is None:
        return f"— ({figure['reason']})"
    if figure["interval"] is None:
        return f"{figure['value']:.3f} (no interval: {figure['reason']})"
    low, high = figure["interval"]
    return f"{figure['value']:.3f} ({low:.3f} to {high:.3f})"


def as_percent(share: float | None) -> str:
    """Returns a share as a percentage; a dash for None."""
    return "—" if share is None else f"{share:.1%}"


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Returns a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(_plain(str(cell)) for cell in line)} |" for line in lines)


def _plain(text: str) -> str:
    # The name of a video or an attribute must not break the table.
    return text.replace("|", r"\|").replace("\n", " ")
