"""The files of the archives that the command line was asked to scan."""

import codecs
import glob
import io
import os
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from dfjax.commands.video_files import LeftOut, find_videos, is_video, unreadable
from dfjax.errors import DfjaxError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_LIST_SUFFIXES = (".txt", ".parquet")

_Parts = tuple[str, ...]
"""A pattern, or the end of one, as the names that it is made of."""


class _Entry(NamedTuple):
    """What is in a folder."""

    path: str
    is_folder: bool
    is_link: bool


def find_archive(named: Sequence[str], left_out: LeftOut | None = None) -> list[str]:
    """Returns the paths and addresses of the files of an archive.

    Args:
      named: Files, folders with all that is in them, patterns ("in/**/*.mp4"), and lists: text with
        a file on each line, or parquet with a column `path`. All but files can also be addresses
        that fsspec knows, such as "s3://bucket/folder". What a list or pattern names is taken
        whatever it ends like.
      left_out: Gets the files of folders that do not end as videos or pictures do.

    Raises:
      DfjaxError: A folder, a pattern or a list has no file, a folder or a list cannot be read, or
        nothing is there.
    """
    # Imported only where archives are scanned: needs the extra `scan`.
    from dfjax.archive.contents import is_url

    left_out = LeftOut() if left_out is None else left_out
    found = []
    for name in named:
        if name.lower().endswith(_LIST_SUFFIXES) and not os.path.isdir(name):
            found += _listed(name)
        elif is_url(name):
            found += _in_bucket(name, left_out)
        elif glob.has_magic(name) and not os.path.lexists(name):
            files = sorted(_matching(_entries_here, *_split(name)))
            if not files:
                raise DfjaxError(f"No file is called {name}. Check the pattern.")
            found += files
        else:
            _require_there(name)
            videos = find_videos([name], recursive=True, left_out=left_out)
            found += [video.path for video in videos]
    return found


def _require_there(name: str) -> None:
    """Checks that a file or folder is there: a table with the name alone would replace an old one.

    Raises:
      DfjaxError: It is not. If it may not be looked at, reading it says so.
    """
    try:
        os.stat(name)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DfjaxError(f"There is no file or folder {name}. Check its path.") from error
    except OSError:
        pass


def _split(pattern: str) -> tuple[str, set[_Parts]]:
    """Returns the folder in which a pattern begins, and the rest of it."""
    parts = pattern.split("/")
    first = next(place for place, part in enumerate(parts) if glob.has_magic(part))
    rest = [part for part in parts[first:] if part not in ("", ".")]
    once = (part for place, part in enumerate(rest) if rest[place : place + 2] != ["**", "**"])
    return "/".join(parts[:first]) or "/" * pattern.startswith("/"), {tuple(once)}


def _matching(
    entries: Callable[[str], list[_Entry]], folder: str, patterns: AbstractSet[_Parts]
) -> Iterator[str]:
    """Yields the files in a folder, and in folders in it, that match one of some patterns.

    Only folders are looked into in which a file may match. "**" stands for any number of them, but
    for none that is a link, which may lead back; hidden names have to be written with their dot.

    Args:
      entries: Returns what is in a folder; fails if that cannot be read.
      folder: Where the patterns begin.
      patterns: At least one.
    """
    patterns = patterns | {rest[1:] for rest in patterns if rest[0] == "**" and len(rest) > 1}
    for path, is_folder, is_link in entries(folder):
        name = path.rpartition("/")[2]
        matches = False
        below: set[_Parts] = set()
        for first, *rest in patterns:
            if name.startswith(".") and not first.startswith("."):
                continue
            if first == "**":
                matches |= not rest
                if not is_link:
                    below.add((first, *rest))
            elif fnmatchcase(name, first):
                matches |= not rest
                if rest:
                    below.add(tuple(rest))
        if is_folder and below:
            yield from _matching(entries, path, below)
        elif matches and not is_folder:
            yield path


def _entries_here(folder: str) -> list[_Entry]:
    """Returns what is in a folder on this machine.

    Raises:
      DfjaxError: It cannot be read.
    """
    found = []
    try:
        with os.scandir(folder or ".") as entries:
            for entry in entries:
                path, is_link = os.path.join(folder, entry.name), entry.is_symlink()
                is_folder = os.path.isdir(path) if is_link else entry.is_dir()
                found.append(_Entry(path, is_folder, is_link))
    except (FileNotFoundError, NotADirectoryError):  # it was deleted meanwhile
        return []
    except OSError as error:
        raise DfjaxError(unreadable(folder or ".", error)) from error
    return found


