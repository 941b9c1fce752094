"""The folder of a run: who may use it, and `run.json`, which says what runs there."""

import importlib.metadata
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from dfjax.config import DetectorConfig
from dfjax.errors import TrainingError
from dfjax.files import UNFINISHED, write_text_atomically
from dfjax.json_values import dumps, to_json_value
from dfjax.train_config import TrainConfig
from dfjax.training.start import describe_difference
from dfjax.version import __version__

RUN_FILE = "run.json"
"""In the run's folder: all that is needed to run it again."""


def describe_run(
    train_config: TrainConfig,
    detector_config: DetectorConfig,
    *,
    weights: Sequence[str],
    fingerprints: Sequence[str],
    command: str,
) -> dict[str, Any]:
    """Returns what `run.json` says.

    Args:
      train_config: How to train.
      detector_config: Shape of what follows the encoder.
      weights: What the run starts from, as for `run`.
      fingerprints: Of the prepared data sets.
      command: The command line.
    """
    return {
        "train_config": to_json_value(train_config),
        "detector_config": to_json_value(detector_config),
        "weights": list(weights),
        "fingerprints": list(fingerprints),
        "command": command,
        "versions": _versions(),
        "git_commit": _git_commit(),
        "devices": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
    }


def check_folder(out: Path, description: dict[str, Any], *, resume: bool) -> None:
    """Checks that a run may start or continue in a folder. Changes nothing there.

    Args:
      out: The folder, which need not exist.
      description: Of the run, from `describe_run`.
      resume: Whether a run in the folder may continue.

    Raises:
      TrainingError: The folder holds something, or a run with other configs, weights or data.
    """
    path = out / RUN_FILE
    if resume and path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        for name in ("train_config", "detector_config", "weights", "fingerprints"):
            if before[name] != description[name]:
                difference = describe_difference(before[name], description[name])
                raise TrainingError(
                    f"{out} holds a run with other {name}: {difference}. Resume with the "
                    "arguments of its `command` in run.json, or name a new folder."
                )
    elif out.exists() and any(found.suffix != UNFINISHED for found in out.iterdir()):
        raise TrainingError(
            f"{out} is not empty. Name a new folder, so that no run is overwritten, or go on with "
            "the run that it holds by --resume."
        )


def claim_folder(out: Path, description: dict[str, Any]) -> None:
    """Writes `run.json`, unless the folder has one from the run that is resumed.

    Args:
      out: A folder that `check_folder` found in order; it is made where it is missing.
      description: Of the run, from `describe_run`.
    """
    if not (out / RUN_FILE).exists():
        write_text_atomically(out / RUN_FILE, dumps(description))


def _versions() -> dict[str, str]:
    names = ("jax", "jaxlib", "flax", "optax")
    return {"dfjax": __version__, **{name: importlib.metadata.version(name) for name in names}}


def _git_commit() -> str | None:
    """Returns the commit of this code, "+" behind it where files were changed; None if unknown."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        commit, changed = (
            subprocess.run([*git, *words], capture_output=True, text=True, check=True).stdout
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "-uno"])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.strip() + ("+" if changed.strip() else "")
