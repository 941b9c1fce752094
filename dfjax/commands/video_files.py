"""The files that the command line was asked to judge: named one by one, or in folders."""

import collections
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from dfjax.errors import DfjaxError
from dfjax.files import shown_path
from dfjax.video.suffixes import STILL_SUFFIXES, VIDEO_SUFFIXES


class VideoFile(NamedTuple):
    """A file to judge."""

    path: str
    name: str  # to be shown: with its folder, unless it was named itself and no other is called so


def find_videos(named: Sequence[str], *, recursive: bool) -> list[VideoFile]:
    """Returns the files that were named, and those of folders that end as videos and pictures do.

    Args:
      named: Files and folders. What does not exist is taken for a file: reading it says the rest.
      recursive: Whether to look into the folders in a folder. Links to folders are not followed.

    Raises:
      DfjaxError: A folder has no video and no picture, or it or one in it cannot be read.
    """
    found = []
    for name in named:
        if not os.path.isdir(name):  # `Path.is_dir` raises where it may not look
            found.append(VideoFile(name, _shown(Path(name).name)))
            continue
        inside = [VideoFile(path, _shown(path)) for path in _inside(name, recursive)]
        if not inside:
            hint = "" if recursive else " Folders in it are looked into with --recursive."
            raise DfjaxError(f"{name} has no file that ends as videos or pictures do.{hint}")
        found += inside
    times = collections.Counter(video.name for video in found)
    return [
        video if times[video.name] == 1 else VideoFile(video.path, _shown(video.path))
        for video in found
    ]


def _shown(path: str) -> str:
    """Returns a path as text; what cannot be displayed, or commands a terminal, is replaced."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in path)


def _inside(folder: str, recursive: bool) -> Iterator[str]:
    """Yields the videos and pictures in a folder, in the order of their names; no hidden ones.

    Raises:
      DfjaxError: It or a folder in it cannot be read. What is left out must not go unnoticed.
    """

    def fail(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # it was deleted meanwhile
            raise DfjaxError(unreadable(error.filename, error)) from error

    for place, folders, files in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if recursive and not name.startswith("."))
        for name in sorted(files):
            if is_video(name):
                yield os.path.join(place, name)


def unreadable(folder: str, error: OSError) -> str:
    """Returns what is said where a folder cannot be read."""
    cause = error.strerror or f"{type(error).__name__}: {error}"
    return (
        f"The folder {shown_path(folder)} cannot be read: {cause}. Give yourself permission to "
        "read it, or name the folders and files beside it one by one."
    )


def is_video(name: str) -> bool:
    """Returns whether a file ends as videos and pictures do, and is not hidden."""
    ends_so = name.lower().endswith((*VIDEO_SUFFIXES, *STILL_SUFFIXES))
    return ends_so and not name.startswith(".")
