"""Measures of how well scores separate fake from real.

Every function takes `is_fake`, [N], 0 or 1, and N scores, higher meaning fake. A measure that needs
both classes is NaN if one is absent.
"""

import dataclasses
import math

import numpy as np
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    roc_auc_score,
    roc_curve,
)

RANKING = (
    "auc",
    "average_precision",
    "equal_error_rate",
    "tpr_at_1_percent_fpr",
    "tpr_at_5_percent_fpr",
)
"""Keys of `ranking_measures`."""

DECISIONS = (
    "balanced_accuracy",
    "false_positive_rate",
    "true_positive_rate",
    "brier",
    "calibration_error",
    "calibration_noise",
    "debiased_calibration_error",
)
"""Keys of `decision_measures`."""

NUM_BINS = 10
"""Number of equal-width probability bins for the calibration error."""

_NOISE_DRAWS = 200
"""Number of random sets of labels from which the noise of the calibration error is estimated."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Confusion:
    """Counts of decisions at one threshold."""

    true_real: int
    false_fake: int  # real, called fake
    false_real: int  # fake, called real
    true_fake: int

    @property
    def false_positive_rate(self) -> float:
        """Share of real videos called fake."""
        return _ratio(self.false_fake, self.true_real + self.false_fake)

    @property
    def true_positive_rate(self) -> float:
        """Share of fake videos called fake."""
        return _ratio(self.true_fake, self.true_fake + self.false_real)

    @property
    def balanced_accuracy(self) -> float:
        """Mean of the shares of real and of fake classified correctly; 0.5 is chance."""
        return 0.5 * (1 - self.false_positive_rate + self.true_positive_rate)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Predicted probability and actual share of fakes in one bin of probabilities."""

    count: int
    share: float  # of the total weight; real and fake weigh the same
    mean_probability: float | None  # None: the bin is empty
    fake_share: float | None  # real and fake weigh the same


def confusion(is_fake: np.ndarray, scores: np.ndarray, threshold: float) -> Confusion:
    """Returns the counts if every score above `threshold` is called fake."""
    called, fake = np.asarray(scores) > threshold, np.asarray(is_fake).astype(bool)
    return Confusion(
        true_real=int(np.sum(~called & ~fake)),
        false_fake=int(np.sum(called & ~fake)),
        false_real=int(np.sum(~called & fake)),
        true_fake=int(np.sum(called & fake)),
    )


