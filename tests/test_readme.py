"""The README's commands and its program run as they stand, here with a tiny model."""

import re
import shlex
import shutil
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


def section(title: str, language: str) -> str:
    """Returns the first program under a heading."""
    (text,) = re.findall(rf"^## {title}\n(.*?)(?=^## )", README, re.S | re.M)
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)[0]


def test_the_commands_of_the_shell(checkout: Path, monkeypatch: pytest.MonkeyPatch):
    for command in section("From the shell", "").splitlines():
        program, *arguments = shlex.split(command)
        assert (program, arguments[:2]) == ("python", ["-m", "dfjax"])
        monkeypatch.setattr("sys.argv", arguments[1:])
        assert main() == 0
    assert (checkout / "report.json").is_file() and (checkout / "report.csv").is_file()


def test_the_program(checkout: Path, capsys: pytest.CaptureFixture[str]):
    exec(section("From a program", "python"), {})
    first, *frames = capsys.readouterr().out.splitlines()
    assert first.split()[0] in ("real", "fake", "uncertain")
    assert frames and all(0 <= float(line.split()[1]) <= 1 for line in frames)
