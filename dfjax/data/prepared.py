"""Reads a prepared data set: its rows, its manifest and its report."""

import functools
import glob
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datasets.config import HF_DATASETS_CACHE
from datasets.exceptions import DatasetsError
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError

from dfjax.config import Config
from dfjax.data.clip_row import FEATURES, LABELS, ClipRow, clip_row
from dfjax.errors import DatasetError

MANIFEST_FILE = "dfjax.json"
REPORT_FILE = "report.json"

MANIFEST_KEY = "dfjax"
"""Under which a parquet file has the manifest among the metadata of its schema."""


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
      DatasetError: It does not exist, has no such split or only a part of it, lacks columns or
        label names, or is damaged; or, unless streaming, the split has no clip, or there is no room
        for a copy.
    """
    path = Path(source)
    if path.is_dir():
        files = sorted(str(file) for file in (path / "data").glob(f"{split}-*.parquet"))
        if not files:
            raise DatasetError(
                f"{source} has no split {split!r}; it has {split_names(path) or 'none'}. "
                "Hold some people out for it when you prepare the data set: with split files, a "
                "column `split`, or --validation-share."
            )
        _require_all_shards(source, files)
        rows = _load_parquet(source, split, files, streaming)
    elif path.is_file():
        rows = _load_parquet(source, split, [source], streaming)
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


def _require_all_shards(source: str, files: Sequence[str]) -> None:
    """Checks that of a split's shards, as `prepare` names them, none is missing."""
    shards = [re.fullmatch(r".*-(\d+)-of-(\d+)\.parquet", file) for file in files]
    expected = {int(shard[2]) for shard in shards if shard}
    if expected and expected != {len(files)}:
        raise DatasetError(
            f"{source} has {len(files)} of {max(expected)} files like {Path(files[0]).name}. Copy "
            "it again, or run `python -m dfjax prepare` again to make what is missing."
        )


def _load_parquet(source: str, split: str, files: list[str], streaming: bool) -> Any:
    """Returns the rows of parquet files.

    Raises:
      DatasetError: One of them is damaged; or, unless streaming, they have no row, or there is no
        room for the copy that `datasets` makes.
    """
    try:
        if not streaming and not sum(pq.read_metadata(file).num_rows for file in files):
            raise DatasetError(
                f"{source} has no clip in the split {split!r}: no face was found in any of its "
                f"videos, which {REPORT_FILE} names. Hold others out, or leave the data set out."
            )
        # Else "prepared [2]" is a pattern, which its own name does not match.
        patterns = [glob.escape(file) for file in files]
        load = functools.partial(
            datasets.load_dataset, "parquet", data_files=patterns, split="train"
        )
        if streaming:
            return load(streaming=True)
        rows: Any = load()
        # `datasets` knows its copies by paths and times, which files that are replaced may keep.
        if rows.info.download_size != sum(Path(file).stat().st_size for file in files):
            rows = load(download_mode="force_redownload", verification_mode="no_checks")
        return rows
    except (pa.ArrowException, DatasetsError) as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno is not None:  # those of pyarrow have none
            raise DatasetError(
                f"{source} cannot be read, or not be copied into {HF_DATASETS_CACHE}: "
                f"{cause.strerror}. If that disk is full, make room there, or set the environment "
                "variable HF_DATASETS_CACHE to a folder elsewhere."
            ) from error
        raise DatasetError(
            f"{source} has a damaged parquet file: {str(error).rstrip('.')}. Copy it again, or "
            "remove the folder and prepare it again."
        ) from error


def load_manifest(source: str) -> dict:
    """Returns the manifest of a prepared data set.

    Returns:
      `config`: the parts of the config that made the clips; `fingerprint`: a hash of the videos, or
      of the bytes of a lone parquet file.

    Raises:
      DatasetError: The data set was not made by `prepare`, or by a newer version.
    """
    path = Path(source)
    if path.is_file():
        manifest = _manifest_of_file(path)
        with path.open("rb") as file:
            manifest["fingerprint"] = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    else:
        manifest = _load(source, MANIFEST_FILE)
    try:
        Config.from_dict(manifest["config"])
        str(manifest["fingerprint"])
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"The {MANIFEST_FILE} of {source} is not one that this version of dfjax reads: "
            f"{error}. Use the version that prepared the data set, or prepare it again."
        ) from error
    return manifest


def _manifest_of_file(path: Path) -> dict:
    """Returns the manifest that is in a parquet file, else that of the folder it is still in."""
    try:
        metadata = pq.read_schema(path).metadata or {}
        if MANIFEST_KEY.encode() in metadata:
            return json.loads(metadata[MANIFEST_KEY.encode()])
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DatasetError(
            f"{path} is not a readable parquet file: {str(error).rstrip('.')}. Copy it again."
        ) from error
    if (path.parent.parent / MANIFEST_FILE).is_file():
        return _load(str(path.parent.parent), MANIFEST_FILE)
    raise DatasetError(
        f"{path} does not say how its clips were made, as files of older versions do not. Give "
        f"the folder that `python -m dfjax prepare` wrote, with its {MANIFEST_FILE}."
    )


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
    file, is_here = Path(source) / name, Path(source).is_dir()
    try:
        if not is_here:
            file = Path(hf_hub_download(source, name, repo_type="dataset"))
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it is not an object")
        return found
    except (OSError, ValueError, EntryNotFoundError, HfHubHTTPError) as error:
        if not is_here:
            message = f"There is no folder {source}, and the Hub gives no {name} of a data set of "
            message += f"that name: {error}"
        elif isinstance(error, FileNotFoundError):
            message = f"{source} has no {name}: `python -m dfjax prepare` did not make it, or did "
            message += "not finish. Run that command with this folder as --out."
        else:
            message = f"{file} cannot be read: {error}. Copy it again, or prepare the data set "
            message += "into a new folder."
        raise DatasetError(message) from error


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


def read_all_clips(
    sources: Sequence[str], split: str, *, source_of: dict[str, str] | None = None
) -> Iterator[ClipRow]:
    """Yields the clips of one split of several data sets, one data set after the other.

    Args:
      sources: As for `open_rows`.
      split: Such as "validation".
      source_of: Is filled with the source of each video.

    Raises:
      DatasetError: As for `open_rows`, or two data sets share a video.
    """
    refuse_repeated(sources)
    source_of = {} if source_of is None else source_of
    for source in sources:
        for row in read_clips(source, split):
            refuse_another_source(source_of, row.video, source)
            yield row


def refuse_repeated(sources: Sequence[str]) -> None:
    """Checks that no data set is given twice, whose clips would count twice.

    Raises:
      DatasetError: One is.
    """
    twice = {source for source in sources if sources.count(source) > 1}
    if twice:
        raise DatasetError(f"{', '.join(sorted(twice))} was given twice. List each data set once.")


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
