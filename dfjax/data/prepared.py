"""A prepared data set: the columns of its rows, and reading them back from its parquet shards."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from dfjax.errors import DatasetError

LABELS = ["real", "fake"]
"""Names of the label column. Read by name: class folders elsewhere sort "fake" first."""

FEATURES = datasets.Features(
    {
        "dataset": datasets.Value("string"),
        "method": datasets.Value("string"),
        "compression": datasets.Value("string"),
        "video_id": datasets.Value("string"),
        "split": datasets.Value("string"),
        "source_ids": datasets.List(datasets.Value("string")),  # of the people in the video
        "group": datasets.Value("string"),  # identities that no split may part
        "label": datasets.ClassLabel(names=LABELS),
        "track_id": datasets.Value("int32"),
        "num_frames": datasets.Value("int32"),  # sampled from the video
        "frame_indices": datasets.List(datasets.Value("int32")),  # [n], of those that show the face
        "timestamps": datasets.List(datasets.Value("float64")),  # [n], seconds
        "boxes_xyxy": datasets.List(datasets.List(datasets.Value("int32"), length=4)),  # [n, 4]
        "frames": datasets.List(datasets.Image()),  # [n], PNG: exactly what the app would score
    }
)

MANIFEST_FILE = "dfjax.json"
REPORT_FILE = "report.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClipRow:
    """One face clip with its label."""

    video: str  # unique key of the video: data set, method, compression, id
    method: str
    group: str  # identities that no split may part
    is_fake: int  # 0 = real, 1 = fake
    frame_indices: np.ndarray  # int64 [n], into the sampled frames
    boxes_xyxy: np.ndarray  # int64 [n, 4], pixels of the video
    frames: np.ndarray  # uint8 [n, S, S, 3] RGB


def load_manifest(folder: Path) -> dict:
    """Returns what a prepared folder says of itself.

    Returns:
      `config`: the parts of the config that made the clips; `fingerprint`: of the videos.

    Raises:
      DatasetError: The folder was not made by `prepare`.
    """
    return _load(folder, MANIFEST_FILE)


def load_report(folder: Path) -> dict:
    """Returns the report that `prepare` wrote when it was done.

    Raises:
      DatasetError: The folder was not made by `prepare`, or not finished.
    """
    return _load(folder, REPORT_FILE)


def _load(folder: Path, name: str) -> dict:
    try:
        return json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{folder} has no readable {name}: `python -m dfjax prepare` did not make it, or did "
            "not come to its end. Run that command with this folder as --out."
        ) from error


def split_names(folder: Path) -> list[str]:
    """Returns the splits that a prepared folder holds, such as ["train", "validation"]."""
    return sorted({path.name.split("-")[0] for path in (folder / "data").glob("*.parquet")})


def read_clips(folder: Path, split: str) -> Iterator[ClipRow]:
    """Yields the clips of one split, one at a time, in the order in which they were prepared.

    Raises:
      DatasetError: The split is absent, or its label names are not "real" and "fake".
    """
    files = sorted(str(path) for path in (folder / "data").glob(f"{split}-*.parquet"))
    if not files:
        raise DatasetError(
            f"{folder} has no split {split!r}; it has {split_names(folder) or 'none'}. "
            "Prepare the data set with a split file for it."
        )
    rows = datasets.load_dataset("parquet", data_files=files, split="train", streaming=True)
    label = (rows.features or {}).get("label")
    if not isinstance(label, datasets.ClassLabel) or sorted(label.names) != sorted(LABELS):
        raise DatasetError(
            f"{folder} has the label column {label}; a ClassLabel with the names "
            f"{' and '.join(LABELS)} is needed."
        )
    for row in rows:
        yield _clip_row(row, label)


def _clip_row(row: dict[str, Any], label: datasets.ClassLabel) -> ClipRow:
    return ClipRow(
        video="/".join(row[name] for name in ("dataset", "method", "compression", "video_id")),
        method=row["method"],
        group=f"{row['dataset']}/{row['group']}",
        is_fake=int(label.int2str(row["label"]) == "fake"),
        frame_indices=np.array(row["frame_indices"], np.int64),
        boxes_xyxy=np.array(row["boxes_xyxy"], np.int64),
        frames=np.stack([np.asarray(frame.convert("RGB")) for frame in row["frames"]]),
    )
