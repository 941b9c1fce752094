"""What a worker makes of one file: an answer, a reason for good, or one that may pass."""

import hashlib
import os
import signal
import struct
import types
from collections.abc import Callable, Sequence
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, cast

import pytest

from dfjax.archive.contents import Content
from dfjax.archive.settings import ScanSettings
from dfjax.archive.workers import _READY, Row, Workers, _end_with_parent, _judged, _load, _Process
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


def scored_by(monkeypatch, lives: Sequence[Sequence[Any]], *, num_files: int) -> list[Row]:
    """Returns the rows of a worker that sends this in each of its lives, and dies.

    Bytes are sent as a part of an answer.
    """
    unused = iter(lives)

    def start(self):
        self.connection, theirs = Pipe()
        for said in next(unused):
            if isinstance(said, bytes):
                os.write(theirs.fileno(), said)
            else:
                theirs.send(said)
        theirs.close()
        self._is_ready = False

    monkeypatch.setattr(_Process, "_start", start)
    monkeypatch.setattr(_Process, "end", lambda self: self.connection.close())
    with Workers(ScanSettings(model="none"), "key", 1) as workers:
        return list(workers.score([Content(f"{n}.mp4", str(n)) for n in range(num_files)]))


def test_a_worker_that_dies_while_it_answers_costs_no_other_file(monkeypatch):
    half = struct.pack("!i", 100_000) + b"half"
    row = {"sha256": "1"}
    lives = ([_READY, half], [_READY, half], [_READY, row])
    lost, other = scored_by(monkeypatch, lives, num_files=2)
    assert "'0.mp4' could not be judged: the process" in lost["error"] and lost["again"]
    assert other == row


def test_a_worker_that_dies_while_it_starts_again_costs_no_other_file(monkeypatch):
    row = {"sha256": "1"}
    lost, other = scored_by(monkeypatch, ([_READY], [], [_READY, row]), num_files=2)
    assert lost["again"] and other == row


@pytest.mark.parametrize("lives", [[[]], [[_READY], [], [], []]])
def test_workers_that_cannot_start_end_the_scan(monkeypatch, lives):
    with pytest.raises(DfjaxError, match="died while it loaded the model"):
        scored_by(monkeypatch, lives, num_files=9)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for a process in /proc")
def test_a_worker_never_hears_ctrl_c():
    with Workers(ScanSettings(model="none"), "key", 1) as workers:
        status = Path(f"/proc/{workers._processes[0]._process.pid}/status").read_text()
    (blocked,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigBlk"))
    assert int(blocked, 16) >> (signal.SIGINT - 1) & 1
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
