"""Prepares a folder to publish: known files only, with valid front matter."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import RepoCard

from dfjax.errors import HubError

MAX_FILE_BYTES = 5 * 1024**3
"""Largest file that is published, bytes; huggingface_hub shards weights below this size."""


def copy_known_files(source: Path, folder: Path, patterns: Sequence[str]) -> list[str]:
    """Copies the files of `source` that `patterns` name; hidden ones and caches never.

    Args:
      source: Folder to copy from.
      folder: Folder to copy to; made if it does not exist.
      patterns: As for `known_files`.

    Returns:
      The copied files' paths inside the folder, sorted.

    Raises:
      HubError: As for `known_files`.
    """
    names = known_files(source, patterns)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, folder / name)
    return names


def known_files(source: Path, patterns: Sequence[str]) -> list[str]:
    """Returns the files of `source` that `patterns` name; hidden ones and caches never.

    Args:
      source: The folder.
      patterns: Which files, as for `pathlib.Path.glob`.

    Returns:
      The files' paths inside the folder, sorted.

    Raises:
      HubError: `source` is not a folder, a named file is a symbolic link or reached through one (it
        would publish whatever that points to), or a file is larger than `MAX_FILE_BYTES`.
    """
    if not source.is_dir():
        raise HubError(f"There is no folder {source}. Give one that exists.")
    names = []
    for path in sorted({path for pattern in patterns for path in source.glob(pattern)}):
        relative = path.relative_to(source)
        if any(part.startswith(".") or part == "__pycache__" for part in relative.parts):
            continue
        name = relative.as_posix()
        if path.resolve() != source.resolve() / relative:
            raise HubError(
                f"{name} in {source} is a symbolic link, or its folder is one. What it points to "
                "could be anything: put the file itself there."
            )
        if not path.is_file():
            raise HubError(f"{name} in {source} is not a file; a file is needed there.")
        num_bytes = path.stat().st_size
        if num_bytes > MAX_FILE_BYTES:
            raise HubError(
                f"{name} in {source} has {num_bytes:,} bytes; at most {MAX_FILE_BYTES:,} are "
                "published per file. Write it in smaller shards."
            )
        names.append(name)
    return names


def require_files(found: Sequence[str], needed: Sequence[str], source: Path) -> None:
    """Checks that every needed file was found.

    Raises:
      HubError: Some were not; the message names them all.
    """
    missing = [name for name in needed if name not in found]
    if missing:
        raise HubError(f"{source} lacks {', '.join(missing)}; it cannot be published without.")


def read_front_matter(readme: Path, card_class: type[RepoCard] = RepoCard) -> dict[str, Any]:
    """Returns the YAML front matter of a README.md.

    Args:
      readme: The file.
      card_class: The kind of card, which may check more than the YAML.

    Raises:
      HubError: There is none, or it is not valid.
    """
    try:
        values = card_class.load(readme).data.to_dict()
    except (ValueError, yaml.YAMLError) as error:
        raise HubError(
            f"The front matter of {readme.name} is not valid: {' '.join(str(error).split())}"
        ) from error
    if not values:
        raise HubError(
            f"{readme.name} has no front matter. The Hub needs it, between two lines of `---` at "
            "the top of the file."
        )
    return values
