"""The files that the command line was asked to judge: named one by one, or in folders and lists."""

import codecs
import glob
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dfjax.errors import DfjaxError
from dfjax.files import shown_path
from dfjax.video.suffixes import STILL_SUFFIXES, VIDEO_SUFFIXES

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_LIST_SUFFIXES = (".txt", ".parquet")


class VideoFile(NamedTuple):
    """A file to judge."""

    path: str
    name: str  # as text: without its folder, or with it if only the folder was named


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
            found.append(VideoFile(name, shown_path(Path(name).name)))
            continue
        inside = [VideoFile(path, shown_path(path)) for path in _inside(name, recursive)]
        if not inside:
            hint = "" if recursive else " Folders in it are looked into with --recursive."
            raise DfjaxError(f"{name} has no file that ends as videos or pictures do.{hint}")
        found += inside
    return found


def _inside(folder: str, recursive: bool) -> Iterator[str]:
    """Yields the videos and pictures in a folder, in the order of their names; no hidden ones.

    Raises:
      DfjaxError: It or a folder in it cannot be read. What is left out must not go unnoticed.
    """

    def fail(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # it was deleted meanwhile
            raise DfjaxError(_unreadable(error.filename, error)) from error

    for place, folders, files in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if recursive and not name.startswith("."))
        for name in sorted(files):
            if _is_video(name):
                yield os.path.join(place, name)


def _unreadable(folder: str, error: OSError) -> str:
    cause = error.strerror or f"{type(error).__name__}: {error}"
    return (
        f"The folder {shown_path(folder)} cannot be read: {cause}. Give yourself permission to "
        "read it, or name the folders and files beside it one by one."
    )


def _is_video(name: str) -> bool:
    is_video = name.lower().endswith((*VIDEO_SUFFIXES, *STILL_SUFFIXES))
    return is_video and not name.startswith(".")


def find_archive(named: Sequence[str]) -> list[str]:
    """Returns the paths and addresses of the files of an archive.

    Args:
      named: Files, folders with all that is in them, patterns ("in/**/*.mp4"), and lists: text with
        a file on each line, or parquet with a column `path`. All but files can also be addresses
        that fsspec knows, such as "s3://bucket/folder". What a list or pattern names is taken
        whatever it ends like.

    Raises:
      DfjaxError: A folder or a pattern has no file, a folder or a list cannot be read, or nothing
        is there.
    """
    # Imported only where archives are scanned: needs the extra `scan`.
    from dfjax.archive.contents import is_url

    found = []
    for name in named:
        if name.lower().endswith(_LIST_SUFFIXES) and not os.path.isdir(name):
            found += _listed(name)
        elif is_url(name):
            found += _in_bucket(name)
        elif glob.has_magic(name) and not os.path.lexists(name):
            matches = glob.glob(name, recursive=True)
            files = sorted(path for path in matches if not os.path.isdir(path))
            if not files:
                raise DfjaxError(f"No file is called {name}. Check the pattern.")
            found += files
        else:
            found += [video.path for video in find_videos([name], recursive=True)]
    return found


def _listed(name: str) -> list[str]:
    """Returns the entries of a list."""
    import pyarrow.parquet as pq

    from dfjax.archive.contents import open_file

    try:
        with open_file(name) as file:
            data = file.read()
        if not name.lower().endswith(".parquet"):
            # Programs on Windows begin a text with a mark, and end its lines with "\r\n".
            text = os.fsdecode(data.removeprefix(codecs.BOM_UTF8))
            lines = (line.rstrip("\r") for line in text.split("\n"))
            return [line for line in lines if line]
        return pq.read_table(io.BytesIO(data), columns=["path"])["path"].drop_null().to_pylist()
    except (OSError, ValueError, KeyError) as error:
        raise DfjaxError(
            f"{name} cannot be read as a list: {str(error).partition(chr(10))[0]}. Give a text "
            "file with a path on each line, or a parquet file with a column `path`."
        ) from error


def _in_bucket(name: str) -> list[str]:
    """Returns the addresses of the videos and pictures at an address or in its folders."""
    from dfjax.archive.contents import open_filesystem

    filesystem, place = open_filesystem(name)
    try:
        if glob.has_magic(place):
            found = [path for path in filesystem.glob(place) if not filesystem.isdir(path)]
        else:
            found = _files_at(filesystem, place)
            if found != [place]:  # it is not a file
                found = [path for path in found if _is_video(path.rpartition("/")[2])]
    except DfjaxError:
        raise
    except Exception as error:  # each kind of bucket has its own
        raise DfjaxError(
            f"{name} cannot be listed: {type(error).__name__}: {error}. Check the address, and "
            "your access to it."
        ) from error
    if not found:
        raise DfjaxError(f"{name} has no file that ends as videos or pictures do.")
    return [_address(filesystem, name, place, str(path)) for path in sorted(found)]


def _files_at(filesystem: "AbstractFileSystem", place: str) -> list[str]:
    """Returns the files in a folder of a file system and in its folders, or the file that it is.

    Raises:
      DfjaxError: A folder cannot be read.
    """
    from fsspec import AbstractFileSystem
    from fsspec.asyn import AsyncFileSystem

    kind, usual = type(filesystem), AsyncFileSystem._find
    if kind.find is AbstractFileSystem.find and getattr(kind, "_find", usual) is usual:
        found = list(_walk(filesystem, place))
    else:  # it lists all that begins with a path at once, and fails if it may not
        found = list(filesystem.find(place))
    return found or ([place] if filesystem.isfile(place) else [])


def _walk(filesystem: "AbstractFileSystem", folder: str) -> Iterator[str]:
    """Yields the files in a folder and in its folders; fsspec's own passes over unreadable ones.

    Raises:
      DfjaxError: A folder cannot be read.
    """
    try:
        entries = filesystem.ls(folder, detail=True)
    except FileNotFoundError:  # it was deleted meanwhile
        return
    except OSError as error:
        if filesystem.isfile(folder):
            return
        raise DfjaxError(_unreadable(folder, error)) from error
    for entry in entries:
        path = entry["name"].rstrip("/")
        if entry["type"] == "directory" and path != folder.rstrip("/"):
            yield from _walk(filesystem, path)
        else:
            yield entry["name"]


def _address(filesystem: "AbstractFileSystem", name: str, place: str, path: str) -> str:
    """Returns the address of a file that was found.

    Args:
      filesystem: Where it is.
      name: The address of the folder or the pattern by which it was found.
      place: The path of that in the file system.
      path: The path of the file there, which for some does not say on which host.
    """
    shown, place = name.rstrip("/"), place.rstrip("/")
    if shown.endswith(":") or not shown.endswith(place):
        return filesystem.unstrip_protocol(path)
    host = shown[: len(shown) - len(place)]
    return host + path if place or path.startswith("/") else f"{host}/{path}"
