"""Reads published data sets, in the folder layout they come in, as lists of labelled videos."""

import inspect
from pathlib import Path
from typing import Any

from dfjax.data.sources.celebdf import CELEBDF
from dfjax.data.sources.dfdc import DFDC
from dfjax.data.sources.dfdc_faces import DFDC_FACES
from dfjax.data.sources.dfdcp import DFDCP
from dfjax.data.sources.ffpp import FFPP
from dfjax.data.sources.folder import FOLDER
from dfjax.data.sources.videos import DatasetLayout, LabelledVideo, Source
from dfjax.errors import DatasetError

__all__ = ["LAYOUTS", "DatasetLayout", "LabelledVideo", "Source", "read_source", "title"]

LAYOUTS: tuple[DatasetLayout, ...] = (FFPP, CELEBDF, DFDC, DFDCP, DFDC_FACES, FOLDER)
"""All supported data sets; used by `prepare`, its help, reports and cards."""


def title(dataset: str) -> str:
    """Returns the usual name of a data set; for a folder, the name that its owner gave it."""
    titles = {layout.name: layout.title for layout in LAYOUTS}
    return titles.get(dataset) or dataset


def read_source(name: str, root: Path, /, **options: Any) -> Source:
    """Lists the videos of a data set.

    Args:
      name: Name of one of `LAYOUTS`.
      root: The data set's folder.
      **options: Arguments for its reader.

    Raises:
      DatasetError: There is no such data set, option or folder, the layout is a different one, or
        no video is left.
    """
    readers = {layout.name: layout.read for layout in LAYOUTS}
    if name not in readers:
        raise DatasetError(f"There is no source {name!r}; choose from {', '.join(readers)}.")
    known = list(inspect.signature(readers[name]).parameters)[1:]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise DatasetError(
            f"The source {name!r} has no option {', '.join(unknown)}; "
            f"it has {', '.join(known) or 'none'}."
        )
    if not root.is_dir():
        raise DatasetError(f"There is no folder {root}. Name the one that holds the data set.")
    source = readers[name](root, **options)
    if not source.videos:
        reasons = sorted(set(source.dropped.values())) or ["they are not there"]
        raise DatasetError(
            f"{root} holds no video to prepare: those in the data set's lists are left out "
            f"({'; '.join(reasons)}). Get the other files of the data set."
        )
    return source
