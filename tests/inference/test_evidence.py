import dataclasses

import numpy as np
import pytest

from dfjax.config import CalibrationConfig
from dfjax.inference.evidence import (
    Bursts,
    FaceFrames,
    corrected_logits,
    evidence_of,
    video_log_factor,
    video_logit,
)
from tests.evaluation.clips import EVIDENCE

CONFIG = dataclasses.replace(EVIDENCE, drift=0.3, pair_correlation=0.5)


def _face(
    rng: np.random.Generator,
    num_bursts: int,
    *,
    fake: slice = slice(0, 0),
    spacing: float = 3.0,
    real_level: float | None = None,
) -> FaceFrames:
    """A face as the model of evidence has it, in bursts of 4 frames; `fake` ones are a fake's."""
    level = CONFIG.real_level + CONFIG.person_spread * rng.normal()
    if real_level is not None:
        level = real_level
    shared = CONFIG.pair_correlation * (level - CONFIG.real_level)
    own = CONFIG.person_spread * np.sqrt(1 - CONFIG.pair_correlation**2) * rng.normal()
    levels = np.full(num_bursts, level)
    levels[fake] = CONFIG.fake_level + shared + own
    bursts = levels + CONFIG.burst_noise * rng.normal(size=num_bursts)
    frames = np.repeat(bursts, 4) + CONFIG.frame_noise * rng.normal(size=4 * num_bursts)
    times = np.repeat(spacing * np.arange(num_bursts), 4) + np.tile(np.arange(4) / 25, num_bursts)
    return FaceFrames(frames, float(frames.mean()), times)


def _factor(face: FaceFrames) -> float:
    return evidence_of(face, CONFIG).log_bayes_factor


def test_frames_form_bursts_of_neighbours_and_no_larger_ones_than_named():
    times = np.array([0.0, 0.04, 0.08, 0.12, 3.0, 3.04, 6.0, 6.04, 6.08, 6.12, 6.16])
    bursts = Bursts.of(np.arange(11.0), times, 4)
    assert bursts.starts.tolist() == [0, 4, 6, 10]
    assert bursts.sizes.tolist() == [4, 2, 4, 1]
    assert bursts.means.tolist() == [1.5, 4.5, 7.5, 10.0]
    assert Bursts.of(np.arange(3.0), np.arange(3.0), 4).sizes.tolist() == [1, 1, 1]


def test_of_a_short_clip_only_the_level_counts_and_more_of_it_is_more_suspicious():
    """So the order of short clips is that of their clip logits."""
    levels = np.linspace(-6, 8, 60)
    faces = [FaceFrames(np.full(32, level), level, np.arange(32) / 5) for level in levels]
    factors = [_factor(face) for face in faces]
    assert np.all(np.diff(factors) > 0)
    assert factors[0] < 0 < factors[-1]


def test_the_corrected_frames_have_the_clips_logit_as_their_mean():
    logits = corrected_logits(np.array([0.0, 1.0, 2.0]), 4.0)
    assert logits.tolist() == [3.0, 4.0, 5.0]


@pytest.mark.parametrize("num_bursts", [1, 2, 8, 40, 200])
@pytest.mark.parametrize("num_faces", [1, 6])
def test_a_bayes_factor_of_20_is_as_rare_as_it_promises(num_bursts, num_faces):
    """At any length and for any number of real faces: this is what makes a verdict hold."""
    rng = np.random.default_rng(0)
    crossed = [
        video_log_factor(np.array([_factor(_face(rng, num_bursts)) for _ in range(num_faces)]))
        > np.log(20)
        for _ in range(60)
    ]
    assert np.mean(crossed) <= 0.05 + 0.06  # three standard errors of 60 videos at 2%


def test_the_highest_of_many_scores_would_accuse_more_real_faces_the_more_are_seen():
    """What the model of evidence is for: the same real faces, by the rule of before."""
    rng = np.random.default_rng(0)
    faces = [[_face(rng, 8) for _ in range(6)] for _ in range(100)]
    alone = np.quantile([face.clip_logit for video in faces for face in video], 0.95)
    of_six = np.mean([max(face.clip_logit for face in video) > alone for video in faces])
    assert of_six > 0.2
    factors = [np.array([_factor(face) for face in video]) for video in faces]
    alone = np.quantile(np.concatenate(factors), 0.95)
    assert np.mean([video_log_factor(each) > alone for each in factors]) < of_six - 0.1


def test_a_short_stretch_of_a_long_video_is_found_where_it_is():
    rng = np.random.default_rng(1)
    found, overlaps, wholes = [], [], []
    for _ in range(40):
        start = int(rng.integers(0, 17))
        face = _face(rng, 20, fake=slice(start, start + 3))
        evidence = evidence_of(face, CONFIG)
        found.append(evidence.log_bayes_factor > np.log(10))
        wholes.append(_factor(_face(rng, 3, fake=slice(0, 3))) > np.log(10))
        if evidence.stretch is not None and found[-1]:
            first, last = evidence.stretch.first // 4, evidence.stretch.last // 4
            common = min(last, start + 2) - max(first, start) + 1
            overlaps.append(max(common, 0) / (max(last, start + 2) - min(first, start) + 1))
    assert np.mean(found) > 0.7 * np.mean(wholes)
    assert np.mean(overlaps) > 0.8


def test_a_real_face_that_scores_high_all_the_time_has_no_suspicious_stretch():
    rng = np.random.default_rng(2)
    faces = [_face(rng, 40, real_level=0.3) for _ in range(30)]
    stretches = [evidence_of(face, CONFIG).stretch for face in faces]
    certain = [
        stretch for stretch in stretches if stretch is not None and stretch.probability > 0.5
    ]
    assert len(certain) <= 2


def test_a_fake_from_beginning_to_end_is_no_stretch():
    rng = np.random.default_rng(3)
    whole = [evidence_of(_face(rng, 20, fake=slice(0, 20)), CONFIG) for _ in range(20)]
    assert np.mean([evidence.stretch is None for evidence in whole]) > 0.7
    assert np.mean([evidence.log_bayes_factor > np.log(10) for evidence in whole]) > 0.7


def test_one_fake_face_among_real_ones_is_still_found_but_must_be_plainer():
    plain, real = np.log(200.0), np.log(0.05)
    assert video_log_factor(np.array([plain])) == pytest.approx(plain)
    among_others = video_log_factor(np.array([plain, real, real, real]))
    assert np.log(20) < among_others < plain


def test_without_a_model_of_evidence_the_highest_clip_logit_decides():
    times = np.arange(2.0)
    faces = [FaceFrames(np.array([0.0, 9.0]), logit, times) for logit in (1.0, 3.0, 2.0)]
    assert video_logit(faces, CalibrationConfig(scale=2.0, bias=1.0)) == 7.0
    calibration = CalibrationConfig(evidence=CONFIG, scale=2.0, bias=1.0)
    factors = np.array([_factor(face) for face in faces])
    assert video_logit(faces, calibration) == pytest.approx(2 * video_log_factor(factors) + 1)
