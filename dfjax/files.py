"""Text files that are there whole or not at all."""

import os
from pathlib import Path

UNFINISHED = ".unfinished"
"""Ends the name under which a file is written; a kill may leave one behind, which nobody reads."""


def write_text_atomically(path: Path, text: str) -> None:
    """Writes a text file, of which a reader finds the old text or the new one, never a part.

    Args:
      path: The file. Its folder is made where it is missing, and a file of that name is replaced.
      text: What it is to hold, in UTF-8.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + UNFINISHED)
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())  # or a crash of the machine could leave the name with no text
    os.replace(unfinished, path)
