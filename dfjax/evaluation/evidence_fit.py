"""Fits the model of a face's evidence to scored validation clips."""

import collections
import dataclasses
import math
import statistics
from collections.abc import Sequence

import numpy as np
from scipy.optimize import root_scalar
from scipy.special import digamma, polygamma

from dfjax.config import EvidenceConfig
from dfjax.evaluation.scoring import ScoredClip, main_faces
from dfjax.inference.evidence import (
    Bursts,
    corrected_logits,
    explain,
    face_evidence,
    of_many,
)

_MIN_BURSTS = 4
"""Of a face from which its noise can be told."""

_MIN_FACES = 8
"""Real faces of several bursts from which noise and changes can be told."""

_USUAL = {
    "burst_noise": 0.4,
    "noise_spread": 1.4,
    "burst_share": 0.8,
    "change_share": 0.3,
    "change_spread": 0.8,
}
"""For a split with fewer; noise and change in units of the spread of people. About what the faces
of FaceForensics++ and of "people" have."""

_LEAST_NOISE = 0.05
"""Of a burst, as a share of the spread of people: a few clips may happen to be very steady."""

_FACES = (2, 4, 6)
"""In a video, when the exponent is fitted."""

_VIDEOS = 2000
"""Of each number of faces, when the exponent is fitted."""

_EXPONENTS = 0.2, 50.0
"""Between them all is possible; the larger is as good as the maximum."""


def fit_evidence(scored: Sequence[ScoredClip], *, burst_frames: int) -> EvidenceConfig | None:
    """Returns the model of evidence; None if it cannot be fitted.

    It can be if fakes score higher than real faces, and not all faces of a kind alike.

    Its `face_exponent` is 1; see `fit_exponent`.

    Data sets have equal weight, and so have the groups of identities within each. Noise and changes
    are those of real videos: they decide how often an honest one is accused.

    Args:
      scored: All clips of the validation videos; both real and fake.
      burst_frames: Most frames of a burst.

    Source: for noise whose amount differs from face to face, Smyth, Linear models and empirical
    Bayes methods for assessing differential expression, 2004.
    """
    faces = _faces(scored, burst_frames)
    real, fake = ([face for face in faces if face.clip.row.is_fake == kind] for kind in (0, 1))
    if not real or not fake:
        return None
    # As they will be written: two that are alike by then tell nothing apart.
    levels = [
        _rounded(_weighted_mean(group, [face.level for face in group])) for group in (real, fake)
    ]
    if not levels[0] < levels[1]:
        return None
    total = statistics.fmean(
        _weighted_mean(group, [(face.level - level) ** 2 for face in group])
        for group, level in zip((real, fake), levels, strict=True)
    )
    if _rounded(total) == 0:
        return None  # one video of each kind: nothing is known of how people differ
    steady = _fit_noise([face for face in real if len(face.bursts.means) >= _MIN_BURSTS], total)
    config = EvidenceConfig(
        real_level=levels[0],
        fake_level=levels[1],
        person_spread=_rounded(math.sqrt(total)),
        **{name: _rounded(value) for name, value in steady.items()},
        change_share=0.0,
        change_spread=0.0,
        face_exponent=1.0,
        burst_frames=burst_frames,
    )
    return dataclasses.replace(config, **_fit_changes(real, config))


def fit_exponent(scored: Sequence[ScoredClip], config: EvidenceConfig, threshold: float) -> float:
    """Returns the exponent with which many real faces are called fake as often as one.

    Videos of several people are put together from real faces at random; data sets have equal
    weight, and so have groups within each.

    Args:
      scored: As for `fit_evidence`.
      config: What that returned.
      threshold: Log Bayes factor above which a video is called fake.
    """
    of_group: dict[str, dict[str, list[float]]] = collections.defaultdict(
        lambda: collections.defaultdict(list)
    )
    for face in _faces(scored, config.burst_frames):
        row = face.clip.row
        if not row.is_fake:
            of_group[row.dataset][row.group].append(face_evidence(face.bursts, config).logit)
    factors, chances = [], []
    for groups in of_group.values():
        for group in groups.values():
            factors += group
            chances += [1 / (len(of_group) * len(groups) * len(group))] * len(group)
    drawn = np.random.default_rng(0).choice(factors, (_VIDEOS, len(_FACES), max(_FACES)), p=chances)
    alone = float(np.array(chances) @ (np.array(factors) > threshold))

    def excess(exponent: float) -> float:
        called = [
            np.mean(of_many(drawn[:, row, :number], exponent) > threshold)
            for row, number in enumerate(_FACES)
        ]
        return float(np.mean(called)) - alone

    if alone == 0:
        return 1.0
    low, high = _EXPONENTS
    if excess(low) >= 0 or excess(high) <= 0:
        return low if excess(low) >= 0 else high
    return _rounded(root_scalar(excess, bracket=(low, high), xtol=0.01).root)


