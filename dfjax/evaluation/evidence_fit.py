"""Fits the model of a face's evidence to scored validation clips."""

import collections
import dataclasses
import math
import statistics
from collections.abc import Callable, Sequence

import numpy as np

from dfjax.config import EvidenceConfig
from dfjax.evaluation.scoring import ScoredClip, main_faces
from dfjax.inference.evidence import Bursts, corrected_logits

_MIN_PAIRS = 8
"""Pairs of a fake and its original from which their correlation can be told."""

_USUAL_CORRELATION = 0.5
_LEAST_NOISE = 0.05
"""Of a burst, as a share of the spread of people: a few clips may happen to be very steady."""


def fit_evidence(scored: Sequence[ScoredClip], *, burst_frames: int) -> EvidenceConfig | None:
    """Returns the model of evidence; None if fakes do not score higher than real faces.

    Data sets have equal weight, and so have the groups of identities within each. Noise and drift
    are those of real videos: they decide how often an honest one is accused.

    Args:
      scored: All clips of the validation videos; both real and fake.
      burst_frames: Most frames of a burst.
    """
    faces = [
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
    real, fake = ([face for face in faces if face.clip.row.is_fake == kind] for kind in (0, 1))
    if not real or not fake:
        return None
    levels = [_weighted_mean(group, [face.level for face in group]) for group in (real, fake)]
    if not levels[0] < levels[1]:
        return None
    total = statistics.fmean(
        _weighted_mean(group, [(face.level - level) ** 2 for face in group])
        for group, level in zip((real, fake), levels, strict=True)
    )
    frame = _mean(real, _frame_differences)
    step = _mean(real, _burst_differences)
    mean_size = float(np.mean(np.concatenate([face.bursts.sizes for face in real])))
    burst = max(step - frame / mean_size, _LEAST_NOISE**2 * total)
    halves = _mean(real, _half_differences)
    drift = max(halves - _mean(real, lambda face: _expected_halves(face, burst, frame)), 0.0)
    own = statistics.fmean((burst + frame / mean_size) / len(face.bursts.means) for face in faces)
    person = max(total - own, 0.1 * total)
    return EvidenceConfig(
        real_level=_rounded(levels[0]),
        fake_level=_rounded(levels[1]),
        person_spread=_rounded(math.sqrt(person)),
        burst_noise=_rounded(math.sqrt(burst)),
        frame_noise=_rounded(math.sqrt(frame)),
        drift=_rounded(math.sqrt(drift)),
        pair_correlation=_rounded(_pair_correlation(real, fake)),
        burst_frames=burst_frames,
    )


@dataclasses.dataclass(frozen=True)
class _Face:
    clip: ScoredClip
    bursts: Bursts

    @property
    def level(self) -> float:
        return float(np.mean(self.bursts.means))


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


def _mean(faces: Sequence[_Face], values: Callable[[_Face], np.ndarray]) -> float:
    """Returns the mean of the values of those faces that have some; 0 if none has."""
    found = [(face, float(of_face.mean())) for face in faces if len(of_face := values(face))]
    if not found:
        return 0.0
    return _weighted_mean([face for face, _ in found], [value for _, value in found])


def _frame_differences(face: _Face) -> np.ndarray:
    """Returns unbiased variances of frames about the mean of their burst."""
    logits, ends = face.clip.frame_logits, face.bursts.starts[1:]
    return np.array([part.var(ddof=1) for part in np.split(logits, ends) if len(part) > 1])


def _burst_differences(face: _Face) -> np.ndarray:
    """Returns half the squares of the steps from burst to burst."""
    return np.diff(face.bursts.means) ** 2 / 2


def _half_differences(face: _Face) -> np.ndarray:
    """Returns half the square of the step from the first half of the bursts to the second."""
    means = face.bursts.means
    if len(means) < 4:
        return np.empty(0)
    first, second = np.array_split(means, 2)
    return np.array([(first.mean() - second.mean()) ** 2 / 2])


def _expected_halves(face: _Face, burst: float, frame: float) -> np.ndarray:
    """Returns what `_half_differences` would be without any drift."""
    if len(face.bursts.means) < 4:
        return np.empty(0)
    variances = burst + frame / face.bursts.sizes
    first, second = np.array_split(variances, 2)
    return np.array([(first.mean() / len(first) + second.mean() / len(second)) / 2])


def _pair_correlation(real: Sequence[_Face], fake: Sequence[_Face]) -> float:
    """Returns the correlation of the levels of fakes and their originals, from 0 to 0.9."""

    def setting(face: _Face, video: str) -> tuple[str, str, str]:
        return face.clip.row.dataset, face.clip.row.compression, video

    originals = {setting(face, face.clip.row.video_id): face.level for face in real}
    pairs = [
        (originals[key], face.level)
        for face in fake
        if (key := setting(face, face.clip.row.original_id)) in originals
        and len(face.bursts.means) > 1
    ]
    if len(pairs) < _MIN_PAIRS:
        return _USUAL_CORRELATION
    of_real, of_fake = np.array(pairs).T
    if of_real.std() == 0 or of_fake.std() == 0:
        return _USUAL_CORRELATION
    return float(np.clip(np.corrcoef(of_real, of_fake)[0, 1], 0.0, 0.9))


def _rounded(value: float) -> float:
    """Returns a value in as many digits as a fit to some hundred videos can have."""
    return float(f"{value:.4g}")
