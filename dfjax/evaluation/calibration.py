"""Fits probabilities and thresholds to logits, on validation videos only."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize

from dfjax.config import CalibrationConfig, OperatingPoint
from dfjax.errors import DatasetError
from dfjax.evaluation import estimates
from dfjax.evaluation.bootstrap import Draws
from dfjax.evaluation.evidence_fit import fit_evidence
from dfjax.evaluation.scores import Scores, frame_scores, video_scores
from dfjax.evaluation.scoring import ScoredClip, main_faces
from dfjax.inference.probabilities import probabilities

OPERATING_RATES = (0.01, 0.05)
"""False-positive rates for which a threshold is published, in addition to the verdict's."""


def fit_sigmoid(
    logits: np.ndarray, is_fake: np.ndarray, weights: np.ndarray | None = None
) -> tuple[float, float]:
    """Fits `sigmoid(scale * logit + bias)` to the labels and returns scale and bias.

    Real and fake get equal total weight whatever their counts, so the probability assumes equal
    priors. The targets are Platt's, slightly inside 0 and 1, so that a perfectly separated small
    set does not give an infinite scale.

    Args:
      logits: float [N].
      is_fake: [N], 0 or 1, both present.
      weights: float [N], positive, relative weights within each class; None: all equal.

    Returns:
      The scale, positive, and the bias.

    Source: Platt, Probabilistic outputs for support vector machines, 1999.
    """
    logits, fake = np.asarray(logits, np.float64), np.asarray(is_fake).astype(bool)
    num_fake, num_real = fake.sum(), (~fake).sum()
    targets = np.where(fake, (num_fake + 1) / (num_fake + 2), 1 / (num_real + 2))
    weights = np.ones(len(logits)) if weights is None else np.asarray(weights, np.float64)
    weights = 0.5 * weights / np.where(fake, weights[fake].sum(), weights[~fake].sum())
    spread = logits.std() or 1.0

    def loss(parameters: np.ndarray) -> float:
        z = np.exp(parameters[0]) * logits / spread + parameters[1]
        return float(np.sum(weights * (np.logaddexp(0, z) - targets * z)))

    # The logarithm of the scale is fitted: a negative scale would reverse the order of scores.
    # It is bounded below, because the best scale of uninformative scores is zero.
    fitted = minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=[(-5.0, 5.0), (None, None)])
    return float(np.exp(fitted.x[0]) / spread), float(fitted.x[1])


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
    fake_above = _fake_above(probabilities, fake, max_false_positive_rate, groups, datasets)
    real_below = _real_below(probabilities, fake, max_false_negative_rate, groups, datasets)
    if real_below is not None and fake_above is not None and real_below > fake_above:
        real_below = fake_above = _between(fake_above, real_below)
    return real_below, fake_above


def groups_needed(rate: float) -> int:
    """Returns how many groups of identities a threshold with that error rate takes."""
    return math.ceil(round(1 / rate - 1, 9))


def _fake_above(
    probabilities: np.ndarray,
    fake: np.ndarray,
    rate: float,
    groups: np.ndarray,
    datasets: np.ndarray,
) -> float | None:
    """Returns a threshold that a new real video exceeds with a probability of at most `rate`."""
    values, groups, datasets = probabilities[~fake], groups[~fake], datasets[~fake]
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
    return _between(highest, probabilities[probabilities > highest].min(initial=1.0))


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


def _real_below(
    probabilities: np.ndarray,
    fake: np.ndarray,
    rate: float,
    groups: np.ndarray,
    datasets: np.ndarray,
) -> float | None:
    """Returns a threshold below which a new fake scores with a probability of at most `rate`."""
    values, groups, datasets = probabilities[fake], groups[fake], datasets[fake]
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
    return _between(probabilities[probabilities < lowest].max(initial=0.0), lowest)


