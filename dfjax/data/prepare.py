"""Turns labelled videos into a Hugging Face data set of face clips, in parquet shards.

A run can be stopped at any time: a shard counts as done once its outcome file exists, which is
written after the shard itself, and the next run makes the shards that have none. It also makes
those again that are gone, or of which a file could not be read for a reason that may have passed.
"""

import collections
import dataclasses
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq

from dfjax.config import Config
from dfjax.data.clip_row import FEATURES
from dfjax.data.prepared import MANIFEST_FILE, MANIFEST_KEY, REPORT_FILE, load_manifest
from dfjax.data.report import dataset_card, make_report
from dfjax.data.rows import CodecConfig, Outcome
from dfjax.data.sources import LabelledVideo, Source
from dfjax.data.workers import read_in_order
from dfjax.errors import DatasetError
from dfjax.faces.clips import CROPS_VERSION, crops_kind
from dfjax.files import UNFINISHED, only_here, write_text_atomically
from dfjax.json_values import dumps, to_json_value
from dfjax.video.film import NUM_FRAMES as FILM_FRAMES
from dfjax.video.suffixes import STILL_SUFFIXES

_FRAMES_PER_SHARD = 1024
"""The most that has to be redone after an interruption; about 80 MB of 224-pixel crops."""

_ROWS_READ_AT_ONCE = 100
"""By who streams a shard: as many as `datasets` chooses for pictures."""

OnVideo = Callable[[int, int], None]
"""Called with the number of videos done and the total number."""


def prepare(
    source: Source,
    out: Path,
    config: Config,
    *,
    codec: CodecConfig = CodecConfig(),
    workers: int = 1,
    on_video: OnVideo | None = None,
) -> dict:
    """Writes the face clips of a source as a data set that `datasets.load_dataset` reads.

    Args:
      source: The videos, with labels and splits.
      out: A new folder, or that of an interrupted run with the same source and config.
      config: Its parts `video`, `faces`, `tracks` and `crops` say how clips are made.
      codec: Which re-encoded versions of each video are added.
      workers: How many processes read videos. What is written does not depend on it.
      on_video: Called after each video with the progress so far.

    Returns:
      The report, as described in `make_report`; it is also written to `report.json`.

    Raises:
      DatasetError: The folder holds other files, or a run with another source or config.
      DfjaxError: Another process is working in the folder.
      OSError: The disk is full, or the folder cannot be written to.
    """
    if out.exists() and not out.is_dir():
        raise DatasetError(f"{out} is a file. Name a new folder.")
    out.mkdir(parents=True, exist_ok=True)
    with only_here(out):
        manifest = _claim_folder(out, source, config, codec)
        return _prepare(source, out, config, codec, manifest, workers, on_video)


def _prepare(
    source: Source,
    out: Path,
    config: Config,
    codec: CodecConfig,
    manifest: dict[str, Any],
    workers: int,
    on_video: OnVideo | None,
) -> dict:
    """Prepares in a folder that this process keeps to itself; otherwise as `prepare`."""
    scratch = out / "unfinished"
    shutil.rmtree(scratch, ignore_errors=True)  # left behind by a run that was killed
    per_video = config.video.num_frames * (1 + codec.variants)
    per_still = 1 + FILM_FRAMES * codec.filmed
    shards = _shards(source.videos, out, per_video, per_still)
    done = {shard.path: shard.outcomes() for shard in shards if shard.is_done()}
    waiting = [video for shard in shards if shard.path not in done for video in shard.videos]
    num_done = len(source.videos) - len(waiting)
    outcomes: dict[str, dict[str, Outcome]] = collections.defaultdict(dict)
    with closing(read_in_order(waiting, config, codec, scratch, workers=workers)) as results:
        for shard in shards:
            if shard.path not in done:
                rows: list[dict[str, Any]] = []
                outcome: dict[str, Outcome] = {}
                for versions in itertools.islice(results, len(shard.videos)):
                    for version in versions:
                        rows += version.rows
                        outcome[version.key] = version.outcome
                    num_done += 1
                    if on_video is not None:
                        on_video(num_done, len(source.videos))
                _write_shard(rows, shard.path, manifest)
                write_text_atomically(
                    shard.outcome_file, dumps({k: to_json_value(o) for k, o in outcome.items()})
                )
                done[shard.path] = outcome
            outcomes[shard.split] |= done[shard.path]
    shutil.rmtree(scratch, ignore_errors=True)
    report = make_report(outcomes, source)
    write_text_atomically(out / REPORT_FILE, dumps(report))
    names = {video.dataset for video in source.videos}
    write_text_atomically(out / "README.md", dataset_card(names, codec, report))
    return report