@dataclasses.dataclass(frozen=True)
class _Face:
    clip: ScoredClip
    bursts: Bursts

    @property
    def level(self) -> float:
        return float(np.mean(self.bursts.means))

    @property
    def variance_within_bursts(self) -> float:
        """Mean variance of frames about the mean of their burst; 0 if all bursts are single."""
        parts = np.split(self.clip.frame_logits, self.bursts.starts[1:])
        found = [part.var(ddof=1) for part in parts if len(part) > 1]
        return float(np.mean(found)) if found else 0.0


def _faces(scored: Sequence[ScoredClip], burst_frames: int) -> list[_Face]:
    """Returns the main face of each video."""
    return [
        _Face(
            clip,
            Bursts.of(
                corrected_logits(clip.frame_logits, clip.clip_logit),
                clip.row.timestamps,
                burst_frames,
            ),
        )
        for clip in main_faces(scored)
    ]


def _weighted_mean(faces: Sequence[_Face], values: Sequence[float]) -> float:
    """Returns a mean in which data sets, and groups within each, have equal weight."""
    of_group: dict[str, dict[str, list[float]]] = collections.defaultdict(
        lambda: collections.defaultdict(list)
    )
    for face, value in zip(faces, values, strict=True):
        of_group[face.clip.row.dataset][face.clip.row.group].append(value)
    means = [
        statistics.fmean([statistics.fmean(group) for group in groups.values()])
        for groups in of_group.values()
    ]
    return statistics.fmean(means)


def _fit_noise(faces: Sequence[_Face], total: float) -> dict[str, float]:
    """Returns how much the bursts of real faces vary, and how much this differs between faces.

    The logarithm of a face's variance is taken to be normally distributed over faces. What a
    variance of a few bursts adds to that by chance is known, and left out.

    Args:
      faces: Real faces of several bursts.
      total: Variance of the levels of faces.
    """
    names = "burst_noise", "noise_spread", "burst_share"
    # From burst to burst, which a change of the level between some two of them hardly affects.
    variances = np.array([np.mean(np.diff(face.bursts.means) ** 2) / 2 for face in faces])
    if np.count_nonzero(variances) < _MIN_FACES:
        return {name: _USUAL[name] for name in names} | {
            "burst_noise": _USUAL["burst_noise"] * math.sqrt(total)
        }
    variances = np.maximum(variances, _LEAST_NOISE**2 * total)
    counts = np.array([len(face.bursts.means) for face in faces])
    freedom = (counts - 1) ** 2 / (3 * counts - 4)  # half the degrees of freedom of such a mean
    logs = np.log(variances) - digamma(freedom) + np.log(freedom)
    typical = _weighted_mean(faces, logs.tolist())
    spread = _weighted_mean(faces, ((logs - typical) ** 2 - polygamma(1, freedom)).tolist())
    of_frames = np.array([face.variance_within_bursts for face in faces])
    size = max(face.bursts.sizes.max() for face in faces)
    alone = float(np.median(of_frames / variances)) / size  # share that is a frame's own
    return {
        "burst_noise": math.sqrt(math.exp(typical)),
        "noise_spread": math.sqrt(max(spread, 0.0)),
        "burst_share": min(max(1 - alone, 0.0), 1.0),
    }


def _fit_changes(real: Sequence[_Face], config: EvidenceConfig) -> dict[str, float]:
    """Returns how many real faces change their level for a stretch, and by how much.

    Those that make the faces most probable.
    """
    faces = [face for face in real if len(face.bursts.means) >= _MIN_BURSTS]
    usual = _USUAL["change_share"], _USUAL["change_spread"] * config.person_spread
    best = -math.inf, *usual
    if len(faces) >= _MIN_FACES:
        spreads = config.person_spread * np.geomspace(0.2, 1.6, 7)
        for spread in spreads.tolist():
            tried = dataclasses.replace(config, change_share=0.5, change_spread=spread)
            gains = [_gain_of_change(face, tried) for face in faces]
            for share in np.linspace(0.02, 0.98, 49).tolist():
                found = np.logaddexp(math.log1p(-share), math.log(share) + np.array(gains))
                best = max(best, (_weighted_mean(faces, found.tolist()), share, spread))
    return {"change_share": _rounded(best[1]), "change_spread": _rounded(best[2])}


def _gain_of_change(face: _Face, config: EvidenceConfig) -> float:
    """Returns how much more probable a face is if its level changes, as a logarithm."""
    explanations = explain(face.bursts, config)
    assert explanations.splits is not None
    return float(np.logaddexp.reduce(explanations.splits.real_changed)) - explanations.real_steady


def _rounded(value: float) -> float:
    """Returns a value in as many digits as a fit to some hundred videos can have."""
    return float(f"{value:.4g}")
