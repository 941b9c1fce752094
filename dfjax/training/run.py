"""A training run, from prepared data to a checkpoint folder."""

import dataclasses
import importlib.metadata
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

from dfjax.config import Config, DetectorConfig, TrainConfig, dumps
from dfjax.data.prepared import load_manifest, load_report, read_clips
from dfjax.data.sources import TITLES
from dfjax.errors import DatasetError, TrainingError
from dfjax.models.detector import Detector
from dfjax.models.weights import load_resnet
from dfjax.training.features import FeatureClips, OnClip, encode_clips
from dfjax.training.loop import EpochMetrics, calibrated, train, validation_report
from dfjax.version import __version__

RECORD_FILE = "training.json"
"""In the checkpoint: what it was trained on and how, and what it reaches on validation."""

OnEpoch = Callable[[EpochMetrics], None]


def run(
    folders: Sequence[Path],
    weights: str,
    out: Path,
    *,
    train_config: TrainConfig,
    detector_config: DetectorConfig,
    command: str,
    on_clip: OnClip | None = None,
    on_epoch: OnEpoch | None = None,
) -> dict[str, Any]:
    """Trains a detector over a frozen encoder, calibrates it, and writes `out/checkpoint`.

    Also writes `out/metrics.jsonl`, one line per epoch, as they come.

    Args:
      folders: Prepared data sets, each with the splits "train" and "validation".
      weights: Folder or Hub repository with the published ResNet files.
      out: A new folder.
      train_config: How to train.
      detector_config: Shape of what follows the encoder.
      command: The command line, for the record.
      on_clip: Told the number of clips whose features are computed.
      on_epoch: Told the metrics of each epoch.

    Returns:
      The record, also written to `training.json` in the checkpoint.

    Raises:
      DatasetError: A folder was not prepared, or two were prepared differently.
      TrainingError: `out` is not new, or training cannot go on.
    """
    started = time.perf_counter()
    if out.exists() and any(out.iterdir()):
        raise TrainingError(
            f"{out} is not empty. Name a new folder, so that no run is overwritten."
        )
    encoder = load_resnet(weights)
    config = dataclasses.replace(
        _config_of(folders), encoder=encoder.config, detector=detector_config
    )
    detector = Detector(config, rngs=nnx.Rngs(train_config.seed), encoder=encoder)

    train_clips = _encode(detector, folders, "train", on_clip).main_faces()
    validation = _encode(detector, folders, "validation", on_clip)
    _refuse_shared_groups(train_clips, validation)
    out.mkdir(parents=True, exist_ok=True)
    with (out / "metrics.jsonl").open("w", encoding="utf-8") as file:
        for metrics in train(detector, train_clips, validation, train_config):
            file.write(json.dumps(dataclasses.asdict(metrics)) + "\n")
            file.flush()
            if on_epoch is not None:
                on_epoch(metrics)
    detector.config = calibrated(detector, validation, train_config)
    record = {
        "data": {
            "name": _data_name(train_clips),
            "train": _counts(train_clips),
            "validation": _counts(validation),
            "skipped": _skipped(folders),
            "fingerprint": "+".join(load_manifest(folder)["fingerprint"] for folder in folders),
        },
        "train_config": dataclasses.asdict(train_config),
        "versions": {
            "dfjax": __version__,
            **{name: importlib.metadata.version(name) for name in ("jax", "jaxlib", "flax")},
        },
        "command": command,
        "validation": validation_report(detector, validation, train_config),
        "seconds": round(time.perf_counter() - started, 1),
    }
    detector.save_pretrained(out / "checkpoint")
    (out / "checkpoint" / RECORD_FILE).write_text(dumps(record), encoding="utf-8")
    return record


def _config_of(folders: Sequence[Path]) -> Config:
    """Returns the config with the parts that the data sets were prepared with."""
    parts = [load_manifest(folder)["config"] for folder in folders]
    for folder, other in zip(folders[1:], parts[1:], strict=True):
        if other != parts[0]:
            raise DatasetError(
                f"{folders[0]} and {folder} were prepared with different configs, so their crops "
                "differ. Prepare both with the same."
            )
    return Config.from_dict(parts[0])


def _encode(
    detector: Detector, folders: Sequence[Path], split: str, on_clip: OnClip | None
) -> FeatureClips:
    rows = (row for folder in folders for row in read_clips(folder, split))
    return encode_clips(detector, rows, on_clip=on_clip)


def _refuse_shared_groups(train_clips: FeatureClips, validation: FeatureClips) -> None:
    shared = sorted(set(train_clips.groups) & set(validation.groups))
    if shared:
        raise DatasetError(
            f"{len(shared)} groups of identities are in training and validation, such as "
            f"{shared[0]}. A figure from such a split means nothing: split by identity."
        )


def _data_name(clips: FeatureClips) -> str:
    """Returns such as "FaceForensics++ c23": data sets with their compressions."""
    keys = [video.split("/") for video in clips.videos]
    names = {f"{TITLES[dataset]} {compression}" for dataset, _, compression, _ in keys}
    return ", ".join(sorted(names))


def _counts(clips: FeatureClips) -> dict[str, int]:
    """Returns how many videos, clips and groups of identities there are, and their labels."""
    labels = dict(zip(clips.videos, clips.is_fake.tolist(), strict=True))
    return {
        "videos": len(labels),
        "clips": len(clips),
        "real": sum(label == 0 for label in labels.values()),
        "fake": sum(label == 1 for label in labels.values()),
        "groups": len(np.unique(clips.groups)),
    }


def _skipped(folders: Sequence[Path]) -> dict[str, int]:
    """Returns how many videos gave no clip, by reason, over all splits and folders."""
    counts = {"no_face": 0, "unreadable": 0, "missing": 0}
    for folder in folders:
        report = load_report(folder)
        counts["missing"] += len(report["missing"])
        for split in report["splits"].values():
            counts["no_face"] += split["no_face"]
            counts["unreadable"] += split["unreadable"]
    return counts
