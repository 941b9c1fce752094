"""Writes predictions as a table for spreadsheets, a line as soon as it is known."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from dfjax.errors import DfjaxError
from dfjax.files import require_writable
from dfjax.reporting.spreadsheets import ENCODING, VIDEO_COLUMNS, csv_header, csv_lines, video_rows


class PredictionTable:
    """A CSV file of predictions, in UTF-8 with the mark by which Excel knows it."""

    def __init__(self, name: str):
        """Checks that the file can be written. An old file stays until the first prediction.

        Raises:
          DfjaxError: `name` is a folder, or in one that cannot be written to, or a file that may
            not be.
        """
        self._path = Path(name)
        if self._path.is_dir():
            raise DfjaxError(f"--csv is {name}, which is a folder. Name a file in it.")
        if not self._path.exists():
            require_writable(self._path.resolve().parent)
        elif not os.access(self._path, os.W_OK):
            raise DfjaxError(f"--csv is {name}, which may not be written to. Name another file.")
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, report: Mapping[str, Any], name: str | None = None) -> None:
        """Adds a prediction, or why there is none.

        Args:
          report: As JSON values.
          name: What the file is called; None: by its own name.
        """
        lines = csv_lines(VIDEO_COLUMNS, video_rows(report, name))
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("w", encoding=ENCODING, newline="")
            lines = csv_header(VIDEO_COLUMNS) + lines
        try:
            self._file.write(lines)
            self._file.flush()
        except OSError as error:  # which does not say of which file
            with contextlib.suppress(OSError):  # closing it writes what is left, in vain
                self._file.close()
            raise OSError(error.errno, error.strerror, str(self._path)) from error
