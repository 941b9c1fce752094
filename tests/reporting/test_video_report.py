import dataclasses
import html.parser
import re
from html import unescape

import numpy as np
import pytest

from dfjax.prediction import Segment
from dfjax.provenance import Provenance
from dfjax.reporting.reasons import explain
from dfjax.reporting.video_report import html_report, report_name
from dfjax.words import words
from tests.page.samples import sample_prediction

HOSTILE = "</title><script>alert(1)</script><img src=//evil.example/x onerror=a()>{{7*7}}.mp4"


class Tags(html.parser.HTMLParser):
    """Collects the tags and attributes of a page."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("label", ["fake", "real", "uncertain", "no_face"])
def test_the_report_states_the_verdict_the_file_the_model_the_check_and_the_limits(label):
    prediction = sample_prediction(label)
    page = html_report(prediction)
    assert f'data-label="{label}"' in page and f"<h2>{words.verdict.titles[label]}</h2>" in page
    stated = (prediction.video.sha256, "1.23 MB (1,234,567 bytes)", "h264, mov", "standard")
    stated += ("28 November 2026, 17:10:55 UTC", prediction.model.digest, "sample-model")
    for fact in (*stated, "70%", "30%", "Never accuse"):
        assert fact and fact in page


@pytest.mark.parametrize("label", ["fake", "real", "uncertain", "no_face"])
def test_the_report_says_why_and_what_to_do_next_as_the_page_does(label):
    prediction = sample_prediction(label, warnings=("Something else.",))
    page, explanation = unescape(html_report(prediction)), explain(prediction)
    said = (*explanation.findings, *explanation.because, *explanation.next_steps)
    assert said and all(page.count(sentence) == 1 for sentence in (*said, *explanation.warnings))


def test_every_zone_of_the_scale_has_its_name_and_its_thresholds():
    page = html_report(sample_prediction("fake"))
    meter = page[page.index('<div class="meter"') : page.index("</section>")]
    assert re.findall(r"<span[^>]*>([^<]*)</span>", meter) == [
        *("30%", "70%", "likely real", "uncertain", "likely fake")
    ]


def test_every_bar_of_the_timeline_has_its_value_in_a_table():
    prediction = sample_prediction("fake", levels=(0.9, 0.2))
    page = html_report(prediction)
    table = page[page.index('<details class="values">') : page.index("</details>")]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)[1:]
    cells = [re.findall(r"<td>([\d–]*)</td>", row) for row in rows]
    times = {frame.timestamp for track in prediction.tracks for frame in track.frames}
    assert len(rows) == len(times)
    for column, track in enumerate(prediction.tracks):
        shown = [row[column] for row in cells if row[column] != "–"]
        assert shown == [f"{100 * frame.probability_fake:.0f}" for frame in track.frames]


def test_no_face_is_never_called_real_and_has_no_number():
    page = html_report(sample_prediction("no_face"))
    body = page[page.index("<main>") : page.index(words.provenance.title)]
    assert not re.search(r"likely real|\d%", body, re.IGNORECASE)


def test_the_report_loads_nothing_and_runs_nothing():
    tags = Tags(html_report(sample_prediction("fake"))).found
    assert not {"script", "link", "iframe", "object", "embed", "base"} & {tag for tag, _ in tags}
    addresses = [a[key] for _, a in tags for key in ("src", "href", "srcset") if key in a]
    assert addresses and all(address.startswith("data:image/jpeg") for address in addresses)
    assert not re.search(r"url\(|@import", html_report(sample_prediction("fake")))
    assert any("default-src 'none'" in (a.get("content") or "") for _, a in tags)


def test_what_a_stranger_wrote_is_text_and_never_markup():
    def page(text):
        prediction = sample_prediction("fake", name=text, warnings=(text,))
        provenance = Provenance(
            status="broken", signer=text, tool=text, source_types=(text,), problems=(text,)
        )
        return html_report(dataclasses.replace(prediction, provenance=provenance))

    hostile, plain = Tags(page(HOSTILE)).found, Tags(page("plain")).found
    assert [tag for tag, _ in hostile] == [tag for tag, _ in plain]
    assert [attrs.keys() for _, attrs in hostile] == [attrs.keys() for _, attrs in plain]


def test_stretches_are_named_and_shaded():
    prediction = sample_prediction("fake")
    stretch = Segment(track=0, start=3.1, end=7.4, probability_fake=0.88)
    page = html_report(dataclasses.replace(prediction, segments=(stretch,)))
    assert "Face 1: 3.1 s to 7.4 s, 88%" in page
    assert page.count('class="stretch"') == 1
    assert 'class="stretch"' not in html_report(prediction)


def test_frames_whose_clock_does_not_begin_at_zero_are_drawn_over_the_whole_axis():
    prediction = sample_prediction("fake")

    def later(frames):
        return tuple(replace(frame, timestamp=frame.timestamp + 4000) for frame in frames)

    replace = dataclasses.replace
    tracks = tuple(
        replace(track, start=track.start + 4000, end=track.end + 4000, frames=later(track.frames))
        for track in prediction.tracks
    )
    shifted = replace(prediction, frames=later(prediction.frames), tracks=tracks)
    first = prediction.frames[0].timestamp
    bars = [
        [float(x) for x in re.findall(r'svg x="([\d.]+)%"', html_report(p))]
        for p in (prediction, shifted)
    ]
    expected = np.array(bars[0]) - 100 * first / prediction.video.duration
    np.testing.assert_allclose(bars[1], expected, atol=0.01)
    assert "1:06:4" in html_report(shifted)  # the clock's own times


def test_every_frame_has_its_bar_and_every_face_its_crops():
    prediction = sample_prediction("fake")
    page = html_report(prediction)
    assert page.count("<line ") == sum(len(track.frames) for track in prediction.tracks)
    assert page.count("<img ") == 8 * len(prediction.tracks)


def test_a_heat_map_stands_beside_its_crop():
    prediction = sample_prediction("real", num_frames=4)
    page = html_report(prediction, heat_maps={(0, 2): np.zeros((8, 8, 3), np.uint8)})
    assert page.count("<img ") == 5
    assert page.count(words.report.heat_map) == 1


@pytest.mark.parametrize("status", words.provenance.status.as_dict())
def test_what_a_file_says_of_itself_stands_apart_from_the_verdict(status):
    prediction = sample_prediction("real")
    said = dataclasses.replace(prediction, provenance=Provenance(status=status, made_with_ai=True))
    page = html_report(said)
    assert words.provenance.status[status] in page and words.provenance.ai in page
    assert "Likely real" in page
    assert words.provenance.title not in html_report(
        dataclasses.replace(prediction, provenance=None)
    )


def test_a_still_picture_has_no_length():
    page = html_report(sample_prediction("real", num_frames=1, duration=0.0))
    assert words.report.still in page and "frames a second" not in page


@pytest.mark.parametrize(
    "name, safe",
    [
        ("clip.mp4", "clip-report.html"),
        ("my clip (1).tar.mp4", "my_clip_1_.tar-report.html"),
        ("../../etc/shadow.mp4", "etc_shadow-report.html"),
        ("Año nuevo.mp4", "Año_nuevo-report.html"),
        ("An\u0303o.mp4", "Año-report.html"),  # as macOS writes it
        ("東京タワー.mp4", "東京タワー-report.html"),
        ("हिन्दी:١٢.mp4", "हिन्दी_١٢-report.html"),
        ("a\u202eb\ud800c?*.mp4", "a_b_c-report.html"),
        ("…", "video-report.html"),
        ("", "video-report.html"),
    ],
)
def test_the_report_has_a_safe_name_after_the_video(name, safe):
    assert report_name(name, ".html") == safe


@pytest.mark.parametrize("letters", ["x", "ñ", "東", "x東", "𠮷"])
def test_a_long_name_gives_a_short_file_name_of_whole_letters(letters):
    name = report_name(letters * 200 + ".mp4", ".html")
    assert 140 < len(name.encode()) < 180
    assert (letters * 200).startswith(name.removesuffix("-report.html"))


def test_a_frame_has_a_value_and_no_percentage_beside_that_of_its_face():
    page = html_report(sample_prediction("fake"))
    values = re.findall(r"<strong>([^<]*)</strong></p></li>", page)
    assert values and all(0 <= int(value) <= 100 for value in values)
    assert words.report.faces_info in page
    assert words.report.faces_info not in html_report(sample_prediction("no_face"))


@pytest.mark.parametrize(
    ("num_bytes", "shown"), [(999, "999 B"), (999_499, "999 kB"), (999_600, "1 MB")]
)
def test_a_size_never_has_an_exponent(num_bytes, shown):
    prediction = sample_prediction("real")
    video = dataclasses.replace(prediction.video, size_bytes=num_bytes)
    page = html_report(dataclasses.replace(prediction, video=video))
    assert f"{shown} ({num_bytes:,} bytes)" in page


def test_a_face_without_a_say_comes_after_those_that_decided():
    prediction = sample_prediction("real", levels=(0.9, 0.06))
    tracks = prediction.tracks
    small = dataclasses.replace(tracks[0], left_out="small")
    page = html_report(dataclasses.replace(prediction, tracks=(small, *tracks[1:])))
    places = [page.index(f"<h3>Face {number}") for number in (1, 2)]
    assert places[1] < places[0]
