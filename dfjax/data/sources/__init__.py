"""Published data sets, in the folders that people have them in, as lists of labelled videos."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dfjax.data.sources.celebdf import read_celebdf
from dfjax.data.sources.dfdc import read_dfdc
from dfjax.data.sources.dfdc_faces import read_dfdc_faces
from dfjax.data.sources.dfdcp import read_dfdcp
from dfjax.data.sources.ffpp import read_ffpp
from dfjax.data.sources.folder import read_folder
from dfjax.data.sources.videos import LabelledVideo, Source
from dfjax.errors import DatasetError

__all__ = ["READERS", "TITLES", "LabelledVideo", "Source", "read_source", "title"]

READERS: dict[str, Callable[..., Source]] = {
    "ffpp": read_ffpp,
    "celebdf": read_celebdf,
    "dfdc": read_dfdc,
    "dfdcp": read_dfdcp,
    "dfdc-faces": read_dfdc_faces,
    "folder": read_folder,
}
"""What lists the videos of a folder, by the name of the layout that the folder has."""

TITLES = {
    "ffpp": "FaceForensics++",
    "celebdf": "Celeb-DF",
    "dfdc": "DFDC",
    "dfdcp": "DFDC preview",
    "dfdc-faces": "DFDC face crops",
}
"""Names of data sets as people know them."""


def title(dataset: str) -> str:
    """Returns the name of a data set as people know it; of a folder, what its owner calls it."""
    return TITLES.get(dataset, dataset)


def read_source(name: str, root: Path, /, **options: Any) -> Source:
    """Lists the videos of a data set.

    Args:
      name: One of `READERS`.
      root: The data set's folder.
      **options: Arguments of that reader.

    Raises:
      DatasetError: There is no such reader, option or folder, or it has another layout.
    """
    if name not in READERS:
        raise DatasetError(f"There is no source {name!r}; known are {', '.join(READERS)}.")
    known = list(inspect.signature(READERS[name]).parameters)[1:]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise DatasetError(
            f"The source {name!r} has no option {', '.join(unknown)}; "
            f"it has {', '.join(known) or 'none'}."
        )
    if not root.is_dir():
        raise DatasetError(f"There is no folder {root}. Name the one that holds the data set.")
    return READERS[name](root, **options)