def ranking_measures(is_fake: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Returns the measures that depend only on the order of the scores.

    Returns:
      `auc`: area under the ROC curve, the probability that a fake scores above a real.
      `average_precision`: of fakes; it depends on their share. `equal_error_rate`: the error rate
      where both classes have the same. `tpr_at_1_percent_fpr`, `tpr_at_5_percent_fpr`: the share of
      fakes found when at most that share of the real is called fake.
    """
    if len(np.unique(is_fake)) < 2:
        return dict.fromkeys(RANKING, math.nan)
    fpr, tpr, _ = roc_curve(is_fake, scores, drop_intermediate=False)
    return {
        "auc": float(roc_auc_score(is_fake, scores)),
        "average_precision": float(average_precision_score(is_fake, scores)),
        "equal_error_rate": float(equal_error_rate(fpr, tpr)),
        "tpr_at_1_percent_fpr": float(tpr_at(fpr, tpr, 0.01)),
        "tpr_at_5_percent_fpr": float(tpr_at(fpr, tpr, 0.05)),
    }


def decision_measures(
    is_fake: np.ndarray,
    probabilities: np.ndarray,
    threshold: float,
    videos: np.ndarray | None = None,
) -> dict[str, float]:
    """Returns the measures of calibrated probabilities and of decisions at a threshold.

    Args:
      is_fake: [N], 0 or 1.
      probabilities: float [N], that each is fake.
      threshold: Above it, one is called fake.
      videos: str [N], names of the videos that they are frames of. None: each is a video.

    Returns:
      `balanced_accuracy`, `false_positive_rate`, `true_positive_rate`: see `Confusion`. `brier`:
      mean squared error of the probability. `calibration_error`: the expected calibration error
      over `reliability`'s bins. `calibration_noise`: what it would be by chance alone; see the
      function. `debiased_calibration_error`: the one less the other, at least 0. In the last four,
      real and fake weigh the same whatever their counts, because the probabilities are calibrated
      for equal priors.
    """
    counts = confusion(is_fake, probabilities, threshold)
    values = {
        "balanced_accuracy": counts.balanced_accuracy,
        "false_positive_rate": counts.false_positive_rate,
        "true_positive_rate": counts.true_positive_rate,
        "brier": math.nan,
        "calibration_error": math.nan,
        "calibration_noise": math.nan,
        "debiased_calibration_error": math.nan,
    }
    if len(np.unique(is_fake)) == 2:
        weights = class_weights(is_fake)
        values["brier"] = float(
            brier_score_loss(is_fake, probabilities, sample_weight=weights, pos_label=1)
        )
        error = _binned_error(np.asarray(is_fake), np.asarray(probabilities, np.float64))
        noise = calibration_noise(is_fake, probabilities, videos)
        values["calibration_error"] = error
        values["calibration_noise"] = noise
        values["debiased_calibration_error"] = max(0.0, error - noise)
    return values


def calibration_noise(
    is_fake: np.ndarray, probabilities: np.ndarray, videos: np.ndarray | None = None
) -> float:
    """Returns the expected calibration error of a model with these probabilities, all of them true.

    It is not 0: even then the share of fakes in a bin of a few videos is off by chance. It is the
    mean over random labels, drawn from the probabilities at the given numbers of real and fake.
    Frames of one video share their label, and so the number that decides it.

    Args: as for `decision_measures`.

    Source: after Bröcker and Smith, Increasing the reliability of reliability diagrams, 2007.
    """
    is_fake, probabilities = np.asarray(is_fake), np.asarray(probabilities, np.float64)
    # Of as many fakes as there are: the odds for equal priors, times those of the labels.
    odds = np.mean(is_fake == 1) / np.mean(is_fake == 0)
    chances = odds * probabilities / (odds * probabilities + 1 - probabilities)
    names, video_of = np.unique(
        np.arange(len(is_fake)) if videos is None else videos, return_inverse=True
    )
    numbers = np.random.default_rng(0).random((_NOISE_DRAWS, len(names)))
    drawn = (row[video_of] < chances for row in numbers)  # one by one: there may be many frames
    errors = [
        _binned_error(labels, probabilities) for labels in drawn if 0 < labels.sum() < len(labels)
    ]
    return float(np.mean(errors)) if errors else 0.0


def _binned_error(is_fake: np.ndarray, probabilities: np.ndarray) -> float:
    """Returns the mean over bins of how far the share of fakes is from the mean probability."""
    weights = class_weights(is_fake)
    off = np.bincount(_bin_of(probabilities), weights * (probabilities - is_fake), NUM_BINS)
    return float(np.abs(off).sum())


def _bin_of(probabilities: np.ndarray) -> np.ndarray:
    return np.minimum((probabilities * NUM_BINS).astype(int), NUM_BINS - 1)


def reliability(is_fake: np.ndarray, probabilities: np.ndarray) -> tuple[ReliabilityBin, ...]:
    """Returns `NUM_BINS` equal-width bins over [0, 1]; real and fake weigh the same.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    is_fake, probabilities = np.asarray(is_fake), np.asarray(probabilities, np.float64)
    weights = class_weights(is_fake)
    bin_of = _bin_of(probabilities)
    bins = []
    for number in range(NUM_BINS):
        inside = bin_of == number
        share, probability, fake = (
            float(np.sum(weights[inside] * column[inside]))
            for column in (np.ones(len(weights)), probabilities, is_fake)
        )
        bins.append(
            ReliabilityBin(
                count=int(inside.sum()),
                share=share,
                mean_probability=probability / share if share else None,
                fake_share=fake / share if share else None,
            )
        )
    return tuple(bins)


def class_weights(is_fake: np.ndarray) -> np.ndarray:
    """Returns float64 [N] weights that sum to 1, divided equally between the classes present."""
    _, class_of, counts = np.unique(is_fake, return_inverse=True, return_counts=True)
    return 1 / (len(counts) * counts[class_of])


def equal_error_rate(fpr: np.ndarray, tpr: np.ndarray) -> np.ndarray:
    """Returns the fpr at which ROC curves, [..., K] from (0, 0) to (1, 1), have tpr = 1 - fpr."""
    gap = fpr - (1 - tpr)  # rises from -1 to 1
    after = np.argmax(gap >= 0, axis=-1)[..., None]
    ends = [np.take_along_axis(a, after - k, -1)[..., 0] for a in (gap, fpr) for k in (1, 0)]
    gap_before, gap_after, fpr_before, fpr_after = ends
    share = -gap_before / (gap_after - gap_before)
    return fpr_before + share * (fpr_after - fpr_before)


def tpr_at(fpr: np.ndarray, tpr: np.ndarray, max_fpr: float) -> np.ndarray:
    """Returns the highest tpr of ROC curves, [..., K], among points with fpr up to `max_fpr`."""
    return np.max(np.where(fpr <= max_fpr, tpr, 0.0), axis=-1)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
