"""Writes text files atomically."""

import os
from pathlib import Path

UNFINISHED = ".unfinished"
"""Suffix of files being written. If the process is killed, one may remain; it is never read."""


def write_text_atomically(path: Path, text: str) -> None:
    """Writes a text file so that readers see either the old text or the new, never part of it.

    Args:
      path: The file. Its folder is created if it does not exist; an existing file is replaced.
      text: The new contents, written as UTF-8.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + UNFINISHED)
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())  # otherwise a system crash could leave an empty file
    os.replace(unfinished, path)
