"""Writes predictions as a table for spreadsheets, a line as soon as it is known."""

import csv
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dfjax.errors import DfjaxError
from dfjax.files import require_writable

COLUMNS = (
    *("video", "verdict", "probability_fake", "faces", "frames_scored", "longest_gap"),
    *("segment_face", "segment_start", "segment_end", "segment_probability_fake", "error"),
)
"""A line per file, or per stretch that looks fake where there are some. Times are in seconds; faces
are counted from 1, as on the page."""

_READ_AS_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


class PredictionTable:
    """A CSV file of predictions, in UTF-8 with the mark by which Excel knows it."""

    def __init__(self, name: str):
        """Opens the file, in place of an old one.

        Raises:
          DfjaxError: `name` is a folder, or in one that cannot be written to.
        """
        path = Path(name)
        if path.is_dir():
            raise DfjaxError(f"--csv is {name}, which is a folder. Name a file in it.")
        if not path.exists():
            require_writable(path.resolve().parent)
        self._file = path.open("w", encoding="utf-8-sig", newline="")
        self._writer = csv.DictWriter(self._file, COLUMNS, restval="")
        self._writer.writeheader()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, report: Mapping[str, Any]) -> None:
        """Adds a prediction, or why there is none, as JSON values."""
        row = {"video": _as_text(report["video"]["name"])}
        if "error" in report:
            self._writer.writerow(row | {"error": _as_text(report["error"])})
        else:
            row |= {
                "verdict": report["label"],
                "probability_fake": report["probability_fake"],
                "faces": len(report["tracks"]),
                "frames_scored": report["video"]["frames_scored"],
                "longest_gap": report["coverage"]["longest_gap"],
            }
            for segment in report["segments"] or [None]:
                self._writer.writerow(row | _stretch(segment))
        self._file.flush()


def _stretch(segment: Mapping[str, Any] | None) -> dict[str, Any]:
    if segment is None:
        return {}
    return {
        "segment_face": segment["track"] + 1,
        "segment_start": segment["start"],
        "segment_end": segment["end"],
        "segment_probability_fake": segment["probability_fake"],
    }


def _as_text(value: str) -> str:
    """Returns what a spreadsheet takes for text, whatever a stranger called a file."""
    return f"'{value}" if value.startswith(_READ_AS_FORMULAS) else value
