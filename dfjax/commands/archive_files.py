"""The files of the archives that the command line was asked to scan."""

import codecs
import glob
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from dfjax.commands.video_files import LeftOut, find_videos, is_video, unreadable
from dfjax.errors import DfjaxError
from dfjax.files import without_queries, without_query

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_LIST_SUFFIXES = (".txt", ".parquet")

_HOST = re.compile(r"https?://[^/?#]*", re.IGNORECASE)  # of an address on the web

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
        if without_query(name).lower().endswith(_LIST_SUFFIXES) and not os.path.isdir(name):
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
    if host := _HOST.match(pattern):
        folder, rests = _split(pattern[host.end() :])
        return host[0] + folder, rests
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
        if not without_query(name).lower().endswith(".parquet"):
            # Programs on Windows end the lines of a text with "\r\n".
            lines = (line.rstrip("\r") for line in _text(data).split("\n"))
            paths = [line for line in lines if line]
        else:
            table = pq.read_table(io.BytesIO(data), columns=["path"])
            paths = table["path"].drop_null().to_pylist()
            if not all(isinstance(path, str) for path in paths):
                raise ValueError("its column `path` is not text")
    except DfjaxError:
        raise
    except Exception as error:  # each kind of bucket has its own
        cause = without_queries(str(error)).partition("\n")[0]
        raise DfjaxError(
            f"{without_query(name)} cannot be read as a list: {cause or type(error).__name__}. "
            "Give a text file with a path on each line, or a parquet file with a column `path`."
        ) from error
    if not paths:
        raise DfjaxError(f"{without_query(name)} names no file. Check how the list was made.")
    return paths


def _text(data: bytes) -> str:
    """Returns the text of a list. Programs on Windows begin it with a mark of how it is encoded.

    Raises:
      ValueError: It is in no encoding that is known here; paths have no zeros.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16")
    else:
        text = os.fsdecode(data.removeprefix(codecs.BOM_UTF8))
    if "\0" in text:
        raise ValueError("it holds zeros, so it is not text in UTF-8. Save it so")
    return text


def _in_bucket(name: str, left_out: LeftOut) -> list[str]:
    """Returns the addresses of the videos and pictures at an address or in its folders.

    Args:
      name: The address of a file, a folder or a pattern.
      left_out: Gets the addresses of the other files in folders.
    """
    from dfjax.archive.contents import open_filesystem

    filesystem, place = open_filesystem(name)
    is_pattern = _is_pattern(place)
    shown = without_queries(name)
    try:
        if is_pattern and _is_walked(filesystem):
            found = list(_matching(lambda folder: _entries(filesystem, folder), *_split(place)))
        elif is_pattern:
            found = [path for path in filesystem.glob(place) if not filesystem.isdir(path)]
        else:
            found = _files_at(filesystem, place)
            if found != [place]:  # it is not a file
                for path in found:
                    if not _is_video_at(path):
                        left_out.add(without_query(_address(filesystem, name, place, path)))
                found = [path for path in found if _is_video_at(path)]
    except DfjaxError:
        raise
    except Exception as error:  # each kind of bucket has its own
        raise DfjaxError(
            f"{shown} cannot be listed: {type(error).__name__}: {without_queries(str(error))}. "
            "Check the address, and your access to it."
        ) from error
    if not found and is_pattern:
        raise DfjaxError(f"No file is called {shown}. Check the pattern.")
    if not found:
        raise DfjaxError(f"{shown} has no file that ends as videos or pictures do.")
    return [_address(filesystem, name, place, str(path)) for path in sorted(found)]


def _is_pattern(place: str) -> bool:
    """Returns whether a path in a file system is a pattern.

    On the web "?" begins a query, which may have any letters.
    """
    if host := _HOST.match(place):
        return re.search(r"[*[]", without_query(place)[host.end() :]) is not None
    return glob.has_magic(place)


def _is_video_at(path: str) -> bool:
    """Returns whether what is at a path or an address ends as videos and pictures do."""
    return is_video(without_query(path).rpartition("/")[2])


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
    if _HOST.match(place) and _is_web_file(filesystem, place):
        return [place]
    found = list(_walk(filesystem, place) if _is_walked(filesystem) else filesystem.find(place))
    return found or ([place] if filesystem.isfile(place) else [])


def _is_web_file(filesystem: "AbstractFileSystem", place: str) -> bool:
    """Returns whether an address on the web is that of a file, and not of a page with links.

    Nothing tells but the page itself. So that no video is fetched as one, its name or its kind
    decides.
    """
    if _is_video_at(place):
        return True
    kind = filesystem.info(place).get("mimetype")
    return kind != "text/html" if kind is not None else not place.endswith("/")


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
        raise DfjaxError(without_queries(unreadable(folder, error))) from error
    entries = []
    for entry in found:
        path = entry["name"].rstrip("/")
        # Some list a folder in itself, also with a query that sorts it, and all a file.
        if without_query(path).rstrip("/") == folder.rstrip("/"):
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
