"""Small archives for the tests of scans, and what is in their tables."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dfjax.archive.settings import ScanSettings
from tests.tiny import tiny_detector
from tests.videos import moving_pattern, portrait_frames, write_video


def write_archive(folder: Path) -> list[str]:
    """Writes a face, its copy, a video without a face and a broken one; returns their paths.

    The last path is one of a file that is not there.
    """
    folder.mkdir(parents=True)
    write_video(folder / "face.mp4", portrait_frames(3))
    shutil.copyfile(folder / "face.mp4", folder / "copy.mp4")
    write_video(folder / "pattern.mp4", moving_pattern(3))
    (folder / "broken.mp4").write_text("not a video")
    names = ("face.mp4", "copy.mp4", "pattern.mp4", "broken.mp4", "gone.mp4")
    return [str(folder / name) for name in names]


def tiny_settings(folder: Path, *, seed: int = 0) -> ScanSettings:
    """Returns settings with a tiny model, in the runtime that starts soonest."""
    tiny_detector(seed=seed).save_pretrained(folder)
    return ScanSettings(model=str(folder), runtime="onnx")


def read_rows(out: Path, name: str = "results.parquet") -> list[dict[str, Any]]:
    """Returns the rows of a scan's table without times."""
    return pq.read_table(out / name).drop_columns(["checked_at", "seconds"]).to_pylist()


def of_column(rows: Sequence[Mapping[str, Any]], column: str) -> list[Any]:
    """Returns the values of a column."""
    return [row[column] for row in rows]
