"""The probabilities at which a verdict begins, with error rates that hold on new people."""

import math
from typing import NamedTuple

import numpy as np


def thresholds(
    probabilities: np.ndarray,
    is_fake: np.ndarray,
    max_false_positive_rate: float,
    max_false_negative_rate: float,
    *,
    groups: np.ndarray | None = None,
    datasets: np.ndarray | None = None,
) -> tuple[float | None, float | None]:
    """Returns `real_below` and `fake_above`; between them the verdict is "uncertain".

    The rates are promised for new videos, not for those at hand: of a person like those in the
    validation split, a real video scores above `fake_above` with a probability of at most
    `max_false_positive_rate`. This is split conformal prediction: one more person could have been
    anyone among the K that were measured, or worse than all of them, so each group of videos of
    the same people has a weight of 1 / (K + 1), and the rest of it counts as an error.

    The promise is kept in each data set separately: a model that is right on one source is often
    wrong on the next, and an average over sources would hide that. Data sets with too few people
    for the rate are taken together, or with all others if that is still too few: the promise is
    then about their people as a whole.

    At most `max_false_negative_rate` of the fakes, a mean over the data sets, score below
    `real_below`. It is a mean, and a rate of its own, because some kinds of fakes are hardly found
    at all: a threshold low enough for them too would leave most honest videos without an answer. If
    the classes separate so well that the two thresholds cross, both are set to their midpoint.

    Args:
      probabilities: float [N], calibrated.
      is_fake: [N], 0 or 1, both present.
      max_false_positive_rate: Between 0 and 1.
      max_false_negative_rate: Between 0 and 1.
      groups: str [N]; videos that share one share identities. None: no two do.
      datasets: str [N], the data set of each; None: all from one.

    Returns:
      Each is None if there are too few groups for its rate; see `groups_needed`.

    Source: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005; for groups
    Lee, Barber and Willett, Distribution-free inference with hierarchical data, 2023.
    """
    probabilities, fake = np.asarray(probabilities, np.float64), np.asarray(is_fake).astype(bool)
    groups = np.arange(len(fake)) if groups is None else np.asarray(groups)
    datasets = np.zeros(len(fake), str) if datasets is None else np.asarray(datasets)
    videos = _Videos(probabilities, fake, groups, datasets)
    highest = _fake_above(videos, max_false_positive_rate)
    lowest = _real_below(videos, max_false_negative_rate)
    if lowest is not None and highest is not None and lowest > highest:
        lowest = highest = _between(highest, lowest)
    return lowest, highest


def fake_above(
    probabilities: np.ndarray,
    is_fake: np.ndarray,
    rate: float,
    *,
    groups: np.ndarray,
    datasets: np.ndarray,
) -> float | None:
    """Returns the `fake_above` of `thresholds` for one false-positive rate; the same arguments."""
    fake = np.asarray(is_fake).astype(bool)
    return _fake_above(_Videos(probabilities, fake, groups, datasets), rate)


def groups_needed(rate: float) -> int:
    """Returns how many groups of identities a threshold with that error rate takes."""
    return math.ceil(round(1 / rate - 1, 9))


class _Videos(NamedTuple):
    """N videos of the validation split."""

    probabilities: np.ndarray  # float64 [N]
    fake: np.ndarray  # bool [N]
    groups: np.ndarray  # [N], names of groups of identities
    datasets: np.ndarray  # str [N]

    def of(self, *, is_fake: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns probabilities, groups and data sets of one class."""
        rows = self.fake == is_fake
        return self.probabilities[rows], self.groups[rows], self.datasets[rows]


def _fake_above(videos: _Videos, rate: float) -> float | None:
    """Returns a threshold that a new real video exceeds with a probability of at most `rate`."""
    values, groups, datasets = videos.of(is_fake=False)
    names = np.unique(datasets)
    large = [name for name in names if _suffices(groups[datasets == name], rate)]
    parts = [datasets == name for name in large]
    small = ~np.isin(datasets, large)
    if small.any():
        parts.append(small if _suffices(groups[small], rate) else np.ones(len(values), bool))
    if not _suffices(groups, rate):
        return None
    highest = max(_exceeded_by(values[part], groups[part], rate) for part in parts)
    # Halfway to the next score: at the score itself, rounding would decide that video's verdict.
    return _between(highest, videos.probabilities[videos.probabilities > highest].min(initial=1.0))


def _suffices(groups: np.ndarray, rate: float) -> bool:
    return len(np.unique(groups)) >= groups_needed(rate)


def _exceeded_by(values: np.ndarray, groups: np.ndarray, rate: float) -> float:
    """Returns the smallest value that a new one exceeds with a probability of at most `rate`.

    Args:
      values: float [n].
      groups: str [n], with at least `groups_needed` different ones.
      rate: Between 0 and 1.
    """
    _, group_of, counts = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(-values, kind="stable")
    weights = (1 / (counts[group_of] * (len(counts) + 1)))[order]
    above = np.cumsum(weights) - weights + 1 / (len(counts) + 1)
    # Slightly more, so that rounding does not lose one when the rate is exact.
    allowed = np.flatnonzero(above <= rate * (1 + 1e-9))
    return float(values[order][allowed[-1]])


def _real_below(videos: _Videos, rate: float) -> float | None:
    """Returns a threshold below which a new fake scores with a probability of at most `rate`."""
    values, groups, datasets = videos.of(is_fake=True)
    names, set_of = np.unique(datasets, return_inverse=True)
    weights, unseen = np.zeros(len(values)), 0.0
    for number in range(len(names)):
        here = set_of == number
        _, group_of, counts = np.unique(groups[here], return_inverse=True, return_counts=True)
        share = 1 / (len(names) * (len(counts) + 1))
        weights[here] = share / counts[group_of]
        unseen += share
    order = np.argsort(values, kind="stable")
    below = unseen + np.cumsum(weights[order])  # with the value itself
    first_kept = int(np.searchsorted(below, rate * (1 + 1e-9), side="right"))
    if first_kept == 0 and unseen > rate * (1 + 1e-9):
        return None
    lowest = float(values[order][min(first_kept, len(values) - 1)])
    return _between(videos.probabilities[videos.probabilities < lowest].max(initial=0.0), lowest)


def _between(low: float, high: float) -> float:
    """Returns the midpoint of two numbers, in as few decimals as keep it between them.

    People read thresholds, and meaningless digits get in the way.
    """
    middle = float(low + high) / 2
    rounded = (round(middle, decimals) for decimals in range(2, 17))
    return next((r for r in rounded if low < r < high), middle)
