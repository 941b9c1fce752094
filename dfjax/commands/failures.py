"""What the command line does with errors that a user can act on: one sentence and an exit code."""

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import TypeVar

from rich.console import Console

from dfjax.errors import DfjaxError

_Parsed = TypeVar("_Parsed")

_OF_THE_DISK = frozenset(
    (
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
        *(errno.EIO, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG),
    )
)
"""Codes of errors that say something about the user's disk. Others may be faults of ours."""


def parse(read: Callable[[], _Parsed]) -> _Parsed:
    """Returns what `read` makes of the command line.

    Raises:
      DfjaxError: An option has a value that its config refuses.
    """
    try:
        return read()
    except ValueError as error:
        raise DfjaxError(str(error)) from error


def exit_code(run: Callable[[], int]) -> int:
    """Runs a command; an error that is fit to be shown is printed and gives 1, and Ctrl-C 130.

    Args:
      run: Returns the exit code of a command that went well. It may say more of Ctrl-C itself.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A dash or a file's name that the locale has no bytes for must not cost the rest.
        sys.stdout.reconfigure(errors="replace")
    try:
        return run()
    except KeyboardInterrupt:
        Console(stderr=True).print("Stopped.")
        return 130
    except DfjaxError as error:
        message = str(error)
    except BrokenPipeError:  # who read the output, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python writes what is left, and complains
        return 1
    except OSError as error:
        if error.errno not in _OF_THE_DISK:
            raise
        # Of a copy, the second is where it was to go.
        place = error.filename2 or error.filename or "while reading or writing"
        message = f"{error.strerror}: {place}."
    errors = Console(stderr=True, markup=False, emoji=False)
    errors.print(f"Error: {message}", style="red", soft_wrap=True)
    return 1
