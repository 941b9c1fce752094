"""Weighs the evidence of a video's frames: is a face fake, in which stretch, and which of them?

A face is seen in bursts of frames. The mean logit of a burst is modelled as a level that the face
has in this video, plus noise, of which each face has its own amount: some people's scores hardly
move, others' change with every turn of the head. These explanations of a face's bursts are compared
by how probable they make them:

- *real*: the level is that of a real face, from a normal distribution. In some faces it is another
  one for a stretch, as when the light changes.
- *fake*: the same with the level of a fake.
- *fake in a stretch*: the bursts of one stretch have the level of a fake, the others that of a real
  face. Is the level of the stretch more like a fake's, or more like that of the rest of the face?

All stretches are possible: their length has the same chance on a logarithmic scale, their place the
same everywhere. That a fake fills a shorter stretch than the video gets more probable the longer
the video is: the length of fakes is taken to have a Pareto distribution, from three seconds up.

A face's Bayes factor is the probability of its bursts if it is fake over that if it is real. A mean
over many explanations grows only if one of them is much better than all the others, so what is
looked at for longer must be more suspicious to weigh as much. A video's factor is a power mean over
its faces. The mean itself would be right if the model of real faces were, and the highest of them
accuses more honest people the more faces are seen; the power is fitted so that real videos of many
faces are called fake as often as those of one.

Source: after Neill, Moore and Cooper, A Bayesian spatial scan statistic, NIPS 2005.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dfjax.config import CalibrationConfig, EvidenceConfig
from dfjax.inference.probabilities import calibrated_clip_logits, probabilities

SHORTEST_FAKE = 3.0
"""Seconds: every fake that is looked for fills at least so much of a video, or all of it."""

_BURST_GAP = 0.25
"""Seconds: frames further apart do not belong to one burst."""

_NOISE_GRID = np.linspace(-2.4, 2.4, 9)
"""Amounts of noise that a face may have, in standard deviations of its logarithm."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stretch:
    """A stretch of a face's frames that explains them better than no manipulation at all."""

    first: int  # index of its first frame among the face's
    last: int  # of its last frame, inclusive
    logit: float  # log odds that frames of the face are fake and lie in about this stretch

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

    logit: float  # log Bayes factor; without a model of evidence, the detector's logit of the clip
    stretch: Stretch | None  # None: the face is fake as a whole, or not at all


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bursts:
    """The frames of one face, in B bursts."""

    means: np.ndarray  # float64 [B], of the frame logits
    sizes: np.ndarray  # int64 [B], frames
    starts: np.ndarray  # int64 [B], index of the first frame among the face's
    times: np.ndarray  # float64 [B], seconds, of the first frame
    seconds: float  # from the first frame of the face to its last

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
        return cls(
            means=sums / sizes,
            sizes=sizes,
            starts=starts,
            times=np.asarray(timestamps, np.float64)[starts],
            seconds=float(timestamps[-1] - timestamps[0]),
        )


def most_suspicious(faces: Sequence["FaceFrames"], burst_frames: int) -> np.ndarray:
    """Returns when each burst begins, the most suspicious first: float64 [bursts], seconds.

    Args:
      faces: At least one.
      burst_frames: Most frames of a burst.
    """
    means, times = [], []
    for face in faces:
        bursts = Bursts.of(face.frame_logits, face.timestamps, burst_frames)
        means.append(bursts.means)
        times.append(face.timestamps[bursts.starts])
    order = np.argsort(-np.concatenate(means), kind="stable")
    return np.concatenate(times)[order]


class FaceFrames(NamedTuple):
    """The detector's logits of one face; positive means fake."""

    frame_logits: np.ndarray  # float [n]
    clip_logit: float
    timestamps: np.ndarray  # float64 [n], seconds, increasing


def corrected_logits(frame_logits: np.ndarray, clip_logit: float) -> np.ndarray:
    """Returns frame logits whose mean is the clip's logit: with the LSTM's correction in each."""
    logits = np.asarray(frame_logits, np.float64)
    return logits + (clip_logit - logits.mean())


def evidence_of(
    face: FaceFrames, calibration: CalibrationConfig, *, least_burst: int = 1
) -> Evidence:
    """Returns what the frames of one face say.

    Args:
      face: Its frames.
      calibration: The model's.
      least_burst: At least so many frames in a row count as one burst, also if the model's are
        shorter.
    """
    config = calibration.evidence
    if config is None:
        return Evidence(logit=face.clip_logit, stretch=None)
    logits = corrected_logits(face.frame_logits, face.clip_logit)
    burst_frames = max(config.burst_frames, least_burst)
    return face_evidence(Bursts.of(logits, face.timestamps, burst_frames), config)


class NamedStretch(NamedTuple):
    """A stretch that is worth naming."""

    stretch: Stretch
    probability_fake: float  # on the scale of the video and of its faces


