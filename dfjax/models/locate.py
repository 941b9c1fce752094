"""Where a model's files are: in a folder here, or on the Hugging Face Hub."""

import os
import re
from pathlib import Path
from typing import cast

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from dfjax.errors import HubError, ModelFormatError

# Nothing that could run code is ever downloaded.
_PATTERNS = ["config.json", "preprocessor_config.json", "training.json"]
_PATTERNS += ["model*.safetensors", "model*.index.json"]
_REPO_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")
# Those of the HTTP client, whichever it is in this release of huggingface_hub, and OSError.
_FAILED_REQUESTS = cast(tuple[type[Exception], ...], HfHubHTTPError.__bases__)


def find_folder(folder_or_repo_id: str | os.PathLike[str], *, revision: str | None = None) -> Path:
    """Returns the local folder with a model's files, downloading them where they are on the Hub.

    A folder that exists is that folder. Otherwise text of the form "owner/name" is a repository;
    its folder is in huggingface_hub's cache and is named after the commit.

    Args:
      folder_or_repo_id: A folder, or "owner/name" on the Hugging Face Hub.
      revision: Branch, tag or commit on the Hub; None: its main branch.

    Raises:
      ModelFormatError: It is neither, or a folder and a revision are both given.
      HubError: The Hub does not have it, does not give it, or cannot be reached.
    """
    source = os.fspath(folder_or_repo_id)
    folder = Path(source).expanduser()
    if source and folder.is_dir():
        if revision is not None:
            raise ModelFormatError(
                f"{source} is a folder here, and a folder has no revision {revision!r}. "
                "Leave the revision out, or name a repository of the Hub that is not a folder here."
            )
        return folder
    if not _REPO_ID.fullmatch(source):
        raise ModelFormatError(
            f"There is no folder {source!r}, and a repository of the Hugging Face Hub is named "
            'like "owner/name". Give one of the two.'
        )
    try:
        return Path(snapshot_download(source, revision=revision, allow_patterns=_PATTERNS))
    except HFValidationError as error:
        raise ModelFormatError(
            f"{source} is neither a folder here nor a name that the Hub allows: {error}"
        ) from error
    except GatedRepoError as error:  # before its base class, RepositoryNotFoundError
        raise HubError(
            f"{source} asks its users to accept terms first. Accept them at "
            f"https://huggingface.co/{source}, then run `hf auth login`."
        ) from error
    except RepositoryNotFoundError as error:
        raise HubError(
            f"There is no folder {source} here, and no such repository on the Hugging Face Hub. "
            "Check the spelling; if it is private, run `hf auth login` first."
        ) from error
    except RevisionNotFoundError as error:
        raise HubError(
            f"{source} has no revision {revision!r} on the Hugging Face Hub. "
            "Give a branch, a tag or a whole commit hash."
        ) from error
    except LocalEntryNotFoundError as error:
        raise HubError(
            f"{source} is not complete in the local cache, and the Hugging Face Hub cannot be "
            "reached. Check the connection and HF_HUB_OFFLINE, or give a folder."
        ) from error
    except _FAILED_REQUESTS as error:
        raise HubError(
            f"The Hugging Face Hub did not give {source}: {error}. Try again."
        ) from error
