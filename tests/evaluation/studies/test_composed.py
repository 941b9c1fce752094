import json

import numpy as np
import pytest

from dfjax.evaluation.calibration import calibrate_on
from dfjax.evaluation.studies.composed import (
    DURATIONS,
    FACES,
    HOSTS,
    STRETCHES,
    ComposedStudy,
    _mean,
)
from dfjax.evaluation.studies.composed_videos import ComposedVideo
from tests.evaluation.clips import evidence_clips, scored_clip, study_context

RATE = 0.1


@pytest.fixture(scope="module", params=[4, None], ids=["with evidence", "highest face"])
def measured(request) -> dict:
    calibration = calibrate_on(
        evidence_clips(60),
        max_false_positive_rate=RATE,
        max_false_negative_rate=RATE,
        burst_frames=request.param,
    )
    context = study_context(scored=evidence_clips(60, seed=1), calibration=calibration)
    return ComposedStudy(num_videos=60).measure(context)


def _values(rows: list[dict], name: str) -> list[float]:
    return [row[name]["value"] for row in rows]


def test_every_cell_has_a_row_with_an_interval(measured):
    cells = [(row["seconds"], row["faces"]) for row in measured["false_positives"]]
    assert cells == [(seconds, faces) for seconds in DURATIONS for faces in FACES]
    found = [(row["seconds"], row["stretch"]) for row in measured["stretches"]]
    assert found == [(seconds, stretch) for seconds in HOSTS for stretch in STRETCHES]
    assert measured["people"] == measured["pairs"] == 60
    for row in (*measured["false_positives"], *measured["one_of_many"]):
        low, high = row["called_fake"]["interval"]
        assert low <= row["called_fake"]["value"] <= high


def test_a_verdict_holds_for_any_number_of_faces_and_length_with_a_model_of_evidence(
    measured, request
):
    """By the highest face, twice as many honest calls of six are called fake as were to be."""
    cells = _values(measured["false_positives"], "called_fake")
    if "with evidence" in request.node.name:
        assert max(cells) <= RATE + 0.1
        assert max(_values(measured["montages"], "called_fake")) <= RATE + 0.1
    else:
        assert max(cells) > RATE + 0.1


def test_a_longer_stretch_is_found_more_often_and_the_right_face_is_named(measured, request):
    if "with evidence" not in request.node.name:
        return
    of_a_minute = _values(measured["stretches"][: len(STRETCHES)], "called_fake")
    assert of_a_minute[-1] > of_a_minute[0] + 0.2
    assert of_a_minute[-1] > 0.6 * measured["whole"]["value"]
    assert measured["stretches"][3]["overlap"]["value"] > 0.5
    assert min(_values(measured["one_of_many"], "named")) > 0.8


def test_the_same_seed_gives_the_same_figures_and_the_text_shows_them(measured):
    text = ComposedStudy().section(json.loads(json.dumps(measured)), "validation")
    assert f"| 600 s | 6 | {measured['false_positives'][-1]['called_fake']['value']:.3f}" in text
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
