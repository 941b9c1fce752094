"""Figures with their intervals, or the reason why there is none."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import numpy as np

from dfjax.evaluation import bootstrap, metrics
from dfjax.evaluation.bootstrap import Draws
from dfjax.evaluation.scores import Scores

_LABELS = ("real", "fake")

# Classes that a measure needs; those not listed need both.
_CLASSES = {"false_positive_rate": (0,), "true_positive_rate": (1,)}


@dataclasses.dataclass(frozen=True)
class Estimate:
    """One figure and its values over the bootstrap draws."""

    value: float  # NaN: could not be measured
    draws: np.ndarray | None = None  # float64 [D], NaN where undefined; None: no interval
    reason: str | None = None  # why the value or the interval is absent

    @classmethod
    def absent(cls, reason: str) -> Self:
        """Returns a figure that could not be measured."""
        return cls(math.nan, None, reason)

    @property
    def is_measured(self) -> bool:
        """Whether there is a value."""
        return not math.isnan(self.value)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Returns the 95% percentile interval over the draws."""
        if self.draws is None or np.isnan(self.draws).all():
            return None
        low, high = np.nanquantile(self.draws, [0.025, 0.975])
        return float(low), float(high)

    def to_json(self) -> dict[str, Any]:
        """Returns `value`, `interval` and `reason`; null where absent."""
        interval = self.interval
        return {
            "value": round(self.value, 6) if self.is_measured else None,
            "interval": None if interval is None else [round(end, 6) for end in interval],
            "reason": self.reason,
        }

    def __sub__(self, other: Self) -> "Estimate":
        """Returns the difference, with its interval from the paired draws."""
        reason = self.reason or other.reason
        if self.draws is None or other.draws is None:
            return Estimate(self.value - other.value, None, reason)
        return Estimate(self.value - other.value, self.draws - other.draws, reason)


Estimates = dict[str, Estimate]
"""Keyed by the names of `metrics.ranking_measures` and `metrics.decision_measures`."""


def estimate_ranking(scores: Scores, draws: Draws) -> Estimates:
    """Returns the measures that depend on score order; see `metrics.ranking_measures`."""
    is_fake, logits = scores.is_fake, scores.logits
    return _with_intervals(
        scores,
        metrics.ranking_measures(is_fake, logits),
        lambda: draws.measure(functools.partial(bootstrap.weighted_ranking, is_fake, logits)),
    )


def estimate_decisions(scores: Scores, threshold: float, draws: Draws) -> Estimates:
    """Returns the measures of verdicts and probabilities; see `metrics.decision_measures`."""
    is_fake, probabilities = scores.is_fake, scores.probabilities
    return _with_intervals(
        scores,
        metrics.decision_measures(is_fake, probabilities, threshold),
        lambda: draws.measure(
            functools.partial(bootstrap.weighted_decisions, is_fake, probabilities, threshold)
        ),
    )


def auc_over_datasets(scores: Scores, draws: Draws) -> Estimate:
    """Returns the unweighted mean of the AUCs of the data sets."""
    parts = []
    for dataset in np.unique(scores.datasets):
        rows = np.flatnonzero(scores.datasets == dataset)
        parts.append(estimate_ranking(scores.take(rows), draws.take(rows))["auc"])
    return mean(parts)


def mean(estimates: Iterable[Estimate]) -> Estimate:
    """Returns the mean of the figures that could be measured."""
    measured = [estimate for estimate in estimates if estimate.is_measured]
    if not measured:
        return Estimate.absent("none of the figures to average could be measured")
    value = float(np.mean([estimate.value for estimate in measured]))
    reason = next((estimate.reason for estimate in measured if estimate.draws is None), None)
    draws = [estimate.draws for estimate in measured if estimate.draws is not None]
    if len(draws) < len(measured):
        return Estimate(value, None, reason)
    return Estimate(value, np.mean(draws, axis=0))


def mean_over(values: np.ndarray, groups: Sequence[str]) -> Estimate:
    """Returns the mean of values, float64 [N], one per video; `groups` names the group of each."""
    value = float(values.mean())
    if len(set(groups)) == 1:
        return Estimate(value, None, "all videos are of one group of identities")
    drawn = Draws.of(groups).measure(lambda w: {"mean": w @ values / w.sum(axis=1)})
    return Estimate(value, drawn["mean"])


def mean_of_each(rows: Sequence[Estimates]) -> Estimates:
    """Returns the mean of each figure over the rows."""
    names = (*metrics.RANKING, *metrics.DECISIONS)
    return {name: mean(row[name] for row in rows) for name in names}


def to_json(estimates: Estimates) -> dict[str, Any]:
    """Returns several figures as JSON values."""
    return {name: estimate.to_json() for name, estimate in estimates.items()}


def _with_intervals(
    scores: Scores,
    values: dict[str, float],
    draw: Callable[[], dict[str, np.ndarray]],
) -> Estimates:
    """Returns the values with the draws from `draw`, or the reason why there are none."""
    drawn = draw() if len(scores) else {}
    estimates = {}
    for name, value in values.items():
        classes = _CLASSES.get(name, (0, 1))
        if (reason := _why_no_value(scores, classes)) is not None:
            estimates[name] = Estimate.absent(reason)
        elif name not in drawn:
            estimates[name] = Estimate(
                value, None, "not resampled: noise in its bins would bias it"
            )
        elif (reason := _why_no_interval(scores, classes)) is not None:
            estimates[name] = Estimate(value, None, reason)
        else:
            estimates[name] = Estimate(value, drawn[name])
    return estimates


def _why_no_value(scores: Scores, classes: Sequence[int]) -> str | None:
    absent = [_LABELS[label] for label in classes if not np.any(scores.is_fake == label)]
    return f"there is no {' and no '.join(absent)} video" if absent else None


def _why_no_interval(scores: Scores, classes: Sequence[int]) -> str | None:
    for label in classes:
        if len(np.unique(scores.groups[scores.is_fake == label])) == 1:
            return f"all {_LABELS[label]} videos are of one group of identities"
    return None