def _between(low: float, high: float) -> float:
    """Returns the midpoint of two numbers, in as few decimals as keep it between them.

    People read thresholds, and meaningless digits get in the way.
    """
    middle = float(low + high) / 2
    rounded = (round(middle, decimals) for decimals in range(2, 17))
    return next((r for r in rounded if low < r < high), middle)


def calibrate_on(
    scored: Sequence[ScoredClip],
    *,
    max_false_positive_rate: float,
    max_false_negative_rate: float,
    burst_frames: int | None = None,
) -> CalibrationConfig:
    """Returns the calibration that turns a detector's logits into probabilities and a verdict.

    Data sets have equal weight whatever their size, also those with real videos only; for the rates
    see `thresholds`. If the model's AUC may be no better than chance, or there are too few people
    for the rates, it gets thresholds that no probability crosses, and a caveat that says so.
    Operating points are published for the rates that there are enough people for.

    Args:
      scored: All clips of the validation videos, and no others.
      max_false_positive_rate: Share of real videos above `fake_above`, between 0 and 1.
      max_false_negative_rate: Share of fake videos below `real_below`, between 0 and 1.
      burst_frames: Most frames of a burst, for a model of evidence; see `dfjax.inference.evidence`.
        None: without one, the highest of the faces' clip logits decides.

    Raises:
      DatasetError: There are no real or no fake videos.
    """
    videos = video_scores(scored, CalibrationConfig())
    counts = np.bincount(videos.is_fake, minlength=2)
    if counts.min() == 0:
        raise DatasetError(
            f"The validation split has {counts[0]} real and {counts[1]} fake videos; calibration "
            "needs both. Add data sets with --validation-data."
        )
    evidence = None
    if burst_frames is not None:
        evidence = fit_evidence(scored, burst_frames=burst_frames)
        videos = video_scores(scored, CalibrationConfig(evidence=evidence))
    scale, bias = fit_sigmoid(videos.logits, videos.is_fake, _alike(videos))
    # The video's label applies to the frames of its main face only.
    frames = frame_scores(main_faces(scored), CalibrationConfig())
    frame_scale, frame_bias = fit_sigmoid(frames.logits, frames.is_fake, _alike(frames))
    fitted = probabilities(scale * videos.logits + bias)
    real_below, fake_above = thresholds(
        fitted,
        videos.is_fake,
        max_false_positive_rate,
        max_false_negative_rate,
        groups=videos.groups,
        datasets=videos.datasets,
    )
    at_rates = {
        rate: _fake_above(fitted, videos.is_fake == 1, rate, videos.groups, videos.datasets)
        for rate in sorted({*OPERATING_RATES, max_false_positive_rate})
    }
    calibration = CalibrationConfig(
        evidence=evidence,
        scale=scale,
        bias=bias,
        frame_scale=frame_scale,
        frame_bias=frame_bias,
        real_below=0.0,
        fake_above=1.0,
        false_positive_rate=0.0,
        false_negative_rate=0.0,
        operating_points=tuple(
            OperatingPoint(false_positive_rate=rate, fake_above=threshold)
            for rate, threshold in at_rates.items()
            if threshold is not None
        ),
        caveat=_caveat(videos),
    )
    # A threshold can be fitted to any scores, even random ones. Calling someone's video fake by
    # such a threshold would be a baseless accusation.
    if calibration.caveat is not None:
        return calibration
    if real_below is None or fake_above is None:
        wanted = (max_false_positive_rate, max_false_negative_rate)
        return dataclasses.replace(calibration, caveat=_too_few(videos, *wanted))
    return dataclasses.replace(
        calibration,
        real_below=real_below,
        fake_above=fake_above,
        false_positive_rate=max_false_positive_rate,
        false_negative_rate=max_false_negative_rate,
    )


