"""From labelled videos to a Hugging Face data set of face clips, in parquet shards.

A run can be stopped at any time: a shard counts once its outcome file is written, after the shard
itself, and the next run starts with the first shard that has none.
"""

import collections
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import datasets
import numpy as np
from huggingface_hub import DatasetCardData
from PIL import Image

from dfjax.config import Config, dumps
from dfjax.data.prepared import FEATURES, MANIFEST_FILE, REPORT_FILE, load_manifest
from dfjax.data.sources import TITLES, LabelledVideo, Source
from dfjax.errors import DatasetError, VideoError
from dfjax.media.clips import FaceClips, read_face_clips
from dfjax.media.faces import FaceDetector

VIDEOS_PER_SHARD = 32
"""What an interrupted run does again at most; some 80 MB of crops."""

NO_FACE = "no face found"
"""The outcome of a video that was read, but gave no clip."""

OnVideo = Callable[[int, int], None]
"""Called with the number of videos done and the number in all."""


def prepare(
    source: Source,
    out: Path,
    config: Config,
    face_detector: FaceDetector,
    *,
    on_video: OnVideo | None = None,
) -> dict:
    """Writes the face clips of a source as a data set that `datasets.load_dataset` reads.

    Args:
      source: The videos, with labels and splits.
      out: A new folder, or one that an interrupted run of the same source and config left.
      config: Its parts `video`, `faces`, `tracks` and `crops` say how clips are made.
      face_detector: Made from `config.faces`.
      on_video: Told how far the run is.

    Returns:
      The report, also written to `report.json`: per split the videos and clips, and every video
      that gave no clip with the reason.

    Raises:
      DatasetError: Another source, config or thing is in the folder.
    """
    _claim_folder(out, source, config)
    outcomes: dict[str, dict[str, str | int]] = collections.defaultdict(dict)
    num_done = 0
    for split, shard, path in _shards(source.videos, out):
        outcome_file = out / "outcomes" / f"{path.stem}.json"
        if not outcome_file.exists():
            rows, outcome = [], {}
            for offset, video in enumerate(shard):
                clips = _read(video, config, face_detector)
                if on_video is not None:
                    on_video(num_done + offset + 1, len(source.videos))
                if isinstance(clips, str):
                    outcome[video.key] = clips
                else:
                    rows += _rows(video, clips)
                    outcome[video.key] = len(clips.clips) or NO_FACE
            _write_shard(rows, path)
            _write_text(outcome_file, dumps(outcome))
        num_done += len(shard)
        if on_video is not None:
            on_video(num_done, len(source.videos))
        outcomes[split].update(json.loads(outcome_file.read_text(encoding="utf-8")))
    report = _report(outcomes, source.missing)
    _write_text(out / REPORT_FILE, dumps(report))
    _write_text(out / "README.md", _dataset_card(source, report))
    return report


def _claim_folder(out: Path, source: Source, config: Config) -> None:
    """Writes the manifest into a new folder, or checks the one that is there."""
    listing = "\n".join(f"{v.key} {v.path.stat().st_size}" for v in source.videos)
    parts = config.to_dict()
    manifest = {
        "config": {name: parts[name] for name in ("video", "faces", "tracks", "crops")},
        "fingerprint": hashlib.sha256(listing.encode()).hexdigest()[:16],
    }
    if not (out / MANIFEST_FILE).exists():
        if out.exists() and any(out.iterdir()):
            raise DatasetError(
                f"{out} holds other files. Name a new folder, or one that an earlier run began."
            )
        _write_text(out / MANIFEST_FILE, dumps(manifest))
    elif load_manifest(out) != manifest:
        raise DatasetError(
            f"{out} was begun with another config or other videos. Name a new folder, "
            "or remove that one."
        )


