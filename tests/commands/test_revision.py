"""The revision of a model on the Hub, which every command that takes a model can be given."""

import shutil
from pathlib import Path

import huggingface_hub
import pytest

from dfjax.__main__ import main
from dfjax.errors import HubError

PROJECT = Path(__file__).resolve().parents[2]

COMMANDS = (
    "predict clip.mp4 --model owner/name",
    "scan clip.mp4 --out results --model owner/name",
    "evaluate prepared --out report --model owner/name",
    "prepare folder videos --out prepared --model owner/name",
    "calibrate owner/name --data prepared --out calibrated",
    "export owner/name --format onnx --out exported",
)


@pytest.mark.parametrize("command", COMMANDS, ids=[command.split()[0] for command in COMMANDS])
def test_a_revision_is_what_is_asked_of_the_hub(command, tmp_path, monkeypatch, capsys):
    asked = []

    def snapshot_download(repo_id, *, revision, allow_patterns):
        asked.append((repo_id, revision))
        raise HubError("There is no network here.")

    shutil.copy(PROJECT / "docs/sample.mp4", tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    monkeypatch.setattr("sys.argv", ["dfjax", *command.split(), "--revision", "v1"])
    assert main() == 1
    assert asked == [("owner/name", "v1")]


def test_a_revision_without_a_model_is_refused(tmp_path, monkeypatch, capsys):
    command = ["prepare", "folder", str(tmp_path), "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", ["dfjax", *command, "--revision", "v1"])
    assert main() == 1
    assert "--model names none" in " ".join(capsys.readouterr().err.split())
