"""The folder of a Space: the app, the package and a model, test-started before publishing."""

import http
import http.client
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from huggingface_hub import HfApi, SpaceCard
from huggingface_hub.errors import RepositoryNotFoundError

from dfjax.errors import HubError
from dfjax.hub.folder import copy_known_files, read_front_matter, require_files
from dfjax.hub.hardware import check_hardware, fit_to_hardware
from dfjax.hub.model import MODEL_FILES, check_model_folder, name_model
from dfjax.hub.push import hub_errors
from dfjax.models.detector import Detector

_TOP_FILES = ("app.py", "requirements.txt", "requirements.lock", "README.md", "LICENSE")

_DOCUMENTS = ("docs/*.md", "CONTRIBUTING.md", "CHANGELOG.md")  # that README.md links to

SPACE_FILES = (
    *_TOP_FILES,
    *_DOCUMENTS,
    *("dfjax/**/*.py", "dfjax/**/*.css", "dfjax/**/*.js", "dfjax/**/*.html", "dfjax/**/*.toml"),
)
"""The project's files that the Space runs or shows, as patterns; its model comes in
`checkpoint/`."""

SPACE_OWNED = (*_TOP_FILES, *_DOCUMENTS, "dfjax/*", "checkpoint/*")
"""Which files of a published Space are replaced or deleted by a push, as patterns."""

_START_SECONDS = 600  # until the app answers; a first start compiles

_UNSET = (
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "PYTHONPATH",
    "PYTHONSAFEPATH",  # it would hide the Space's own modules
)
"""Environment variables of the person who pushes that the Space will not have."""


def build_space_folder(
    project: Path, model: str | Path, folder: Path, *, hardware: str | None = None
) -> list[str]:
    """Assembles what the Space runs, loads its model, and starts the app from there.

    Args:
      project: Root of the project: app.py, dfjax/, requirements.txt, README.md, LICENSE.
      model: Folder of the model that the Space holds, or the Hub repository of one that it fetches.
      folder: An empty folder.
      hardware: What the Space is to run on; None: a CPU.

    Returns:
      The files' paths inside the folder, sorted.

    Raises:
      HubError: A file is missing, the front matter is not a Gradio Space's, the model is not sound
        or may not be fetched, or the app does not start.
      ModelFormatError: The model cannot be loaded.
    """
    check_hardware(hardware)
    fetched = hub_model(model)
    files = copy_known_files(project, folder, SPACE_FILES)
    require_files(files, (*_TOP_FILES, "dfjax/__init__.py"), project)
    _check_front_matter(folder / "README.md")
    if fetched is None:
        source = Path(model)
        held = copy_known_files(source, folder / "checkpoint", MODEL_FILES)
        require_files(held, ("README.md", "config.json"), source)
        check_model_folder(folder / "checkpoint")
        name_model(folder / "checkpoint" / "README.md", "checkpoint")
        files += [f"checkpoint/{name}" for name in held]
    else:
        _check_public(fetched)
        link_to_hub(folder, fetched)
        Detector.from_pretrained(fetched)  # into the cache that the app starts from
    fit_to_hardware(folder, project, hardware, fetched)
    _check_starts(folder, fetched)
    return sorted(name for name in files if (folder / name).is_file())


def hub_model(model: str | Path) -> str | None:
    """Returns the Hub repository that a model is named by; None if it is a folder."""
    is_name = re.fullmatch(r"[\w.-]+/[\w.-]+", str(model)) and not Path(model).exists()
    return str(model) if is_name else None


def link_to_hub(folder: Path, model: str) -> None:
    """Makes the documents of a Space link to its model's card on the Hub: it holds none itself.

    Args:
      folder: Of the Space.
      model: The Hub repository.
    """
    for path in (folder / "README.md", *(folder / "docs").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        linked = re.sub(
            r"\]\((\.\./)?checkpoint/README\.md\)", f"](https://huggingface.co/{model})", text
        )
        path.write_text(linked, encoding="utf-8")


def _check_public(model: str) -> None:
    """Checks that a Space, which has no token, may fetch a model of the Hub.

    Raises:
      HubError: It may not, or the Hub cannot be asked.
    """
    api = HfApi()
    with hub_errors(api, model, None):
        try:
            is_public = not api.model_info(model, token=False).gated
        except RepositoryNotFoundError:
            is_public = False
    if not is_public:
        raise HubError(
            f"{model} is not there, or not for everybody, and a Space has no token to fetch it "
            "with. Push the Space with the model in it (--model FOLDER), or make the model public."
        )


def _check_front_matter(readme: Path) -> None:
    """Checks what the Hub reads to build the Space: a wrong value shows only after the push."""
    metadata = read_front_matter(readme, SpaceCard)
    rules = {
        "title": (r".+", "a title"),
        "sdk": (r"gradio", "gradio"),
        "sdk_version": (r"\d+\.\d+\.\d+", "a full version, such as 6.31.0"),
        # Unquoted, YAML reads 3.10 as the number 3.1.
        "python_version": (r"3\.(1[1-9]|[2-9]\d)(\.\d+)?", 'at least "3.11", in quotes'),
        "app_file": (r"app\.py", "app.py"),
    }
    for key, (pattern, needed) in rules.items():
        value = metadata.get(key)
        if value is None or not re.fullmatch(pattern, str(value)):
            raise HubError(
                f"The front matter of README.md has {key} {value!r}; a Space needs {needed}."
            )


def _check_starts(folder: Path, model: str | None) -> None:
    """Runs the app as the Space will, until it answers: from its own folder, with no download.

    Args:
      folder: Of the Space.
      model: The Hub repository that it serves; None: the model in its folder.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {
        key: os.environ[key]
        for key in os.environ
        if key not in _UNSET and not key.startswith("DFJAX_")  # the options of app.py
    }
    environment |= {
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if model is not None:
        environment["DFJAX_MODEL"] = model
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not _answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    lines = log.read().decode(errors="replace").strip().splitlines()
                    raise HubError(
                        "The app does not start from the folder that would be published: "
                        f"{lines[-1] if lines else 'it says nothing.'}"
                    )
                time.sleep(0.2)
        finally:
            _stop(process)


def _answers(port: int) -> bool:
    """Returns whether the app serves its page on this port of loopback."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a process: asks it to terminate, and kills it if it does not."""
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