def _shards(
    videos: Sequence[LabelledVideo], out: Path
) -> list[tuple[str, Sequence[LabelledVideo], Path]]:
    """Returns the split, the videos and the file of every shard."""
    by_split = collections.defaultdict(list)
    for video in videos:
        by_split[video.split].append(video)
    shards = []
    for split, members in by_split.items():
        starts = range(0, len(members), VIDEOS_PER_SHARD)
        for index, start in enumerate(starts):
            path = out / "data" / f"{split}-{index:05d}-of-{len(starts):05d}.parquet"
            shards.append((split, members[start : start + VIDEOS_PER_SHARD], path))
    return shards


def _read(video: LabelledVideo, config: Config, face_detector: FaceDetector) -> FaceClips | str:
    """Returns the clips of a video, or why it has none: one bad file must not end the run."""
    try:
        return read_face_clips(video.path, config, face_detector)
    except VideoError as error:
        return str(error)


def _rows(video: LabelledVideo, read: FaceClips) -> list[dict]:
    return [
        {
            "dataset": video.dataset,
            "method": video.method,
            "compression": video.compression,
            "video_id": video.video_id,
            "split": video.split,
            "source_ids": list(video.source_ids),
            "group": video.group,
            "label": "fake" if video.is_fake else "real",
            "track_id": clip.track_id,
            "num_frames": len(read.timestamps),
            "frame_indices": clip.frame_indices,
            "timestamps": read.timestamps[clip.frame_indices],
            "boxes_xyxy": clip.boxes_xyxy,
            "frames": [{"bytes": _png(frame), "path": None} for frame in clip.frames],
        }
        for clip in read.clips
    ]


def _png(frame: np.ndarray) -> bytes:
    """Returns a crop as PNG, lossless: training sees exactly what the app sees."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def _write_shard(rows: list[dict], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {name: [row[name] for row in rows] for name in FEATURES}
    unfinished = path.with_suffix(".unfinished")
    datasets.Dataset.from_dict(columns, features=FEATURES).to_parquet(unfinished)
    unfinished.replace(path)


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def _report(outcomes: dict[str, dict[str, str | int]], missing: Sequence[str]) -> dict:
    """Returns the counts per split, and what gave no clip with the reason."""
    splits = {}
    for split, outcome in outcomes.items():
        skipped = {key: why for key, why in outcome.items() if isinstance(why, str)}
        splits[split] = {
            "videos": len(outcome),
            "clips": sum(n for n in outcome.values() if isinstance(n, int)),
            "no_face": sum(why == NO_FACE for why in skipped.values()),
            "unreadable": sum(why != NO_FACE for why in skipped.values()),
            "skipped": skipped,
        }
    return {"splits": splits, "missing": list(missing)}


def _dataset_card(source: Source, report: dict) -> str:
    """Returns the README of the data set; its front matter tells `load_dataset` the splits."""
    names = sorted({TITLES[video.dataset] for video in source.videos})
    files = [{"split": s, "path": f"data/{s}-*.parquet"} for s in report["splits"]]
    front_matter = DatasetCardData(
        pretty_name=f"Face clips of {', '.join(names)}",
        task_categories=["video-classification"],
        tags=["deepfake-detection"],
        configs=[{"config_name": "default", "data_files": files}],
    )
    rows = "\n".join(
        f"| {split} | {counts['videos']} | {counts['clips']} | {counts['no_face']} "
        f"| {counts['unreadable']} |"
        for split, counts in report["splits"].items()
    )
    return f"""---
{front_matter.to_yaml()}
---
# Face clips of {", ".join(names)}

Made by `python -m dfjax prepare`: one row per face that was followed through a video, with the face
crops as lossless PNG. `label` is `real` or `fake` and holds for the whole video. `group` names the
identities that a row shares with others: never put one group into two splits. The terms of the
original data set go on to hold for the crops.

| split | videos | clips | without a face | unreadable |
|---|---|---|---|---|
{rows}

{len(report["missing"])} videos that the split files name were not there. `report.json` names every
video that gave no clip, and why.
"""
