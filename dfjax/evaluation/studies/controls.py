"""Can labels be predicted without looking at the face? Two controls, both of which should fail.

A detector's figures mean something only if these controls are near an AUC of 0.5: in a data set,
real and fake files may differ in container, size or bit rate, and crops in what surrounds the face.
"""

import dataclasses
import itertools
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction import DictVectorizer

from dfjax.augment.face_outline import inside_distance, place_outline, whole_face
from dfjax.config import CalibrationConfig
from dfjax.data.clip_row import ClipRow
from dfjax.data.prepared import padded_landmarks
from dfjax.data.sources import LabelledVideo, title
from dfjax.evaluation import estimates
from dfjax.evaluation.bootstrap import Draws
from dfjax.evaluation.estimates import Estimate
from dfjax.evaluation.scores import Scores, scores_of_files, video_scores
from dfjax.evaluation.studies.study import Study, StudyContext
from dfjax.evaluation.tables import cell, table
from dfjax.video.executable import ffmpeg_executable
from dfjax.video.suffixes import STILL_SUFFIXES

MASK_MARGIN = 0.06
"""How far the mask extends beyond the outline of the face, as a fraction of the crop's side."""

NUM_TREES = 300
"""Trees of the random forest that classifies by metadata."""

_GREY = 127

OnFile = Callable[[int, int], None]
"""Called with the number of files read and the total."""


def faceless(rows: Iterable[ClipRow], num_frames: int) -> Iterator[ClipRow]:
    """Yields the clips with the face, and a little beyond its outline, replaced by grey.

    Args:
      rows: Prepared clips.
      num_frames: Maximum number of frames in a clip.
    """
    outline = whole_face()

    def distances(landmarks: jax.Array, size: int) -> jax.Array:
        return inside_distance(place_outline(outline, landmarks), size)

    compiled = jax.jit(distances, static_argnums=1)
    for row in rows:
        count, size = row.frames.shape[:2]
        depths = compiled(padded_landmarks(row, num_frames), size)
        is_face = np.asarray(depths)[:count] > -MASK_MARGIN * size
        frames = np.where(is_face[..., None], np.uint8(_GREY), row.frames)
        yield dataclasses.replace(row, frames=frames)


class ControlsStudy(Study):
    """Whether labels can be predicted without the face."""

    name = "shortcuts"
    optional = True

    def measure(self, context: StudyContext) -> dict[str, Any]:
        """Measures how well what is around the face, or the files alone, predict the labels.

        Args:
          context: The detector and its data.

        Returns:
          `faceless`: `auc`, the mean over data sets and compressions that have both classes, and
          `per_setting`, with counts and the `auc` of each. `metadata`: see `measure_metadata`; null
          if the files were not given.
        """
        masked = faceless(context.rows(), context.config.video.num_frames)
        clips = context.score(masked, "Scoring without faces")
        metadata = None
        if context.files:
            metadata = measure_metadata(
                context.files,
                context.split,
                on_file=lambda done, total: context.on_progress("Reading files", done, total),
            )
        return {
            "faceless": _per_setting(video_scores(clips, CalibrationConfig())),
            "metadata": metadata,
        }

    def section(self, result: Mapping[str, Any], split: str) -> str:
        """Returns a table of both controls per data set and compression."""
        intro = """## Controls: labels predicted without the face

Both should be near an AUC of 0.5; otherwise the figures above measure something other than faces.
"Face masked out" is the model on crops with the face replaced by grey; "metadata alone" is a random
forest fitted on the training split to a file's size, its rates, and what ffmpeg or the JPEG header
reports about it."""
        parts = {"face masked out": result["faceless"], "metadata alone": result["metadata"]}
        rows = []
        for name, part in parts.items():
            if part is None:
                rows.append([name, "not measured: needs the files", "", "", ""])
                continue
            for row in part["per_setting"]:
                setting = f"{title(row['dataset'])} {row['compression']}".strip()
                rows.append([name, setting, row["real"], row["fake"], cell(row["auc"])])
            rows.append([name, "mean", "", "", cell(part["auc"])])
        header = ["control", "data", "real", "fake", "AUC"]
        return f"{intro}\n\n{table(header, rows)}"


