"""Runs of train.py in processes of their own, on a small prepared data set."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.compiling import COMPILE_SOON_FLAGS
from tests.training.prepared_set import write_prepared, write_weights

PROJECT = Path(__file__).resolve().parents[2]
STEPS = 4
_ARGUMENTS = (
    f"--steps={STEPS} --pairs=2 --clip-frames=3 --save-every=1 --warmup-steps=1 "
    "--learning-rate=1e-2 --workers=1 --detector.projection-size=16 --detector.hidden-size=8"
).split()


def write_data(folder: Path) -> dict[str, str]:
    """Writes the data set and the weights that a run starts from; returns their folders."""
    return {
        "data": write_prepared(folder / "prepared"),
        "weights": write_weights(folder / "weights"),
    }


def arguments(
    data: Mapping[str, str], out: Path, *more: str, validate_every: int = STEPS // 2
) -> list[str]:
    """Returns the arguments of train.py for a run on `write_data`."""
    where = ["--data", data["data"], "--weights", data["weights"], "--out", str(out)]
    return [*where, *_ARGUMENTS, f"--validate-every={validate_every}", *more]


def start_run(
    data: Mapping[str, str],
    out: Path,
    *more: str,
    validate_every: int = STEPS // 2,
    devices: int = 1,
) -> subprocess.Popen:
    """Starts a run, which is compiled soon, at the cost of some digits."""
    flags = f"--xla_force_host_platform_device_count={devices} {COMPILE_SOON_FLAGS}"
    options = arguments(data, out, *more, validate_every=validate_every)
    return subprocess.Popen(
        [sys.executable, "train.py", *options],
        cwd=PROJECT,
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish_run(process: subprocess.Popen) -> None:
    """Waits until a run has ended well."""
    output, _ = process.communicate(timeout=280)
    assert process.returncode == 0, output
