"""What a worker makes of one file: an answer, a reason for good, or one that may pass."""

import hashlib
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from dfjax.archive.contents import Content
from dfjax.archive.settings import ScanSettings
from dfjax.archive.workers import Row, Workers, _end_with_parent, _judged, _load
from dfjax.errors import (
    DamagedVideoError,
    DfjaxError,
    NoVideoStreamError,
    UnsupportedFormatError,
    VideoError,
    VideoLimitError,
)
from dfjax.predictor import Predictor
from dfjax.video import ffmpeg
from dfjax.video.reading import probe
from tests.archive.archives import tiny_settings
from tests.videos import moving_pattern, write_video


@pytest.fixture
def video(tmp_path) -> Path:
    return write_video(tmp_path / "a.mp4", moving_pattern(3))


def judged(path: Path, predict: Callable[[Path], Any]) -> Row:
    """Returns the row of a file that had these bytes when it was hashed."""
    content = Content(str(path), hashlib.sha256(path.read_bytes()).hexdigest())
    predictor = cast(Predictor, lambda path, effort: predict(path))
    row = _judged(content, predictor, "standard", str(path.parent))
    assert row["sha256"] == content.sha256
    return row


@pytest.mark.parametrize(
    "error, is_final",
    [
        (DamagedVideoError("It is damaged."), True),
        (NoVideoStreamError("It has no picture."), True),
        (UnsupportedFormatError("It is a list."), True),
        (VideoLimitError("It took too long."), False),
        (VideoError("It may not be read."), False),
        (OSError(5, "Input/output error"), False),
    ],
)
def test_only_what_lies_in_the_bytes_is_a_reason_for_good(video, error, is_final):
    def fail(path):
        raise error

    row = judged(video, fail)
    assert row["again"] is not is_final and row["error"]


def test_a_file_that_changed_since_it_was_hashed_is_tried_again(video):
    def fail_half_written(path):
        path.write_bytes(path.read_bytes()[:100])
        raise DamagedVideoError("It is damaged.")

    row = judged(video, fail_half_written)
    assert row["again"] and "'a.mp4' was not judged: it, or a file with the same" in row["error"]


def test_a_file_that_is_gone_once_it_has_failed_is_tried_again(video):
    def fail_and_go(path):
        path.unlink()
        raise DamagedVideoError("It is damaged.")

    row = judged(video, fail_and_go)
    assert row["again"] and "no file named 'a.mp4'" in row["error"]


def test_a_file_whose_decoder_was_killed_is_tried_again(video, tmp_path, monkeypatch):
    killed = tmp_path / "ffmpeg"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(ffmpeg, "ffmpeg_executable", lambda: str(killed))
    row = judged(video, probe)
    assert row["again"] and "was ended by signal 9" in row["error"]


def test_a_model_that_was_changed_since_the_scan_began_scores_nothing(tmp_path):
    settings = tiny_settings(tmp_path / "model")
    key = settings.key()
    assert _load(settings, key).model.id == "model"
    tiny_settings(tmp_path / "model", seed=1)  # for one, when its process is started once more
    with pytest.raises(DfjaxError, match="model is not what it was when the scan began.*again"):
        _load(settings, key)


def test_nothing_that_was_fetched_outlives_its_process(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with pytest.raises(KeyboardInterrupt), Workers(ScanSettings(model="none"), "key", 2) as workers:
        folders = list((tmp_path / "temporary").iterdir())
        assert len(folders) == 2
        for folder in folders:
            (folder / "copy").mkdir()
            (folder / "copy" / "a.mp4").write_bytes(b"somebody's")
        workers._processes[0].restart()  # after a file that killed it
        assert sum(folder.exists() for folder in folders) == 1
        raise KeyboardInterrupt
    assert not any((tmp_path / "temporary").iterdir())


def test_nothing_that_was_fetched_outlives_a_scan_that_is_killed(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.mp4").write_bytes(b"somebody's")
    ended = []
    parent = types.SimpleNamespace(join=lambda: ended.append("parent"))
    monkeypatch.setattr("multiprocessing.parent_process", lambda: parent)
    monkeypatch.setattr("os._exit", ended.append)
    _end_with_parent(str(tmp_path / "folder"))
    assert ended == ["parent", 1] and not (tmp_path / "folder").exists()
