import importlib.util
import io
import socket
import threading
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from dfjax import provenance
from dfjax.errors import VideoError
from dfjax.provenance import Provenance, read_provenance
from dfjax.video.file_facts import read_file_facts
from tests.credentials import AI, CAMERA, signed
from tests.videos import moving_pattern, write_video


def picture():
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def signed_picture():
    return signed(picture(), "image/png", source_type=AI)


def read(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    return read_provenance(path, read_file_facts(path))


def test_a_signed_picture_says_who_signed_it_with_what_and_that_ai_made_it(
    tmp_path, signed_picture
):
    assert read(tmp_path, signed_picture) == Provenance(
        status="valid",
        signer="Test Newsroom",
        tool="Test Camera 1.0",
        made_with_ai=True,
        source_types=("trainedAlgorithmicMedia",),
    )


def test_a_signed_video_of_a_camera_does_not_say_that_ai_made_it(tmp_path):
    video = write_video(tmp_path / "clip.mp4", moving_pattern(10)).read_bytes()
    found = read(tmp_path, signed(video, "video/mp4", source_type=CAMERA))
    assert (found.status, found.made_with_ai) == ("valid", False)
    assert found.source_types == ("digitalCapture",)


def test_a_file_that_was_changed_after_it_was_signed_is_broken(tmp_path, signed_picture):
    changed = bytearray(signed_picture)
    changed[changed.find(b"IDAT") + 50] ^= 1
    found = read(tmp_path, bytes(changed))
    assert found.status == "broken" and found.problems == ("assertion.dataHash.mismatch",)


def test_a_claim_that_was_changed_is_broken(tmp_path, signed_picture):
    found = read(tmp_path, signed_picture.replace(b"trainedAlgorithmic", b"trainedAlgorithmiC"))
    assert found.status == "broken" and found.made_with_ai is False


def test_a_file_without_credentials_has_none_and_starts_no_process(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "_run_reader", None)
    assert read(tmp_path, picture()) == Provenance(status="absent")


def test_a_file_that_only_mentions_credentials_has_none(tmp_path):
    assert read(tmp_path, picture() + b"c2pa").status == "absent"


def test_credentials_that_lie_elsewhere_are_not_fetched(tmp_path):
    asked = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/manifest.c2pa"
        found = read(tmp_path, signed(picture(), "image/png", remote_url=url))
        try:
            server.accept()[0].close()
            asked.set()
        except TimeoutError:
            pass
    assert found == Provenance(status="remote")
    assert not asked.is_set()


def test_a_cut_off_file_is_not_believed(tmp_path, signed_picture):
    for length in (len(signed_picture) // 2, len(signed_picture) - 400):
        assert read(tmp_path, signed_picture[:length]).status in ("broken", "unreadable")


def test_what_a_stranger_calls_himself_is_short_and_printable(tmp_path):
    found = read(tmp_path, signed(picture(), "image/png", organisation="A\nB", tool="x" * 5000))
    assert found.signer == "A\N{REPLACEMENT CHARACTER}B"
    assert found.tool == "x" * 200


@pytest.mark.parametrize("answer", [b"", b"{", b"[]", b'{"status": "fine"}', b"[" * 100_000])
def test_an_answer_of_the_reader_that_is_none_is_not_believed(
    tmp_path, signed_picture, monkeypatch, answer
):
    monkeypatch.setattr(provenance, "_run_reader", lambda *_: answer)
    assert read(tmp_path, signed_picture) == Provenance(status="unreadable")


def test_a_reader_that_takes_too_long_is_ended(tmp_path, signed_picture, monkeypatch):
    monkeypatch.setattr(provenance, "_SECONDS", 0.0)
    assert read(tmp_path, signed_picture) == Provenance(status="unreadable")


@pytest.mark.parametrize("error", [VideoError("It is gone."), BlockingIOError("No process.")])
def test_credentials_that_cannot_be_looked_for_do_not_cost_the_verdict(
    tmp_path, signed_picture, monkeypatch, error
):
    monkeypatch.setattr(provenance, "_run_reader", Mock(side_effect=error))
    assert read(tmp_path, signed_picture) == Provenance(status="unreadable")


def test_without_the_package_it_says_that_nothing_was_read(tmp_path, signed_picture, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert read(tmp_path, signed_picture) == Provenance(status="not_read")
