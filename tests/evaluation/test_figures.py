import dataclasses
import json
import math

import numpy as np
import pytest

from dfjax.config import CalibrationConfig, OperatingPoint
from dfjax.data.rows import NO_FACE
from dfjax.evaluation.calibration import calibrate_on
from dfjax.evaluation.figures import report
from dfjax.json_values import dumps
from tests.evaluation.clips import scored_clip, scored_set

CALIBRATION = CalibrationConfig(
    real_below=0.4,
    fake_above=0.6,
    operating_points=(
        OperatingPoint(false_positive_rate=0.01, fake_above=0.9),
        OperatingPoint(false_positive_rate=0.05, fake_above=0.6),
    ),
)

_SKIPPED = {
    "ffpp/Deepfakes/c23/999": {
        "reason": NO_FACE,
        "is_fake": True,
        "method": "Deepfakes",
        "group": "999",
    },
    "ffpp/youtube/c23/998": {
        "reason": "it is damaged",
        "is_fake": False,
        "method": "youtube",
        "group": "998",
    },
}


def _clips(logits: dict[str, list[float]]) -> list:
    """Returns clips with these logits per method, one group per place."""
    return [
        scored_clip(
            f"{place:03}",
            logit=logit,
            method=method,
            is_fake=int(method != "youtube"),
            group=f"ffpp/{place:03}",
        )
        for method, row in logits.items()
        for place, logit in enumerate(row)
    ]


def test_the_figures_are_those_of_the_scores():
    clips = _clips({"youtube": [-2, 1], "Deepfakes": [2, 3], "FaceSwap": [-3, 1.5]})
    figures = report(clips, {}, CALIBRATION, split="test")
    assert figures["split"] == "test"
    assert figures["counts"] == {
        "videos": 6,
        "real": 2,
        "fake": 4,
        "groups": 2,
        "clips": 6,
        "frames": 24,
        "datasets": ["ffpp"],
    }
    assert figures["video"]["auc"]["value"] == 0.75
    assert figures["confusion"] == {
        "true_real": 1,
        "false_fake": 1,
        "false_real": 1,
        "true_fake": 3,
    }
    assert figures["video"]["balanced_accuracy"]["value"] == 0.625
    assert figures["verdicts"] == {
        "real": {"real": 1, "uncertain": 0, "fake": 1},
        "fake": {"real": 1, "uncertain": 0, "fake": 3},
    }
    strict, usual = figures["operating_points"]
    assert (strict["fake_above"], usual["fake_above"]) == (0.9, 0.6)
    assert strict["false_positive_rate"]["value"] == 0
    assert strict["true_positive_rate"]["value"] == 0.25


def test_rates_at_a_published_threshold_weigh_data_sets_alike_as_when_it_was_fitted():
    clips = _clips({"youtube": [-2, 3], "Deepfakes": [2, 3]})
    clips += [
        scored_clip(f"r{n}", logit=-3, dataset="mine", group=f"mine/{n}", is_fake=int(n == 0))
        for n in range(9)
    ]
    figures = report(clips, {}, CALIBRATION, split="test")
    _, usual = figures["operating_points"]
    assert usual["false_positive_rate"]["value"] == 0.25  # and not one of ten
    # A promise to real videos takes people in real videos.
    assert [row["real_groups"] for row in figures["per_dataset"]] == [2, 8]
    assert [row["groups"] for row in figures["per_dataset"]] == [2, 9]


def test_a_method_is_measured_against_the_real_videos_of_its_compression():
    easy = _clips({"youtube": [-5, -4], "Deepfakes": [4, 5]})
    hard = [
        dataclasses.replace(clip, row=dataclasses.replace(clip.row, compression="c40"))
        for clip in _clips({"youtube": [9, -9], "Deepfakes": [0, 1]})
    ]
    figures = report(easy + hard, {}, CALIBRATION, split="test")
    rows = {(row["method"], row["compression"]): row for row in figures["per_method"]}
    assert rows["Deepfakes", "c23"]["auc"]["value"] == 1
    assert rows["Deepfakes", "c40"]["auc"]["value"] == 0.5
    assert figures["mean_over_methods"]["auc"]["value"] == 0.75
    assert [(row["compression"], row["videos"]) for row in figures["per_compression"]] == [
        ("c23", 4),
        ("c40", 4),
    ]


