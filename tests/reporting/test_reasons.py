import dataclasses
import re

import numpy as np
import pytest

from dfjax import prediction_warnings
from dfjax.prediction import Decision, Prediction, Segment
from dfjax.reporting.reasons import FEW_FRAMES, explain, face_name
from dfjax.words import LANGUAGES, speaking, words
from tests.page.samples import sample_prediction

NO_FACE_WARNING = (
    f"{prediction_warnings.NO_FACE} In a picture of this size, faces smaller than 72 pixels are "
    "not searched for."
)


def sharp(prediction: Prediction) -> Prediction:
    """Returns a prediction whose crops are bright, coloured and full of detail."""
    rng = np.random.default_rng(0)
    clips = {
        track.id: rng.integers(0, 255, (len(track.frames), 64, 64, 3)).astype(np.uint8)
        for track in prediction.tracks
    }
    return dataclasses.replace(prediction, clips=clips)


def stretch(probability=0.88, track=0):
    return Segment(track=track, start=3.1, end=7.4, probability_fake=probability)


def text(explanation):
    return " ".join((*explanation.findings, *explanation.because, *explanation.next_steps))


def test_a_fake_names_the_stretch_the_face_and_how_sure():
    prediction = dataclasses.replace(sample_prediction("fake"), segments=(stretch(),))
    said = explain(prediction)
    assert said.findings == (
        "Face 1 (on the left) looks manipulated from 3.1 s to 7.4 s (88%).",
        "All in all, at 93%, this lies above 70%, where “likely fake” begins.",
    )
    assert words.reasons.do_stretch in said.next_steps
    assert not said.because


@pytest.mark.parametrize(
    "label, level, is_narrow",
    [("fake", 0.76, False), ("fake", 0.74, True), ("real", 0.24, False), ("real", 0.26, True)],
)
def test_an_answer_is_narrow_only_where_it_looks_so_on_the_scale(label, level, is_narrow):
    said = explain(sample_prediction(label, levels=(level,))).findings[-1]
    assert ("narrow answer" in said) == ("just" in said) == is_narrow


def test_a_fake_as_a_whole_is_said_to_be_so():
    said = explain(sample_prediction("fake", levels=(0.74,)))
    assert said.findings[0] == (
        "Face 1 looks manipulated taken as a whole, from 0.15 s to 9.45 s; no single stretch of it "
        "is marked."
    )
    assert "narrow answer" in said.findings[1]
    assert words.reasons.do_stretch not in said.next_steps
    picture = explain(sample_prediction("fake", num_frames=1, duration=0.0, levels=(0.9,)))
    assert picture.findings[0] == "Face 1 looks manipulated."


@pytest.mark.parametrize("code", LANGUAGES)
def test_beside_the_verdict_real_nobody_says_that_there_is_no_sign_of_manipulation(code):
    prediction = sample_prediction("real", levels=(0.06,))
    with speaking(code):
        marked = explain(dataclasses.replace(prediction, segments=(stretch(0.6),)))
        said = f"{words.verdict.explanations.real} {text(marked)} {text(explain(prediction))}"
    assert not re.search(r"no (sign|trace)|nothing|ninguna señal|no encuentra|sin señal", said)


def test_only_so_many_stretches_are_named_and_the_rest_counted():
    prediction = sample_prediction("fake", levels=(0.9,) * 5)
    segments = tuple(stretch(0.9 - 0.01 * track, track) for track in range(5))
    said = explain(dataclasses.replace(prediction, segments=segments)).findings
    assert [s for s in said if "from 3.1 s" in s] == list(said[:3])
    assert said[3] == "Further stretches marked on the timeline: 2."


@pytest.mark.parametrize(
    "level, leaning", [(0.62, "towards fake"), (0.38, "towards real"), (0.52, "neither way")]
)
def test_uncertain_says_which_way_it_leans(level, leaning):
    said = explain(sharp(sample_prediction("uncertain", levels=(level,))))
    assert leaning in said.findings[-1]
    assert said.because == (words.reasons.between,)
    assert words.reasons.do_source in said.next_steps


@pytest.mark.parametrize(
    "warning, step",
    [
        (f"{prediction_warnings.SMALL} (under 64 pixels).", words.reasons.do_sharper),
        (f"{prediction_warnings.TURNED} It was turned.", words.reasons.do_upright),
        (f"{prediction_warnings.RARELY_SEEN} 3 of 32 frames.", words.reasons.do_longer),
        (f"Up to 2 {prediction_warnings.FAR_APART}.", words.reasons.do_passage),
        (f"{prediction_warnings.BLURRED}: 2.", words.reasons.do_sharper),
        (f"{prediction_warnings.CUT_OFF}: its end is missing.", words.reasons.do_original_file),
    ],
)
def test_a_warning_is_a_reason_for_doubt_with_a_remedy_and_said_once(warning, step):
    prediction = sharp(sample_prediction("uncertain", warnings=(warning, "Something else.")))
    said = explain(prediction)
    assert said.because == (warning,)
    assert said.next_steps[0] == step
    assert said.warnings == ("Something else.",)
    # Where the answer is plain, it stays a warning.
    assert explain(sample_prediction("real", warnings=(warning,))).warnings == (warning,)


