import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from dfjax.config import CalibrationConfig
from dfjax.inference.evidence import (
    Bursts,
    Evidence,
    FaceFrames,
    Stretch,
    _log_chances,
    corrected_logits,
    evidence_of,
    most_suspicious,
    named_stretch,
    of_many,
    video_logit,
)
from tests.evaluation.clips import EVIDENCE, evidence_frames

CALIBRATION = CalibrationConfig(evidence=EVIDENCE)


def _face(rng: np.random.Generator, num_bursts: int, **options: Any) -> FaceFrames:
    frames, times = evidence_frames(rng, num_bursts, **options)
    return FaceFrames(frames, float(frames.mean()), times)


def _factor(face: FaceFrames) -> float:
    return evidence_of(face, CALIBRATION).logit


def _of_video(factors: Sequence[float]) -> float:
    return float(of_many(np.array(factors), 1.0))


def test_frames_form_bursts_of_neighbours_and_no_larger_ones_than_named():
    times = np.array([0.0, 0.04, 0.08, 0.12, 3.0, 3.04, 6.0, 6.04, 6.08, 6.12, 6.16])
    bursts = Bursts.of(np.arange(11.0), times, 4)
    assert bursts.starts.tolist() == [0, 4, 6, 10]
    assert bursts.sizes.tolist() == [4, 2, 4, 1]
    assert bursts.means.tolist() == [1.5, 4.5, 7.5, 10.0]
    assert Bursts.of(np.arange(3.0), np.arange(3.0), 4).sizes.tolist() == [1, 1, 1]
    # At any rate at which people film and call, frames in a row are one burst.
    assert Bursts.of(np.arange(3.0), np.arange(3) / 5, 4).sizes.tolist() == [3]


def test_of_a_short_clip_only_the_level_counts_and_more_of_it_is_more_suspicious():
    """So the order of short clips is that of their clip logits."""
    levels = np.linspace(-6, 8, 60)
    faces = [FaceFrames(np.full(32, level), level, np.arange(32) / 5) for level in levels]
    factors = [_factor(face) for face in faces]
    assert np.all(np.diff(factors) > 0)
    assert factors[0] < 0 < factors[-1]


def test_frames_of_a_stream_form_larger_bursts_than_those_of_a_model_of_pairs():
    """Within a burst the order of frames does not count."""
    pairs = CalibrationConfig(evidence=dataclasses.replace(EVIDENCE, burst_frames=2))
    frames = np.tile([0.0, 1.0, 2.0, 3.0], 8)
    swapped = np.tile([3.0, 0.0, 1.0, 2.0], 8)
    of_stream, of_swapped = (FaceFrames(each, 1.5, np.arange(32) / 8) for each in (frames, swapped))
    once = evidence_of(of_stream, pairs, least_burst=4)
    assert once == evidence_of(of_swapped, pairs, least_burst=4)
    assert once != evidence_of(of_stream, pairs)
    assert evidence_of(of_stream, CALIBRATION, least_burst=2) == evidence_of(of_stream, CALIBRATION)


def test_the_corrected_frames_have_the_clips_logit_as_their_mean():
    logits = corrected_logits(np.array([0.0, 1.0, 2.0]), 4.0)
    assert logits.tolist() == [3.0, 4.0, 5.0]


def test_the_correction_of_the_clip_counts_in_the_evidence():
    frames, times = np.full(8, -1.0), np.arange(8) * 3.0
    low, high = (_factor(FaceFrames(frames, logit, times)) for logit in (-1.0, 2.0))
    assert low < 0 < high
    assert high == _factor(FaceFrames(frames + 3.0, 2.0, times))


def test_the_evidence_of_a_face_is_what_it_was():
    """Whoever changes the model on purpose fits it anew and writes down the new numbers."""
    frames, times = evidence_frames(np.random.default_rng(7), 12, fake=slice(4, 7))
    frames, times = frames[:-2], times[:-2] + 10 * (times[:-2] > 14)  # uneven, as videos are
    face = FaceFrames(frames, float(frames.mean()) - 0.3, times)
    evidence = evidence_of(face, CALIBRATION)
    assert evidence.stretch is not None
    assert (evidence.stretch.first, evidence.stretch.last) == (16, 27)
    assert evidence.logit == pytest.approx(7.39613094, abs=1e-6)
    assert evidence.stretch.logit == pytest.approx(7.39335817, abs=1e-6)


