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
from tests.tiny import tiny_detector
from tests.videos import portrait_frames

PROJECT = Path(__file__).resolve().parents[1]
README = (PROJECT / "README.md").read_text(encoding="utf-8")


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
