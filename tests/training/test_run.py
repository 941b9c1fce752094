"""Whole runs from the command line: what they leave, and what a second host changes."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from dfjax.models.pretrained import read_tensors
from dfjax.predictor import Predictor
from dfjax.training.metrics_log import read_metrics
from tests.training.prepared_set import write_prepared, write_weights

PROJECT = Path(__file__).resolve().parents[2]
STEPS = 4
ARGUMENTS = (
    f"--steps={STEPS} --pairs=2 --clip-frames=3 --validate-every=2 --save-every=1 "
    "--warmup-steps=1 --learning-rate=1e-2 --workers=1 "
    "--detector.projection-size=16 --detector.hidden-size=8"
).split()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("data")
    return {
        "data": write_prepared(folder / "prepared"),
        "weights": write_weights(folder / "weights"),
    }


def _start(data, out: Path, *more: str, devices: int = 1, soon: bool = True) -> subprocess.Popen:
    """Starts a run; `soon` saves time on compiling it, at the cost of some digits."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    flags += " --xla_backend_optimization_level=0" if soon else ""
    command = [sys.executable, "train.py", "--data", data["data"], "--weights", data["weights"]]
    return subprocess.Popen(
        [*command, "--out", str(out), *ARGUMENTS, *more],
        cwd=PROJECT,
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _finish(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=280)
    assert process.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory) -> Path:
    """A run that nothing interrupted."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    _finish(_start(data, out))
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


def test_two_processes_on_loopback_equal_one_with_two_devices(data, tmp_path):
    plain = ("--augmented=0", "--self-blended=0")  # that is proven elsewhere, and slow to compile
    _finish(_start(data, tmp_path / "one", *plain, devices=2, soon=False))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    together = ["--coordinator", address, "--num-processes", "2", "--process-id"]
    processes = [
        _start(data, tmp_path / "two", *plain, *together, str(number), soon=False)
        for number in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=240)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], outputs
    losses = [
        [row["loss"] for row in read_metrics(tmp_path / name) if "loss" in row]
        for name in ("one", "two")
    ]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    found, one = _tensors(tmp_path / "two"), _tensors(tmp_path / "one")
    for name, tensor in one.items():
        np.testing.assert_allclose(found[name], tensor, rtol=1e-3, atol=1e-4, err_msg=name)


def test_a_run_from_another_is_published_anew_with_a_share_of_it(data, whole, tmp_path):
    before, out = whole / "checkpoint", tmp_path / "on"
    on = ("--weights", str(before))
    _finish(_start(data, out, *on))
    end, metrics = _tensors(out), read_metrics(out)
    _finish(_start(data, out, *on, "--resume", "--start-share=0.25"))
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
    process = _start(data, whole)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "--resume" in output and "Traceback" not in output
