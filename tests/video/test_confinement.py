"""What has run away is ended by the system."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dfjax.config import VideoConfig
from dfjax.video import ffmpeg
from dfjax.video.confinement import confine
from dfjax.video.reading import read_frames
from tests.videos import moving_pattern, write_video

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits other processes")

WAIT = "import sys; sys.stdin.read(1)\n"


def run_confined(code: str, *, cpu_seconds: float = 60, writes_file: bool = False, cwd: Path):
    """Returns the exit code and errors of a Python that is confined before it does anything."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAIT + code], stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd
    )
    confine(process.pid, max_pixels=1, cpu_seconds=cpu_seconds, writes_file=writes_file)
    _, errors = process.communicate(b"x", timeout=60)
    return process.returncode, errors.decode()


def test_memory_without_end_is_refused(tmp_path):
    assert run_confined("bytearray(1 << 30)", cwd=tmp_path) == (0, "")
    code, errors = run_confined("bytearray(1 << 33)", cwd=tmp_path)
    assert code == 1 and "MemoryError" in errors


def test_work_without_end_is_killed(tmp_path):
    code, _ = run_confined("while True: pass", cpu_seconds=1, cwd=tmp_path)
    assert code in (-signal.SIGXCPU, -signal.SIGKILL)


def test_who_has_no_file_to_write_cannot_write_any(tmp_path):
    write = "import os; os.write(os.open('a', os.O_CREAT | os.O_WRONLY), b'a')"
    assert run_confined(write, writes_file=True, cwd=tmp_path) == (0, "")
    code, errors = run_confined(write, cwd=tmp_path)
    assert code == 1 and "File too large" in errors


def test_a_process_that_has_ended_is_no_error():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        confine(process.pid, max_pixels=1, cpu_seconds=1, writes_file=False)
    assert process.returncode == 0


def test_every_ffmpeg_is_confined_and_of_the_lowest_priority(tmp_path, monkeypatch):
    seen = []

    def confine_and_look(pid, **limits):
        confine(pid, **limits)
        rows = Path(f"/proc/{pid}/limits").read_text().splitlines()
        found = {row[:25].strip(): row[25:].split()[0] for row in rows}
        seen.append((os.getpriority(os.PRIO_PROCESS, pid), found))

    monkeypatch.setattr(ffmpeg, "confine", confine_and_look)
    video = write_video(tmp_path / "a.mp4", moving_pattern(10))
    assert len(list(read_frames(video, VideoConfig(num_frames=4)))) == 4
    assert len(seen) >= 2  # one looks at the streams, one decodes
    for priority, limits in seen:
        assert priority == 19
        assert limits["Max file size"] == limits["Max core file size"] == "0"
        assert int(limits["Max cpu time"]) < 3600
        assert int(limits["Max address space"]) < 10 << 30
