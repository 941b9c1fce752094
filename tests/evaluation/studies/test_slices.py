import dataclasses
import json

import numpy as np
import pytest

from dfjax.evaluation.drawing import draw_intervals, one_panel, png_bytes
from dfjax.evaluation.scoring import Look
from dfjax.evaluation.studies.slices import SlicesStudy, split_by_attribute, split_by_number
from dfjax.json_values import dumps
from tests.evaluation.clips import scored_set, study_context


def _by(clips, name: str) -> dict:
    (entry,) = [e for e in SlicesStudy().measure(study_context(scored=clips)) if e["by"] == name]
    return entry


def _changed(clips, **changes):
    """Returns clips whose rows have, by number, what each function of the number gives."""
    return [
        dataclasses.replace(
            clip,
            row=dataclasses.replace(clip.row, **{k: v(n) for k, v in changes.items()}),
        )
        for n, clip in enumerate(clips)
    ]


def test_each_quarter_of_the_videos_has_figures_of_its_own():
    clips = [
        dataclasses.replace(clip, look=Look(sharpness=1.0, brightness=float(number)))
        for number, clip in enumerate(scored_set(40, methods=("Deepfakes",)))
    ]
    parts = _by(clips, "brightness")["parts"]
    assert [part["videos"] for part in parts] == [20, 20, 20, 20]
    assert parts[0]["label"] == "0 to 19"
    assert all(part["auc"]["value"] > 0.6 and part["auc"]["interval"] for part in parts)
    assert _by(clips, "sharpness") == {
        "by": "sharpness",
        "unit": "variance of the crop's Laplacian",
        "parts": [],
        "reason": "all videos have the value 1",
    }


def test_a_weakness_shows_in_its_slice_alone():
    """Where faces are small, the scores mean nothing."""
    clips = scored_set(200, methods=("Deepfakes",), apart=4.0)
    small = np.array([100, 100, 130, 130])
    clips = [
        dataclasses.replace(
            clip,
            clip_logit=clip.clip_logit - 4 * clip.row.is_fake,
            row=dataclasses.replace(clip.row, boxes_xyxy=small[None]),
        )
        if int(clip.row.video_id) % 4 == 0
        else clip
        for clip in clips
    ]
    first, *_, last = _by(clips, "face size")["parts"]
    assert first["auc"]["value"] < 0.65 and first["label"] == "30 to 30"
    assert last["auc"]["value"] > 0.95


def test_an_attribute_of_the_source_is_a_slice_with_those_that_lack_it_apart():
    clips = _changed(
        scored_set(20),
        attributes=lambda n: {} if n % 3 == 0 else {"light": ("day", "night")[n % 2]},
    )
    parts = _by(clips, "light")["parts"]
    assert [part["label"] for part in parts] == ["day", "night", "not given"]
    assert sum(part["videos"] for part in parts) == len(clips)


def test_a_part_of_one_class_says_why_it_has_no_auc():
    clips = _changed(scored_set(10, methods=("Deepfakes",)), attributes=lambda n: {"odd": n % 2})
    real, fake = _by(clips, "odd")["parts"]
    assert real["auc"] == {
        "value": None,
        "interval": None,
        "reason": "there is no fake video",
    }
    assert real["false_positive_rate"]["value"] is not None
    assert fake["true_positive_rate"]["value"] is not None


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([f"person {n}" for n in range(30)], "it has 30 values; the limit is 12"),
        (["day"] * 30, "all videos have the value day"),
        ([True] * 30, "all videos have the value True"),
    ],
)
def test_an_attribute_that_splits_nothing_is_left_out_with_the_reason(values, reason):
    assert split_by_attribute(values) == reason


@pytest.mark.parametrize("as_given", [int, str])
def test_an_attribute_of_many_numbers_is_split_by_size(as_given):
    split = split_by_attribute([as_given(number) for number in range(100)])
    assert not isinstance(split, str)
    assert np.bincount(split.part_of).tolist() == [25, 25, 25, 25]


def test_those_without_a_number_are_a_part_of_their_own():
    split = split_by_attribute([None, *range(100), None])
    assert not isinstance(split, str)
    assert np.bincount(split.part_of).tolist() == [25, 25, 25, 25, 2]
    assert split.labels[-1] == "not given"
    assert split.part_of[0] == split.part_of[-1] == 4


def test_where_most_share_the_lowest_value_the_rest_is_a_part():
    split = split_by_number(np.array([0.0] * 90 + [5.0, 9.0]))
    assert not isinstance(split, str)
    assert split.labels == ["0 to 0", "5 to 9"]


def test_values_that_are_told_alike_are_one_part():
    split = split_by_number(np.array([24.0, 25.0] + [29.9998, 29.9997, 30.0] * 10))
    assert not isinstance(split, str)
    assert split.labels == ["24 to 25", "30 to 30"]
    assert split.part_of.tolist() == [0] * 2 + [1] * 30


def test_names_are_drawn_as_they_are_though_they_look_like_formulas():
    clips = _changed(scored_set(4), attributes=lambda n: {"price": f"${n % 2}_$", "$\\b$": str(n)})
    result = SlicesStudy().measure(study_context(scored=clips))
    (picture,) = SlicesStudy().pictures(result, "$\\b$").values()
    assert png_bytes(picture)


def test_every_value_lies_inside_of_the_plot():
    none = {"interval": None, "reason": "too few"}
    figures = [{"value": 0.2, **none}, {"value": 0.8, "interval": [0.6, 0.9]}, {"value": 0, **none}]
    _, axes = one_panel(5, 5)
    draw_intervals(axes, ["a", "b", "c"], figures)
    low, high = axes.get_xlim()
    assert all(low < figure["value"] < high for figure in figures)


def test_no_videos_are_not_split():
    assert (
        json.loads(dumps(SlicesStudy().measure(study_context())))[0]["reason"]
        == "there are no videos"
    )
