import dataclasses
from typing import Any

import numpy as np
import pytest

from dfjax.config import CalibrationConfig
from dfjax.evaluation.calibration import calibrate_on, fit_sigmoid
from dfjax.evaluation.evidence_fit import fit_evidence, fit_exponent
from dfjax.evaluation.metrics import ranking_measures
from dfjax.evaluation.scores import video_scores
from dfjax.evaluation.scoring import ScoredClip
from dfjax.inference.evidence import FaceFrames, evidence_of, of_many
from tests.evaluation.clips import EVIDENCE as TRUTH
from tests.evaluation.clips import evidence_clips, scored_clip


def _factor(clip: ScoredClip) -> float:
    face = FaceFrames(clip.frame_logits, clip.clip_logit, clip.row.timestamps)
    return evidence_of(face, CalibrationConfig(evidence=TRUTH)).logit


def test_what_clips_were_made_with_is_found_again():
    fitted = fit_evidence(evidence_clips(800), burst_frames=4)
    assert fitted is not None
    assert fitted.real_level == pytest.approx(TRUTH.real_level, abs=0.1)
    assert fitted.fake_level == pytest.approx(TRUTH.fake_level, abs=0.1)
    # Changes look like noise, too, and a little of them like the person's level.
    assert fitted.person_spread == pytest.approx(TRUTH.person_spread, rel=0.15)
    assert fitted.burst_noise == pytest.approx(TRUTH.burst_noise, rel=0.25)
    assert fitted.noise_spread == pytest.approx(TRUTH.noise_spread, rel=0.25)
    assert fitted.burst_share == pytest.approx(TRUTH.burst_share, abs=0.1)
    # A few large changes are hard to tell from many small ones.
    changes, true = (c.change_share * c.change_spread**2 for c in (fitted, TRUTH))
    assert true / 2 < changes < 2 * true


def test_a_person_with_many_videos_weighs_no_more_than_one_with_one():
    """The most suspicious of 40 real people, in 20 videos more."""
    clips = evidence_clips(40)
    top = max((clip for clip in clips if not clip.row.is_fake), key=lambda clip: clip.clip_logit)
    more = [
        dataclasses.replace(top, row=dataclasses.replace(top.row, video_id=f"more{number}"))
        for number in range(20)
    ]
    once, often = (fit_evidence(scored, burst_frames=4) for scored in (clips, clips + more))
    assert once is not None and often is not None
    for name in ("real_level", "fake_level", "person_spread", "burst_noise", "change_share"):
        assert getattr(often, name) == pytest.approx(getattr(once, name), rel=1e-6), name
    assert fit_exponent(clips + more, TRUTH, -0.5) == fit_exponent(clips, TRUTH, -0.5)


def test_videos_of_many_real_faces_cross_the_threshold_as_often_as_those_of_one():
    clips = [clip for clip in evidence_clips(400) if not clip.row.is_fake]
    factors = np.array([_factor(clip) for clip in clips])
    threshold = float(np.quantile(factors, 0.95))
    exponent = fit_exponent(clips, TRUTH, threshold)
    rng = np.random.default_rng(1)
    calls = of_many(rng.choice(factors, (4000, 4)), exponent)
    assert np.mean(calls > threshold) == pytest.approx(0.05, abs=0.02)
    assert fit_exponent(clips, TRUTH, factors.max() + 1) == 1.0


def test_of_short_clips_the_order_is_about_that_of_the_mean():
    """What the model of evidence adds is for longer videos; it costs the short ones nothing."""
    clips = evidence_clips(300)
    is_fake = np.array([clip.row.is_fake for clip in clips])
    means = np.array([clip.clip_logit for clip in clips])
    evidence = fit_evidence(clips, burst_frames=4)
    scores = video_scores(clips, CalibrationConfig(evidence=evidence))
    ours, theirs = (ranking_measures(is_fake, logits)["auc"] for logits in (scores.logits, means))
    assert ours > theirs - 0.005


def test_a_detector_that_scores_fakes_lower_gets_no_model_of_evidence():
    clips = [
        dataclasses.replace(clip, row=dataclasses.replace(clip.row, is_fake=1 - clip.row.is_fake))
        for clip in evidence_clips(20)
    ]
    assert fit_evidence(clips, burst_frames=4) is None
    assert fit_evidence(clips[::2], burst_frames=4) is None


def test_pictures_alone_can_be_fitted_too():
    clips = [scored_clip(str(i), logit=i % 7 + 3.0 * (i % 2), is_fake=i % 2) for i in range(40)]
    pictures = [
        dataclasses.replace(
            clip,
            frame_logits=clip.frame_logits[:1],
            row=dataclasses.replace(
                clip.row, timestamps=clip.row.timestamps[:1], frame_indices=np.zeros(1, int)
            ),
        )
        for clip in clips
    ]
    fitted = fit_evidence(pictures, burst_frames=4)
    assert fitted is not None and fitted.person_spread > 1


def test_the_model_of_evidence_is_part_of_the_calibration_if_asked_for():
    clips = evidence_clips(60)
    rates: dict[str, Any] = {"max_false_positive_rate": 0.05, "max_false_negative_rate": 0.15}
    assert calibrate_on(clips, **rates).evidence is None
    calibration = calibrate_on(clips, **rates, burst_frames=4)
    fitted, evidence = fit_evidence(clips, burst_frames=4), calibration.evidence
    assert fitted is not None and evidence is not None
    assert dataclasses.replace(evidence, face_exponent=1.0) == fitted
    assert evidence.face_exponent < 1  # as many real faces together would need
    weighed = video_scores(clips, CalibrationConfig(evidence=evidence))
    of_weighed = fit_sigmoid(weighed.logits, weighed.is_fake)
    assert (calibration.scale, calibration.bias) == pytest.approx(of_weighed)
    real = video_scores([clip for clip in clips if not clip.row.is_fake], calibration)
    assert np.mean(real.probabilities > calibration.fake_above) <= 0.05


@pytest.mark.parametrize("fake", [0.5, 0.100002], ids=["one of each kind", "nearly alike"])
def test_where_nothing_can_be_fitted_there_is_none_and_calibration_still_ends(fake):
    clips = [
        scored_clip("0", frame_logits=np.full(8, 0.1), logit=0.1),
        scored_clip("1", frame_logits=np.full(8, fake), logit=fake, is_fake=1),
    ]
    assert fit_evidence(clips, burst_frames=4) is None
    calibration = calibrate_on(
        clips, max_false_positive_rate=0.05, max_false_negative_rate=0.2, burst_frames=4
    )
    assert calibration.evidence is None and calibration.caveat is not None
