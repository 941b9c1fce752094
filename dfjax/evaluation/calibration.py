"""From logits to probabilities and thresholds, fitted on validation videos only."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from dfjax.config import CalibrationConfig


def fit_sigmoid(logits: np.ndarray, is_fake: np.ndarray) -> tuple[float, float]:
    """Returns the scale and bias of `sigmoid(scale * logit + bias)` that fit the labels best.

    Real and fake weigh alike, whatever their counts: the probability is that of a clip which may
    be either with equal chance. The targets are Platt's, a little inside 0 and 1, so that a
    perfectly separated small set does not give an endless scale.

    Args:
      logits: float [N].
      is_fake: [N], 0 or 1, both present.

    Returns:
      The scale, positive, and the bias.

    Source: Platt, Probabilistic outputs for support vector machines, 1999.
    """
    logits, fake = np.asarray(logits, np.float64), np.asarray(is_fake).astype(bool)
    num_fake, num_real = fake.sum(), (~fake).sum()
    targets = np.where(fake, (num_fake + 1) / (num_fake + 2), 1 / (num_real + 2))
    weights = np.where(fake, 0.5 / num_fake, 0.5 / num_real)
    spread = logits.std() or 1.0

    def loss(parameters: np.ndarray) -> float:
        z = np.exp(parameters[0]) * logits / spread + parameters[1]
        return float(np.sum(weights * (np.logaddexp(0, z) - targets * z)))

    # The logarithm of the scale is fitted: a negative scale would turn the order of scores round.
    # It is bounded below, where scores say nothing and the best scale would be zero.
    fitted = minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=[(-5.0, 5.0), (None, None)])
    return float(np.exp(fitted.x[0]) / spread), float(fitted.x[1])


def thresholds(
    probabilities: np.ndarray, is_fake: np.ndarray, max_false_positive_rate: float
) -> tuple[float, float]:
    """Returns `real_below` and `fake_above`: between them lies the verdict "uncertain".

    At most `max_false_positive_rate` of the real videos score over `fake_above`, and at most the
    same share of the fake ones under `real_below`. Where the two cross, because the classes are
    told apart better than asked, both become their middle.

    Args:
      probabilities: float [N], calibrated.
      is_fake: [N], 0 or 1, both present.
      max_false_positive_rate: Between 0 and 1.
    """
    probabilities, fake = np.asarray(probabilities, np.float64), np.asarray(is_fake).astype(bool)
    rate = max_false_positive_rate
    highest_real = np.quantile(probabilities[~fake], 1 - rate, method="higher")
    lowest_fake = np.quantile(probabilities[fake], rate, method="lower")
    # Half-way to the next score: on the score itself, rounding would decide that video's verdict.
    above = probabilities[probabilities > highest_real].min(initial=1.0)
    below = probabilities[probabilities < lowest_fake].max(initial=0.0)
    fake_above, real_below = _between(highest_real, above), _between(below, lowest_fake)
    if real_below > fake_above:
        real_below = fake_above = _between(fake_above, real_below)
    return real_below, fake_above


def _between(low: float, high: float) -> float:
    """Returns the middle of two numbers, rounded as far as it stays between them.

    People read thresholds, and digits that mean nothing are in their way.
    """
    middle = float(low + high) / 2
    rounded = (round(middle, decimals) for decimals in range(2, 17))
    return next((r for r in rounded if low < r < high), middle)


def calibrate(
    *,
    clip_logits: np.ndarray,
    is_fake: np.ndarray,
    frame_logits: np.ndarray,
    frame_is_fake: np.ndarray,
    max_false_positive_rate: float,
) -> CalibrationConfig:
    """Returns what a detector publishes to turn its logits into probabilities and a verdict.

    Args:
      clip_logits: float [N], one per validation video.
      is_fake: [N], 0 or 1.
      frame_logits: float [M], one per validation frame.
      frame_is_fake: [M], 0 or 1.
      max_false_positive_rate: Of real videos at `fake_above`.
    """
    scale, bias = fit_sigmoid(clip_logits, is_fake)
    frame_scale, frame_bias = fit_sigmoid(frame_logits, frame_is_fake)
    real_below, fake_above = thresholds(
        expit(scale * np.asarray(clip_logits) + bias), is_fake, max_false_positive_rate
    )
    return CalibrationConfig(
        scale=scale,
        bias=bias,
        frame_scale=frame_scale,
        frame_bias=frame_bias,
        real_below=real_below,
        fake_above=fake_above,
        false_positive_rate=max_false_positive_rate,
    )
