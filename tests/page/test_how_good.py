import copy
import json
import re
from pathlib import Path

import pytest

from dfjax.models.evaluation_file import EVALUATION_FILE, read_evaluation
from dfjax.page.how_good import how_good, of_hundred
from dfjax.prediction import ModelSummary
from dfjax.words import speaking, words
from tests.page.samples import MODEL

CHECKPOINT = Path(__file__).resolve().parents[2] / "checkpoint"

REPORT = json.loads((CHECKPOINT / EVALUATION_FILE).read_text(encoding="utf-8"))


def changed(path, value):
    report = copy.deepcopy(REPORT)
    place = report
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return report


def test_the_figures_are_those_of_the_report_and_of_no_other_place():
    real = {"real": 7, "uncertain": 2, "fake": 1}
    shown = how_good(changed(("figures", "verdicts_per_dataset", 0, "real"), real), MODEL)
    for share, said in ((70, "real"), (20, "uncertain"), (10, "fake")):
        assert f'<li class="df-said-{said}"><strong>{share}</strong>' in shown


def test_videos_and_pictures_are_counted_apart_and_videos_come_first():
    none = {"real": 0, "uncertain": 0, "fake": 0}
    rows = [
        {"dataset": name, "pictures": pictures, "real": {**none, "real": 7}, "fake": none}
        for name, pictures in (("dfdc-faces", 7), ("ffpp", 0), ("mine", 3))
    ]
    shown = how_good(changed(("figures", "verdicts_per_dataset"), rows), MODEL)
    names = re.findall(r'<h3 class="df-good-source">(.*?)</h3>', shown)
    assert names == [
        "FaceForensics++: videos",
        "DFDC face crops: single pictures",
        "mine: videos and pictures",
    ]


def test_an_older_report_without_figures_of_each_data_set_has_those_of_all():
    report = copy.deepcopy(REPORT)
    del report["figures"]["verdicts_per_dataset"]
    report["figures"]["verdicts"]["real"] = {"real": 7, "uncertain": 2, "fake": 1}
    shown = how_good(report, MODEL)
    assert "df-good-source" not in shown and "<strong>70</strong>" in shown


def test_groups_that_differ_in_more_than_the_face_have_counts_and_intervals():
    shown = how_good(REPORT, MODEL)
    assert words.how_good.weak in shown
    for row in REPORT["slices"]:
        if row["by"] in words.how_good.slices:
            worst = min(row["parts"], key=lambda part: part["true_positive_rate"]["value"])
            low, high = worst["true_positive_rate"]["interval"]
            assert f"of {worst['fake']} fakes" in shown
            assert f"(95% interval {low:.0%} to {high:.0%})" in shown


def test_a_kind_that_was_tested_in_several_encodings_says_of_how_many_files():
    rows = [row for row in REPORT["figures"]["per_method"] if row["method"] == "Wav2Lip-GAN"]
    files = sum(row["fake"] for row in rows if row["compression"] == "original")
    assert 0 < files < sum(row["fake"] for row in rows)
    assert f'Wav2Lip-GAN <span class="df-muted">(files: {files})</span>' in how_good(REPORT, MODEL)


@pytest.mark.parametrize("factor", [1, 100])
def test_every_kind_of_fake_has_a_line_with_true_counts_over_all_its_encodings(factor):
    report = copy.deepcopy(REPORT)
    rows = [row for row in report["figures"]["per_method"] if row["method"] == "Wav2Lip"]
    for row in rows:
        row["true_positive_rate"] = {"value": 1.0, "interval": None, "reason": "for the test"}
        row["fake"] *= factor
    fakes = sum(row["fake"] for row in rows)
    assert len(rows) > 1
    assert f"<td>{fakes:,} of {fakes:,}</td>" in how_good(report, MODEL)


def test_thresholds_that_were_chosen_on_the_same_videos_are_not_kept_quiet():
    assert words.how_good.fitted in how_good(REPORT, MODEL)
    data = [{**row, "calibrated_on": False} for row in REPORT["data"]]
    assert words.how_good.fitted not in how_good(changed(("data",), data), MODEL)


def test_figures_on_videos_that_it_was_trained_on_are_told_to_flatter():
    assert words.how_good.not_trained in how_good(REPORT, MODEL)
    data = [*REPORT["data"][1:], {**REPORT["data"][0], "trained_on": True}]
    assert words.how_good.trained in how_good(changed(("data",), data), MODEL)


@pytest.mark.parametrize("report", [None, {}, changed(("figures", "per_method"), 3)])
def test_a_model_without_figures_says_that_it_was_not_measured(report):
    shown = how_good(report, MODEL)
    assert words.how_good.not_measured in shown and "<strong>" not in shown


def test_studies_that_were_not_made_leave_no_sentence():
    shown = how_good({**REPORT, "robustness": None, "slices": None}, MODEL)
    assert words.how_good.misleading not in shown and words.how_good.kinds in shown


@pytest.mark.parametrize("code, between", [("en", "to"), ("es", "a")])
def test_what_misleads_the_model_is_said_in_whole_numbers(code, between):
    with speaking(code):
        shown = how_good(REPORT, MODEL)
    assert f" 8 {between} 57, " in shown and "7.82" not in shown


def test_the_card_is_linked_where_it_can_be_read(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    hub = ModelSummary(id="owner/name", revision=None, version="1")
    assert 'href="https://huggingface.co/owner/name"' in how_good(REPORT, hub)
    assert "href" not in how_good(REPORT, MODEL)
    monkeypatch.setenv("SPACE_ID", "owner/space")
    assert "spaces/owner/space/blob/main/sample-model/README.md" in how_good(REPORT, MODEL)


@pytest.mark.parametrize("numbers", [[1, 0, 0], [1, 1, 1], [564, 239, 10], [1, 999, 999]])
def test_of_100_sums_up_to_100_and_is_off_by_less_than_one(numbers):
    shares = of_hundred(numbers)
    assert sum(shares) == 100
    for share, number in zip(shares, numbers, strict=True):
        assert abs(share - 100 * number / sum(numbers)) < 1


def test_a_report_on_other_weights_says_nothing_about_these(tmp_path):
    digest = REPORT["model"]["fingerprint"]
    assert read_evaluation(CHECKPOINT, digest) == REPORT
    assert read_evaluation(CHECKPOINT, "0" * 16) is None
    assert read_evaluation(CHECKPOINT, None) is None
    assert read_evaluation(tmp_path, digest) is None
    for text in ("{", "[]", '{"model": 3}', "[" * 100_000):
        (tmp_path / EVALUATION_FILE).write_text(text)
        assert read_evaluation(tmp_path, digest) is None