def _claim_folder(out: Path, source: Source, config: Config, codec: CodecConfig) -> dict[str, Any]:
    """Writes the manifest into a new folder, or checks the existing one; returns it."""
    manifest = _manifest(source, config, codec)
    if not (out / MANIFEST_FILE).exists():
        # A run that was killed while it wrote its manifest leaves part of that.
        if out.exists() and any(path.suffix != UNFINISHED for path in out.iterdir()):
            raise DatasetError(
                f"{out} holds other files. Name a new folder, or that of an interrupted run."
            )
        write_text_atomically(out / MANIFEST_FILE, dumps(manifest))
        return manifest
    since = {name: manifest[name] for name in ("metadata", "crops_version")}  # older lack them
    before = load_manifest(str(out))
    if _meant(since | before) != _meant(manifest):
        raise DatasetError(
            f"{out} was started with another config, or with other videos or other metadata of "
            "them, such as their originals and people, or by a version of dfjax that makes other "
            "crops. Name a new folder, or remove this one."
        )
    return before


def _manifest(source: Source, config: Config, codec: CodecConfig) -> dict[str, Any]:
    listing = "\n".join(
        f"{v.key} {v.path.stat().st_size} {v.is_fake} {v.split} {v.group}" for v in source.videos
    )
    metadata = [
        (v.key, v.original_id, v.source_ids, dict(v.attributes), v.is_crop) for v in source.videos
    ]
    parts = config.to_dict()
    return {
        "source": {"name": source.name, "options": dict(source.options)},
        "config": {name: parts[name] for name in ("video", "faces", "tracks", "crops")},
        "codec": to_json_value(codec),
        "fingerprint": _hash(listing),
        # Apart from the fingerprint, which would change for data sets that are prepared already.
        "metadata": _hash(json.dumps(metadata, sort_keys=True)),
        "crops_version": CROPS_VERSION,
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _meant(manifest: dict[str, Any]) -> dict[str, Any]:
    """Returns a manifest with its config parsed, as older ones have more fields."""
    config, kind = Config.from_dict(manifest["config"]), crops_kind(manifest["crops_version"])
    return {**manifest, "config": config, "crops_version": kind}


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Shard:
    """One parquet file to write."""

    split: str
    videos: Sequence[LabelledVideo]
    path: Path
    outcome_file: Path  # written after the parquet file

    def is_done(self) -> bool:
        """Whether it is written, and reading its videos once more would change nothing."""
        is_written = self.outcome_file.exists() and self.path.exists()
        return is_written and not any(outcome.may_pass for outcome in self.outcomes().values())

    def outcomes(self) -> dict[str, Outcome]:
        """Returns what came of its videos when it was written, by key."""
        written = json.loads(self.outcome_file.read_text(encoding="utf-8"))
        return {key: Outcome(**values) for key, values in written.items()}


def _shards(
    videos: Sequence[LabelledVideo], out: Path, frames_per_video: int, frames_per_still: int
) -> list[_Shard]:
    """Returns the shards of all splits, with about the same number of frames each."""
    parts: dict[str, list[list[LabelledVideo]]] = {}
    num_frames: dict[str, int] = collections.Counter()
    for video in videos:
        members = parts.setdefault(video.split, [[]])
        if num_frames[video.split] >= _FRAMES_PER_SHARD:
            members.append([])
            num_frames[video.split] = 0
        members[-1].append(video)
        is_still = video.path.suffix.lower() in STILL_SUFFIXES
        num_frames[video.split] += frames_per_still if is_still else frames_per_video
    shards = []
    for split, members in parts.items():
        for index, chosen in enumerate(members):
            name = f"{split}-{index:05d}-of-{len(members):05d}"
            shards.append(
                _Shard(
                    split=split,
                    videos=chosen,
                    path=out / "data" / f"{name}.parquet",
                    outcome_file=out / "outcomes" / f"{name}.json",
                )
            )
    return shards


def _write_shard(rows: list[dict[str, Any]], path: Path, manifest: dict[str, Any]) -> None:
    """Writes a parquet file, with the manifest in it: such a file may come to stand alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {name: [row[name] for row in rows] for name in FEATURES}
    unfinished = path.with_suffix(UNFINISHED)
    table = datasets.Dataset.from_dict(columns, features=FEATURES).data.table
    metadata = {**FEATURES.arrow_schema.metadata, MANIFEST_KEY: dumps(manifest)}
    table = table.replace_schema_metadata(metadata)
    with unfinished.open("wb") as file:
        with pq.ParquetWriter(file, table.schema) as writer:
            if rows:  # `datasets` cannot stream a group of no rows
                writer.write_table(table, row_group_size=_ROWS_READ_AT_ONCE)
        file.flush()
        os.fsync(file.fileno())  # a system crash must not leave the outcomes without their rows
    unfinished.replace(path)
