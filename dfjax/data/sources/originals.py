"""Finds the real files that fakes were made from, however a list writes their paths."""

from collections.abc import Iterable
from pathlib import PurePosixPath


def without_label(file: PurePosixPath) -> PurePosixPath:
    """Returns a path inside a data set without a leading `real/` or `fake/`."""
    is_sorted = len(file.parts) > 1 and file.parts[0] in ("real", "fake")
    return PurePosixPath(*file.parts[1:]) if is_sorted else file


def find_originals(
    named: Iterable[PurePosixPath], reals: Iterable[PurePosixPath]
) -> dict[PurePosixPath, PurePosixPath]:
    """Returns the listed real file that each named original is.

    That is the file of exactly this path; else the one whose path differs only in a leading `real/`
    or `fake/`; else one that also has its ending in another case, as files themselves may. If
    several do, the first in sorted order is taken, so that the order of a list does not matter.

    Args:
      named: Paths of originals, as a list writes them.
      reals: Paths of the real files in the list.

    Returns:
      The real file by named original, without those that are no real file in the list.
    """
    listed = sorted(reals, reverse=True)  # of two alike, the last one stays: the first in order
    by_path = {file: file for file in listed}
    by_place = {without_label(file): file for file in listed}
    by_spelling = {_any_case(without_label(file)): file for file in listed}
    found = {}
    for name in named:
        place = without_label(name)
        file = by_path.get(name) or by_place.get(place) or by_spelling.get(_any_case(place))
        if file is not None:
            found[name] = file
    return found


def _any_case(file: PurePosixPath) -> PurePosixPath:
    return file.parent / (file.stem + file.suffix.lower())
