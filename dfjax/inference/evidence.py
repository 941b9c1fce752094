"""Weighs the evidence of a video's frames: is a face fake, in which stretch, and which of them?

A face is seen in bursts of frames. The mean logit of a burst is modelled as a level that the person
has in this video, plus noise. Three explanations of a face's bursts are compared by how probable
they make them:

- *real*: the level is that of a real face, from a normal distribution;
- *fake*: the level is that of a fake, from another one;
- *fake in a stretch*: the bursts of one stretch have the level of a fake and the others that of the
  real face, of the same person, so that the two levels are correlated.

A stretch of a real video may drift from its person's level, too; that is part of the noise. All
stretches are possible: their length has the same chance on a logarithmic scale, their place the
same everywhere. A face's Bayes factor, the ratio of the probabilities if it is fake and if it is
real, is the mean over these explanations. That of a video is the mean over its faces, because one
fake face makes a video fake. So what one looks at longer, or at more faces, must be more suspicious
to weigh as much: a mean over many explanations grows only if one of them is much better than all
the others. If the model of real faces is right, the expectation of a Bayes factor over real videos
is 1 at any length and for any number of faces, so by Markov's inequality at most 5% cross 20.

Source: after Neill, Moore and Cooper, A Bayesian spatial scan statistic, NIPS 2005.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from dfjax.config import CalibrationConfig, EvidenceConfig
from dfjax.inference.probabilities import calibrated_clip_logits

_BURST_GAP = 0.25
"""Seconds: frames further apart do not belong to one burst."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stretch:
    """A stretch of a face's frames that explains them better than no manipulation at all."""

    first: int  # index of its first frame among the face's
    last: int  # of its last frame, inclusive
    probability: float  # that frames of the face are fake and lie in about this stretch

    def between(self, timestamps: np.ndarray) -> tuple[float, float]:
        """Returns where it starts and ends, seconds: halfway to the face's frames around it.

        Args:
          timestamps: float64 [n], seconds, of the face's frames.
        """
        before, after = max(self.first - 1, 0), min(self.last + 1, len(timestamps) - 1)
        start = (timestamps[before] + timestamps[self.first]) / 2
        end = (timestamps[self.last] + timestamps[after]) / 2
        return float(start), float(end)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the frames of one face say."""

    log_bayes_factor: float  # natural logarithm; positive speaks for a fake
    stretch: Stretch | None  # None: the face is fake as a whole, or not at all


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bursts:
    """The frames of one face, in B bursts."""

    means: np.ndarray  # float64 [B], of the frame logits
    sizes: np.ndarray  # int64 [B], frames
    starts: np.ndarray  # int64 [B], index of the first frame among the face's

    @classmethod
    def of(cls, frame_logits: np.ndarray, timestamps: np.ndarray, burst_frames: int) -> "Bursts":
        """Returns the bursts of a face's frames.

        Args:
          frame_logits: float [n], n at least 1.
          timestamps: float [n], seconds, increasing.
          burst_frames: Most frames of a burst.
        """
        new = np.diff(timestamps, prepend=-np.inf) > _BURST_GAP
        runs = np.flatnonzero(new)
        lengths = np.diff(np.append(runs, len(new)))
        starts = np.concatenate(
            [np.arange(run, run + n, burst_frames) for run, n in zip(runs, lengths, strict=True)]
        )
        sizes = np.diff(np.append(starts, len(new)))
        sums = np.add.reduceat(np.asarray(frame_logits, np.float64), starts)
        return cls(means=sums / sizes, sizes=sizes, starts=starts)


def corrected_logits(frame_logits: np.ndarray, clip_logit: float) -> np.ndarray:
    """Returns frame logits whose mean is the clip's logit: with the LSTM's correction in each."""
    logits = np.asarray(frame_logits, np.float64)
    return logits + (clip_logit - logits.mean())


class FaceFrames(NamedTuple):
    """The detector's logits of one face; positive means fake."""

    frame_logits: np.ndarray  # float [n]
    clip_logit: float
    timestamps: np.ndarray  # float64 [n], seconds, increasing


def video_logit(faces: Sequence[FaceFrames], calibration: CalibrationConfig) -> float:
    """Returns the calibrated logit of a video with these faces, at least one."""
    if calibration.evidence is None:
        return max(calibrated_clip_logits(face.clip_logit, calibration) for face in faces)
    config = calibration.evidence
    factors = [evidence_of(face, config).log_bayes_factor for face in faces]
    return calibrated_clip_logits(video_log_factor(np.array(factors)), calibration)