@pytest.mark.parametrize("num_bursts", [2, 8, 40, 120])
@pytest.mark.parametrize("num_faces", [1, 6])
def test_a_bayes_factor_of_20_is_as_rare_as_it_promises(num_bursts, num_faces):
    """At any length and for any number of real faces: this is what makes a verdict hold."""
    rng = np.random.default_rng(0)
    crossed = [
        _of_video([_factor(_face(rng, num_bursts)) for _ in range(num_faces)]) > np.log(20)
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
    factors = [[_factor(face) for face in video] for video in faces]
    alone = np.quantile(np.concatenate(factors), 0.95)
    assert np.mean([_of_video(each) > alone for each in factors]) < of_six - 0.1


def test_a_short_stretch_of_a_long_video_is_found_where_it_is():
    rng = np.random.default_rng(1)
    found, overlaps, wholes = [], [], []
    for _ in range(40):
        start = int(rng.integers(0, 17))
        face = _face(rng, 20, fake=slice(start, start + 3))
        evidence = evidence_of(face, CALIBRATION)
        found.append(evidence.logit > np.log(10))
        wholes.append(_factor(_face(rng, 3, fake=slice(0, 3))) > np.log(10))
        if evidence.stretch is not None and found[-1]:
            first, last = evidence.stretch.first // 4, evidence.stretch.last // 4
            common = min(last, start + 2) - max(first, start) + 1
            overlaps.append(max(common, 0) / (max(last, start + 2) - min(first, start) + 1))
    assert np.mean(found) > 0.7 * np.mean(wholes)
    assert np.mean(overlaps) > 0.8


@pytest.mark.parametrize("fake", [slice(0, 6), slice(6, 12)])
def test_a_stretch_reaches_to_the_first_or_last_frame_if_its_fake_does(fake):
    frames, times = evidence_frames(np.random.default_rng(1), 12, fake=fake)
    stretch = evidence_of(FaceFrames(frames, float(frames.mean()), times), CALIBRATION).stretch
    assert stretch is not None
    assert (stretch.first, stretch.last) == (4 * fake.start, 4 * fake.stop - 1)
    halfway = (times[23] + times[24]) / 2
    expected = (0.0, halfway) if fake.start == 0 else (halfway, times[-1])
    assert stretch.between(times) == pytest.approx(expected)


def test_where_nothing_but_fakes_changes_a_face_one_that_changes_is_more_suspicious():
    face = _face(np.random.default_rng(1), 12, fake=slice(4, 8))
    never = dataclasses.replace(EVIDENCE, change_share=0.0)
    assert _factor(face) < evidence_of(face, CalibrationConfig(evidence=never)).logit < np.inf


def test_a_real_face_that_scores_high_all_the_time_has_no_suspicious_stretch():
    rng = np.random.default_rng(2)
    faces = [_face(rng, 40, real_level=0.3) for _ in range(30)]
    stretches = [evidence_of(face, CALIBRATION).stretch for face in faces]
    certain = [stretch for stretch in stretches if stretch is not None and stretch.logit > 0]
    assert len(certain) <= 2


def test_a_stretch_is_never_more_probable_than_that_its_face_is_fake_at_all():
    """Both are log odds before calibration, which keeps their order."""
    rng = np.random.default_rng(4)
    faces = [_face(rng, 20, fake=slice(first, 18)) for first in (0, 1, 2, 8, 16)]
    said = [evidence_of(face, CALIBRATION) for face in faces]
    found = [(each.stretch.logit, each.logit) for each in said if each.stretch is not None]
    assert len(found) >= 4
    assert all(stretch <= face + 1e-9 for stretch, face in found)


def test_a_fake_from_beginning_to_end_is_no_stretch():
    rng = np.random.default_rng(3)
    whole = [evidence_of(_face(rng, 20, fake=slice(0, 20)), CALIBRATION) for _ in range(60)]
    assert np.mean([evidence.stretch is None for evidence in whole]) > 0.7
    assert np.mean([evidence.logit > np.log(10) for evidence in whole]) > 0.6


@pytest.mark.parametrize(
    ("logit", "real_below", "is_named"),
    [
        (0.1, 0.0, True),
        (0.0, 0.0, False),
        (-0.1, 0.0, False),
        (0.1, 0.6, False),
        (1.0, 0.6, True),
    ],
)
def test_a_stretch_is_named_that_is_more_likely_fake_than_not_and_would_not_be_called_real(
    logit, real_below, is_named
):
    calibration = CalibrationConfig(evidence=EVIDENCE, real_below=real_below, fake_above=1.0)
    evidence = Evidence(logit=2.0, stretch=Stretch(first=0, last=1, logit=logit))
    assert (named_stretch(evidence, calibration) is not None) == is_named


def test_a_stretch_is_no_more_likely_to_be_where_one_has_looked_more_often():
    def chance_of_a_late_one(times: np.ndarray) -> float:
        first, end = np.triu_indices(len(times) + 1, 1)
        is_part = end - first < len(times)
        chances = np.exp(_log_chances(times, first[is_part], end[is_part]))
        return float(chances[times[first[is_part]] > 11].sum())

    evenly = 3.0 * np.arange(9)
    more_often = np.sort(np.append(evenly, 18 + np.array([0.5, 1, 1.5, 2, 2.5])))
    expected = chance_of_a_late_one(evenly)
    assert chance_of_a_late_one(more_often) == pytest.approx(expected, rel=0.15)


def test_the_bursts_that_score_highest_come_first_whosever_they_are():
    one = FaceFrames(np.array([0.0, 0.0, 5.0, 5.0]), 2.5, np.array([0.0, 0.04, 3.0, 3.04]))
    other = FaceFrames(np.array([9.0, 1.0]), 5.0, np.array([6.0, 9.0]))
    assert most_suspicious([one, other], 4).tolist() == [6.0, 3.0, 9.0, 0.0]


def test_one_fake_face_among_real_ones_is_still_found_but_must_be_plainer():
    plain, real = np.log(200.0), np.log(0.05)
    assert _of_video([plain]) == pytest.approx(plain)
    among_others = _of_video([plain, real, real, real])
    assert np.log(20) < among_others < plain


def test_a_higher_exponent_brings_the_faces_closer_to_the_highest_of_them():
    factors = np.array([3.0, 1.0, -2.0, -4.0])
    means = [float(of_many(factors, exponent)) for exponent in (1.0, 2.0, 8.0, 50.0)]
    assert means == sorted(means)
    assert means[0] == pytest.approx(np.log(np.exp(factors).mean()))
    assert means[-1] == pytest.approx(3.0, abs=0.05)


def test_a_picture_is_judged_by_its_level_alone_whatever_noise_it_may_have():
    """Else a picture could never be plainly fake."""
    levels = np.linspace(-10, 12, 40)
    pictures = [FaceFrames(np.array([level]), level, np.zeros(1)) for level in levels]
    steps = np.diff([_factor(picture) for picture in pictures])
    assert np.all(steps > 0) and steps == pytest.approx(np.full(39, steps[0]))


def test_a_face_whose_scores_always_vary_is_not_suspicious_for_one_more_swing():
    """The same swing in a face that is steady otherwise is."""
    swing = np.where(np.arange(24) // 4 == 3, 2.5, 0.0) + EVIDENCE.real_level
    restless = swing + np.repeat([1.0, -1.0, 1.2, 0.0, -1.1, 0.9], 4)
    times = np.repeat(3.0 * np.arange(6), 4) + np.tile(np.arange(4) / 25, 6)
    factors = [_factor(FaceFrames(x, float(x.mean()), times)) for x in (swing, restless)]
    assert factors[0] > factors[1] + 1


def test_without_a_model_of_evidence_the_highest_clip_logit_decides():
    times = np.arange(2.0)
    faces = [FaceFrames(np.array([0.0, 9.0]), logit, times) for logit in (1.0, 3.0, 2.0)]
    calibration = CalibrationConfig(scale=2.0, bias=1.0)
    assert video_logit([evidence_of(face, calibration) for face in faces], calibration) == 7.0
    calibration = dataclasses.replace(calibration, evidence=EVIDENCE)
    evidence = [evidence_of(face, calibration) for face in faces]
    of_video = _of_video([face.logit for face in evidence])
    assert video_logit(evidence, calibration) == pytest.approx(2 * of_video + 1)
