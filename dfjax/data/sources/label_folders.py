"""Finds the files in folders named after a label, above or below which there may be splits."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from dfjax.data.sources.files import is_hidden, is_media, walk
from dfjax.data.sources.split import SPLIT_NAMES
from dfjax.errors import DatasetError

_LABEL_FOLDER = re.compile(r"(?:\d+[ _-])?(real|fake)s?", re.IGNORECASE)  # also 0_real, 1_fake


class LabelledFile(NamedTuple):
    """What the folders around a file say of it."""

    file: PurePosixPath  # inside the data set's folder
    label: str  # "real" or "fake", by the uppermost folder of a label
    place: int  # of that folder in the path; 0: at the top
    split: str  # "" if no folder says so


def is_sorted(root: Path) -> bool:
    """Whether a folder holds one that is named after a label."""
    return any(_label(path.name) for path in root.iterdir() if path.is_dir())


def labelled_files(home: Path) -> list[LabelledFile]:
    """Returns the videos and pictures in folders named after a label, the real ones first.

    If there are such folders at the top, others do not count.

    Raises:
      DatasetError: A folder cannot be listed, or only some of the files are in that of a split.
    """
    paths = sorted(path for path in walk(home) if is_media(path) and not is_hidden(path, home))
    files = [PurePosixPath(path.relative_to(home).as_posix()) for path in paths]
    found = [labelled for file in files if (labelled := _labelled(file))]
    taken = [of for of in found if of.place == 0] if is_sorted(home) else found
    # A `train/fake` beside `real` does not count, but shows that the real files have no split yet.
    _refuse_half_split(home, taken, [of for of in found if of.split])
    return sorted(taken, key=lambda of: of.label == "fake")


def _label(name: str) -> str | None:
    """Returns "real" or "fake" if that is what a folder's name says, else None."""
    match = _LABEL_FOLDER.fullmatch(name)
    return match[1].lower() if match else None


def _labelled(file: PurePosixPath) -> LabelledFile | None:
    folders = file.parts[:-1]
    for place, name in enumerate(folders):
        if label := _label(name):
            return LabelledFile(file, label, place, _split(folders[:place], folders[place + 1 :]))
    return None


def _split(above: Sequence[str], below: Sequence[str]) -> str:
    """Returns the split named above the folder of a label, else directly below it, else ""."""
    names = [name.lower() for name in (*reversed(above), *below[:1])]
    return next((SPLIT_NAMES[name] for name in names if name in SPLIT_NAMES), "")


def _refuse_half_split(
    home: Path, taken: Sequence[LabelledFile], split: Sequence[LabelledFile]
) -> None:
    unsplit = [of.file for of in taken if not of.split]
    if unsplit and split:
        raise DatasetError(
            f"{home} has files in the folder of a split, such as {split[0].file}, and others in "
            f"none, such as {unsplit[0]}, which may show the same people. Put all of them below "
            "train, val or test, or name those to be used, with their splits, in a metadata.csv."
        )
