import functools
import json

import numpy as np
import pytest

from dfjax.config import CalibrationConfig
from dfjax.evaluation.calibration import calibrate_on
from dfjax.evaluation.studies.composed import (
    DURATIONS,
    FACES,
    HOSTS,
    STRETCHES,
    ComposedStudy,
    _mean,
    _Measured,
    _overlap,
)
from dfjax.evaluation.studies.composed_videos import ComposedVideo, people_of
from dfjax.evaluation.studies.study import StudyContext
from dfjax.inference.evidence import FaceFrames
from tests.evaluation.clips import evidence_clips, scored_clip, study_context

RATE = 0.1


@functools.cache
def _context(burst_frames: int | None) -> StudyContext:
    calibration = calibrate_on(
        evidence_clips(60),
        max_false_positive_rate=RATE,
        max_false_negative_rate=RATE,
        burst_frames=burst_frames,
    )
    return study_context(scored=evidence_clips(60, seed=1), calibration=calibration)


@pytest.fixture(scope="module")
def with_evidence() -> dict:
    return ComposedStudy(num_videos=60).measure(_context(4))


@pytest.fixture(scope="module")
def by_highest_face() -> dict:
    return ComposedStudy(num_videos=60).measure(_context(None))


def _values(rows: list[dict], name: str) -> list[float]:
    return [row[name]["value"] for row in rows]


@pytest.mark.parametrize("model", ["with_evidence", "by_highest_face"])
def test_every_cell_has_a_row_with_an_interval(model, request):
    measured = request.getfixturevalue(model)
    cells = [(row["seconds"], row["faces"]) for row in measured["false_positives"]]
    assert cells == [(seconds, faces) for seconds in DURATIONS for faces in FACES]
    found = [(row["seconds"], row["stretch"]) for row in measured["stretches"]]
    assert found == [(seconds, stretch) for seconds in HOSTS for stretch in STRETCHES]
    assert measured["people"] == measured["pairs"] == 60
    for row in (*measured["false_positives"], *measured["one_of_many"]):
        low, high = row["called_fake"]["interval"]
        assert low <= row["called_fake"]["value"] <= high


def test_a_verdict_holds_for_any_number_of_faces_and_length_with_a_model_of_evidence(with_evidence):
    assert max(_values(with_evidence["false_positives"], "called_fake")) <= RATE + 0.1
    assert max(_values(with_evidence["montages"], "called_fake")) <= RATE + 0.1


def test_by_the_highest_face_more_honest_calls_are_called_fake_than_were_to_be(by_highest_face):
    """Of calls of six, twice as many."""
    assert max(_values(by_highest_face["false_positives"], "called_fake")) > RATE + 0.1


def test_a_longer_stretch_is_found_more_often_and_the_right_face_is_named(with_evidence):
    of_a_minute = _values(with_evidence["stretches"][: len(STRETCHES)], "called_fake")
    assert of_a_minute[-1] > of_a_minute[0] + 0.2
    assert of_a_minute[-1] > 0.6 * with_evidence["whole"]["value"]
    assert with_evidence["stretches"][3]["overlap"]["value"] > 0.5
    assert min(_values(with_evidence["one_of_many"], "named")) > 0.8


def test_another_face_that_scores_higher_is_counted_against_the_fake_one():
    low, high = (FaceFrames(np.full(4, x), x, np.arange(4) / 25) for x in (-1.0, 1.0))
    measured = _Measured(CalibrationConfig(real_below=0.2, fake_above=0.8), 2, 0)
    videos = [ComposedVideo([low, high], ["a", "b"], fake=fake) for fake in (0, 0, 0, 1)]
    assert measured.named(videos)["named"]["value"] == 0.25


@pytest.mark.parametrize(
    ("found", "share"),
    [((1, 3), 1), ((0, 2), 1 / 3), ((0, 4), 1 / 2), ((2, 2.5), 1 / 4), ((4, 5), 0)],
)
def test_too_long_a_stretch_overlaps_as_little_as_one_too_short(found, share):
    assert _overlap(found, (1, 3)) == pytest.approx(share)


def test_the_same_seed_gives_the_same_figures_and_another_gives_others():
    first, again, other = (
        ComposedStudy(num_videos=4, seed=seed).measure(_context(4)) for seed in (0, 0, 1)
    )
    assert first == again != other


def test_the_text_shows_the_figures(with_evidence):
    text = ComposedStudy().section(json.loads(json.dumps(with_evidence)), "validation")
    value = with_evidence["false_positives"][-1]["called_fake"]["value"]
    assert f"| 600 s | 6 | {value:.3f}" in text
    assert "4 s of 60 s" in text


def test_without_videos_of_people_there_is_nothing_to_compose():
    clips = [
        scored_clip(str(n), frame_logits=[0.0], is_fake=n % 2, timestamps=np.zeros(1))
        for n in range(8)
    ]
    measured = ComposedStudy().measure(study_context(scored=clips))
    assert (measured["people"], measured["pairs"]) == (0, 0)
    assert measured["false_positives"] == measured["stretches"] == []
    assert "0 groups of real people" in ComposedStudy().section(measured, "validation")


def test_a_stretch_shows_the_same_moments_of_a_fake_of_another_length():
    """The logits say the seconds; those of the fake begin at 1000."""

    def clip(times: np.ndarray, *, is_fake: int):
        times = (times[:, None] + np.arange(4) / 25).ravel()
        return scored_clip(
            str(is_fake),
            frame_logits=times + 1000 * is_fake,
            logit=float(np.mean(times + 1000 * is_fake)),
            timestamps=times,
            is_fake=is_fake,
            group="ffpp/a",
            original_id="0" if is_fake else "",
        )

    real = clip(np.arange(0, 20, 2.5), is_fake=0)
    shorter, denser = clip(np.arange(0, 12.5, 2.5), is_fake=1), clip(np.arange(8) * 1.1, is_fake=1)
    (person,) = people_of([real, shorter], CalibrationConfig())["ffpp/a"]
    ((original, fake),) = person.fakes
    assert len(person.bursts) == 8 and len(original) == 5
    np.testing.assert_allclose(np.array(fake) - 1000, original, atol=1e-6)
    (person,) = people_of([real, denser], CalibrationConfig())["ffpp/a"]
    assert person.fakes == []  # it has no four bursts in common


@pytest.mark.parametrize("together", [1, 4, 6])
def test_intervals_cover_the_truth_however_many_people_are_in_a_video(together):
    """Those from draws in which all of a video's people come together do so far less often."""
    groups, share = 33, 0.03
    truth = 1 - (1 - share) ** together
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(40):
        accused = rng.random(groups) < share
        chosen = [rng.choice(groups, together, replace=False) for _ in range(200)]
        videos = [ComposedVideo([], [f"{group:02}" for group in groups_]) for groups_ in chosen]
        interval = _mean(videos, [float(accused[groups_].any()) for groups_ in chosen]).interval
        assert interval is not None
        inside += interval[0] <= truth <= interval[1]
    assert inside >= 36


def test_with_too_few_people_for_one_video_there_is_no_interval():
    videos = [ComposedVideo([], [str(group) for group in range(12)])] * 3
    estimate = _mean(videos, [0.0, 0.0, 1.0])
    assert estimate.interval is None
    assert estimate.reason == "the videos show 12 groups of identities, 12 in one"
