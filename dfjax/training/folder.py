"""The run folder: checks before using it, and `run.json`, which describes the run."""

import fnmatch
import importlib.metadata
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from dfjax.errors import TrainingError
from dfjax.files import UNFINISHED, write_text_atomically
from dfjax.head_config import HeadConfig
from dfjax.json_values import dumps, from_json_value, to_json_value
from dfjax.train_config import TrainConfig
from dfjax.training.metrics_log import EVENTS_FOLDER, METRICS_FILE, read_metrics
from dfjax.training.saves import SAVES_FOLDER
from dfjax.training.start import describe_difference
from dfjax.version import __version__

RUN_FILE = "run.json"
"""In the run folder: everything needed to repeat the run."""

_NEEDED_TO_RESUME = ("train_config", "detector_config", "weights", "fingerprints")
_NOTED_SINCE = ("prepared", "start", "num_training", "clips")
"""Parts of `run.json` that must be the same to go on; the latter are missing from older ones."""


def describe_run(
    train_config: TrainConfig,
    detector_config: HeadConfig,
    *,
    weights: Sequence[str],
    manifests: Sequence[Mapping[str, Any]],
    num_training: int,
    command: str,
) -> dict[str, Any]:
    """Returns the contents of `run.json`.

    Args:
      train_config: How to train.
      detector_config: Shape of the layers after the encoder.
      weights: What the run starts from, as for `run`.
      manifests: Those of the prepared data sets.
      num_training: How many of them, from the first, are trained on; the rest is for validation.
      command: The command line.
    """
    return {
        "train_config": to_json_value(train_config),
        "detector_config": to_json_value(detector_config),
        "weights": list(weights),
        "fingerprints": [manifest["fingerprint"] for manifest in manifests],
        "num_training": num_training,
        "prepared": [{name: of.get(name) for name in ("config", "codec")} for of in manifests],
        "command": command,
        "versions": _versions(),
        "git_commit": _git_commit(),
        "devices": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
    }


def check_folder(out: Path, description: dict[str, Any], *, resume: bool) -> None:
    """Checks that a run may start or resume in a folder. Changes nothing there.

    Args:
      out: The folder, which need not exist.
      description: Description of the run, from `describe_run`; with "start", a fingerprint of the
        model that it starts from, and "clips", which they are, once that is known.
      resume: Whether to allow resuming a run that is already in the folder.

    Raises:
      TrainingError: The folder is not empty, or it has a run with different configs, weights or
        data; or states cannot be saved below a folder of its name.
    """
    if out.exists() and not out.is_dir():
        raise TrainingError(f"{out} is a file. Choose a new folder.")
    # orbax takes the path for a pattern. Of one that does not match itself, as "run [2]", it saves
    # states that it cannot restore.
    odd = [part for part in out.absolute().parts if not fnmatch.fnmatchcase(part, part)]
    if odd:
        raise TrainingError(
            f"The states of a run cannot be saved in {out.absolute()}, because of the brackets in "
            f"{odd[0]!r}. Choose a folder whose path has none."
        )
    if resume and (out / RUN_FILE).exists():
        before = _read_description(out)
        for name in (*_NEEDED_TO_RESUME, *_NOTED_SINCE):
            is_known = name in _NEEDED_TO_RESUME or (name in before and name in description)
            there, here = (_as_today(name, of.get(name)) for of in (before, description))
            if is_known and there != here:
                difference = describe_difference(there, here)
                raise TrainingError(
                    f"{out} has a run with different {name}: {difference}. Resume it with the "
                    "arguments given as `command` in its run.json, or choose a new folder."
                )
    elif out.exists() and any(found.suffix != UNFINISHED for found in out.iterdir()):
        raise TrainingError(
            f"{out} is not empty. Choose a new folder, so that no run is overwritten, or add "
            "--resume to continue the run that it contains."
        )


def _as_today(name: str, value: Any) -> Any:
    """Returns a part of a description with the fields that came later, which have their defaults.

    Args:
      name: That of the part.
      value: The part; one that this version cannot read is returned as it is.
    """
    kinds = {"train_config": TrainConfig, "detector_config": HeadConfig}
    try:
        return to_json_value(from_json_value(kinds[name], value, name)) if name in kinds else value
    except ValueError:
        return value


def _read_description(out: Path) -> dict[str, Any]:
    """Returns the contents of a run's `run.json`.

    Raises:
      TrainingError: It is damaged.
    """
    try:
        before = json.loads((out / RUN_FILE).read_text(encoding="utf-8"))
        if isinstance(before, dict):
            return before
        reason = "it is not an object"
    except ValueError as error:
        reason = str(error)
    raise TrainingError(
        f"{out / RUN_FILE} is damaged ({reason}), so it cannot be checked that the run in this "
        "folder is the one to resume. Restore the file from a copy, or choose a new folder."
    )


def claim_folder(out: Path, description: dict[str, Any]) -> None:
    """Writes `run.json`, unless the folder already has it because the run is being resumed.

    Args:
      out: A folder that passed `check_folder`; created if it does not exist.
      description: Description of the run, from `describe_run`.

    Raises:
      TrainingError: The folder cannot be written to.
    """
    try:
        if not (out / RUN_FILE).exists():
            write_text_atomically(out / RUN_FILE, dumps(description))
    except OSError as error:
        raise TrainingError(
            f"{out} cannot be written to: {error.strerror}. Choose another folder."
        ) from error


def release_folder(out: Path) -> None:
    """Removes what a run wrote if it ended before its first step was done.

    Such a run has nothing to resume, and would stand in the way of the next one, which may need
    other arguments.

    Args:
      out: The folder. One with a saved state, or with files that are not a run's, is left alone.
    """
    saved = out / SAVES_FOLDER
    states = list(saved.iterdir()) if saved.is_dir() else []
    written = {RUN_FILE, METRICS_FILE, EVENTS_FOLDER, SAVES_FOLDER}
    others = [path for path in out.iterdir() if path.name not in written]
    if states or others or read_metrics(out):
        return
    for name in (EVENTS_FOLDER, SAVES_FOLDER):
        shutil.rmtree(out / name, ignore_errors=True)
    for name in (METRICS_FILE, RUN_FILE):
        (out / name).unlink(missing_ok=True)


def _versions() -> dict[str, str]:
    names = ("jax", "jaxlib", "flax", "optax")
    return {"dfjax": __version__, **{name: importlib.metadata.version(name) for name in names}}


def _git_commit() -> str | None:
    """Returns the commit of this code, with "+" if files were changed; None if unknown."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        commit, changed = (
            subprocess.run([*git, *words], capture_output=True, text=True, check=True).stdout
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "-uno"])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.strip() + ("+" if changed.strip() else "")
