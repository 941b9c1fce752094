"""Options of train.py that do not fit together are refused before anything is loaded."""

from pathlib import Path
from typing import Any

import pytest

import train
from train import Arguments


def _arguments(**more: Any) -> Arguments:
    return Arguments(data=("x",), out=Path("y"), **more)


@pytest.mark.parametrize(
    "given, words",
    [
        ({"num_processes": 2}, "--num-processes is 2, but --coordinator is missing"),
        ({"process_id": 0}, "--process-id is 0, but --coordinator is missing"),
        ({"num_processes": 2, "process_id": 1}, "is 2 and --process-id is 1, but --coordinator"),
        ({"coordinator": "host:1"}, "so --num-processes and --process-id are needed"),
        ({"coordinator": "host:1", "num_processes": 2}, "and --process-id are needed"),
    ],
)
def test_one_of_several_processes_that_cannot_find_the_others_is_refused(
    given, words, tmp_path, monkeypatch, capsys
):
    options = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["train.py", "--data", "x", "--out", "y", *options])
    assert train.main() == 1
    assert words in " ".join(capsys.readouterr().err.split())


def test_ctrl_c_says_how_to_go_on(monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.argv", ["train.py", "--data", "x", "--out", "y"])
    monkeypatch.setattr(train, "_train", stop)
    assert train.main() == 130
    assert "with --resume" in capsys.readouterr().err


def test_what_jax_detects_is_left_to_it():
    assert _arguments().processes() is None
    assert _arguments(coordinator="auto").processes() == (None, None, None)
    full = _arguments(coordinator="host:1", num_processes=2, process_id=0)
    assert full.processes() == ("host:1", 2, 0)
