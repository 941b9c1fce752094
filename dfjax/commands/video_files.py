"""The files that the command line was asked to judge: named one by one, or in folders."""

import collections
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from dfjax.errors import DfjaxError
from dfjax.files import shown_path, without_query
from dfjax.video.suffixes import STILL_SUFFIXES, VIDEO_SUFFIXES

_LEFT_OUT_SHOWN = 3


class VideoFile(NamedTuple):
    """A file to judge."""

    path: str
    name: str  # to be shown: with its folder, unless it was named itself and no other is called so


class LeftOut:
    """The files in folders that are not judged, since they do not end as videos or pictures do."""

    def __init__(self, is_own: Callable[[str], bool] = lambda path: False):
        """Begins at none.

        Args:
          is_own: Returns whether the command itself wrote a file, which nobody misses then.
        """
        self._is_own = is_own
        self.count = 0
        self.first: list[str] = []  # the paths of a few; an archive may have millions

    def add(self, path: str) -> None:
        """Counts a file, or its address, unless it is hidden or the command's own."""
        if os.path.basename(path).startswith(".") or self._is_own(path):
            return
        self.count += 1
        if self.count <= _LEFT_OUT_SHOWN:
            self.first.append(_shown(path))

    def show(self) -> None:
        """Says on standard error how many there are, and names the first."""
        if self.count:
            files = "1 file was" if self.count == 1 else f"{self.count} files were"
            more = ", …" if self.count > len(self.first) else ""
            Console(stderr=True, markup=False, emoji=False).print(
                f"{files} left out for not ending as videos or pictures do ({', '.join(self.first)}"
                f"{more}). A file that is named itself is judged whatever it ends like.",
                highlight=False,
                soft_wrap=True,
            )


def find_videos(
    named: Sequence[str], *, recursive: bool, left_out: LeftOut | None = None
) -> list[VideoFile]:
    """Returns the files that were named, and those of folders that end as videos and pictures do.

    Args:
      named: Files and folders. What does not exist is taken for a file: reading it says the rest.
      recursive: Whether to look into the folders in a folder. Links to folders are not followed.
      left_out: Gets the other files of folders.

    Raises:
      DfjaxError: A folder has no video and no picture, or it or one in it cannot be read, or an
        address was named.
    """
    left_out = LeftOut() if left_out is None else left_out
    found = []
    for name in named:
        if not os.path.isdir(name):  # `Path.is_dir` raises where it may not look
            _require_no_address(name)
            found.append(VideoFile(name, _shown(Path(name).name)))
            continue
        inside = [VideoFile(path, _shown(path)) for path in _inside(name, recursive, left_out)]
        if not inside:
            hint = "" if recursive else " Folders in it are looked into with --recursive."
            raise DfjaxError(f"{name} has no file that ends as videos or pictures do.{hint}")
        found += inside
    times = collections.Counter(video.name for video in found)
    return [
        video if times[video.name] == 1 else VideoFile(video.path, _shown(video.path))
        for video in found
    ]


def _require_no_address(name: str) -> None:
    """Checks that a name is not the address of a file elsewhere.

    Raises:
      DfjaxError: It is.
    """
    if "://" in name and not os.path.lexists(name):
        raise DfjaxError(
            f"{_shown(without_query(name))} is an address, and none is fetched here. Download the "
            "video first; `python -m dfjax scan` reads s3://, https:// and others itself."
        )


def _shown(path: str) -> str:
    """Returns a path as text; what cannot be displayed, or commands a terminal, is replaced."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in path)


def _inside(folder: str, recursive: bool, left_out: LeftOut) -> Iterator[str]:
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
            else:
                left_out.add(os.path.join(place, name))


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
