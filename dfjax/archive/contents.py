"""The files of an archive, on this machine or in a bucket, and what is in them."""

import contextlib
import hashlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from dfjax.errors import AbandonedError, DfjaxError
from dfjax.files import shown_path, without_queries, without_query
from dfjax.video.formats import open_plain, reading, require_size, shown_name
from dfjax.video.limits import VideoLimits

CHANGED = (
    "{!r} was not judged: it, or a file with the same bytes, was changed while the archive was "
    "scanned. Run the same command again."
)
"""Why a file could not be judged if the bytes that were to be read for it are no longer there."""

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")
_WEB = re.compile(r"https?://", re.IGNORECASE)

_WEB_VERSIONS = ("ETag", "Last-Modified", "Content-MD5", "Digest")  # each changes with a file
_CHUNK_BYTES = 1 << 20
_MAX_NAME_BYTES = 200  # of a copy; file systems take 255


class Content(NamedTuple):
    """A file, known by its bytes."""

    path: str
    sha256: str  # 64 hex digits


class Hashed(NamedTuple):
    """What hashing a file gave: a digest, or why there is none."""

    path: str
    facts: str | None  # None also if nothing tells whether it has changed since
    sha256: str | None
    error: str | None


def is_url(path: str) -> bool:
    """Returns whether a path is the address of a file or folder elsewhere, as "s3://bucket/a"."""
    return _URL.match(path) is not None


def from_anywhere(path: str) -> str:
    """Returns a path that means the same in every folder, and on machines that share a disk."""
    return path if is_url(path) else os.path.abspath(path)


def file_name(path: str) -> str:
    """Returns what a file is called: without its folder and, on the web, what follows its path.

    Args:
      path: The file, or its address.
    """
    if not is_url(path) or path.startswith(("file:", "local:")):
        return shown_name(path)
    name = shown_name(without_query(path))
    return name.encode()[:_MAX_NAME_BYTES].decode(errors="ignore")  # its copy here is called so


def open_filesystem(path: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Returns the file system that a path or address belongs to, and its path there.

    Raises:
      DfjaxError: A package for such addresses is not installed, or there is none.
    """
    if not is_url(path):  # never parsed: a file's name may have any letters
        return LocalFileSystem(), from_anywhere(path)
    try:
        return fsspec.core.url_to_fs(path)
    except (ImportError, ValueError) as error:
        raise DfjaxError(without_queries(f"{path} cannot be opened: {error}")) from error


def open_file(path: str) -> BinaryIO:
    """Opens a file for reading, here or elsewhere.

    Raises:
      DfjaxError: As for `open_filesystem`.
      OSError: It cannot be read.
    """
    filesystem, place = open_filesystem(path)
    return cast(BinaryIO, filesystem.open(place, "rb"))


def hash_file(
    path: str,
    known: Mapping[str, tuple[str, str]],
    is_over: threading.Event | None = None,
    limits: VideoLimits = VideoLimits(),
) -> Hashed:
    """Returns the SHA-256 of a file's bytes.

    Args:
      path: The file, or its address.
      known: `facts` and digests of files that were hashed before, by `shown_path`. Where the facts
        are still the same, the file is not read.
      is_over: Set once nobody waits for it any more: then it is not read to its end.
      limits: A file elsewhere that is said to be larger is not read at all.
    """
    try:
        filesystem, place = open_filesystem(path)
        if isinstance(filesystem, LocalFileSystem) and not os.path.exists(place):
            open_plain(Path(place)).close()  # says what is wrong
        _require_size(filesystem, place, path, limits)
        facts = _facts(filesystem, place)
        before, digest = known.get(shown_path(path), (None, None))
        if facts is None or before != facts:
            is_here = isinstance(filesystem, LocalFileSystem)
            with reading(Path(place)) if is_here else open_file(path) as file:
                digest = _digest(file, is_over)
    except Exception as error:  # whatever it is, it must not end the scan of the other files
        return Hashed(path, None, None, reason(path, error))
    return Hashed(path, facts, digest, None)


def _digest(file: BinaryIO, is_over: threading.Event | None) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        if is_over is not None and is_over.is_set():
            raise AbandonedError("Nobody waits for this file any more.")
        digest.update(chunk)
    return digest.hexdigest()


def _facts(filesystem: fsspec.AbstractFileSystem, place: str) -> str | None:
    """Returns what changes when a file does; None if nothing tells."""
    if not _WEB.match(place):
        return filesystem.ukey(place)
    # `ukey` takes what is on the web to stay as it is for ever.
    info = filesystem.info(place)
    versions = [info.get(name) for name in _WEB_VERSIONS]
    if not any(versions):
        return None
    return hashlib.sha256(repr((info.get("size"), versions)).encode()).hexdigest()


@contextlib.contextmanager
def on_this_machine(path: str, folder: str, limits: VideoLimits = VideoLimits()) -> Iterator[Path]:
    """Gives the path of a file on this machine: a copy, for as long as needed, if it is elsewhere.

    Args:
      path: The file, or its address.
      folder: Where a copy is put, in a folder of its own.
      limits: A file elsewhere that is said to be larger is not fetched.

    Raises:
      DfjaxError: As for `open_filesystem`.
      VideoLimitError: It is larger.
      Exception: It cannot be fetched; each kind of bucket has its own.
    """
    filesystem, place = open_filesystem(path)
    if isinstance(filesystem, LocalFileSystem):
        yield Path(place)
        return
    _require_size(filesystem, place, path, limits)
    with tempfile.TemporaryDirectory(dir=folder) as own:
        copy = Path(own) / file_name(path)
        filesystem.get_file(place, os.fspath(copy))
        yield copy


def _require_size(
    filesystem: fsspec.AbstractFileSystem, place: str, path: str, limits: VideoLimits
) -> None:
    """Checks the size of a file elsewhere, where it is known, before any of it is fetched.

    Raises:
      VideoLimitError: It is larger than `limits.max_file_bytes`.
    """
    if isinstance(filesystem, LocalFileSystem):
        return
    num_bytes = filesystem.info(place).get("size")
    if num_bytes is not None:
        require_size(file_name(path), num_bytes, limits)


def reason(path: str, error: Exception) -> str:
    """Returns why a file could not be judged, as a sentence that a table can hold."""
    if isinstance(error, DfjaxError):
        return shown_path(str(error))  # it may name the path as it was found
    name, cause = file_name(path), f"{type(error).__name__}: {error}".rstrip(".")
    cause = shown_path(without_queries(cause))
    if isinstance(error, OSError):
        return f"{name!r} could not be read: {cause}. Check that it is there and may be read."
    return f"{name!r} could not be judged: {cause}. This may be a fault of dfjax."
