"""The files that the command line was asked to judge: named one by one, or in folders."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from dfjax.errors import DfjaxError
from dfjax.video.suffixes import STILL_SUFFIXES, VIDEO_SUFFIXES


class VideoFile(NamedTuple):
    """A file to judge."""

    path: str
    name: str  # in tables: without its folder, or with it if only the folder was named


def find_videos(named: Sequence[str], *, recursive: bool) -> list[VideoFile]:
    """Returns the files that were named, and those of folders that end as videos and pictures do.

    Args:
      named: Files and folders. What does not exist is taken for a file: reading it says the rest.
      recursive: Whether to look into the folders in a folder. Links to folders are not followed.

    Raises:
      DfjaxError: A folder has no video and no picture.
    """
    found = []
    for name in named:
        if not Path(name).is_dir():
            found.append(VideoFile(name, Path(name).name))
            continue
        inside = [VideoFile(path, path) for path in _inside(name, recursive)]
        if not inside:
            hint = "" if recursive else " Folders in it are looked into with --recursive."
            raise DfjaxError(f"{name} has no file that ends as videos or pictures do.{hint}")
        found += inside
    return found


def _inside(folder: str, recursive: bool) -> Iterator[str]:
    """Yields the videos and pictures in a folder, in the order of their names; no hidden ones."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if recursive and not name.startswith("."))
        for name in sorted(files):
            is_video = name.lower().endswith((*VIDEO_SUFFIXES, *STILL_SUFFIXES))
            if is_video and not name.startswith("."):
                yield os.path.join(place, name)
