"""Figures with their intervals, or the reason why there is none.

An interval has to cover the truth as often as it says with few groups of identities, too. The
percentiles of the bootstrap do not: they are too narrow with few groups, and have no width at all
where every video got the same answer. So the bootstrap gives the standard error only, and a figure
gets the exact interval of a binomial share of as many independent trials as would have that
standard error. The interval of a mean or a difference is put together from those of its parts.
`tests/evaluation/test_estimates.py` counts how often they cover a known truth.

Sources: Korn and Graubard, Confidence intervals for proportions with small expected number of
positive counts estimated from survey data, 1998; Zou and Donner, Construction of confidence limits
about effect measures: a general approach, 2008.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import numpy as np
from scipy.stats import beta, norm, t

from dfjax.evaluation import bootstrap, metrics
from dfjax.evaluation.bootstrap import Draws
from dfjax.evaluation.scores import Scores

_LABELS = ("real", "fake")

# Classes that a measure needs; those not listed need both.
_CLASSES = {"false_positive_rate": (0,), "true_positive_rate": (1,)}


MIN_GROUPS = 4
"""With fewer groups of identities than this, no interval can be trusted."""

_TAIL = 0.025  # on either side of a 95% interval

_ROUNDING = 1e-6
"""Draws that vary by less than this do not vary, but are rounded, as reports are to six digits."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """One figure with its 95% interval."""

    value: float  # NaN: could not be measured
    interval: tuple[float, float] | None = None
    draws: np.ndarray | None = None  # float64 [D], over the bootstrap; None: no interval
    num_groups: int = 0  # of identities that it was measured on; of a mean, the fewest of its parts
    reason: str | None = None  # why the value or the interval is absent

    @classmethod
    def absent(cls, reason: str) -> Self:
        """Returns a figure that could not be measured."""
        return cls(math.nan, reason=reason)

    @classmethod
    def of_share(cls, value: float, draws: np.ndarray, num_groups: int) -> Self:
        """Returns a figure from 0 to 1 that was measured on groups of identities.

        Args:
          value: The figure.
          draws: float64 [D], its values over the bootstrap draws, NaN where undefined.
          num_groups: How many groups it was measured on, at least `MIN_GROUPS`.
        """
        # The bootstrap divides by the number of groups, not by that number minus 1.
        variance = float(np.nanvar(draws)) * num_groups / (num_groups - 1)
        trials = float(num_groups)
        if 0 < value < 1 and variance > _ROUNDING**2:
            trials = value * (1 - value) / variance
        trials *= (norm.isf(_TAIL) / t.isf(_TAIL, num_groups - 1)) ** 2
        positive, negative = trials * value, trials * (1 - value)
        low = beta.ppf(_TAIL, positive, negative + 1) if positive > 0 else 0.0
        high = beta.isf(_TAIL, positive + 1, negative) if negative > 0 else 1.0
        return cls(value, (float(low), float(high)), draws, num_groups)

    @property
    def is_measured(self) -> bool:
        """Whether there is a value."""
        return not math.isnan(self.value)

    def to_json(self) -> dict[str, Any]:
        """Returns `value`, `interval` and `reason`; null where absent."""
        interval = self.interval
        return {
            "value": round(self.value, 6) if self.is_measured else None,
            "interval": None if interval is None else [round(end, 6) for end in interval],
            "reason": self.reason,
        }

    def __sub__(self, other: Self) -> "Estimate":
        """Returns the difference; a draw counts for both, so errors that they share cancel out.

        Each part may be off to either side by as far as its own interval reaches. As far as the
        two are correlated, they are off to the same side, and only the rest of it shows.
        """
        value = self.value - other.value
        if self.interval is None or other.interval is None:
            return Estimate(value, reason=self.reason or other.reason)
        assert self.draws is not None and other.draws is not None
        correlation = _correlations([self.draws, other.draws])[0, 1]
        low, high = self.interval
        other_low, other_high = other.interval
        down, up = self.value - low, high - self.value
        other_down, other_up = other.value - other_low, other_high - other.value
        below = _reach(down, other_up, max(down - other_down, other_up - up), correlation)
        above = _reach(up, other_down, max(up - other_up, other_down - down), correlation)
        return Estimate(
            value,
            (value - below, value + above),
            self.draws - other.draws,
            min(self.num_groups, other.num_groups),
        )


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
        metrics.decision_measures(is_fake, probabilities, threshold, scores.videos),
        lambda: draws.measure(
            functools.partial(bootstrap.weighted_decisions, is_fake, probabilities, threshold)
        ),
    )


def auc_over_datasets(scores: Scores, draws: Draws) -> Estimate:
    """Returns the unweighted mean of the AUCs of the data sets."""
    return mean(auc_of_datasets(scores, draws))


def auc_of_datasets(scores: Scores, draws: Draws) -> list[Estimate]:
    """Returns the AUC of each data set, in the order of their names."""
    parts = []
    for dataset in np.unique(scores.datasets):
        rows = np.flatnonzero(scores.datasets == dataset)
        parts.append(estimate_ranking(scores.take(rows), draws.take(rows))["auc"])
    return parts


def mean(estimates: Iterable[Estimate]) -> Estimate:
    """Returns the mean of the figures that could be measured."""
    measured = [estimate for estimate in estimates if estimate.is_measured]
    if not measured:
        return Estimate.absent("none of the figures to average could be measured")
    return _mean(measured)


def mean_over(values: np.ndarray, groups: Sequence[str]) -> Estimate:
    """Returns the mean of values from 0 to 1, one per video.

    Args:
      values: float64 [N].
      groups: N names, of the group of each.
    """
    value, num_groups = float(values.mean()), len(set(groups))
    if num_groups < MIN_GROUPS:
        return Estimate(value, reason=_too_few("", num_groups))
    drawn = Draws.of(groups).measure(lambda w: {"mean": w @ values / w.sum(axis=1)})
    return Estimate.of_share(value, drawn["mean"], num_groups)


def mean_of_each(rows: Sequence[Estimates]) -> Estimates:
    """Returns the mean of each figure over the rows."""
    names = (*metrics.RANKING, *metrics.DECISIONS)
    return {name: mean(row[name] for row in rows) for name in names}


def to_json(estimates: Estimates) -> dict[str, Any]:
    """Returns several figures as JSON values."""
    return {name: estimate.to_json() for name, estimate in estimates.items()}


def _mean(parts: Sequence[Estimate]) -> Estimate:
    """Returns the mean of figures that were measured; no interval if one of them has none.

    On either side, the reach of the mean is that of the parts, added as standard errors are: with
    the correlations of the parts over the bootstrap draws.
    """
    values = np.array([part.value for part in parts])
    value = float(values.mean())
    intervals = [part.interval for part in parts if part.interval is not None]
    draws = [part.draws for part in parts if part.draws is not None]
    if len(intervals) < len(parts) or len(draws) < len(parts):
        return Estimate(value, reason=next(part.reason for part in parts if part.reason))
    correlations = _correlations(draws)
    lows, highs = np.transpose(intervals)
    below, above = (
        math.sqrt(max(0.0, reaches @ correlations @ reaches)) / len(parts)
        for reaches in (values - lows, highs - values)
    )
    num_groups = min(part.num_groups for part in parts)
    return Estimate(value, (value - below, value + above), np.mean(draws, axis=0), num_groups)


def _correlations(draws: Sequence[np.ndarray]) -> np.ndarray:
    """Returns how figures vary together over the bootstrap, float64 [P, P], from -1 to 1.

    Args:
      draws: float64 [D] of each of P figures. One that is the same in all draws goes with no other.
    """
    drawn = np.stack(draws)
    defined = drawn[:, ~np.isnan(drawn).any(axis=0)]
    spread = defined.std(axis=1, keepdims=True)
    varies = spread > _ROUNDING
    centred = (defined - defined.mean(axis=1, keepdims=True)) / np.where(varies, spread, 1) * varies
    correlations = np.clip(centred @ centred.T / max(defined.shape[1], 1), -1, 1)
    np.fill_diagonal(correlations, 1.0)
    return correlations


def _reach(own: float, other: float, shared: float, correlation: float) -> float:
    """Returns how far the difference of two figures may be off to one side.

    Args:
      own: How far the one may be off to this side.
      other: How far the other may be off to the other side.
      shared: By how much the difference is off if both are to the same side, at most.
      correlation: Of the two.
    """
    apart = (1 - abs(correlation)) * (own**2 + other**2)
    together = max(correlation, 0) * max(shared, 0) ** 2
    against = max(-correlation, 0) * (own + other) ** 2
    return math.sqrt(apart + together + against)


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
                value, reason="not resampled: noise in its bins would bias it"
            )
        elif (reason := _why_no_interval(scores, classes)) is not None:
            estimates[name] = Estimate(value, reason=reason)
        else:
            num_groups = min(_groups_of(scores, label) for label in classes)
            estimates[name] = Estimate.of_share(value, drawn[name], num_groups)
    return estimates


def _why_no_value(scores: Scores, classes: Sequence[int]) -> str | None:
    absent = [_LABELS[label] for label in classes if not np.any(scores.is_fake == label)]
    return f"there is no {' and no '.join(absent)} video" if absent else None


def _why_no_interval(scores: Scores, classes: Sequence[int]) -> str | None:
    for label in classes:
        if (num_groups := _groups_of(scores, label)) < MIN_GROUPS:
            return _too_few(f"{_LABELS[label]} ", num_groups)
    return None


def _groups_of(scores: Scores, label: int) -> int:
    return len(np.unique(scores.groups[scores.is_fake == label]))


def _too_few(kind: str, num_groups: int) -> str:
    groups = "one group" if num_groups == 1 else f"{num_groups} groups"
    return f"all {kind}videos are of {groups} of identities; an interval takes {MIN_GROUPS}"
