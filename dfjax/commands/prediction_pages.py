"""Writes a report for each video, as a page to keep."""

import collections
import os
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from dfjax.errors import DfjaxError
from dfjax.files import require_writable, write_text_atomically
from dfjax.prediction import Prediction
from dfjax.reporting.video_report import html_report, report_name
from dfjax.words import ENGLISH, Language, speaking


class PredictionPages:
    """One HTML file, or a folder of them with one for each video."""

    def __init__(
        self,
        name: str,
        video_names: Iterable[str],
        *,
        is_folder: bool,
        language: Language = ENGLISH,
    ):
        """Checks that the files can be written.

        Args:
          name: The file or the folder. What is a folder, or ends like one, is taken for one.
          video_names: The file names of all videos, so that reports can be told apart by theirs.
          is_folder: Whether it has to be a folder, since there are several videos.
          language: Of the reports.

        Raises:
          DfjaxError: It cannot be written to, or is a file where a folder is needed.
        """
        self._path, self._language = Path(name), language
        self._is_folder = is_folder or self._path.is_dir() or name.endswith(os.sep)
        if self._is_folder and self._path.exists() and not self._path.is_dir():
            raise DfjaxError(f"--html is {name}, a file; several videos need a folder. Name one.")
        # A pipe or a device. What has its place is no longer one, and /dev/null is everybody's.
        self._is_stream = not self._is_folder and os.path.exists(name) and not self._path.is_file()
        if not self._is_stream:
            place = self._path if self._is_folder else self._path.resolve().parent
            require_writable(place.resolve())
        names = (report_name(video, ".html").casefold() for video in set(video_names))
        self._times = collections.Counter(names)
        self._taken: set[str] = set()
        self._count = 0

    def add(self, prediction: Prediction) -> None:
        """Writes the report on a video."""
        with speaking(self._language):
            text = html_report(prediction)
        if self._is_stream:
            self._path.write_text(text, encoding="utf-8")
        elif self._is_folder:
            write_text_atomically(self._path / self._free_name(prediction.video.name), text)
        else:
            write_text_atomically(self._path.resolve(), text)  # of a link, what it points to
        self._count += 1

    def show(self) -> None:
        """Says on standard error where the reports are."""
        if self._count:
            reports = "1 report" if self._count == 1 else f"{self._count} reports"
            where = "the folder " if self._is_folder else ""
            Console(stderr=True, markup=False, emoji=False).print(
                f"Wrote {reports} to {where}{self._path}.", highlight=False, soft_wrap=True
            )

    def _free_name(self, video_name: str) -> str:
        """Returns a name that no other report of this run has, nor one in other capitals."""
        name = report_name(video_name, ".html")
        if self._times[name.casefold()] > 1:  # of a picture and a video called so, which is which?
            name = report_name(f"{video_name}.", ".html")  # with the ending
        first = name
        number = 1
        while name.casefold() in self._taken:  # to many systems, that is the same name
            number += 1
            name = first.replace(".html", f"-{number}.html")
        self._taken.add(name.casefold())
        return name
