"""Whole runs from the command line, and what they leave."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import AxisType

import train
from dfjax.models.pretrained import read_tensors
from dfjax.predictor import Predictor
from dfjax.training.metrics_log import read_metrics
from tests.training.train_command import STEPS, arguments, finish_run, start_run, write_data


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> dict[str, str]:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory) -> Path:
    """A run that nothing interrupted."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    finish_run(start_run(data, out))
    return out


def _tensors(run: Path) -> dict[str, np.ndarray]:
    return read_tensors(run / "checkpoint")


def test_a_run_leaves_all_that_is_needed_to_read_it_and_to_run_it_again(whole):
    description = json.loads((whole / "run.json").read_text())
    assert description["train_config"]["steps"] == STEPS
    assert description["train_config"]["blend"]["drifting"] == 0.5
    assert description["fingerprints"] == ["0" * 16]
    assert description["versions"]["jax"] == jax.__version__
    assert "train.py --data" in description["command"]
    rows = read_metrics(whole)
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, STEPS + 1))
    assert [row["step"] for row in rows if "validation_auc" in row] == [2, STEPS]
    assert all(0 <= row["wait_share"] <= 1 for row in rows if "loss" in row)
    assert any((whole / "tensorboard").iterdir())
    for name in ("loss.png", "roc.png"):
        assert (whole / name).read_bytes().startswith(b"\x89PNG")
    record = json.loads((whole / "checkpoint" / "training.json").read_text())
    assert record["data"]["train"]["videos"] == 6 * 3  # and no picture
    assert 0 <= record["correction_share"] <= 1
    assert 0 < record["rounding"]["largest_logit_change"] < 1e-2
    assert (whole / "checkpoint" / "README.md").read_text().startswith("---")
    assert Predictor.from_pretrained(whole / "checkpoint").config.video.num_frames == 8


def test_a_run_from_another_is_published_anew_with_a_share_of_it(
    data, whole, tmp_path, monkeypatch
):
    before, out = whole / "checkpoint", tmp_path / "on"
    on = ("--weights", str(before))
    finish_run(start_run(data, out, *on))
    end, metrics = _tensors(out), read_metrics(out)
    mesh = jax.make_mesh((1,), ("data",), (AxisType.Auto,), devices=jax.devices()[:1])
    monkeypatch.setattr("dfjax.training.opening.data_mesh", lambda: mesh)
    monkeypatch.setenv("XLA_FLAGS", "")  # which train.py changes
    again = arguments(data, out, *on, "--resume", "--start-share=0.25")
    monkeypatch.setattr("sys.argv", ["train.py", *again])
    assert train.main() == 0
    mean, begin = _tensors(out), read_tensors(before)
    assert any(np.abs(end[name] - tensor).max() > 1e-3 for name, tensor in begin.items())
    for name, tensor in mean.items():
        if "correction_head" not in name:  # as much of it counts as validation says, once more
            wanted = 0.75 * end[name].astype(np.float32) + 0.25 * begin[name].astype(np.float32)
            np.testing.assert_allclose(tensor, wanted, rtol=2e-3, atol=1e-4, err_msg=name)
    assert read_metrics(out) == metrics
    first, record = (
        json.loads((run / "checkpoint" / "training.json").read_text()) for run in (whole, out)
    )
    assert first["started_from"] == []
    (source,) = record["started_from"]
    assert source["command"] == first["command"] and source["step"] == STEPS
    assert record["start_share"] == 0.25
    names = ("step_seconds", "validation_seconds")
    seconds = sum(row.get(name, 0.0) for row in metrics for name in names)
    assert record["seconds"] == pytest.approx(seconds, abs=0.1)


def test_a_folder_that_holds_a_run_is_not_overwritten(data, whole):
    process = start_run(data, whole)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "--resume" in output and "Traceback" not in output
