"""Reads a prepared data set: its rows, its manifest and its report."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets.exceptions import DatasetsError
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError

from dfjax.config import MIN_DETAIL, Config, CropConfig
from dfjax.data.clip_row import FEATURES, LABELS, ClipRow, clip_row
from dfjax.errors import DatasetError

MANIFEST_FILE = "dfjax.json"
REPORT_FILE = "report.json"

_DEFAULT = Config(crops=CropConfig(min_detail=MIN_DETAIL))
"""What `python -m dfjax prepare` makes unless it is told otherwise."""


def open_rows(source: str, split: str, *, streaming: bool = False) -> Any:
    """Opens one split of a prepared data set, without decoding its pictures.

    Args:
      source: A folder that `prepare` wrote, a parquet file with the same columns, or "owner/name"
        on the Hugging Face Hub.
      split: Such as "train" or "validation".
      streaming: Read rows in order, and from the Hub without downloading everything first.
        Otherwise rows are memory-mapped and can be read in any order.

    Returns:
      When streaming, a `datasets.IterableDataset` whose `frames` are lists of dicts with the PNG as
      `bytes`; else a `datasets.Dataset` in the format "arrow".

    Raises:
      DatasetError: It does not exist, has no such split, or lacks columns or label names.
    """
    path = Path(source)
    if path.is_dir():
        files = sorted(str(file) for file in (path / "data").glob(f"{split}-*.parquet"))
        if not files:
            raise DatasetError(
                f"{source} has no split {split!r}; it has {split_names(path) or 'none'}. "
                "Prepare the data set with a split file for it."
            )
        rows = _load_parquet(source, files, streaming)
    elif path.is_file():
        rows = _load_parquet(source, [source], streaming)
    else:
        try:
            rows = datasets.load_dataset(source, split=split, streaming=streaming)
        except (OSError, ValueError, HFValidationError, HfHubHTTPError) as error:
            raise DatasetError(
                f"{source} is neither a local folder nor a parquet file, and the Hub has no data "
                f"set of that name with the split {split!r}: {error}"
            ) from error
    found = rows.features or {}
    missing = sorted(set(FEATURES) - set(found))
    if missing:
        raise DatasetError(
            f"{source} lacks the columns {', '.join(missing)}. "
            "Prepare it again with this version of dfjax."
        )
    label = found["label"]
    if not isinstance(label, datasets.ClassLabel) or sorted(label.names) != sorted(LABELS):
        raise DatasetError(
            f"{source} has the label column {label}; a ClassLabel with the names "
            f"{' and '.join(LABELS)} is needed."
        )
    if streaming:  # before the filter, which would decode the pictures
        rows = rows.cast_column("frames", datasets.List(datasets.Image(decode=False)))
    if path.is_file():
        rows = rows.filter(lambda row_split: row_split == split, input_columns="split")
    return rows if streaming else rows.with_format("arrow")


def _load_parquet(source: str, files: list[str], streaming: bool) -> Any:
    """Returns the rows of parquet files.

    Raises:
      DatasetError: One of them is damaged.
    """
    try:
        return datasets.load_dataset(
            "parquet", data_files=files, split="train", streaming=streaming
        )
    except (pa.ArrowException, DatasetsError) as error:
        raise DatasetError(
            f"{source} has a damaged parquet file: {str(error).rstrip('.')}. Copy it again, or "
            "remove the folder and prepare it again."
        ) from error


def load_manifest(source: str) -> dict:
    """Returns the manifest of a prepared data set.

    Returns:
      `config`: the parts of the config that made the clips; `fingerprint`: a hash of the videos. A
      parquet file on its own has no manifest: it is assumed to be made with the defaults of
      `python -m dfjax prepare`, and its fingerprint is a hash of its bytes.

    Raises:
      DatasetError: The data set was not made by `prepare`.
    """
    path = Path(source)
    if path.is_file():
        parts = _DEFAULT.to_dict()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {
            "config": {name: parts[name] for name in ("video", "faces", "tracks", "crops")},
            "fingerprint": digest[:16],
        }
    return _load(source, MANIFEST_FILE)


def load_report(source: str) -> dict:
    """Returns the report that `prepare` wrote when it finished.

    Raises:
      DatasetError: The folder was not made by `prepare`, or is not finished.
    """
    return _load(source, REPORT_FILE)


def padded_landmarks(row: ClipRow, num_frames: int) -> np.ndarray:
    """Returns a clip's landmarks padded to the longest clip, so that only one shape is compiled.

    Args:
      row: The clip.
      num_frames: The most frames that a clip can have.

    Returns:
      float32 [num_frames, 5, 2], xy in crop pixels; after the last frame, the middle of the crop.
    """
    landmarks = np.full((num_frames, 5, 2), row.frames.shape[1] / 2, np.float32)
    landmarks[: len(row.landmarks)] = row.landmarks
    return landmarks


def load_skipped(sources: Sequence[str], split: str) -> dict[str, Any] | None:
    """Returns the videos of a split that gave no clip, by key, as `make_report` describes them.

    Returns:
      The videos, or None if any source is a parquet file, which comes without a report.

    Raises:
      DatasetError: As for `load_report`.
    """
    if any(Path(source).is_file() for source in sources):
        return None
    splits = [load_report(source)["splits"].get(split, {}) for source in sources]
    return {key: entry for of in splits for key, entry in of.get("skipped", {}).items()}


def _load(source: str, name: str) -> dict:
    file = Path(source) / name
    try:
        if not Path(source).is_dir():
            file = Path(hf_hub_download(source, name, repo_type="dataset"))
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, EntryNotFoundError, HfHubHTTPError) as error:
        raise DatasetError(
            f"{source} has no readable {name}: `python -m dfjax prepare` did not make it, or did "
            "not finish. Run that command with this folder as --out."
        ) from error


def split_names(folder: Path) -> list[str]:
    """Returns the splits that a prepared folder holds, such as ["train", "validation"]."""
    return sorted({path.name.split("-")[0] for path in (folder / "data").glob("*.parquet")})


def read_clips(source: str, split: str) -> Iterator[ClipRow]:
    """Yields the clips of one split, one at a time, in the order in which they were prepared.

    Args:
      source: As for `open_rows`; a data set on the Hub is streamed.
      split: Such as "validation".

    Raises:
      DatasetError: As for `open_rows`.
    """
    rows = open_rows(source, split, streaming=True)
    label = rows.features["label"]
    row = None
    for row in rows:
        yield clip_row(row, label)
    if row is None and Path(source).is_file():
        raise DatasetError(f"{source} has no clip of the split {split!r}.")


def read_all_clips(sources: Sequence[str], split: str) -> Iterator[ClipRow]:
    """Yields the clips of one split of several data sets, one data set after the other.

    Args:
      sources: As for `open_rows`.
      split: Such as "validation".

    Raises:
      DatasetError: As for `open_rows`, or two data sets share a video.
    """
    twice = {source for source in sources if sources.count(source) > 1}
    if twice:
        raise DatasetError(f"{', '.join(sorted(twice))} was given twice. List each data set once.")
    source_of: dict[str, str] = {}
    for source in sources:
        for row in read_clips(source, split):
            refuse_another_source(source_of, row.video, source)
            yield row


def refuse_another_source(source_of: dict[str, str], video: str, source: str) -> None:
    """Notes which data set a video is from.

    Args:
      source_of: What was noted so far: the source of each video; is added to.
      video: As `ClipInfo.video`.
      source: As for `open_rows`.

    Raises:
      DatasetError: Another data set has a video of this name.
    """
    first = source_of.setdefault(video, source)
    if first != source:
        raise DatasetError(
            f"{video} is in both {first} and {source}, and would count as one video. List each "
            "data set once. If the videos differ, prepare one of them again under a name of its "
            "own, with --name."
        )
