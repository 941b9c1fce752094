"""Writes a report for each video, as a page to keep."""

import os
from pathlib import Path

from dfjax.errors import DfjaxError
from dfjax.files import require_writable, write_text_atomically
from dfjax.prediction import Prediction
from dfjax.reporting.video_report import html_report, report_name


class PredictionPages:
    """One HTML file, or a folder of them with one for each video."""

    def __init__(self, name: str, *, is_folder: bool):
        """Checks that the files can be written.

        Args:
          name: The file or the folder. What is a folder, or ends like one, is taken for one.
          is_folder: Whether it has to be a folder, since there are several videos.

        Raises:
          DfjaxError: It cannot be written to, or is a file where a folder is needed.
        """
        self._path = Path(name)
        self._is_folder = is_folder or self._path.is_dir() or name.endswith(os.sep)
        if self._is_folder and self._path.exists() and not self._path.is_dir():
            raise DfjaxError(f"--html is {name}, a file; several videos need a folder. Name one.")
        place = self._path if self._is_folder else self._path.parent
        require_writable(place.resolve())
        self._taken: set[str] = set()

    def add(self, prediction: Prediction) -> None:
        """Writes the report on a video."""
        path = self._path
        if self._is_folder:
            path = path / self._free_name(prediction.video.name)
        write_text_atomically(path, html_report(prediction))

    def _free_name(self, video_name: str) -> str:
        """Returns a name that no other report of this run has, nor one in other capitals."""
        name = first = report_name(video_name, ".html")
        number = 1
        while name.casefold() in self._taken:  # to many systems, that is the same name
            number += 1
            name = first.replace(".html", f"-{number}.html")
        self._taken.add(name.casefold())
        return name
