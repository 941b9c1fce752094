"""Measures of how well scores tell fake from real, with intervals that respect identities."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from sklearn.metrics import roc_auc_score

NUM_BOOTSTRAP = 1000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Confusion:
    """Counts of verdicts at one threshold."""

    true_real: int
    false_fake: int  # real, called fake
    false_real: int  # fake, called real
    true_fake: int

    @property
    def balanced_accuracy(self) -> float:
        """Mean of the shares of real and of fake that are told rightly; 0.5 is chance."""
        real = self.true_real / (self.true_real + self.false_fake)
        fake = self.true_fake / (self.true_fake + self.false_real)
        return 0.5 * (real + fake)


def roc_auc(is_fake: np.ndarray, scores: np.ndarray) -> float:
    """Returns the area under the ROC curve: how often a fake scores above a real.

    Args:
      is_fake: [N], 0 or 1, both present.
      scores: [N], higher means fake.
    """
    return float(roc_auc_score(is_fake, scores))


def confusion(is_fake: np.ndarray, scores: np.ndarray, threshold: float) -> Confusion:
    """Returns the counts when a score over `threshold` is called fake."""
    called, fake = np.asarray(scores) > threshold, np.asarray(is_fake).astype(bool)
    return Confusion(
        true_real=int(np.sum(~called & ~fake)),
        false_fake=int(np.sum(called & ~fake)),
        false_real=int(np.sum(~called & fake)),
        true_fake=int(np.sum(called & fake)),
    )


def bootstrap_interval(
    measure: Callable[[np.ndarray, np.ndarray], float],
    is_fake: np.ndarray,
    scores: np.ndarray,
    groups: Sequence[str],
    *,
    seed: int = 0,
    num_draws: int = NUM_BOOTSTRAP,
) -> tuple[float, float]:
    """Returns the 95% percentile interval of a measure over resampled groups of identities.

    Videos of one person fail together, so whole groups are drawn: drawing videos would give an
    interval that is too narrow. Draws with one class only are drawn again.

    Args:
      measure: Takes `is_fake` and `scores` of a draw.
      is_fake: [N], 0 or 1.
      scores: [N].
      groups: N names; videos with one name share identities.
      seed: Of the draws.
      num_draws: How many.

    Raises:
      ValueError: There is only one class, so no draw can be measured.
    """
    is_fake, scores = np.asarray(is_fake), np.asarray(scores)
    if len(np.unique(is_fake)) < 2:
        raise ValueError("an interval needs real and fake videos; only one kind is there.")
    _, member_of = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(member_of == g) for g in range(member_of.max() + 1)]
    generator = np.random.default_rng(seed)
    values = []
    while len(values) < num_draws:
        drawn = generator.integers(len(members), size=len(members))
        rows = np.concatenate([members[g] for g in drawn])
        if len(np.unique(is_fake[rows])) == 2:
            values.append(measure(is_fake[rows], scores[rows]))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
