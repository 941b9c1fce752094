"""Fits probabilities and thresholds to logits, on validation videos only."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize

from dfjax.config import CalibrationConfig, OperatingPoint
from dfjax.errors import DatasetError
from dfjax.evaluation import estimates
from dfjax.evaluation.bootstrap import Draws
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
    datasets: np.ndarray | None = None,
) -> tuple[float, float]:
    """Returns `real_below` and `fake_above`; between them the verdict is "uncertain".

    In each data set separately, at most `max_false_positive_rate` of the real videos score above
    `fake_above`: a model that is right on one source is often wrong on the next, and an average
    over sources would hide that. Data sets too small to measure the rate are taken together.

    At most `max_false_negative_rate` of the fakes, a mean over the data sets, score below
    `real_below`. It is a mean, and a rate of its own, because some kinds of fakes are hardly found
    at all: a threshold low enough for them too would leave most honest videos without an answer. If
    the classes separate so well that the two thresholds cross, both are set to their midpoint.

    Args:
      probabilities: float [N], calibrated.
      is_fake: [N], 0 or 1, both present.
      max_false_positive_rate: Between 0 and 1.
      max_false_negative_rate: Between 0 and 1.
      datasets: str [N], the data set of each; None: all from one.
    """
    probabilities, fake = np.asarray(probabilities, np.float64), np.asarray(is_fake).astype(bool)
    datasets = np.zeros(len(fake), str) if datasets is None else np.asarray(datasets)
    fake_above = _fake_above(probabilities, fake, max_false_positive_rate, datasets)
    lowest_fake = _lowest_kept(probabilities[fake], datasets[fake], max_false_negative_rate)
    below = probabilities[probabilities < lowest_fake].max(initial=0.0)
    real_below = _between(below, lowest_fake)
    if real_below > fake_above:
        real_below = fake_above = _between(fake_above, real_below)
    return real_below, fake_above


def _fake_above(
    probabilities: np.ndarray, fake: np.ndarray, rate: float, datasets: np.ndarray
) -> float:
    """Returns a threshold exceeded by at most `rate` of the real videos of each data set."""
    highest_real = _exceeded_by(probabilities[~fake], datasets[~fake], rate)
    # Halfway to the next score: at the score itself, rounding would decide that video's verdict.
    above = probabilities[probabilities > highest_real].min(initial=1.0)
    return _between(highest_real, above)


def _exceeded_by(values: np.ndarray, datasets: np.ndarray, share: float) -> float:
    """Returns the smallest value exceeded by at most `share` of the values of each data set.

    In a data set with too few values for one of them to be within the share, the highest would
    decide alone. Such data sets count as one; if that is too small as well, they count with all.
    """

    def num_allowed(count: int) -> int:
        # Slightly more, so that rounding does not lose one when the share is exact.
        return int(share * count * (1 + 1e-9))

    names, counts = np.unique(datasets, return_counts=True)
    large = [name for name, n in zip(names, counts.tolist(), strict=True) if num_allowed(n) > 0]
    parts = [values[datasets == name] for name in large]
    rest = values[~np.isin(datasets, large)]
    if len(rest):
        parts.append(rest if num_allowed(len(rest)) > 0 else values)
    highest = [np.sort(part)[::-1][min(num_allowed(len(part)), len(part) - 1)] for part in parts]
    return float(max(highest))


def _lowest_kept(values: np.ndarray, datasets: np.ndarray, share: float) -> float:
    """Returns the largest value below which at most `share` lies, a mean over data sets."""
    _, set_of, counts = np.unique(datasets, return_inverse=True, return_counts=True)
    order = np.argsort(values, kind="stable")
    below = np.cumsum((1 / counts[set_of] / len(counts))[order])  # with the value itself
    first_kept = np.searchsorted(below, share * (1 + 1e-9), side="right")
    return float(values[order][min(first_kept, len(values) - 1)])


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
) -> CalibrationConfig:
    """Returns the calibration that turns a detector's logits into probabilities and a verdict.

    Data sets have equal weight whatever their size, also those with real videos only; for the rates
    see `thresholds`. If the model's AUC may be no better than chance, it gets thresholds
    that no probability crosses, and a caveat that says so; its operating points are still fitted.

    Args:
      scored: All clips of the validation videos, and no others.
      max_false_positive_rate: Share of real videos above `fake_above`, between 0 and 1.
      max_false_negative_rate: Share of fake videos below `real_below`, between 0 and 1.

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
    weights = _alike(videos)
    scale, bias = fit_sigmoid(videos.logits, videos.is_fake, weights)
    # The video's label applies to the frames of its main face only.
    frames = frame_scores(main_faces(scored), CalibrationConfig())
    frame_scale, frame_bias = fit_sigmoid(frames.logits, frames.is_fake, _alike(frames))
    fitted = probabilities(scale * videos.logits + bias)
    real_below, fake_above = thresholds(
        fitted,
        videos.is_fake,
        max_false_positive_rate,
        max_false_negative_rate,
        videos.datasets,
    )
    rates = sorted({*OPERATING_RATES, max_false_positive_rate})
    points = tuple(
        OperatingPoint(
            false_positive_rate=rate,
            fake_above=_fake_above(fitted, videos.is_fake == 1, rate, videos.datasets),
        )
        for rate in rates
    )
    calibration = CalibrationConfig(
        scale=scale,
        bias=bias,
        frame_scale=frame_scale,
        frame_bias=frame_bias,
        real_below=real_below,
        fake_above=fake_above,
        false_positive_rate=max_false_positive_rate,
        false_negative_rate=max_false_negative_rate,
        operating_points=points,
    )
    caveat = _caveat(videos)
    if caveat is None:
        return calibration
    # A threshold can be fitted to any scores, even random ones. Calling someone's video fake by
    # such a threshold would be a baseless accusation.
    return dataclasses.replace(
        calibration,
        real_below=0.0,
        fake_above=1.0,
        false_positive_rate=0.0,
        false_negative_rate=0.0,
        caveat=caveat,
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

    That is the verdict's threshold. A model too weak for verdicts is measured at its operating
    point with the highest false-positive rate instead, so that the figures show how weak it is.
    """
    if calibration.fake_above == 1.0 and calibration.operating_points:
        return calibration.operating_points[-1].fake_above
    return calibration.fake_above


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
