import dataclasses
import re
from xml.etree import ElementTree

import pytest

from dfjax.page.plot import score_plot, tick_times
from dfjax.prediction import Decision
from dfjax.shown_numbers import clock
from tests.page.samples import sample_prediction


def parse(prediction):
    return ElementTree.fromstring(score_plot(prediction))


def points(figure):
    return [e for e in figure.iter("svg") if e.get("class") == "df-point"]


def test_every_face_in_every_frame_is_one_mark_with_its_numbers():
    prediction = sample_prediction("fake")
    drawn = {
        (int(p.attrib["data-track"]), float(p.attrib["data-timestamp"])): float(
            p.attrib["data-probability"]
        )
        for p in points(parse(prediction))
    }
    told = {
        (track.id, frame.timestamp): frame.probability_fake
        for track in prediction.tracks
        for frame in track.frames
    }
    assert drawn == told


def test_marks_stand_at_their_time_and_probability():
    prediction = sample_prediction("uncertain")
    figure = parse(prediction)
    top, bottom = (
        float(next(s for s in figure.iter("span") if s.text == text).attrib["style"][4:-2])
        for text in ("100%", "0%")
    )
    for point, frame in zip(points(figure), prediction.frames, strict=True):
        x, y = float(point.attrib["x"].rstrip("%")), float(point.attrib["y"])
        assert x / 100 == pytest.approx(frame.timestamp / prediction.video.duration, abs=1e-4)
        assert (bottom - y) / (bottom - top) == pytest.approx(frame.probability_fake, abs=1e-3)


def test_both_thresholds_are_drawn_and_named():
    figure = parse(sample_prediction("fake"))
    drawn = {e.get("data-threshold") for e in figure.iter("line")} - {None}
    assert drawn == {"0.3", "0.7"}
    words = "".join(figure.itertext())
    assert "likely fake above 70%" in words and "likely real below 30%" in words


def test_thresholds_at_the_edges_stay_inside_the_plot():
    for real_below, fake_above in ((0.0, 1.0), (0.01, 0.02), (0.99, 0.99)):
        decision = Decision(real_below=real_below, fake_above=fake_above, false_positive_rate=None)
        figure = parse(sample_prediction("fake", decision=decision))
        heights = [float(e.attrib["height"]) for e in figure.iter("rect")]
        assert sum(heights) == pytest.approx(200) and min(heights) > 0


def test_faces_differ_by_shape_and_class_not_only_by_colour():
    figure = parse(sample_prediction("fake", levels=(0.9,) * 8))
    paths = {
        point.attrib["data-track"]: path.attrib["d"]
        for point in points(figure)
        for path in point.iter("path")
    }
    assert len(paths) == len(set(paths.values())) == 8


def test_no_line_bridges_the_time_in_which_a_face_was_gone():
    figure = parse(sample_prediction("fake"))
    first, second = (
        [line for line in figure.iter("polyline") if line in list(group.iter("polyline"))]
        for group in figure.iter("g")
    )
    assert len(first) == 1 and len(second) == 2


def test_a_still_picture_is_one_mark_in_the_middle_without_a_line():
    figure = parse(sample_prediction("real", num_frames=1, duration=0.0))
    (point,) = points(figure)
    assert point.attrib["x"] == "50.0%"
    assert not list(figure.iter("polyline"))


def test_a_screen_reader_gets_a_title_and_a_description():
    svg = next(iter(parse(sample_prediction("fake")).iter("svg")))
    ids = svg.attrib["aria-labelledby"].split()
    title, desc = (next(e for e in svg.iter() if e.get("id") == i).text or "" for i in ids)
    assert "over time" in title
    assert "Face 1, 32 frames" in desc and "Face 2" in desc


def test_the_numbers_outlive_a_probability_of_zero_or_one():
    prediction = sample_prediction("fake", levels=(1.0, 0.0))
    text = "".join(parse(prediction).itertext())
    assert ">99%" in text and "<1%" in text


def test_the_axis_follows_the_last_frame_where_the_container_states_too_short_a_time():
    prediction = sample_prediction("fake")
    video = dataclasses.replace(prediction.video, duration=3.0)
    figure = parse(dataclasses.replace(prediction, video=video))
    assert all(float(p.attrib["x"].rstrip("%")) <= 100 for p in points(figure))


@pytest.mark.parametrize("duration", [0.04, 0.3, 1, 9.6, 59, 61, 600, 3600, 14400, 90000])
def test_ticks_are_few_round_and_inside(duration):
    times = tick_times(duration)
    assert 1 <= len(times) <= 6
    assert times[0] == 0 and times[-1] <= duration
    assert len({clock(time) for time in times}) == len(times)


def test_times_are_written_as_a_viewer_reads_them():
    texts = [clock(seconds) for seconds in (0, 4.2, 59.5, 67, 3750)]
    assert texts == ["0 s", "4.2 s", "59.5 s", "1:07", "1:02:30"]
    assert re.fullmatch(r"[\d.]+ s", clock(0.333333))