def test_data_sets_weigh_alike_in_their_mean():
    clips = scored_set(5, apart=50) + scored_set(40, apart=0, dataset="celebdf")
    figures = report(clips, {}, CALIBRATION, split="test")
    values = [row["auc"]["value"] for row in figures["per_dataset"]]
    assert figures["counts"]["datasets"] == ["celebdf", "ffpp"]
    assert figures["mean_over_datasets"]["auc"]["value"] == pytest.approx(np.mean(values))


def test_a_video_without_a_score_counts_both_ways():
    clips = _clips({"youtube": [-2, -1, -3], "Deepfakes": [2, 3, 1]})
    failures = report(clips, _SKIPPED, CALIBRATION, split="test")["failures"]
    assert (failures["no_face"], failures["unreadable"]) == (1, 1)
    assert failures["no_face_share"] == pytest.approx(1 / 8)
    assert failures["left_out"]["auc"]["value"] == 1
    # The real one above every fake, the fake one below every real one.
    assert failures["counted_as_wrong"]["auc"]["value"] == pytest.approx(9 / 16)
    assert failures["counted_as_wrong"]["balanced_accuracy"]["value"] == 0.75
    assert report(clips, None, CALIBRATION, split="test")["failures"]["known"] is False


@pytest.mark.parametrize(
    ("frame_apart", "expected", "words"),
    [
        (0.0, True, "The LSTM beats"),
        (4.0, False, "does not beat"),
        (1.95, False, "was not shown to beat"),
    ],
)
def test_the_report_says_whether_the_lstm_beats_the_mean_of_frames(frame_apart, expected, words):
    generator = np.random.default_rng(0)
    clips = []
    for clip in scored_set(30, methods=("Deepfakes",)):
        noise = clip.clip_logit - 2 * clip.row.is_fake
        frames = frame_apart * clip.row.is_fake + noise + 0.1 * generator.normal()
        clips.append(
            scored_clip(
                clip.row.video_id,
                logit=clip.clip_logit,
                frame_logits=[frames] * 4,
                method=clip.row.method,
                is_fake=clip.row.is_fake,
                group=clip.row.group,
            )
        )
    baseline = report(clips, {}, CALIBRATION, split="test")["mean_of_frames"]
    assert baseline["lstm_beats_it"] is expected
    assert words in baseline["sentence"]


def _no_numbers_but_finite_ones(value) -> bool:
    if isinstance(value, dict):
        return all(map(_no_numbers_but_finite_ones, value.values()))
    if isinstance(value, list):
        return all(map(_no_numbers_but_finite_ones, value))
    return not isinstance(value, float) or math.isfinite(value)


@pytest.mark.parametrize(
    ("clips", "skipped"),
    [
        ([], {}),
        ([], _SKIPPED),
        ([scored_clip()], {}),
        ([scored_clip(is_fake=1, method="Deepfakes")], _SKIPPED),
        ([scored_clip(str(i), is_fake=i % 2, logit=i, group="a") for i in range(4)], None),
        ([scored_clip(str(i), is_fake=i % 2, group=str(i)) for i in range(4)], {}),
        (
            [
                scored_clip(str(i), is_fake=i % 2, logit=1e6 * (i % 2), group=str(i))
                for i in range(4)
            ],
            {},
        ),
        (
            [
                scored_clip(f"{group}-{i}", logit=2 * (i == 0) - 1, is_fake=i % 2, group=str(group))
                for group in range(10)
                for i in range(14)
            ],
            {},
        ),
    ],
    ids=[
        *("nothing", "all failed", "one real", "one fake", "one group", "all alike", "saturated"),
        "alike in every group",
    ],
)
def test_a_set_that_shows_little_gives_nulls_with_reasons(clips, skipped):
    figures = report(clips, skipped, CALIBRATION, split="test")
    assert json.loads(dumps(figures)) == figures
    assert _no_numbers_but_finite_ones(figures)
    for figure in (*figures["video"].values(), *figures["frame"].values()):
        assert figure["reason"] or None not in (figure["value"], figure["interval"])


