"""One running app, with a small untrained model, for all the tests of this folder."""

import dataclasses
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.answering import answering, free_port
from tests.tiny import tiny_detector
from tests.videos import moving_pattern, portrait_frames, run_ffmpeg, write_video

PROJECT = Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class App:
    """A running app."""

    url: str
    log: Path
    temporary: Path  # in which all its files must be, as long as it runs


def app_command(*arguments: str | Path) -> list[str]:
    """Returns the command that starts the app."""
    return [sys.executable, str(PROJECT / "app.py"), *map(str, arguments)]


def app_environment(temporary: Path) -> dict[str, str]:
    """Returns the variables of a machine on which nothing is set for the app."""
    ours = {name for name in os.environ if name.startswith(("GRADIO_", "DFJAX_"))}
    kept = {k: v for k, v in os.environ.items() if k not in ours | {"XLA_FLAGS"}}
    return kept | {"TMPDIR": str(temporary), "JAX_PLATFORMS": "cpu", "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model of a few thousand weights, which is sure of nothing."""
    folder = tmp_path_factory.mktemp("model") / "tiny-model"
    tiny_detector(real_below=0.1, fake_above=0.9).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a face, two faces, no face, what browsers do not play, and what is no video."""
    folder = tmp_path_factory.mktemp("clips")
    write_video(folder / "one face.mp4", portrait_frames(30))
    write_video(folder / "two.mp4", portrait_frames(30, num_faces=2))
    write_video(folder / "pattern.mp4", moving_pattern(25))
    write_video(folder / "moving.gif", portrait_frames(8), fps=10, codec="gif", pixel_format=None)
    write_video(folder / "unplayable.avi", portrait_frames(10), codec="mpeg4")
    # Chromium knows the sound of this one, but not its picture.
    sound = ("-f", "lavfi", "-i", "sine", "-map", "0:v", "-map", "1:a", "-shortest")
    video = write_video(folder / "silent.mp4", portrait_frames(10), codec="mpeg4")
    run_ffmpeg("-i", video, *sound, "-c:v", "copy", "-c:a", "aac", folder / "heard.mp4")
    (folder / "broken.mp4").write_bytes(b"no video at all" * 100)
    return folder


@pytest.fixture(scope="session")
def app(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The real app in a process of its own, stopped after the last test."""
    temporary = tmp_path_factory.mktemp("temporary")
    log = temporary / "log.txt"
    port = free_port()
    command = app_command("--model", checkpoint, "--host", "127.0.0.1", "--port", str(port))
    with answering(command, port, environment=app_environment(temporary), log=log) as url:
        yield App(url=url, log=log, temporary=temporary)
    left = [path for path in temporary.iterdir() if path != log]
    assert left == [], "a stopped app leaves no visitor's file behind"


def check_contract(report: dict) -> None:
    """Fails if a report is not what the contract of schema_version 1 says."""
    assert list(report) == [
        "schema_version",
        "label",
        "probability_fake",
        "decision",
        "frames",
        "tracks",
        "segments",
        "video",
        "coverage",
        "model",
        "checked_at",
        "provenance",
        "warnings",
        "seconds",
    ]
    assert report["schema_version"] == 1
    assert report["label"] in ("real", "fake", "uncertain", "no_face")
    assert (report["probability_fake"] is None) == (report["label"] == "no_face")
    assert set(report["decision"]) == {
        *("real_below", "fake_above"),
        *("false_positive_rate", "false_negative_rate"),
    }
    for segment in report["segments"]:
        assert set(segment) == {"track", "start", "end", "probability_fake"}
    for frame in report["frames"]:
        assert set(frame) == {"timestamp", "probability_fake"}
        assert 0 <= frame["probability_fake"] <= 1
    for track in report["tracks"]:
        assert set(track) == {"id", "probability_fake", "start", "end", "frames", "left_out"}
        assert track["left_out"] in (None, "short", "small")
        for frame in track["frames"]:
            assert set(frame) == {"timestamp", "probability_fake", "box_xyxy"}
            assert len(frame["box_xyxy"]) == 4
    assert set(report["video"]) == {
        *("name", "duration", "fps", "width", "height", "frames_scored"),
        *("sha256", "size_bytes", "codec", "container"),
    }
    assert len(report["video"]["sha256"]) == 64 and report["video"]["size_bytes"] > 0
    assert report["checked_at"].endswith("Z")
    assert report["provenance"]["status"] == "absent"
    assert set(report["coverage"]) == {"effort", "frames_sampled", "looks", "longest_gap"}
    assert set(report["model"]) == {"id", "revision", "version", "digest"}
    assert all(isinstance(warning, str) for warning in report["warnings"])
    assert set(report["seconds"]) == {"decode", "faces", "score"}
