"""The scale of a verdict from 0% to 100%, as the page and reports on videos draw it."""

from typing import Any

from dfjax.prediction import Decision
from dfjax.reporting.decision_sentences import decision_sentence
from dfjax.shown_numbers import percent, threshold_percent

_LABEL_ROOM = 0.14  # of the scale's width, that the labels of two thresholds need on a phone


def scale(probability: float, decision: Decision) -> dict[str, Any]:
    """Returns the probability in words, and the zones, thresholds and pointer of its scale.

    Args:
      probability: Of a whole file.
      decision: The model's.

    Returns:
      "percent" and "rule" as text; "real", "uncertain" and "fake", the widths of the zones, and
      "pointer", per cent; "marks", the thresholds as they stand under it.
    """
    real, fake = 100 * decision.real_below, 100 * decision.fake_above
    return {
        "percent": percent(probability, decision),
        "rule": decision_sentence(decision),
        "real": f"{real:g}",
        "uncertain": f"{fake - real:g}",
        "fake": f"{100 - fake:g}",
        "pointer": f"{100 * probability:.2f}",
        "marks": _threshold_marks(decision),
    }


def _threshold_marks(decision: Decision) -> list[dict[str, str]]:
    """Returns the thresholds as they stand under the scale; one, where two would overlap."""
    if decision.is_withheld:
        return []
    thresholds = [decision.real_below, decision.fake_above]
    if thresholds[1] - thresholds[0] < _LABEL_ROOM:
        thresholds = thresholds[1:]
    return [
        {"value": str(value), "x": f"{100 * value:g}", "label": threshold_percent(value)}
        for value in thresholds
    ]
