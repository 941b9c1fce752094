import base64
import dataclasses
import html.parser
import json
import re

import pytest

from dfjax import prediction_warnings
from dfjax.config import Config
from dfjax.page import texts
from dfjax.page.result import render_error, render_result
from dfjax.prediction import Decision, ModelSummary, Segment
from dfjax.provenance import Provenance
from dfjax.reporting.video_report import html_report
from dfjax.words import words
from tests.page.samples import sample_prediction

HOSTILE = "<img src=x onerror=alert(1)>\"'&${7*7}{{7*7}}.mp4"


class Tags(html.parser.HTMLParser):
    """Collects the tags and attributes of a page, and checks that they close in order."""

    VOID = {"img", "br", "line", "path", "rect", "polyline", "circle"}

    def __init__(self, text):
        super().__init__()
        self.found, self._open = [], []
        self.feed(text)
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag


def report(text):
    (link,) = [attrs for _, attrs in Tags(text).found if attrs.get("id") == "df-download-json"]
    assert link["href"].startswith("data:application/json;base64,")
    return json.loads(base64.b64decode(link["href"].split(",", 1)[1]))


@pytest.mark.parametrize("label", ["fake", "real", "uncertain", "no_face"])
def test_the_report_is_the_prediction_as_json(label):
    prediction = sample_prediction(label)
    assert report(render_result(prediction)) == json.loads(json.dumps(prediction.to_dict()))


def test_the_verdict_shown_is_the_one_of_the_prediction():
    prediction = sample_prediction("uncertain")
    _, article = Tags(render_result(prediction)).found[0]
    assert article["data-label"] == "uncertain"
    assert float(article["data-probability"] or "") == prediction.probability_fake


def test_no_face_is_never_called_real_and_has_no_number():
    shown = render_result(sample_prediction("no_face"))
    assert "No face found" in shown
    assert not re.search(r"likely real|\d%", shown, re.IGNORECASE)
    assert "data-probability" not in shown


def test_what_a_visitor_named_is_text_and_never_markup():
    prediction = sample_prediction("fake", name=HOSTILE, warnings=(HOSTILE,))
    harmless = Tags(render_result(sample_prediction("fake", warnings=("plain",)))).found
    hostile = Tags(render_result(prediction)).found
    assert [tag for tag, _ in hostile] == [tag for tag, _ in harmless]
    assert not any(name.startswith("on") for _, attrs in hostile for name in attrs)


def test_an_error_message_is_text_and_never_markup():
    assert [tag for tag, _ in Tags(render_error(HOSTILE, HOSTILE)).found] == [
        tag for tag, _ in Tags(render_error("plain")).found
    ]


def test_a_model_name_is_text_and_never_markup():
    foot = texts.footer(ModelSummary(id=HOSTILE, revision=HOSTILE, version="1"))
    assert "img" not in [tag for tag, _ in Tags(foot).found]


def test_a_still_picture_has_no_length_and_no_rate():
    shown = render_result(sample_prediction("real", num_frames=1, duration=0.0))
    assert "Still picture" in shown and "fps" not in shown


def test_the_limits_are_stated_whatever_the_verdict():
    limits = texts.limits()
    assert "not proof" in limits and "voice" in limits and "Never accuse" in limits
    assert str(Config().video.num_frames) in texts.how_it_works(Config().video.num_frames)
    assert Tags(limits).found and Tags(texts.header()).found


def test_a_model_without_verdicts_names_no_threshold_and_does_not_blame_the_evidence():
    withheld = Decision(real_below=0.0, fake_above=1.0, false_positive_rate=0.0)
    prediction = sample_prediction("uncertain", decision=withheld)
    page = render_result(prediction)
    assert "too weak to judge" in page
    assert "evidence is not plain enough" not in page
    for where in (page, html_report(prediction)):
        assert f">{words.verdict.likely_fake}<" not in where


def test_a_model_that_was_never_calibrated_says_so_and_is_not_called_weak():
    withheld = Decision(real_below=0.0, fake_above=1.0, false_positive_rate=None)
    page = render_result(sample_prediction("uncertain", decision=withheld))
    assert "never calibrated" in page and "too weak" not in page
    assert "points neither way" not in page


def test_stretches_coverage_and_faces_without_a_say_are_named():
    prediction = sample_prediction("fake")
    small = dataclasses.replace(prediction.tracks[1], left_out="small")
    stretch = Segment(track=0, start=3.1, end=7.4, probability_fake=0.88)
    page = render_result(
        dataclasses.replace(prediction, tracks=(prediction.tracks[0], small), segments=(stretch,))
    )
    assert "Face 1 (on the left) looks manipulated from 3.1 s to 7.4 s (88%)." in page
    assert "8 times, up to 1.2 s apart" in page
    assert page.count("Too small to be judged well") == 2  # in the lane and beside the pictures
    assert "df-stretch " not in render_result(prediction)


def test_the_thresholds_stand_at_the_gauge_of_the_video_and_nowhere_else():
    page = render_result(sample_prediction("fake"))
    gauge, rest = page.split("</section>", 1)
    found = re.findall(r'data-threshold="([\d.]+)" style="left:clamp\(18px, ([\d.]+)%', gauge)
    assert found == [("0.3", "30"), ("0.7", "70")]
    assert "data-threshold" not in rest


@pytest.mark.parametrize(
    "real_below, fake_above, num_marks",
    [(0.3, 0.7, 2), (0.5, 0.5, 1), (0.45, 0.5, 1), (0.0, 1.0, 0)],
)
def test_the_gauge_names_its_zones_alone_and_the_thresholds_do_not_overlap(
    real_below, fake_above, num_marks
):
    decision = Decision(real_below=real_below, fake_above=fake_above, false_positive_rate=None)
    page = render_result(sample_prediction("uncertain", decision=decision))
    assert page.count("data-threshold") == num_marks
    assert (f">{words.verdict.uncertain}<" in page) == (0 < fake_above - real_below < 1)


def test_everything_that_leads_to_a_time_is_a_button_or_a_row_with_one():
    prediction = sample_prediction("fake")
    stretch = Segment(track=0, start=3.1, end=7.4, probability_fake=0.88)
    found = Tags(render_result(dataclasses.replace(prediction, segments=(stretch,)))).found
    leading = [(tag, attrs) for tag, attrs in found if "data-seek" in attrs]
    assert {tag for tag, _ in leading} == {"button", "tr"}
    times = {frame.timestamp for frame in prediction.frames}
    assert {float(attrs["data-seek"]) for _, attrs in leading} == times
    rows = [attrs["data-seek"] for tag, attrs in leading if tag == "tr"]
    buttons = [attrs["data-seek"] for tag, attrs in leading if tag == "button"]
    assert set(rows) <= set(buttons)


def test_a_reason_is_not_said_twice():
    warning = f"{prediction_warnings.SMALL} (at least half are under 64 pixels high)."
    page = render_result(sample_prediction("uncertain", warnings=(warning,)))
    assert page.count(warning) == 1


@pytest.mark.parametrize("status, comes_first", [("broken", True), ("absent", False)])
def test_credentials_stand_beside_the_verdict_if_there_are_any(status, comes_first):
    prediction = sample_prediction("real")
    said = dataclasses.replace(prediction, provenance=Provenance(status=status))
    page = render_result(said)
    assert page.count("data-provenance") == 1
    assert (page.index("data-provenance") < page.index("Where to look")) == comes_first
    assert page.index("Likely real") < page.index("data-provenance")
