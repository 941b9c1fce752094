"""Bootstrap intervals over groups of identities, vectorised over all draws.

Errors on videos of one person are correlated, so whole identity groups are resampled: resampling
videos would give intervals that are too narrow. A draw is stored as a weight per group, the number
of times it was drawn, so that the scores are sorted only once for all draws.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from dfjax.evaluation.metrics import equal_error_rate, tpr_at

NUM_DRAWS = 1000

_BLOCK = 2**21
"""Maximum number of weights held in memory at a time."""


@dataclasses.dataclass(frozen=True)
class Draws:
    """D bootstrap samples of groups, for the N videos or frames in those groups."""

    counts: np.ndarray  # float64 [D, G], times each group was drawn
    group_of: np.ndarray  # int64 [N]

    @classmethod
    def of(
        cls, groups: Sequence[str] | np.ndarray, *, seed: int = 0, num_draws: int = NUM_DRAWS
    ) -> Self:
        """Samples as many groups as there are, with replacement, `num_draws` times.

        Args:
          groups: N names. The draws depend only on the set of names, not on order or counts.
          seed: Random seed of the draws.
          num_draws: D.
        """
        names, group_of = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
        generator = np.random.default_rng(seed)
        counts = np.zeros((num_draws, len(names)))
        if len(names):
            chances = np.full(len(names), 1 / len(names))
            counts += generator.multinomial(len(names), chances, size=num_draws)
        return cls(counts, group_of)

    def take(self, rows: np.ndarray) -> Self:
        """Returns the same draws for a subset of the N."""
        return dataclasses.replace(self, group_of=self.group_of[rows])

    def measure(self, measure: Callable[[np.ndarray], dict[str, np.ndarray]]) -> dict[str, Any]:
        """Returns `measure` evaluated on all draws, float64 [D] by name.

        Args:
          measure: Takes weights, float64 [d, N]; returns named values, [d] each.
        """
        step = max(1, _BLOCK // max(len(self.group_of), 1))
        parts = [
            measure(self.counts[start : start + step][:, self.group_of])
            for start in range(0, len(self.counts), step)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def weighted_ranking(
    is_fake: np.ndarray, scores: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns `metrics.ranking_measures` for each row of weights, [d].

    NaN where a class has no weight.

    Args:
      is_fake: [N], 0 or 1.
      scores: [N].
      weights: float64 [d, N].
    """
    order = np.argsort(-scores, kind="stable")
    descending = scores[order]
    starts = np.flatnonzero(np.append(True, descending[1:] != descending[:-1]))
    weights, fake = weights[:, order], is_fake[order].astype(np.float64)
    # Weight of each class at or above each distinct score; ties are passed together.
    found, alarms = (
        np.cumsum(np.add.reduceat(weights * is_class, starts, axis=1), axis=1)
        for is_class in (fake, 1 - fake)
    )
    with np.errstate(invalid="ignore"):
        origin = np.zeros((len(weights), 1))
        tpr, fpr = (
            np.concatenate([origin, passed / passed[:, -1:]], axis=1) for passed in (found, alarms)
        )
        all_passed = found + alarms
        precision = found / np.where(all_passed > 0, all_passed, 1)
        values = {
            "auc": np.trapezoid(tpr, fpr, axis=1),
            "average_precision": np.sum(np.diff(tpr, axis=1) * precision, axis=1),
            "equal_error_rate": equal_error_rate(fpr, tpr),
            "tpr_at_1_percent_fpr": tpr_at(fpr, tpr, 0.01),
            "tpr_at_5_percent_fpr": tpr_at(fpr, tpr, 0.05),
        }
    undefined = (found[:, -1] == 0) | (alarms[:, -1] == 0)
    return {name: np.where(undefined, np.nan, value) for name, value in values.items()}


def weighted_decisions(
    is_fake: np.ndarray, probabilities: np.ndarray, threshold: float, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns `metrics.decision_measures` for each row of weights, [d].

    NaN where a class has no weight. The calibration error is left out: resampling adds noise to
    every bin, which would bias its interval upwards.

    Args:
      is_fake: [N], 0 or 1.
      probabilities: float [N].
      threshold: Probability above which a video is called fake.
      weights: float64 [d, N].
    """
    called = probabilities > threshold
    shares, errors = [], []
    with np.errstate(invalid="ignore"):
        for label in (0, 1):
            of_class = is_fake == label
            total = weights @ of_class
            shares.append(weights @ (called & of_class) / total)
            errors.append(weights @ (np.square(probabilities - is_fake) * of_class) / total)
    false_positive_rate, true_positive_rate = shares
    return {
        "balanced_accuracy": 0.5 * (1 - false_positive_rate + true_positive_rate),
        "false_positive_rate": false_positive_rate,
        "true_positive_rate": true_positive_rate,
        "brier": 0.5 * (errors[0] + errors[1]),
    }
