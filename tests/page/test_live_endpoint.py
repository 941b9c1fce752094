"""The live tab's requests, to the served page."""

import io
import struct

import httpx
import numpy as np
import pytest
from PIL import Image

from dfjax.page.live_endpoint import decode_frame
from dfjax.page.refusal import Refusal
from tests.page.samples import SampleLive
from tests.page.serving import MIB, wait_for


def jpeg(width: int = 64, height: int = 48, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def session(served_page, http):
    address = f"{served_page.url}/live/{http.post(served_page.url + '/live').json()['session']}"
    yield address
    assert http.post(f"{address}?close").status_code == 204


def files_of(served_page) -> set:
    return {path for path in served_page.uploads.rglob("*") if path.is_file()}


def test_a_frame_is_answered_with_its_score_and_is_not_stored(served_page, http, session, lines):
    before = files_of(served_page)
    answer = http.put(f"{session}?t=1.5", content=jpeg())
    assert answer.json() == {
        "timestamp": 1.5,
        "probability_fake": 0.25,
        "width": 64,
        "height": 48,
        "faces": [
            {
                "id": 0,
                "box_xyxy": [8, 8, 40, 40],
                "frame_probability": 0.3,
                "probability_fake": 0.25,
                "seconds": 3.0,
                "reason": None,
            }
        ],
    }
    assert files_of(served_page) == before
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    # Several lines a second would drown all others.
    assert not [line for line in lines() if line.get("status") == 200 and line["route"] == "/live"]


def test_a_session_belongs_to_who_opened_it(served_page, session):
    other = served_page.client("127.0.0.6")
    assert other.put(f"{session}?t=1", content=jpeg()).status_code == 404


@pytest.mark.parametrize(
    "content", [b"", b"no picture", jpeg(kind="PNG"), jpeg(1300, 8), jpeg()[:200]]
)
def test_what_is_no_frame_gets_a_sentence(http, session, content):
    answer = http.put(f"{session}?t=1", content=content)
    assert answer.status_code == 400 and "JPEG" in answer.text


@pytest.mark.parametrize("query", ["", "?t=", "?t=soon", "?t=nan", "?t=inf"])
def test_a_frame_without_a_time_gets_a_sentence(http, session, query):
    answer = http.put(session + query, content=jpeg())
    assert answer.status_code == 400 and "t, seconds" in answer.text


@pytest.mark.parametrize("error", [ValueError, LookupError, RuntimeError])
def test_an_error_of_our_own_is_not_blamed_on_the_sender(http, session, caplog, monkeypatch, error):
    def fail(frame, timestamp):
        raise error("an inner secret")

    monkeypatch.setattr(SampleLive, "on_frame", staticmethod(fail))
    answer = http.put(f"{session}?t=1", content=jpeg())
    assert answer.status_code == 500 and "on our side" in answer.text
    wait_for(lambda: "an inner secret" in caplog.text)


def test_a_frame_has_the_limits_of_every_body(http, session):
    assert http.put(f"{session}?t=1", content=bytes(2 * MIB)).status_code == 413


def test_another_sites_page_gets_no_camera_scored(served_page, http):
    answer = http.post(f"{served_page.url}/live", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/live"), ("PUT", "/live"), ("GET", "/live/abc"), ("POST", "/live/abc")],
)
def test_nothing_else_is_at_these_addresses(served_page, http: httpx.Client, method, path):
    assert http.request(method, served_page.url + path).status_code == 404


def test_a_small_file_that_claims_to_be_a_huge_picture_is_refused():
    data = bytearray(jpeg(8, 8))
    frame = data.index(b"\xff\xc0") + 5  # height and width, two bytes each
    data[frame : frame + 4] = struct.pack(">HH", 65520, 65520)
    with pytest.raises(Refusal) as refused:
        decode_frame(bytes(data))
    assert refused.value.status == 400