def _listed(name: str) -> list[str]:
    """Returns the entries of a list.

    Raises:
      DfjaxError: It cannot be read, or has none.
    """
    import pyarrow.parquet as pq

    from dfjax.archive.contents import open_file

    try:
        with open_file(name) as file:
            data = file.read()
        if not name.lower().endswith(".parquet"):
            # Programs on Windows begin a text with a mark, and end its lines with "\r\n".
            text = os.fsdecode(data.removeprefix(codecs.BOM_UTF8))
            lines = (line.rstrip("\r") for line in text.split("\n"))
            paths = [line for line in lines if line]
        else:
            table = pq.read_table(io.BytesIO(data), columns=["path"])
            paths = table["path"].drop_null().to_pylist()
            if not all(isinstance(path, str) for path in paths):
                raise ValueError("its column `path` is not text")
    except DfjaxError:
        raise
    except Exception as error:  # each kind of bucket has its own
        cause = str(error).partition("\n")[0]
        raise DfjaxError(
            f"{name} cannot be read as a list: {cause or type(error).__name__}. Give a text "
            "file with a path on each line, or a parquet file with a column `path`."
        ) from error
    if not paths:
        raise DfjaxError(f"{name} names no file. Check how the list was made.")
    return paths


def _in_bucket(name: str, left_out: LeftOut) -> list[str]:
    """Returns the addresses of the videos and pictures at an address or in its folders.

    Args:
      name: The address of a file, a folder or a pattern.
      left_out: Gets the addresses of the other files in folders.
    """
    from dfjax.archive.contents import open_filesystem

    filesystem, place = open_filesystem(name)
    try:
        if glob.has_magic(place) and _is_walked(filesystem):
            found = list(_matching(lambda folder: _entries(filesystem, folder), *_split(place)))
        elif glob.has_magic(place):
            found = [path for path in filesystem.glob(place) if not filesystem.isdir(path)]
        else:
            found = _files_at(filesystem, place)
            if found != [place]:  # it is not a file
                for path in found:
                    if not is_video(path.rpartition("/")[2]):
                        left_out.add(_address(filesystem, name, place, str(path)))
                found = [path for path in found if is_video(path.rpartition("/")[2])]
    except DfjaxError:
        raise
    except Exception as error:  # each kind of bucket has its own
        raise DfjaxError(
            f"{name} cannot be listed: {type(error).__name__}: {error}. Check the address, and "
            "your access to it."
        ) from error
    if not found and glob.has_magic(place):
        raise DfjaxError(f"No file is called {name}. Check the pattern.")
    if not found:
        raise DfjaxError(f"{name} has no file that ends as videos or pictures do.")
    return [_address(filesystem, name, place, str(path)) for path in sorted(found)]


def _is_walked(filesystem: "AbstractFileSystem") -> bool:
    """Returns whether a file system is listed folder by folder.

    fsspec passes over folders that cannot be read, there. Others list all that begins with a path
    at once, and fail if they may not.
    """
    from fsspec import AbstractFileSystem
    from fsspec.asyn import AsyncFileSystem

    kind, usual = type(filesystem), AsyncFileSystem._find
    return kind.find is AbstractFileSystem.find and getattr(kind, "_find", usual) is usual


def _files_at(filesystem: "AbstractFileSystem", place: str) -> list[str]:
    """Returns the files in a folder of a file system and in its folders, or the file that it is.

    Raises:
      DfjaxError: A folder cannot be read.
    """
    found = list(_walk(filesystem, place) if _is_walked(filesystem) else filesystem.find(place))
    return found or ([place] if filesystem.isfile(place) else [])


def _walk(filesystem: "AbstractFileSystem", folder: str) -> Iterator[str]:
    """Yields the files in a folder and in its folders.

    Raises:
      DfjaxError: A folder cannot be read.
    """
    for path, is_folder, is_link in _entries(filesystem, folder):
        if is_folder and not is_link:
            yield from _walk(filesystem, path)
        elif not is_folder:
            yield path


def _entries(filesystem: "AbstractFileSystem", folder: str) -> list[_Entry]:
    """Returns what is in a folder of a file system; nothing if it is a file.

    Raises:
      DfjaxError: It cannot be read.
    """
    try:
        found = filesystem.ls(folder, detail=True)
    except (FileNotFoundError, NotADirectoryError):  # it was deleted meanwhile
        return []
    except OSError as error:
        if filesystem.isfile(folder):
            return []
        raise DfjaxError(unreadable(folder, error)) from error
    entries = []
    for entry in found:
        path = entry["name"].rstrip("/")
        if path == folder.rstrip("/"):  # some list a folder in itself, and all a file
            continue
        is_link = entry.get("islink", entry["type"] == "link")
        is_folder = filesystem.isdir(path) if is_link else entry["type"] == "directory"
        entries.append(_Entry(path, is_folder, is_link))
    return entries


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