def test_faces_that_disagree_few_frames_and_a_still_are_reasons():
    disagreeing = explain(sharp(sample_prediction("uncertain", levels=(0.1, 0.6))))
    assert "Face 2 (on the left) comes to 60%, Face 1 (on the left) to 10%" in text(disagreeing)
    few = explain(sharp(sample_prediction("uncertain", num_frames=FEW_FRAMES - 1)))
    assert few.because == (words.reasons.few_frames.format(count=FEW_FRAMES - 1),)
    still = explain(sharp(sample_prediction("uncertain", num_frames=1, duration=0.0)))
    assert still.because == (words.reasons.still,)
    assert still.next_steps[0] == words.reasons.do_recording


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_count_of_one_has_no_plural(code):
    prediction = sample_prediction("fake", levels=(0.9,) * 4)
    segments = tuple(stretch(0.9, track) for track in range(4))
    fake = dataclasses.replace(prediction, segments=segments)
    few = sharp(sample_prediction("uncertain", num_frames=1))
    with speaking(code):
        said = [text(explain(p)) for p in (fake, few, sample_prediction("no_face", num_frames=1))]
    assert all(re.search(r"\b1\b", sentences) for sentences in said)
    assert not re.search(r"\b1 (more |más )?[^\W\d]+s\b", " ".join(said))


def test_what_the_pictures_show_is_a_reason():
    prediction = sharp(sample_prediction("uncertain"))
    crops = prediction.clips[0]

    def because(changed):
        return explain(dataclasses.replace(prediction, clips={0: changed})).because

    ramp = np.broadcast_to(np.arange(64, 192, 2, dtype=np.uint8)[:, None], (64, 64))
    blurred = np.stack([ramp, ramp.T, 255 - ramp], axis=-1)[None]
    assert because(blurred) == (words.reasons.blurred,)
    assert because(crops[..., :1].repeat(3, axis=-1)) == (words.reasons.grey,)
    assert because(crops // 8) == (words.reasons.dark,)


def test_a_face_without_a_say_is_not_the_reason():
    prediction = sharp(sample_prediction("uncertain", levels=(0.52, 0.9)))
    tracks = (prediction.tracks[0], dataclasses.replace(prediction.tracks[1], left_out="small"))
    said = explain(dataclasses.replace(prediction, tracks=tracks))
    assert "Face 2" not in text(said)


def test_faces_are_told_apart_by_where_they_are():
    prediction = sample_prediction("fake", levels=(0.9,) * 3)
    width = prediction.video.width
    names = []
    for track, left in zip(prediction.tracks, (0, width // 2 - 50, width - 100), strict=True):
        frame = dataclasses.replace(track.frames[0], box_xyxy=(left, 0, left + 100, 100))
        names.append(face_name(dataclasses.replace(track, frames=(frame,)), prediction))
    assert names == ["Face 1 (on the left)", "Face 2 (in the middle)", "Face 3 (on the right)"]


def test_a_model_without_verdicts_is_not_said_to_lean():
    withheld = Decision(real_below=0.0, fake_above=1.0, false_positive_rate=0.0)
    said = explain(sample_prediction("uncertain", decision=withheld))
    assert "%" not in text(said) and not said.because


def test_no_face_names_how_often_was_looked_and_how_small_a_face_may_be():
    said = explain(sample_prediction("no_face", duration=96.0, warnings=(NO_FACE_WARNING,)))
    assert "8 looks, which are up to 12 s apart" in said.because[0]
    assert any("smaller than 72 pixels" in reason for reason in said.because)
    assert words.reasons.do_thorough in said.next_steps
    assert said.warnings == ()


def test_more_effort_is_advised_only_where_it_looks_at_more():
    long = sample_prediction("no_face", duration=96.0)
    thorough = dataclasses.replace(long.coverage, effort="thorough")
    short = sample_prediction("no_face", duration=25.0)
    advised = [
        words.reasons.do_thorough in explain(prediction).next_steps
        for prediction in (long, dataclasses.replace(long, coverage=thorough), short)
    ]
    assert advised == [True, False, False]


def test_no_face_in_a_picture_or_a_short_video_is_not_blamed_on_gaps():
    picture = explain(sample_prediction("no_face", num_frames=1, duration=0.0))
    assert picture.because[0] == words.reasons.none_in_picture
    short = explain(sample_prediction("no_face", duration=2.0))
    assert short.because[0] == "None was seen. Frames looked at: 32."
    for said in (picture, short):
        assert not {words.reasons.do_thorough, words.reasons.do_passage} & set(said.next_steps)


def test_no_face_names_another_stream_first():
    stream = f"{prediction_warnings.OTHER_STREAM}: stream 1. Save it as a file of its own."
    said = explain(sample_prediction("no_face", warnings=(NO_FACE_WARNING, stream)))
    assert said.because[0] == stream
    assert said.next_steps[0] == words.reasons.do_stream


def test_a_still_picture_has_no_stretches_that_are_spoken_of():
    film, still = (
        explain(sample_prediction("real", num_frames=num, duration=seconds, levels=(0.06,)))
        for num, seconds in ((8, 10.0), (1, 0.0))
    )
    assert "in any stretch" in text(film) and "stretch" not in text(still)
    assert "No face is suspicious enough to be called manipulated." in text(still)
