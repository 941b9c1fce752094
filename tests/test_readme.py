"""The README's commands and its program run as they stand, here with a tiny model."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from dfjax.__main__ import main
from dfjax.page.limits import PageLimits
from dfjax.video.limits import VideoLimits
from tests.tiny import tiny_detector
from tests.videos import portrait_frames

PROJECT = Path(__file__).resolve().parents[1]
README, PYTHON, SECURITY = (
    (PROJECT / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/use-from-python.md", "docs/security.md")
)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the README names, and a small model."""
    (tmp_path / "docs").mkdir()
    for name in ("docs/sample.mp4", "holiday.mp4"):
        shutil.copy(PROJECT / "docs/sample.mp4", tmp_path / name)
    Image.fromarray(portrait_frames(1)[0]).save(tmp_path / "portrait.jpg")
    tiny_detector().save_pretrained(tmp_path / "checkpoint")
    monkeypatch.setenv("DFJAX_MODEL", str(tmp_path / "checkpoint"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def programs(title: str, language: str) -> list[str]:
    """Returns the programs under a heading."""
    (text,) = re.findall(rf"^## {title}\n(.*?)(?=^## )", README, re.S | re.M)
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)


def test_the_commands_of_the_shell(checkout: Path, monkeypatch: pytest.MonkeyPatch):
    for command in programs("From the shell", "")[0].splitlines():
        program, *arguments = shlex.split(command)
        assert (program, arguments[:2]) == ("python", ["-m", "dfjax"])
        monkeypatch.setattr("sys.argv", arguments[1:])
        assert main() == 0
    assert (checkout / "report.json").is_file() and (checkout / "report.csv").is_file()


def test_the_program(checkout: Path, capsys: pytest.CaptureFixture[str]):
    exec(programs("From a program", "python")[0], {})
    first, *frames = capsys.readouterr().out.splitlines()
    assert first.split()[0] in ("real", "fake", "uncertain")
    assert frames and all(0 <= float(line.split()[1]) <= 1 for line in frames)


def test_the_program_for_a_camera_starts_ffmpeg_without_a_warning(checkout: Path):
    (program,) = (each for each in programs("From a program", "python") if ".live()" in each)
    program = program.replace("/dev/video0", "docs/sample.mp4")
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(PROJECT)!r})\n{program}"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "fork" not in done.stderr, done.stderr
    assert done.stdout


def test_the_thresholds_are_those_of_the_model():
    calibration = json.loads((PROJECT / "checkpoint/config.json").read_text())["calibration"]
    real, fake = calibration["real_below"], calibration["fake_above"]
    assert f"are {real:.2f} (`real_below`) and {fake:.2f} (`fake_above`)" in README


def test_the_limits_that_are_told_are_those_of_the_code():
    page, file = PageLimits(), VideoLimits()
    hours, seconds = f"{file.max_duration / 3600:g} hours", f"{file.max_decode_seconds:g}"
    frames, size = f"{file.max_source_frames:,}", f"{file.max_file_bytes / 1024**3:g} GiB"
    for text in (README, PYTHON):
        assert all(told in text for told in (hours, f"{seconds} seconds", size))
    assert f"{frames} frames" in PYTHON
    told = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|[^|]*\|$", SECURITY, re.M))
    expected = {
        "Size of a file": f"{page.max_upload_bytes // 1024**2} MiB",
        "Size of all uploads together": f"{page.max_disk_bytes // 1024**2:,} MiB",
        "Size of one client's uploads": f"{page.max_client_bytes // 1024**2:,} MiB",
        "Checks of one client that wait or run": f"{page.max_client_checks}",
        "Files of one call of `/predict_batch`": f"{page.max_batch_files}",
        "Requests of one client": f"{page.max_client_requests:g} a minute",
        "Open requests": f"{page.max_client_streams} of one client, {page.max_streams} in all",
        "Length of a video": hours,
        "Frames of a video": frames,
        "Pixels of a frame": f"{file.max_source_pixels / 1e6:.1f} million",
        "Pixels of a still picture": f"{file.max_still_pixels / 1e6:.1f} million",
        "Pixels of a JPEG that is not progressive": f"{file.max_jpeg_pixels / 1e6:g} million",
        "Time in which a video is decoded": f"{seconds} s",
    }
    for name, value in expected.items():
        (row,) = (default for what, default in told.items() if re.split("[,:]", what)[0] == name)
        assert re.match(re.escape(value) + r"\b", row), name
