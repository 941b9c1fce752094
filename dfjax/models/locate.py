"""Finds a model's files, in a local folder or on the Hugging Face Hub."""

import os
import re
from pathlib import Path
from typing import cast

from dfjax.errors import HubError, ModelFormatError
from dfjax.models.evaluation_file import EVALUATION_FILE

# Files that could run code are never downloaded.
_PATTERNS = ["config.json", "preprocessor_config.json", "training.json", "calibration.json"]
_PATTERNS += [EVALUATION_FILE, "trained_on.txt"]
_PATTERNS += ["model*.safetensors", "model*.index.json"]

_EMBEDDED_MODEL = Path(__file__).resolve().parent.parent.parent / "checkpoint"
"""The default model, which is next to app.py in the project and in the Space."""

_REPO_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")


def model_name(folder_or_repo_id: str | os.PathLike[str]) -> str:
    """Returns what a report calls a model: the name of a local folder, not the path to it.

    Args:
      folder_or_repo_id: A folder, or "owner/name" on the Hub.
    """
    # Reports go to strangers.
    folder = Path(folder_or_repo_id).expanduser()
    return folder.resolve().name if folder.is_dir() else str(folder_or_repo_id)


def find_folder(folder_or_repo_id: str | os.PathLike[str], *, revision: str | None = None) -> Path:
    """Returns the local folder with a model's files, downloading them from the Hub if necessary.

    An existing folder is returned as it is. Otherwise, "owner/name" is taken as a repository; its
    folder is in huggingface_hub's cache and is named after the commit.

    Args:
      folder_or_repo_id: A folder, or "owner/name" on the Hugging Face Hub.
      revision: Branch, tag or commit on the Hub; None: its main branch.

    Raises:
      ModelFormatError: It is neither, or a revision is given for a folder.
      HubError: The Hub does not have it, denies access to it, or cannot be reached.
    """
    source = os.fspath(folder_or_repo_id)
    folder = Path(source).expanduser()
    if source and folder.is_dir():
        if revision is not None:
            raise ModelFormatError(
                f"{source} is a local folder, which has no revision {revision!r}. Leave the "
                "revision out, or give a Hub repository that does not match a local folder."
            )
        return folder
    if not _REPO_ID.fullmatch(source):
        raise ModelFormatError(
            f"There is no folder {source!r}, and it is not a Hugging Face Hub repository, whose "
            'names have the form "owner/name". Give one of the two.'
        )
    return _downloaded(source, revision)


def _downloaded(source: str, revision: str | None) -> Path:
    """Returns the folder of a repository in huggingface_hub's cache.

    Raises:
      ModelFormatError: The Hub has no such names.
      HubError: As for `find_folder`.
    """
    # Imported here because it takes long, and a local folder does not need it.
    import huggingface_hub
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    # OSError and the errors of the HTTP client, which depends on the release of huggingface_hub.
    failed_requests = cast(tuple[type[Exception], ...], HfHubHTTPError.__bases__)
    try:
        return Path(
            huggingface_hub.snapshot_download(source, revision=revision, allow_patterns=_PATTERNS)
        )
    except HFValidationError as error:
        raise ModelFormatError(
            f"{source} is neither a local folder nor a valid name on the Hub: {error}"
        ) from error
    except GatedRepoError as error:  # before its base class, RepositoryNotFoundError
        raise HubError(
            f"{source} requires its users to accept terms first. Accept them at "
            f"https://huggingface.co/{source}, then run `hf auth login`."
        ) from error
    except RepositoryNotFoundError as error:
        raise HubError(
            f"There is no local folder {source}, and no such repository on the Hugging Face Hub. "
            "Check the spelling; if it is private, run `hf auth login` first."
        ) from error
    except RevisionNotFoundError as error:
        raise HubError(
            f"{source} has no revision {revision!r} on the Hugging Face Hub. "
            "Give a branch, a tag or a full commit hash."
        ) from error
    except LocalEntryNotFoundError as error:
        raise HubError(
            f"{source} is not complete in the local cache, and the Hugging Face Hub cannot be "
            "reached. Check the connection and HF_HUB_OFFLINE, or give a folder."
        ) from error
    # hf_xet, which fetches large files, raises RuntimeError alone.
    except (*failed_requests, RuntimeError) as error:
        raise HubError(
            f"{source} could not be downloaded from the Hugging Face Hub: {error}. Try again."
        ) from error


def model_source(argument: str | None = None) -> str:
    """Returns where the model is: the argument, else `DFJAX_MODEL`, else `checkpoint/`.

    Raises:
      ModelFormatError: None of the three is there.
    """
    named = argument or os.environ.get("DFJAX_MODEL")
    if named:
        return named
    if not _EMBEDDED_MODEL.is_dir():
        raise ModelFormatError(
            "No model was named, and there is no checkpoint/ next to the app. "
            "Give --model, or set DFJAX_MODEL, to a folder or a Hub repository."
        )
    return str(_EMBEDDED_MODEL)
