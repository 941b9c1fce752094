"""A small prepared data set with something to learn, made without a video."""

import dataclasses
import io
import json
from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
from PIL import Image
from safetensors.numpy import save_file

from dfjax.data.clip_row import FEATURES
from dfjax.data.prepared import MANIFEST_FILE, REPORT_FILE
from dfjax.json_values import dumps
from dfjax.train_config import TrainConfig
from tests.models.reference import random_tensors
from tests.tiny import TINY_CONFIG, TINY_RESNET

SIZE = TINY_CONFIG.crops.image_size
NUM_FRAMES = TINY_CONFIG.video.num_frames
METHODS = ("Deepfakes", "FaceSwap")

CONFIG = TrainConfig(
    steps=6,
    pairs=8,
    still_pairs=8,
    clip_frames=3,
    self_blended=0.5,
    partial_fakes=0.5,
    trained_stages=2,
    warmup_steps=1,
    learning_rate=3e-3,
    validate_every=3,
)
"""Every part of the step is on: both kinds of pairs, self-blends, partial fakes, distortions."""


def plain(**changes) -> TrainConfig:
    """Returns `CONFIG` with nothing drawn on the devices, so that a step shows what it is given."""
    return dataclasses.replace(
        CONFIG,
        **{"self_blended": 0.0, "partial_fakes": 0.0, "augmented": 0.0} | changes,
    )


def write_prepared(
    folder: Path, *, groups: int = 8, stills: int = 4, seed: int = 0, name: str = "ffpp"
) -> str:
    """Writes a data set of which each fake is its original with a red stripe; returns its folder.

    The last quarter of the groups is the validation split. A group has a real video and a fake of
    each method; a still group has a real picture and a fake.
    """
    generator = np.random.default_rng(seed)
    rows = {"train": [], "validation": []}
    for number in range(groups + stills):
        is_still = number >= groups
        place, count = (number - groups, stills) if is_still else (number, groups)
        split = "train" if place < 0.75 * count else "validation"
        num_frames = 1 if is_still else NUM_FRAMES
        real = generator.integers(60, 180, (num_frames, SIZE, SIZE, 3), np.uint8)
        methods = ("youtube", "stills") if is_still else ("youtube", *METHODS)
        for method in methods:
            frames = real.copy()
            if method != "youtube":
                frames[:, 10:20, :, 0] = 255
            rows[split].append(_row(f"{number:03}", method, split, frames) | {"dataset": name})
    for split, of_split in rows.items():
        path = folder / "data" / f"{split}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = {name: [row[name] for row in of_split] for name in FEATURES}
        datasets.Dataset.from_dict(columns, features=FEATURES).to_parquet(path)
    parts = TINY_CONFIG.to_dict()
    manifest = {
        "config": {name: parts[name] for name in ("video", "faces", "tracks", "crops")},
        "fingerprint": f"{seed:016}",
    }
    (folder / MANIFEST_FILE).write_text(dumps(manifest))
    nothing = {"no_face": 0, "unreadable": 0, "skipped": {}}
    counts = {split: {"clips": len(of_split), **nothing} for split, of_split in rows.items()}
    report = {"splits": counts, "missing": []}
    (folder / REPORT_FILE).write_text(dumps(report))
    return str(folder)


def without_fakes(folder: str) -> None:
    """Takes the fakes out of the validation split of a prepared data set."""
    path = Path(folder) / "data" / "validation-00000-of-00001.parquet"
    is_real = ("label", "=", FEATURES["label"].str2int("real"))
    pq.write_table(pq.read_table(path, filters=[is_real]), path)


def write_weights(folder: Path) -> str:
    """Writes published ResNet files that fit `TINY_CONFIG`; returns their folder."""
    encoder = TINY_RESNET
    values = {
        "model_type": "resnet",
        "layer_type": "bottleneck",
        "hidden_act": "relu",
        "num_channels": 3,
        "embedding_size": encoder.embedding_size,
        "depths": list(encoder.depths),
        "hidden_sizes": list(encoder.widths),
        "downsample_in_first_stage": False,
        "downsample_in_bottleneck": False,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values))
    save_file(random_tensors(encoder), folder / "model.safetensors")
    return str(folder)


def _row(number: str, method: str, split: str, frames: np.ndarray) -> dict:
    count = len(frames)
    is_fake = method != "youtube"
    eyes_nose_mouth = np.array([[0.35, 0.4], [0.65, 0.4], [0.5, 0.55], [0.38, 0.7], [0.62, 0.7]])
    return {
        "dataset": "ffpp",
        "method": method,
        "compression": "c23",
        "video_id": number,
        "split": split,
        "source_ids": [number],
        "group": number,
        "original_id": number if is_fake else "",
        "label": "fake" if is_fake else "real",
        "track_id": 0,
        "num_frames": count,
        "width": 640,
        "height": 480,
        "fps": 0.0 if count == 1 else 25.0,
        "duration": 0.0 if count == 1 else 4.0,
        "attributes": "{}",
        "frame_indices": list(range(count)),
        "timestamps": [index / 2 for index in range(count)],
        "boxes_xyxy": [[100, 100, 200, 220]] * count,
        "landmarks": [(SIZE * eyes_nose_mouth).ravel().tolist()] * count,
        "frames": [{"bytes": _png(frame), "path": None} for frame in frames],
    }


def _png(frame: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "PNG")
    return buffer.getvalue()
