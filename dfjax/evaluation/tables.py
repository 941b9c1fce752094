"""Figures as text: their names, a figure with its interval, and Markdown tables."""

import re
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
    "calibration_error": "expected calibration error (ECE)",
    "calibration_noise": "ECE that chance alone makes",
    "debiased_calibration_error": "debiased ECE",
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


class Markdown(str):
    """Text of a cell that is Markdown: it is of our own making, and not from data."""


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Returns a Markdown table that shows its cells as they are, but those of type `Markdown`."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_in_table, line))} |" for line in lines)


def _in_table(value: Any) -> str:
    return value.replace("|", r"\|") if isinstance(value, Markdown) else as_it_is(str(value))


def as_it_is(text: str) -> str:
    """Returns Markdown that shows a text as it is, on one line.

    The name of a video or of an attribute must not become a link, a picture, HTML or another cell.

    Args:
      text: From data.
    """
    # Within a word, as in "probability_fake", "_" stands for itself.
    escaped = re.sub(r"[\\`*<>\[\]!~&|]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)
    return " ".join(escaped.split("\n"))
