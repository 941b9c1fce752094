"""What a Space runs on, and what it needs there."""

import re
from pathlib import Path
from typing import Literal

from huggingface_hub import HfApi, SpaceCard, SpaceHardware
from huggingface_hub.errors import RepositoryNotFoundError

from dfjax.errors import HubError
from dfjax.hub.push import hub_errors

_GPU_REQUIREMENTS = "requirements-gpu.txt"
_MODEL = "DFJAX_MODEL"  # variable of a Space


def check_hardware(hardware: str | None) -> None:
    """Checks that the app can use a Space's hardware.

    Args:
      hardware: Its name on the Hub; None: what the Space has.

    Raises:
      HubError: There is none of that name, or it serves PyTorch alone.
    """
    if hardware is None:
        return
    names = [flavour.value for flavour in SpaceHardware]
    if hardware not in names:
        raise HubError(
            f"There is no Space hardware {hardware!r}. There is "
            f"{', '.join(name for name in names if not name.startswith('zero'))}."
        )
    if hardware.startswith("zero"):
        raise HubError(
            f"{hardware} (ZeroGPU) lends its GPU to PyTorch alone, and JAX would run on its CPU. "
            "Take cpu-basic, or a GPU of the Space's own, such as t4-small."
        )


def gpu_of_space(repo_id: str) -> str | None:
    """Returns the GPU that a published Space has or waits for; None: none, or there is no Space.

    Raises:
      HubError: The Hub cannot be asked.
    """
    api = HfApi()
    with hub_errors(api, repo_id, None):
        try:
            runtime = api.get_space_runtime(repo_id)
        except RepositoryNotFoundError:
            return None
    hardware = runtime.requested_hardware or runtime.hardware
    return hardware if is_gpu(hardware) else None


def fit_to_hardware(folder: Path, project: Path, hardware: str | None, preload: str | None) -> None:
    """Changes a Space's folder to what its hardware needs.

    The Hub installs `requirements.txt` and nothing that it refers to, so on a GPU that file is a
    whole one: the project's, with what `requirements-gpu.txt` puts in place of its lines.

    Args:
      folder: Of the Space, complete.
      project: Where `requirements-gpu.txt` is.
      hardware: As for `check_hardware`.
      preload: Hub repository that the Hub fetches before the Space starts.

    Raises:
      HubError: `requirements-gpu.txt` is missing.
    """
    if hardware is None and preload is None:
        return
    card = SpaceCard.load(folder / "README.md")
    if hardware is not None:
        card.data["suggested_hardware"] = hardware
    if preload is not None:
        card.data["preload_from_hub"] = [preload]
    card.save(folder / "README.md")
    if not is_gpu(hardware):
        return
    path = project / _GPU_REQUIREMENTS
    if not path.is_file():
        raise HubError(f"{project} lacks {_GPU_REQUIREMENTS}, which a Space with a GPU needs.")
    gpu = [line for line in path.read_text(encoding="utf-8").splitlines() if _package(line)]
    replaced = {_package(line) for line in gpu}
    requirements = folder / "requirements.txt"
    kept = [
        line
        for line in requirements.read_text(encoding="utf-8").splitlines()
        if _package(line) not in replaced
    ]
    requirements.write_text("\n".join([*kept, *gpu]) + "\n", encoding="utf-8")
    # It holds versions for the CPU.
    (folder / "requirements.lock").unlink(missing_ok=True)


def is_gpu(hardware: str | None) -> bool:
    """Returns whether a Space with this hardware has a GPU of its own."""
    return hardware is not None and not hardware.startswith(("cpu", "zero"))


def set_up_space(repo_id: str, hardware: str | None, model: str | None) -> None:
    """Gives a published Space its hardware, and says which model of the Hub it serves.

    Without one it serves what it holds, also if it served another before.

    Raises:
      HubError: The Hub refuses.
    """
    api = HfApi()
    with hub_errors(api, repo_id, None):
        if model is not None:
            api.add_space_variable(repo_id, _MODEL, model)
        elif _MODEL in api.get_space_variables(repo_id):
            api.delete_space_variable(repo_id, _MODEL)
        if hardware is not None:
            api.request_space_hardware(repo_id, SpaceHardware(hardware))


def to_set_up(
    repo_id: str,
    hardware: str | None,
    model: str | None,
    *,
    what: Literal["pull request", "branch"],
) -> str | None:
    """Returns what is to be set in a Space once its new files are merged; None if nothing is.

    A pull request or a branch holds files only, and the Space that runs must not change before.

    Args:
      repo_id: The Space.
      hardware: As for `set_up_space`.
      model: As for `set_up_space`.
      what: What the files are in.
    """
    steps = []
    if model is None and (is_set := _has_model_variable(repo_id)) is not False:
        steps.append(
            f"delete the variable {_MODEL}{'' if is_set else ' if it is set'}: the Space serves "
            "the model that it names, and not the one in the new files"
        )
    if model is not None:
        steps.append(
            f"set the variable {_MODEL} to {model}: the Space holds no model, and does not start "
            "without it"
        )
    if hardware is not None:
        steps.append(f"choose the hardware {hardware}")
    if not steps:
        return None
    page = f"{HfApi().endpoint}/spaces/{repo_id}/settings"
    return f"Once the {what} is merged, open {page} and {'; then '.join(steps)}."


def _has_model_variable(repo_id: str) -> bool | None:
    """Returns whether a Space has a variable that names its model; None: it cannot be asked."""
    api = HfApi()
    try:
        with hub_errors(api, repo_id, None):
            return _MODEL in api.get_space_variables(repo_id)
    except HubError:
        return None


def _package(line: str) -> str:
    """Returns the package that a line of requirements is about; "" if about none."""
    match = re.match(r"[A-Za-z0-9._-]+", line)
    return match[0].lower().replace("_", "-") if match and line[0] != "-" else ""