def named_stretch(face: Evidence, calibration: CalibrationConfig) -> NamedStretch | None:
    """Returns the stretch of a face that is more likely fake than not; None if there is none.

    One whose probability would be called real is not named either.
    """
    if face.stretch is None:
        return None
    probability = float(probabilities(calibrated_clip_logits(face.stretch.logit, calibration)))
    is_named = probability > max(0.5, calibration.real_below)
    return NamedStretch(face.stretch, probability) if is_named else None


def video_logit(faces: Sequence[Evidence], calibration: CalibrationConfig) -> float:
    """Returns the calibrated logit of a video with these faces, at least one."""
    logits = np.array([face.logit for face in faces])
    config = calibration.evidence
    logit = logits.max() if config is None else of_many(logits, config.face_exponent)
    return float(calibrated_clip_logits(logit, calibration))


def level_calibration(calibration: CalibrationConfig) -> tuple[float, float]:
    """Returns the scale and bias that turn the logit of one face into its calibrated logit.

    This is all there is to say of a face that is seen in a single burst of frames, such as a
    picture, or by a model without `calibration.evidence`. Over several bursts, `face_evidence` also
    weighs whether the face changes in between.
    """
    config, scale, bias = calibration.evidence, calibration.scale, calibration.bias
    if config is None:
        return scale, bias
    # The logarithm of the ratio of two normal densities of one variance is linear.
    slope = (config.fake_level - config.real_level) / config.person_spread**2
    middle = (config.fake_level + config.real_level) / 2
    return scale * slope, bias - scale * slope * middle


def of_many(log_factors: np.ndarray, exponent: float) -> np.ndarray:
    """Returns the logarithm of the power mean of factors over the last axis.

    Args:
      log_factors: float [..., F], F at least 1.
      exponent: Of the power mean; 1 is the mean, infinity the maximum.
    """
    num_faces = np.shape(log_factors)[-1]
    return (_log_sum(exponent * log_factors, axis=-1) - np.log(num_faces)) / exponent


def face_evidence(bursts: Bursts, config: EvidenceConfig) -> Evidence:
    """Returns what the bursts of one face say."""
    explanations = explain(bursts, config)
    real, whole = explanations.real(config), explanations.fake(config)
    splits = explanations.splits
    partial_share = _partial_share(bursts.seconds, config)
    if splits is None or partial_share == 0:
        return Evidence(logit=whole - real, stretch=None)

    whole += np.log1p(-partial_share)
    in_stretch = splits.fake_inside + np.log(partial_share)
    partial = float(_log_sum(in_stretch))
    fake = float(np.logaddexp(whole, partial))
    if partial <= whole:
        return Evidence(logit=fake - real, stretch=None)

    first, end, num = splits.first, splits.end, len(bursts.means)
    best = int(np.argmax(in_stretch))
    common = np.minimum(end, end[best]) - np.maximum(first, first[best])
    alike = common / (np.maximum(end, end[best]) - np.minimum(first, first[best])) >= 0.5
    last = bursts.starts[end[best]] if end[best] < num else bursts.starts[-1] + bursts.sizes[-1]
    # Against everything else that the frames may be, with even odds of real and fake.
    others = np.logaddexp(np.logaddexp(real, whole), _log_sum(in_stretch[~alike]))
    return Evidence(
        logit=fake - real,
        stretch=Stretch(
            first=int(bursts.starts[first[best]]),
            last=int(last) - 1,
            logit=float(_log_sum(in_stretch[alike]) - others),
        ),
    )


class Splits(NamedTuple):
    """The explanations of a face that has two levels, one of them in a stretch, for S stretches.

    Log densities of the bursts with the chance of the stretch in them; up to the same constant as
    those of `Explanations`.
    """

    first: np.ndarray  # int64 [S], first burst of the stretch
    end: np.ndarray  # int64 [S], the burst after its last one
    real_changed: np.ndarray  # float64 [S]: a real face, in which something else changes
    fake_changed: np.ndarray  # float64 [S]: the same of a fake
    fake_inside: np.ndarray  # float64 [S]: a fake in the stretch only


class Explanations(NamedTuple):
    """How probable each explanation makes the bursts of a face: log densities up to a constant."""

    real_steady: float  # with one level
    fake_steady: float
    splits: Splits | None  # None: there is only one burst

    def real(self, config: EvidenceConfig) -> float:
        """Returns the log density of the bursts of a real face."""
        return self._either(self.real_steady, self.splits and self.splits.real_changed, config)

    def fake(self, config: EvidenceConfig) -> float:
        """Returns the log density of the bursts of a face that is fake from beginning to end."""
        return self._either(self.fake_steady, self.splits and self.splits.fake_changed, config)

    @staticmethod
    def _either(steady: float, changed: np.ndarray | None, config: EvidenceConfig) -> float:
        share = config.change_share
        if changed is None or share == 0:
            return steady
        return float(np.logaddexp(np.log1p(-share) + steady, np.log(share) + _log_sum(changed)))