def evidence_of(face: FaceFrames, config: EvidenceConfig) -> Evidence:
    """Returns what the frames of one face say."""
    logits = corrected_logits(face.frame_logits, face.clip_logit)
    return face_evidence(Bursts.of(logits, face.timestamps, config.burst_frames), config)


def face_evidence(bursts: Bursts, config: EvidenceConfig) -> Evidence:
    """Returns what the bursts of one face say."""
    num = len(bursts.means)
    precisions = 1 / (config.burst_noise**2 + config.frame_noise**2 / bursts.sizes)
    whole_level = float(precisions @ bursts.means / precisions.sum())
    whole = _whole_log_factor(whole_level, 1 / precisions.sum(), config)
    if num == 1:
        return Evidence(log_bayes_factor=whole, stretch=None)

    # Every stretch but the whole: from its first burst to before its end.
    first, end = (index.ravel() for index in np.triu_indices(num + 1, 1))
    kept = end - first < num
    first, end = first[kept], end[kept]
    sums = np.append(0, np.cumsum(precisions)), np.append(0, np.cumsum(precisions * bursts.means))
    inside, weighted = (total[end] - total[first] for total in sums)
    outside, others = sums[0][-1] - inside, sums[1][-1] - weighted
    factors = _stretch_log_factors(
        weighted / inside, 1 / inside, others / outside, 1 / outside, config
    )
    lengths = end - first
    weights = -np.log(lengths) - np.log(num + 1 - lengths)  # equal chances within a length
    log_chances = factors + weights - logsumexp(weights)
    part = float(logsumexp(log_chances))
    parts = np.log1p(-config.partial_share) + whole, np.log(config.partial_share) + part
    log_bayes_factor = float(np.logaddexp(*parts))
    if parts[1] <= parts[0]:
        return Evidence(log_bayes_factor=log_bayes_factor, stretch=None)

    best = int(np.argmax(log_chances))
    common = np.minimum(end, end[best]) - np.maximum(first, first[best])
    alike = common / (np.maximum(end, end[best]) - np.minimum(first, first[best])) >= 0.5
    in_about = np.log(config.partial_share) + logsumexp(log_chances[alike])
    last = bursts.starts[end[best]] if end[best] < num else bursts.starts[-1] + bursts.sizes[-1]
    return Evidence(
        log_bayes_factor=log_bayes_factor,
        stretch=Stretch(
            first=int(bursts.starts[first[best]]),
            last=int(last) - 1,
            # Over everything that the frames may be, real with even odds.
            probability=float(np.exp(in_about - np.logaddexp(0, log_bayes_factor))),
        ),
    )


def video_log_factor(log_bayes_factors: np.ndarray) -> float:
    """Returns the log Bayes factor of a video, of which one face is fake, or none.

    Args:
      log_bayes_factors: float [F], of its faces, at least one.
    """
    return float(logsumexp(log_bayes_factors) - np.log(len(log_bayes_factors)))


def _whole_log_factor(level: float, variance: float, config: EvidenceConfig) -> float:
    """Returns how much more probable a level is if all of the face is fake, as a logarithm."""
    total = config.person_spread**2 + variance
    middle = (config.fake_level + config.real_level) / 2
    return (config.fake_level - config.real_level) * (level - middle) / total


def _stretch_log_factors(
    inside: np.ndarray,
    inside_variance: np.ndarray,
    outside: np.ndarray,
    outside_variance: np.ndarray,
    config: EvidenceConfig,
) -> np.ndarray:
    """Returns how much more probable two levels are if the inner one is a fake's, as logarithms."""
    person = config.person_spread**2
    a = person + inside_variance + config.drift**2
    b = person + outside_variance
    real = _log_normal(inside - config.real_level, outside - config.real_level, a, b, person)
    shared = config.pair_correlation * person
    fake = _log_normal(inside - config.fake_level, outside - config.real_level, a, b, shared)
    return fake - real


def _log_normal(
    x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, shared: float
) -> np.ndarray:
    """Returns log densities of 2-d normals at (x, y), less a constant.

    Their covariances are [[a, shared], [shared, b]].
    """
    determinant = a * b - shared**2
    distance = (b * x**2 - 2 * shared * x * y + a * y**2) / determinant
    return -0.5 * (distance + np.log(determinant))
