"""Fits probabilities and thresholds to logits, on validation videos only."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.special import logit

from dfjax.config import CalibrationConfig, EvidenceConfig, OperatingPoint
from dfjax.errors import DatasetError
from dfjax.evaluation import estimates, thresholds
from dfjax.evaluation.bootstrap import Draws
from dfjax.evaluation.evidence_fit import fit_evidence, fit_exponent
from dfjax.evaluation.scores import Scores, frame_scores, heard_clips, video_scores
from dfjax.evaluation.scoring import ScoredClip, main_faces
from dfjax.inference.probabilities import probabilities
from dfjax.shown_numbers import threshold_percent

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


def calibrate_on(
    scored: Sequence[ScoredClip],
    *,
    max_false_positive_rate: float,
    max_false_negative_rate: float,
    burst_frames: int | None = None,
    mirror_bursts: bool = False,
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
      mirror_bursts: Whether the clips were scored so; see `dfjax.inference.mirroring`.

    Raises:
      DatasetError: There are no real or no fake videos.
    """
    scored = heard_clips(scored)
    videos = video_scores(scored, CalibrationConfig())
    counts = np.bincount(videos.is_fake, minlength=2)
    if counts.min() == 0:
        raise DatasetError(
            f"The validation split has {counts[0]} real and {counts[1]} fake videos; calibration "
            "needs both. Add data sets that have them."
        )
    evidence = None
    if burst_frames is not None:
        evidence = _evidence(scored, burst_frames, max_false_positive_rate)
        videos = video_scores(scored, CalibrationConfig(evidence=evidence))
    scale, bias = fit_sigmoid(videos.logits, videos.is_fake, _alike(videos))
    # The video's label applies to the frames of its main face only.
    frames = frame_scores(main_faces(scored), CalibrationConfig())
    frame_scale, frame_bias = fit_sigmoid(frames.logits, frames.is_fake, _alike(frames))
    fitted = probabilities(scale * videos.logits + bias)
    real_below, fake_above = thresholds.thresholds(
        fitted,
        videos.is_fake,
        max_false_positive_rate,
        max_false_negative_rate,
        groups=videos.groups,
        datasets=videos.datasets,
    )
    at_rates: dict[float, float] = {}
    for rate in sorted({*OPERATING_RATES, max_false_positive_rate}, reverse=True):
        # For a lower rate more data sets are pooled, which may lower the threshold.
        threshold = _fake_above(videos, fitted, rate)
        if threshold is not None:
            at_rates[rate] = max(threshold, *at_rates.values(), 0.0)
    if fake_above is not None:
        # As for the operating points: fewer accusations must not come from a lower threshold.
        fake_above = max(fake_above, at_rates.get(max_false_positive_rate, 0.0))
        # Nor may one rate have two thresholds, where those that crossed were moved to the middle.
        for rate in at_rates:
            if rate <= max_false_positive_rate:
                at_rates[rate] = max(at_rates[rate], fake_above)
    calibration = CalibrationConfig(
        evidence=evidence,
        mirror_bursts=mirror_bursts,
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
            for rate, threshold in sorted(at_rates.items())
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


def _evidence(
    scored: Sequence[ScoredClip], burst_frames: int, max_false_positive_rate: float
) -> EvidenceConfig | None:
    """Returns a model of evidence with which videos of many real faces keep the threshold's rate.

    The threshold depends on the exponent over faces, but hardly: most videos show one face.
    """
    config = fit_evidence(scored, burst_frames=burst_frames)
    if config is None:
        return None
    videos = video_scores(scored, CalibrationConfig(evidence=config))
    threshold = _fake_above(videos, probabilities(videos.logits), max_false_positive_rate)
    if threshold is None:
        return config
    exponent = fit_exponent(scored, config, float(logit(threshold)))
    return dataclasses.replace(config, face_exponent=exponent)


def _fake_above(videos: Scores, fitted: np.ndarray, rate: float) -> float | None:
    return thresholds.fake_above(
        fitted, videos.is_fake, rate, groups=videos.groups, datasets=videos.datasets
    )


def correction_share(scored: Sequence[ScoredClip]) -> float:
    """Returns the factor for the LSTM's correction, from 0 to 1 in steps of 0.05.

    The LSTM learns to correct frame logits of videos the encoder was trained on, where they are
    more confident than elsewhere, so it corrects too much on unseen videos. The factor is the
    smallest whose calibrated probabilities fit the labels of the validation videos, with equal
    weight for each data set, no worse than the best one's, up to one standard error over groups of
    people: what is not shown to help is left out (the rule of Breiman, Friedman, Olshen and Stone,
    Classification and Regression Trees, 1984).

    Args:
      scored: As for `calibrate_on`.
    """
    shares = [number / 20 for number in range(21)]
    videos = [video_scores(with_correction(scored, share), CalibrationConfig()) for share in shares]
    losses = [_losses(each) for each in videos]
    least = min(losses, key=np.sum)
    worse = [of_share - least for of_share in losses]
    return next(
        share
        for share, by in zip(shares, worse, strict=True)
        if by.sum() <= _standard_error(by, videos[0])
    )


def _losses(videos: Scores) -> np.ndarray:
    """Returns what each video adds to the calibrated loss, float64 [N]; data sets weigh alike."""
    weights = _alike(videos)
    scale, bias = fit_sigmoid(videos.logits, videos.is_fake, weights)
    logits = scale * videos.logits + bias
    return _within_classes(weights, videos) * (np.logaddexp(0, logits) - videos.is_fake * logits)


def _within_classes(weights: np.ndarray, videos: Scores) -> np.ndarray:
    """Returns the weights, scaled so that they add up to 1 for each label."""
    scaled = weights.copy()
    for of in _classes(videos):
        scaled[of] /= scaled[of].sum()
    return scaled


def _standard_error(values: np.ndarray, videos: Scores) -> float:
    """Returns the standard error of a sum of weighted means, one for each label.

    Args:
      values: float64 [N], each video's part of the sum.
      videos: The videos. Groups of people are independent of each other.
    """
    weights = _within_classes(_alike(videos), videos)
    apart = values.copy()
    for of in _classes(videos):
        apart[of] -= weights[of] * values[of].sum()
    _, group_of = np.unique(videos.groups, return_inverse=True)
    of_groups = np.bincount(group_of, weights=apart)
    num_groups = len(of_groups)
    return float(np.sqrt((of_groups**2).sum() * num_groups / max(1, num_groups - 1)))


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
    # A data set of a handful of people says too little to take the verdicts of all others away.
    aucs = dict(
        zip(
            np.unique(videos.datasets).tolist(),
            estimates.auc_of_datasets(videos, Draws.of(videos.groups)),
            strict=True,
        )
    )
    large = {name: auc for name, auc in aucs.items() if auc.interval is not None}
    auc = estimates.mean((large or aucs).values())
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
        measured += f", over {np.isin(videos.datasets, list(large)).sum()} validation videos"
    return (
        f"This model has not been shown to do better than chance ({measured}), "
        "so it gives no verdict. Treat its scores as experimental."
    )


def _too_few(videos: Scores, false_positive_rate: float, false_negative_rate: float) -> str:
    """Returns the caveat for a model that was calibrated on too few people for its rates."""
    real, fake = (len(np.unique(videos.groups[of])) for of in _classes(videos))
    of_real, of_fake = map(thresholds.groups_needed, (false_positive_rate, false_negative_rate))
    return (
        f"This model gives no verdict, because it was calibrated on too few people: {real} groups "
        f"of them in real videos and {fake} in fakes. To promise at most "
        f"{threshold_percent(false_positive_rate)} false positives among new people takes "
        f"{of_real} groups, and at most {threshold_percent(false_negative_rate)} false negatives "
        f"about {of_fake} in each data set. Its probabilities are calibrated."
    )