def measure_metadata(
    sources: Sequence[Sequence[LabelledVideo]], split: str, *, on_file: OnFile | None = None
) -> dict[str, Any]:
    """Measures how well a classifier predicts labels from the files alone, without any pixels.

    Its features are the words of ffmpeg's description of a file (container, encoder, colour range
    and so on), sizes, rates and duration; for a picture, the JPEG tables. It is fitted on the
    "train" split of each data set.

    Args:
      sources: The videos of each data set, of all splits.
      split: Name of the split to measure.
      on_file: Called after each file is read.

    Returns:
      The same as `faceless` of the study, and `left_out`: reasons by name of data set.
    """
    wanted = [[v for v in videos if v.split in ("train", split)] for videos in sources]
    total, num_read = sum(map(len, wanted)), 0
    files: list[LabelledVideo] = []
    probabilities: list[float] = []
    left_out: dict[str, str] = {}
    for videos in wanted:
        described = []
        for video in videos:
            described.append(describe_file(video.path))
            num_read += 1
            if on_file is not None:
                on_file(num_read, total)
        is_train = np.array([video.split == "train" for video in videos], bool)
        scores = scores_of_files(videos, np.zeros(len(videos)))
        if len(set(scores.is_fake[is_train])) < 2 or len(set(scores.is_fake[~is_train])) < 2:
            for name in sorted({video.dataset for video in videos}):
                left_out[name] = "it lacks real or fake files, to fit on or to measure"
            continue
        features = DictVectorizer(sparse=False)
        features.fit(list(itertools.compress(described, is_train)))
        values = features.transform(described)
        forest = RandomForestClassifier(NUM_TREES, min_samples_leaf=3, random_state=0, n_jobs=1)
        weights = _cell_weights(scores.take(is_train))
        forest.fit(values[is_train], scores.is_fake[is_train], sample_weight=weights)
        files += [video for video in videos if video.split == split]
        probabilities += np.asarray(forest.predict_proba(values[~is_train]))[:, 1].tolist()
    measured = scores_of_files(files, np.array(probabilities, np.float64))
    return {**_per_setting(measured), "left_out": left_out}


def describe_file(path: Path) -> dict[str, float]:
    """Returns what is known about a file without its pixels, as features by name."""
    num_bytes = path.stat().st_size
    if path.suffix.lower() in STILL_SUFFIXES:
        try:
            picture = Image.open(path)
        # A RuntimeError comes from the AVIF plugin. `prepare` has left out such a file, too.
        except (OSError, ValueError, RuntimeError, Image.DecompressionBombError):
            return {"bytes": num_bytes}
        with picture:
            tables = getattr(picture, "quantization", None) or {}
            return {
                "bytes": num_bytes,
                "bytes a pixel": num_bytes / (picture.width * picture.height),
                "width": picture.width,
                "height": picture.height,
                **{f"word {word}": 1.0 for word in (picture.format, picture.mode, *picture.info)},
                **{f"table {n}": float(np.sum(table)) for n, table in tables.items()},
            }
    description = subprocess.run(
        [ffmpeg_executable(), "-hide_banner", "-nostdin", "-i", str(path)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,  # it fails, for lack of an output file
    ).stderr
    # The path may contain the label, and so may a title in the file.
    description = description.replace(str(path), "")
    words = set(re.findall(r"[A-Za-z][\w:/.\-]*", description)) - {path.stem, path.name}
    features = {f"word {word}": 1.0 for word in words}
    features["bytes"] = num_bytes
    for name, pattern in _NUMBERS.items():
        if (found := re.search(pattern, description)) is not None:
            features[name] = float(found[1])
    if (found := re.search(r"Duration: (\d+):(\d+):([\d.]+)", description)) is not None:
        hours, minutes, seconds = map(float, found.groups())
        features["duration"] = 3600 * hours + 60 * minutes + seconds
        features["bytes a second"] = num_bytes / max(features["duration"], 0.04)
    return features


_NUMBERS = {
    "width": r", (\d{2,5})x\d{2,5}",
    "height": r", \d{2,5}x(\d{2,5})",
    "frame rate": r"([\d.]+) fps",
    "bit rate": r"(\d+) kb/s",
    "time base": r"([\d.]+)k? tbn",
}


def _cell_weights(scores: Scores) -> np.ndarray:
    """Returns float64 [N] weights that balance real and fake in each data set and compression.

    Otherwise, where fakes are more frequent in one compression, it would give the labels away.
    """
    cells = ["/".join(cell) for cell in zip(scores.datasets, scores.compressions, strict=True)]
    named = [f"{cell}/{label}" for cell, label in zip(cells, scores.is_fake, strict=True)]
    _, cell_of, counts = np.unique(named, return_inverse=True, return_counts=True)
    return 1 / counts[cell_of]


def _per_setting(scores: Scores) -> dict[str, Any]:
    rows, aucs = [], []
    draws = Draws.of(scores.groups)
    for dataset, compression in scores.settings:
        members = np.flatnonzero(
            (scores.datasets == dataset) & (scores.compressions == compression)
        )
        of_setting = scores.take(members)
        if len(set(of_setting.is_fake.tolist())) < 2:
            continue
        auc = estimates.estimate_ranking(of_setting, draws.take(members))["auc"]
        aucs.append(auc)
        setting = {"dataset": dataset, "compression": compression}
        rows.append({**setting, **of_setting.counts(), "auc": auc.to_json()})
    absent = Estimate.absent("no data set has both real and fake videos")
    return {"auc": (estimates.mean(aucs) if aucs else absent).to_json(), "per_setting": rows}
