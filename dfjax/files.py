"""Writes files atomically, and checks before long work that they can be written."""

import contextlib
import errno
import os
import re
import stat
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from dfjax.errors import DfjaxError

UNFINISHED = ".unfinished"
"""Suffix of files being written. If the process is killed, one may remain; it is never read."""

_QUERY = re.compile(r"(https?://[^\s'\"?#]*)[?#][^\s'\"]*", re.IGNORECASE)  # in a sentence


def write_text_atomically(path: Path, text: str) -> None:
    """Writes a text file in UTF-8; otherwise as `write_bytes_atomically`."""
    write_bytes_atomically(path, text.encode())


def write_bytes_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that readers see either the old contents or the new, never part of them.

    Args:
      path: The file. Its folder is created if it does not exist; an existing file is replaced by
        one that the same people may read.
      data: The new contents.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{uuid.uuid4().hex}{UNFINISHED}")  # others may write it as well
    try:
        with unfinished.open("xb") as file:
            with contextlib.suppress(OSError):  # there is no old one, or its disk knows no rights
                os.chmod(unfinished, stat.S_IMODE(os.stat(path).st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # otherwise a system crash could leave an empty file
        os.replace(unfinished, path)
    except BaseException as error:
        with contextlib.suppress(OSError):  # what went wrong first is what matters
            unfinished.unlink()
        if isinstance(error, OSError) and error.errno:  # the other name says nothing to anyone
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise


@contextlib.contextmanager
def written_together(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """Yields a folder for files, which replace those in `folder` if the block ends without error.

    Args:
      folder: Is created if it does not exist.
      names: Of all the files. The last one says what the others are: it is removed first and
        comes last, so that it never stands beside others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Inside the folder, so that it is on the same disk and files can be renamed into place.
    with tempfile.TemporaryDirectory(prefix=".", suffix=UNFINISHED, dir=folder) as unfinished:
        yield Path(unfinished)
        for name in names:
            if (folder / name).is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(folder / name))
        (folder / names[-1]).unlink(missing_ok=True)
        for name in names:
            os.replace(Path(unfinished, name), folder / name)


@contextlib.contextmanager
def only_here(folder: Path) -> Iterator[None]:
    """Keeps a folder to this process until the block is left, or the process ends in any way.

    Args:
      folder: It exists. Only processes that call this as well are kept away.

    Raises:
      DfjaxError: Another process has it.
    """
    import fcntl  # which Windows lacks

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise DfjaxError(
            f"Another process is working in {folder}. Wait for its end, or choose a new folder."
        ) from error
    except OSError:
        pass  # some network file systems have no locks
    try:
        yield
    finally:
        os.close(handle)


def shown_path(path: str) -> str:
    """Returns a path as text; bytes of it that are not text are replaced."""
    return os.fsencode(path).decode(errors="replace")


def without_query(address: str) -> str:
    """Returns an address on the web without what follows its path, which may be a secret.

    Args:
      address: Anything that does not begin with http:// or https:// is returned as it is.
    """
    return (
        re.split("[?#]", address)[0] if re.match("https?://", address, re.IGNORECASE) else address
    )


def without_queries(text: str) -> str:
    """Returns a sentence in which the addresses on the web have nothing after their paths."""
    return _QUERY.sub(r"\1", text)


def require_writable(folder: Path) -> None:
    """Checks that a folder can be written to, or made. Changes nothing.

    Args:
      folder: The folder, which need not exist.

    Raises:
      DfjaxError: It or the nearest folder above it that exists is none, or may not be written to.
    """
    # `Path.exists` raises below a folder that may not be searched, before Python 3.14.
    place = next(place for place in (folder, *folder.parents) if os.path.exists(place))
    if not place.is_dir():
        raise DfjaxError(f"{place} is a file; a folder is needed there. Choose another place.")
    if not os.access(place, os.W_OK | os.X_OK):
        raise DfjaxError(f"{place} may not be written to. Choose another place.")
