"""Writes predictions while they are made, so that a kill does not lose those that are there."""

import sys
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dfjax.errors import DfjaxError
from dfjax.files import require_writable, write_text_atomically
from dfjax.json_values import dumps

_MAX_SHARE = 0.05
"""Share of the time that may be spent on writing a file, which is replaced as a whole each time."""


class PredictionFile:
    """The JSON of one or several predictions, in a file or on standard output.

    A file is valid JSON at any time. It holds every prediction made so far, or all but the last few
    where writing it takes long. On standard output, a prediction appears as soon as it is made, and
    the whole is valid JSON at the end.
    """

    def __init__(self, name: str, *, as_list: bool):
        """Checks that the file can be written. An old file stays until the first prediction.

        Args:
          name: The file, or "-" for standard output.
          as_list: Whether to write a list, or an object for the only prediction.

        Raises:
          DfjaxError: `name` is a folder, or in one that cannot be written to.
        """
        self._path = Path(name).resolve()  # of a link, what it points to is replaced
        self._stream = None
        if name == "-":
            self._stream = sys.stdout
        elif self._path.is_dir():
            raise DfjaxError(f"--json is {name}, which is a folder. Name a file in it.")
        elif self._path.exists() and not self._path.is_file():
            self._stream = self._path.open("w", encoding="utf-8")  # a pipe or a device
        else:
            require_writable(self._path.parent)
        self._as_list = as_list
        self._texts: list[str] = []
        self._num_written = 0
        self._next_write = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._num_written < len(self._texts):
            self._write()
        if self._stream is None:
            return
        if self._as_list and self._texts:
            self._stream.write("\n]\n")
        if self._stream is sys.stdout:
            self._stream.flush()
        else:
            self._stream.close()

    def add(self, report: Mapping[str, Any]) -> None:
        """Adds a prediction."""
        text = dumps(report)
        self._texts.append(textwrap.indent(text.rstrip("\n"), "  ") if self._as_list else text)
        if self._stream is not None or time.monotonic() >= self._next_write:
            self._write()

    def _write(self) -> None:
        started = time.monotonic()
        if self._stream is not None:
            before = "" if not self._as_list else ",\n" if self._num_written else "[\n"
            self._stream.write(before + self._texts[-1])
            self._stream.flush()
        else:
            whole = ",\n".join(self._texts)
            write_text_atomically(self._path, f"[\n{whole}\n]\n" if self._as_list else whole)
        self._num_written = len(self._texts)
        seconds = time.monotonic() - started
        self._next_write = started + seconds / _MAX_SHARE
