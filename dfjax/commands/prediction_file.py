"""Writes predictions while they are made, so that a kill does not lose those that are there."""

import contextlib
import io
import sys
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

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
          DfjaxError: `name` is a folder, or in one that cannot be written to, or standard output,
            which is closed.
        """
        path = Path(name)
        self._path = path.resolve()  # of a link, what it points to is replaced
        self._stream: TextIO | None = None
        if name == "-":
            if sys.stdout is None:
                raise DfjaxError("--json is -, but standard output is closed. Name a file.")
            if isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(encoding="utf-8")  # JSON is, whatever the locale
            self._stream = sys.stdout
        elif path.is_dir():
            raise DfjaxError(f"--json is {name}, which is a folder. Name a file in it.")
        elif path.exists() and not path.is_file():
            # A pipe or a device. A shell's pipe, as /dev/fd/63, resolves to what does not exist.
            self._stream = path.open("w", encoding="utf-8")
        else:
            require_writable(self._path.parent)
        self._as_list = as_list
        self._texts: list[str] = []
        self._num_written = 0
        self._next_write = 0.0
        self._is_broken = False  # whether nothing more can be written to the stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if not self._is_broken:
                self._end()
        finally:
            if self._stream is not None and self._stream is not sys.stdout:
                with contextlib.suppress(OSError):  # of what was sent, which has been raised
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
            self._send(self._stream, before + self._texts[-1])
        else:
            whole = ",\n".join(self._texts)
            write_text_atomically(self._path, f"[\n{whole}\n]\n" if self._as_list else whole)
        self._num_written = len(self._texts)
        seconds = time.monotonic() - started
        self._next_write = started + seconds / _MAX_SHARE

    def _end(self) -> None:
        """Writes what is left."""
        if self._num_written < len(self._texts):
            self._write()
        if self._stream is not None and self._as_list and self._texts:
            self._send(self._stream, "\n]\n")

    def _send(self, stream: TextIO, text: str) -> None:
        try:
            stream.write(text)
            stream.flush()
        except OSError:
            self._is_broken = True
            raise