def correction_share(scored: Sequence[ScoredClip]) -> float:
    """Returns the factor for the LSTM's correction, from 0 to 1 in steps of 0.05.

    The LSTM learns to correct frame logits of videos the encoder was trained on, where they are
    more confident than elsewhere, so it corrects too much on unseen videos. The factor is the one
    whose calibrated probabilities fit the labels of the validation videos best, with equal weight
    for each data set.

    Args:
      scored: As for `calibrate_on`.
    """

    def misfit(share: float) -> float:
        videos = video_scores(with_correction(scored, share), CalibrationConfig())
        weights = _alike(videos)
        scale, bias = fit_sigmoid(videos.logits, videos.is_fake, weights)
        logits = scale * videos.logits + bias
        losses = np.logaddexp(0, logits) - videos.is_fake * logits
        return float(sum(np.average(losses[of], weights=weights[of]) for of in _classes(videos)))

    # From 1 down, so that a tie keeps the correction as it was learnt.
    return min((number / 20 for number in range(20, -1, -1)), key=misfit)


def with_correction(scored: Sequence[ScoredClip], share: float) -> list[ScoredClip]:
    """Returns the clips with the LSTM's correction multiplied by `share`."""
    means = [float(clip.frame_logits.mean()) for clip in scored]
    return [
        dataclasses.replace(clip, clip_logit=mean + share * (clip.clip_logit - mean))
        for clip, mean in zip(scored, means, strict=True)
    ]


def _classes(videos: Scores) -> tuple[np.ndarray, np.ndarray]:
    return videos.is_fake == 0, videos.is_fake == 1


def frozen_threshold(calibration: CalibrationConfig) -> float:
    """Returns the probability above which the figures count a video as called fake.

    That is the verdict's threshold. A model without verdicts is measured at its operating point
    with the highest false-positive rate instead, or without any at even odds, so that the figures
    show how weak it is.
    """
    if calibration.fake_above < 1.0:
        return calibration.fake_above
    points = calibration.operating_points
    return points[-1].fake_above if points else 0.5


def threshold_at(calibration: CalibrationConfig, false_positive_rate: float) -> float:
    """Returns the threshold of the operating point with that rate, or else the frozen one."""
    for point in calibration.operating_points:
        if point.false_positive_rate == false_positive_rate:
            return point.fake_above
    return frozen_threshold(calibration)


def _alike(scores: Scores) -> np.ndarray:
    """Returns float64 [N] weights that are equal in total for each data set within a class."""
    cells = np.char.add(np.char.add(scores.datasets, "/"), scores.is_fake.astype(str))
    _, cell_of, counts = np.unique(cells, return_inverse=True, return_counts=True)
    return 1 / counts[cell_of]


def _caveat(videos: Scores) -> str | None:
    """Returns a caveat for a model that was not shown to beat chance; None for one that was."""
    auc = estimates.auc_over_datasets(videos, Draws.of(videos.groups))
    if auc.interval is not None and auc.interval[0] > 0.5:
        return None
    if not auc.is_measured:
        measured = "no data set has both real and fake validation videos"
    elif auc.interval is None:
        measured = f"AUC {auc.value:.2f}, no interval: {auc.reason}"
    else:
        measured = "AUC {:.2f} with a 95% interval from {:.2f} to {:.2f}".format(
            auc.value, *auc.interval
        )
        measured += f", over {len(videos)} validation videos"
    return (
        f"This model has not been shown to do better than chance ({measured}), "
        "so it gives no verdict. Treat its scores as experimental."
    )


def _too_few(videos: Scores, false_positive_rate: float, false_negative_rate: float) -> str:
    """Returns the caveat for a model that was calibrated on too few people for its rates."""
    real, fake = (len(np.unique(videos.groups[of])) for of in _classes(videos))
    return (
        f"This model gives no verdict, because it was calibrated on too few people: {real} groups "
        f"of them in real videos and {fake} in fakes. To promise at most {false_positive_rate:.0%} "
        f"false positives among new people takes {groups_needed(false_positive_rate)} groups, and "
        f"at most {false_negative_rate:.0%} false negatives about "
        f"{groups_needed(false_negative_rate)} in each data set. Its probabilities are calibrated."
    )
