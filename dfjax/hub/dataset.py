"""Checks a prepared data set before publishing, in place, as it may be too big to copy."""

from pathlib import Path

import datasets
import pyarrow.parquet
from huggingface_hub import DatasetCard

from dfjax.data.clip_row import FEATURES
from dfjax.data.prepared import MANIFEST_FILE, REPORT_FILE, load_manifest, load_report, read_clips
from dfjax.errors import HubError
from dfjax.hub.folder import known_files, read_front_matter, require_files

DATASET_FILES = ("README.md", MANIFEST_FILE, REPORT_FILE, "data/*-of-*.parquet")
"""The files of a prepared data set that are published, as patterns; nothing else is."""


def check_dataset_folder(folder: Path) -> list[str]:
    """Checks that a prepared data set is complete, and that nobody is in two of its splits.

    Args:
      folder: What `python -m dfjax prepare` wrote.

    Returns:
      The paths of the files to publish, inside the folder, sorted.

    Raises:
      HubError: A shard or a row is missing, has other columns or belongs to no split, or a group
        is in two splits.
      DatasetError: The folder was not prepared or not completely, or a clip cannot be read.
    """
    files = known_files(folder, DATASET_FILES)
    load_manifest(str(folder))
    report = load_report(str(folder))
    require_files(files, DATASET_FILES[:3], folder)
    if not read_front_matter(folder / "README.md", DatasetCard).get("configs"):
        raise HubError("The front matter of README.md lacks configs, which name the splits.")
    splits_of: dict[str, str] = {}  # of each group
    others = {name for name in files if name.endswith(".parquet")}
    for split, counts in report["splits"].items():
        shards = [name for name in files if Path(name).name.startswith(f"{split}-")]
        others -= set(shards)
        expected = int(shards[0].removesuffix(".parquet").split("-")[-1]) if shards else 1
        if len(shards) != expected:
            raise HubError(
                f"{folder} has {len(shards)} of {expected} shards of the split {split!r}. "
                "Run `python -m dfjax prepare` again to finish it."
            )
        num_rows = sum(_check_shard(folder / name, split, splits_of) for name in shards)
        if num_rows != counts["clips"]:
            raise HubError(
                f"The split {split!r} of {folder} has {num_rows} rows; {REPORT_FILE} says "
                f"{counts['clips']}. Prepare it again into a new folder."
            )
        if num_rows:
            next(read_clips(str(folder), split))
    if others:
        raise HubError(
            f"{folder / min(others)} is of none of the splits in {REPORT_FILE}. Move it elsewhere, "
            "or it would be published unchecked."
        )
    return files


def _check_shard(path: Path, split: str, splits_of: dict[str, str]) -> int:
    """Checks a shard's columns, notes its groups in `splits_of`, and returns how many rows it has.

    Raises:
      HubError: A column is missing or of another type, or a group is in another split as well.
    """
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            found = datasets.Features.from_arrow_schema(file.schema_arrow)
            groups = file.read(["dataset", "group"]).to_pylist() if found == FEATURES else []
    except (pyarrow.ArrowException, OSError) as error:
        raise HubError(
            f"{path} is not a readable parquet file: {' '.join(str(error).split())} "
            "Prepare the data set again into a new folder."
        ) from error
    if found != FEATURES:
        other = sorted(
            name for name in {*found, *FEATURES} if found.get(name) != FEATURES.get(name)
        )
        raise HubError(
            f"{path} has columns that differ from this version of dfjax: {', '.join(other)}. "
            "Prepare the data set again into a new folder."
        )
    for row in groups:
        group = f"{row['dataset']}/{row['group']}"
        if splits_of.setdefault(group, split) != split:
            raise HubError(
                f"The group {group} is in the splits {splits_of[group]} and {split}: the same "
                "people would be trained and tested on. Prepare the data set again into a new "
                "folder."
            )
    return len(groups)