def explain(bursts: Bursts, config: EvidenceConfig) -> Explanations:
    """Returns how probable each explanation makes the bursts of a face."""
    num, means = len(bursts.means), bursts.means
    weights = 1 / _relative_variance(bursts.sizes, config)
    # The noise of this face is unknown, so each explanation is averaged over what it may be.
    noise = config.burst_noise**2 * np.exp(config.noise_spread * _NOISE_GRID)[:, None]
    chances = -(_NOISE_GRID[:, None] ** 2) / 2 - _log_sum(-(_NOISE_GRID**2) / 2)

    total = weights.sum()
    level = float(weights @ means / total)
    spread = float(weights @ (means - level) ** 2)
    about_level = -(num - 1) / 2 * np.log(noise) - spread / (2 * noise)
    steady = float(_log_sum(about_level + chances)) - 0.5 * np.log(total)
    # What a level varies by is the spread of people. The face's own noise would add to it, but a
    # face that scores far from all others would then pass for a noisy one, and no picture could
    # ever be plainly fake; and the levels of pictures spread no more than those of clips.
    variance = config.person_spread**2
    levels = config.real_level, config.fake_level
    real, fake = (steady + float(_log_normal(level, mean, variance)) for mean in levels)
    if num == 1:
        return Explanations(real, fake, None)

    # Every stretch but the whole: from its first burst to before its end.
    first, end = (index.ravel() for index in np.triu_indices(num + 1, 1))
    kept = end - first < num
    first, end = first[kept], end[kept]
    sums = [np.append(0, np.cumsum(weights * means**power)) for power in (0, 1, 2)]
    inside, of_means = (of[end] - of[first] for of in sums[:2])
    outside = total - inside
    x, y = of_means / inside, (sums[1][-1] - of_means) / outside
    spread = sums[2][-1] - inside * x**2 - outside * y**2
    about_levels = -(num - 2) / 2 * np.log(noise) - np.maximum(spread, 0) / (2 * noise) + chances
    log_chances = _log_chances(bursts.times, first, end) - 0.5 * (np.log(inside) + np.log(outside))

    of_change = config.change_spread**2 + noise * (1 / inside + 1 / outside)
    changed = log_chances + _log_sum(about_levels + _log_normal(x, y, of_change), axis=0)
    real_outside, fake_outside = (_log_normal(y, mean, variance) for mean in levels)
    fake_inside = _log_normal(x, config.fake_level, variance)
    split = Splits(
        first=first,
        end=end,
        real_changed=changed + real_outside,
        fake_changed=changed + fake_outside,
        fake_inside=(log_chances + _log_sum(about_levels, axis=0) + fake_inside + real_outside),
    )
    return Explanations(real, fake, split)


def _log_chances(times: np.ndarray, first: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Returns the log chances of stretches: float64 [S].

    Bursts need not be evenly spread: where one has looked more often, no stretch is more likely to
    be. A stretch begins somewhere between its first burst and the one before, and ends likewise.

    Args:
      times: float64 [B], seconds, increasing, of the bursts.
      first: int64 [S], first burst of each stretch.
      end: int64 [S], the burst after its last one.
    """
    gaps = np.diff(times)
    usual = np.median(gaps)
    gaps = np.concatenate([[usual], gaps, [usual]])
    borders = np.concatenate([[times[0] - usual], times, [times[-1] + usual]])
    middles = (borders[1:] + borders[:-1]) / 2
    lengths = middles[end] - middles[first]
    others = middles[-1] - middles[0] + usual - lengths
    log_chances = np.log(gaps[first] * gaps[end] / (lengths * others))
    return log_chances - _log_sum(log_chances)


def _partial_share(seconds: float, config: EvidenceConfig) -> float:
    """Returns the chance that a fake is shorter than the time for which its face is seen."""
    return 1 - (max(seconds, SHORTEST_FAKE) / SHORTEST_FAKE) ** -config.length_exponent


def _relative_variance(sizes: np.ndarray, config: EvidenceConfig) -> np.ndarray:
    """Returns the variance of a burst's mean over that of a burst with all its frames."""
    return config.burst_share + (1 - config.burst_share) * config.burst_frames / sizes


def _log_normal(x: np.ndarray | float, mean: np.ndarray | float, variance: np.ndarray | float):
    """Returns the log density of a normal distribution, less a constant."""
    return -0.5 * (np.square(x - mean) / variance + np.log(variance))


def _log_sum(logs: np.ndarray, axis: int | None = None):
    """Returns the logarithm of the sum of numbers that are given as their logarithms."""
    return np.logaddexp.reduce(logs, axis=axis)