def test_a_withheld_verdict_is_measured_at_the_threshold_it_would_have_had():
    clips = scored_set(40, apart=0)
    calibration = calibrate_on(clips, max_false_positive_rate=0.05, max_false_negative_rate=0.05)
    figures = report(clips, {}, calibration, split="validation")
    assert figures["threshold"] == {
        "value": calibration.operating_points[-1].fake_above,
        "withheld": True,
    }
    assert figures["confusion"]["false_fake"] == 1  # of 40
    assert figures["verdicts"]["fake"] == {"real": 0, "uncertain": 80, "fake": 0}


def test_a_second_face_adds_no_video():
    clips = [*_clips({"youtube": [0], "Deepfakes": [1]}), scored_clip("000", logit=5, track_id=1)]
    figures = report(clips, {}, CALIBRATION, split="test")
    assert (figures["counts"]["videos"], figures["counts"]["clips"]) == (2, 3)
    assert figures["video"]["auc"]["value"] == 0  # the other face of the real video is higher


def test_single_pictures_do_not_tell_whether_the_lstm_helps():
    pictures = [
        scored_clip(str(n), logit=logit, frame_logits=[-logit], is_fake=n % 2, group=str(n))
        for n, logit in enumerate([-1.0, 1.0, -1.0, 1.0])
    ]
    alone = report(pictures, {}, CALIBRATION, split="test")["mean_of_frames"]
    assert (alone["compared_videos"], alone["lstm_beats_it"]) == (0, None)
    assert "only pictures" in alone["sentence"]
    clips = _clips({"youtube": [-1, 2, 0], "Deepfakes": [1, 3, 0]})
    beside = report(clips + pictures, {}, CALIBRATION, split="test")["mean_of_frames"]
    assert beside["compared_videos"] == 6
    assert beside["auc_difference"]["value"] == 0


def test_methods_that_were_trained_on_are_told_from_those_that_were_not():
    clips = _clips({"youtube": [-2, 1], "Deepfakes": [2, 3], "FaceSwap": [-3, 0]})
    assert report(clips, {}, CALIBRATION, split="test")["seen_and_unseen"] is None
    trained = {"ffpp": ["Deepfakes", "Face2Face"], "other": ["FaceSwap"]}
    seen, unseen = report(clips, {}, CALIBRATION, split="test", trained_methods=trained)[
        "seen_and_unseen"
    ]
    assert (seen["seen"], seen["methods"], seen["real"], seen["fake"]) == (
        True,
        ["Deepfakes"],
        2,
        2,
    )
    assert (unseen["seen"], unseen["methods"]) == (False, ["FaceSwap"])
    assert (seen["auc"]["value"], unseen["auc"]["value"]) == (1.0, 0.25)
    # Real videos of another data set are no match for them.
    clips += [scored_clip("r", logit=9.0, dataset="other", group="other/r")]
    again = report(clips, {}, CALIBRATION, split="test", trained_methods=trained)
    assert again["seen_and_unseen"] == [seen, unseen]


def test_verdicts_and_pictures_are_counted_per_data_set():
    clips = _clips({"youtube": [-2, 0, 1, 3]})
    clips += [
        scored_clip(
            f"r{n}",
            logit=-3,
            frame_logits=[-3] * num_frames,
            method="mine",
            is_fake=0,
            group=f"m/{n}",
            dataset="mine",
        )
        for n, num_frames in enumerate((1, 4, 1))
    ]
    # The last is a video with a face in one of its frames.
    row = dataclasses.replace(clips[-1].row, num_frames=4)
    clips[-1] = dataclasses.replace(clips[-1], row=row)
    figures = report(clips, {}, CALIBRATION, split="test")
    assert figures["verdicts_per_dataset"] == [
        {
            "dataset": "ffpp",
            "pictures": 0,
            "real": {"real": 1, "uncertain": 1, "fake": 2},
            "fake": {"real": 0, "uncertain": 0, "fake": 0},
        },
        {
            "dataset": "mine",
            "pictures": 1,
            "real": {"real": 3, "uncertain": 0, "fake": 0},
            "fake": {"real": 0, "uncertain": 0, "fake": 0},
        },
    ]
