import dataclasses
import html
import json
import re
from xml.etree import ElementTree

import pytest

from dfjax.page.faces import face_strips
from dfjax.page.plot import bars, score_plot, tick_times
from dfjax.prediction import Decision, Segment
from dfjax.shown_numbers import clock, clocks
from tests.page.samples import sample_prediction


def parse(prediction):
    return ElementTree.fromstring(score_plot(prediction))


def lanes(figure):
    return [e for e in figure.iter("div") if e.get("role") == "slider"]


def stretches(figure):
    return [e for e in figure.iter("button") if "df-stretch" in e.get("class", "")]


def with_stretch(prediction, **settings):
    segment = Segment(**{"track": 0, "start": 3.1, "end": 7.4, "probability_fake": 0.88} | settings)
    return dataclasses.replace(prediction, segments=(segment,))


def test_every_face_has_a_lane_with_the_numbers_and_boxes_of_its_frames():
    prediction = sample_prediction("fake")
    video = prediction.video
    found = lanes(parse(prediction))
    assert len(found) == len(prediction.tracks)
    for lane, track in zip(found, prediction.tracks, strict=True):
        rows = json.loads(lane.attrib["data-frames"])
        for (time, probability, *box), frame in zip(rows, track.frames, strict=True):
            assert time == pytest.approx(frame.timestamp, abs=1e-4)
            assert probability == pytest.approx(frame.probability_fake, abs=1e-4)
            sides = (video.width, video.height) * 2
            pixels = [share / 100 * side for share, side in zip(box, sides, strict=True)]
            assert pixels == pytest.approx(frame.box_xyxy, abs=0.1)


def test_bars_stand_at_their_time_and_are_as_high_as_their_value():
    prediction = sample_prediction("uncertain")
    (track,) = prediction.tracks
    duration = prediction.video.duration
    drawn = [
        tuple(map(float, bar))
        for _, path in bars(track.frames, duration)
        for bar in re.findall(r"M([\d.]+) 100V([\d.]+)", path)
    ]
    wanted = [(1000 * f.timestamp / duration, 100 - 100 * f.probability_fake) for f in track.frames]
    for one, other in zip(sorted(drawn), sorted(wanted), strict=True):
        assert one == pytest.approx(other, abs=0.06)


def test_a_higher_value_has_a_stronger_shade():
    prediction = sample_prediction("uncertain")
    (track,) = prediction.tracks
    frames = tuple(
        dataclasses.replace(frame, probability_fake=n / 31) for n, frame in enumerate(track.frames)
    )
    drawn = bars(frames, prediction.video.duration)
    assert [shade for shade, _ in drawn] == [0, 1, 2, 3, 4]
    assert max(abs(path.count("M") - 32 / 5) for _, path in drawn) < 2


def test_no_threshold_reaches_the_frames():
    """A frame has a scale of its own: the model's thresholds are for videos."""
    prediction = sample_prediction("fake", levels=(0.93, 0.41))
    pages = []
    for real_below, fake_above in ((0.3, 0.7), (0.05, 0.92), (0.42, 0.43)):
        decision = Decision(real_below=real_below, fake_above=fake_above, false_positive_rate=None)
        changed = dataclasses.replace(prediction, decision=decision)
        pages.append(score_plot(changed) + face_strips(changed))
    assert pages[0] == pages[1] == pages[2]
    assert not re.search("threshold|df-zone|likely", pages[0])


def test_values_of_frames_are_not_written_in_per_cent():
    prediction = sample_prediction("uncertain", levels=(0.52,))
    shown = html.unescape(re.sub(r"<[^>]*>", " ", score_plot(prediction) + face_strips(prediction)))
    assert set(re.findall(r"[\d.]+%", shown)) == {"52%"}  # of the face


def test_a_stretch_is_shaded_where_it_is_with_its_probability_on_the_scale_of_the_video():
    prediction = with_stretch(sample_prediction("fake"))
    figure = parse(prediction)
    (shade,) = [e for e in figure.iter("i") if "df-shade" in e.get("class", "")]
    left, width = map(float, re.findall(r"([\d.]+)%", shade.attrib["style"]))
    assert left == pytest.approx(100 * 3.1 / 9.6, abs=0.01)
    assert left + width == pytest.approx(100 * 7.4 / 9.6, abs=0.02)
    (button,) = stretches(figure)
    assert button.text == "88%" and float(button.attrib["data-seek"]) == pytest.approx(3.15)
    assert button.attrib["aria-label"] == "Face 1, 3.1 s to 7.4 s: 88% likely manipulated"


@pytest.mark.parametrize("probability, label", [(0.88, "fake"), (0.6, "uncertain")])
def test_a_stretch_is_as_suspicious_as_its_own_probability(probability, label):
    figure = parse(with_stretch(sample_prediction("fake"), probability_fake=probability))
    assert all(f"df-{label}" in e.get("class", "") for e in stretches(figure))


def test_a_stretch_of_a_gone_face_is_in_no_other_lane():
    figure = parse(with_stretch(sample_prediction("fake"), track=1))
    first, second = [e for e in figure.iter("div") if e.get("class", "").startswith("df-lane df-")]
    assert not stretches(first) and len(stretches(second)) == 1


def test_faces_differ_by_shape_and_class_not_only_by_colour():
    figure = parse(sample_prediction("fake", levels=(0.9,) * 8))
    paths = {p.attrib["d"] for p in figure.iter("path") if p.get("class") == "df-dot"}
    lane_classes = {e.get("class") for e in figure.iter("div") if "df-lane " in e.get("class", "")}
    assert len(paths) == len(lane_classes) == 8


def test_a_still_picture_is_one_bar_in_the_middle_without_times():
    figure = parse(sample_prediction("real", num_frames=1, duration=0.0))
    (path,) = [p for p in figure.iter("path") if p.get("d", "").startswith("M500.0 100V")]
    assert path.attrib["d"].count("M") == 1
    assert not [e for e in figure.iter("span") if "df-tick" in e.get("class", "")]


def test_a_screen_reader_gets_a_slider_with_words_for_each_face():
    first, second = lanes(parse(sample_prediction("fake")))
    assert first.attrib["tabindex"] == "0"
    assert first.attrib["aria-label"] == "Face 1, frame by frame"
    assert "32 frames from 0.15 s to 9.45 s" in first.attrib["aria-description"]
    assert first.attrib["aria-valuemax"] == "31"
    assert re.fullmatch(r"Face 1 at 0.15 s: \d+ of 100", first.attrib["aria-valuetext"])
    assert second.attrib["data-words"] == "Face 2 at {time}: {value} of 100"


def test_the_axis_follows_the_last_frame_where_the_container_states_too_short_a_time():
    prediction = sample_prediction("fake")
    video = dataclasses.replace(prediction.video, duration=3.0)
    figure = parse(dataclasses.replace(prediction, video=video))
    assert float(figure.attrib["data-duration"]) == prediction.frames[-1].timestamp


def test_the_timeline_of_a_long_video_with_many_faces_stays_small():
    prediction = sample_prediction("fake", levels=(0.9,) * 8, num_frames=1024, duration=3000.0)
    assert len(score_plot(prediction)) < 600_000


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


def test_times_past_a_minute_can_be_told_apart_where_they_are_near():
    assert [clock(67.2 + n / 25, 2) for n in range(3)] == ["1:07.20", "1:07.24", "1:07.28"]
    assert clock(3750.5, 1) == "1:02:30.5" and clock(4.2, 2) == "4.2 s"
    assert clocks(67.2, 67.9) == ("1:07.2", "1:07.9") and clocks(67.2, 97.9) == ("1:07", "1:37")
