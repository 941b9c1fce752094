"""Measures a detector on prepared data sets."""

import collections
import dataclasses
import importlib.metadata
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flax import nnx

from dfjax.data.clip_row import ClipRow, group_name
from dfjax.data.prepared import load_manifest, load_skipped, read_all_clips
from dfjax.data.sources import LabelledVideo, read_source
from dfjax.data.trained_on import INCOMPLETE, digests, read_trained_on
from dfjax.errors import DatasetError
from dfjax.evaluation import studies
from dfjax.evaluation.figures import report
from dfjax.evaluation.notes import PARQUET_FILE, notes
from dfjax.evaluation.scores import Scores, video_scores
from dfjax.evaluation.scoring import ScoredClip, Scorer, require_same_crops
from dfjax.evaluation.studies.study import OnProgress, ScoreFunction, Study, StudyContext
from dfjax.head_config import DetectorConfig
from dfjax.inference.jax_engine import JaxEngine
from dfjax.models.detector import Detector
from dfjax.models.fingerprint import fingerprint
from dfjax.models.locate import find_folder, model_name
from dfjax.models.pretrained import read_calibrated_on
from dfjax.version import __version__

SCHEMA_VERSION = 1
"""Version of the `report.json` layout."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation."""

    report: dict[str, Any]  # the content of `report.json`
    videos: Scores  # of the split


def evaluate(
    sources: Sequence[str],
    model: str,
    out: Path,
    *,
    split: str,
    optional: Sequence[Study] = (),
    roots: Sequence[Path] = (),
    revision: str | None = None,
    on_progress: OnProgress = lambda stage, done, total: None,
) -> Evaluation:
    """Measures a detector on one split of prepared data sets.

    Nothing is fitted: calibration and thresholds come from the model's config.

    Args:
      sources: Prepared folders, parquet files or Hub repositories, as for `open_rows`.
      model: Folder or Hub repository of the detector.
      out: Folder where studies cache slow results, such as the scores of distorted videos; results
        of an earlier run are reused.
      split: Such as "test".
      optional: Studies to run in addition to those that always run.
      roots: The folder that each data set was prepared from, in the same order as `sources`.
      revision: Branch, tag or commit of a model on the Hub; None: its main branch.
      on_progress: Called to report progress.

    Returns:
      The report and the scores of the videos. The report has schema_version; model: `id`,
      `revision`, `fingerprint` of weights and config; data: per source `name`, `split`,
      `fingerprint`, `prepared_with`, whether the model is known to have been calibrated or trained
      on it, and whether it may have been calibrated on it, prepared in another way; versions;
      notes: caveats for the reader of the figures; figures: see `figures.report`; and the result of
      each study under its name, null if it was not run. It contains no local path.

    Raises:
      DatasetError: A data set is missing, has other frames or crops than the model, or lacks the
        split or something that a study needs.
      ModelFormatError: The model cannot be loaded, or its logits are not finite.
      HubError: The model or a data set cannot be downloaded from the Hub.
    """
    folder = find_folder(model, revision=revision)
    detector = Detector.from_pretrained(folder)
    manifests = [load_manifest(source) for source in sources]
    for source, manifest in zip(sources, manifests, strict=True):
        require_same_crops(model, detector.config, source, manifest, fewer_frames=True)
    files = _files(sources, manifests, roots) if roots else []
    measured = [*(study for study in studies.STUDIES if not study.optional), *optional]
    _check_files(measured, files, split)
    score = _score_function(detector, on_progress)
    source_of: dict[str, str] = {}
    scored = score(read_all_clips(sources, split, source_of=source_of), "Scoring")
    if not scored:
        raise DatasetError(
            f"No video of the split {split!r} of {', '.join(sources)} has a face clip, so there is "
            "nothing to measure. Give another split with --split."
        )
    calibration = detector.config.calibration
    training = _training_record(folder)
    figures = report(
        scored,
        load_skipped(sources, split),
        calibration,
        split=split,
        trained_methods=training.get("data", {}).get("trained_methods"),
        has_lstm=isinstance(detector.config.detector, DetectorConfig),
    )
    known = read_trained_on(folder)
    trained_on = {source_of[clip.row.video] for clip in scored if digests(clip.row) & known}
    if INCOMPLETE in known and split == "train":  # of an older model only its last run is known
        fingerprints = _fingerprints(training)
        trained_on |= {
            s for s, m in zip(sources, manifests, strict=True) if m["fingerprint"] in fingerprints
        }
    names_of: dict[str, set[str]] = collections.defaultdict(set)
    for clip in scored:
        names_of[source_of[clip.row.video]].add(clip.row.dataset)
    calibrated_on = read_calibrated_on(folder)
    data = _data(sources, manifests, split, training, calibrated_on, trained_on, names_of)
    of_model = fingerprint(nnx.state(detector), detector.config)
    context = StudyContext(
        score=score,
        config=detector.config,
        scored=scored,
        rows=lambda: read_all_clips(sources, split),
        sources=sources,
        split=split,
        files=files,
        out=out,
        fingerprint="-".join((of_model, *(manifest["fingerprint"] for manifest in manifests))),
        on_progress=on_progress,
    )
    result: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "model": {
            "id": model_name(model),
            "revision": None if Path(model).expanduser().is_dir() else folder.name,
            "fingerprint": of_model,
        },
        "data": data,
        "versions": {
            "dfjax": __version__,
            **{name: importlib.metadata.version(name) for name in ("jax", "jaxlib", "flax")},
        },
        "notes": notes(figures, data, detector.config),
        "figures": figures,
        **{study.name: None for study in studies.STUDIES},
    }
    for study in measured:
        result[study.name] = study.measure(context)
    return Evaluation(result, video_scores(scored, calibration))


def _score_function(detector: Detector, on_progress: OnProgress) -> ScoreFunction:
    """Returns a function that scores clips with a detector and reports its progress."""
    scorer = Scorer(JaxEngine.for_many(detector))

    def score(rows: Iterable[ClipRow], stage: str | None = None) -> list[ScoredClip]:
        on_clip = None if stage is None else lambda done: on_progress(stage, done, None)
        return scorer(rows, on_clip=on_clip)

    return score


def _check_files(
    measured: Sequence[Study], files: Sequence[Sequence[LabelledVideo]], split: str
) -> None:
    """Checks before anything is scored that no study lacks the files it needs."""
    lacking = [study.name for study in measured if study.needs_files and not files]
    if lacking:
        raise DatasetError(
            f"{', '.join(lacking)} needs the original video files. Give the folders that the "
            "data sets were prepared from with --roots, in the same order."
        )
    for study in measured:
        study.check(files, split)


def _files(
    sources: Sequence[str], manifests: Sequence[Mapping[str, Any]], roots: Sequence[Path]
) -> list[Sequence[LabelledVideo]]:
    """Returns the videos of each data set as files, for all splits."""
    if len(roots) != len(sources):
        raise DatasetError(
            f"{len(sources)} data sets came with {len(roots)} folders of videos (--roots); give "
            "one folder per data set, in the same order."
        )
    files = []
    for source, manifest, root in zip(sources, manifests, roots, strict=True):
        if "source" not in manifest:
            raise DatasetError(
                f"The manifest of {source} does not say how its videos were listed. Prepare it "
                "again with this version of dfjax."
            )
        listed = read_source(manifest["source"]["name"], root, **manifest["source"]["options"])
        files.append(listed.videos)
    return files


def _training_record(folder: Path) -> dict[str, Any]:
    """Returns the model's training record, or an empty one if there is none."""
    try:
        return json.loads((folder / "training.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _fingerprints(training: Mapping[str, Any]) -> list[str]:
    """Returns the fingerprints of the data sets of a model's last run."""
    return str(training.get("data", {}).get("fingerprint", "")).split("+")


def _data(
    sources: Sequence[str],
    manifests: Sequence[Mapping[str, Any]],
    split: str,
    training: Mapping[str, Any],
    calibrated_on: Mapping[str, Any] | None,
    trained_on: set[str],
    names_of: Mapping[str, set[str]],
) -> list[dict[str, Any]]:
    if calibrated_on is None:
        calibrated = _fingerprints(training)
        names = training.get("validation", {}).get("counts", {}).get("datasets", [])
    else:
        calibrated = calibrated_on.get("fingerprints", [])
        names = calibrated_on.get("datasets", [])
    same_videos = {group_name(name, "") for name in names}

    def may_be_calibrated_on(source: str, fingerprint: str) -> bool:
        # Another fingerprint may be of other videos, or of the same with one more or encoded again.
        is_namesake = any(group_name(name, "") in same_videos for name in names_of[source])
        return is_namesake and fingerprint not in calibrated and split in ("train", "validation")

    return [
        {
            # Reports are published: give the name of a local folder, but not its path.
            "name": Path(source).resolve().name if Path(source).exists() else source,
            "split": split,
            "fingerprint": manifest["fingerprint"],
            "prepared_with": "{} frames per video, crops of {} pixels{}".format(
                manifest["config"]["video"]["num_frames"],
                manifest["config"]["crops"]["image_size"],
                PARQUET_FILE if Path(source).is_file() else "",
            ),
            "calibrated_on": manifest["fingerprint"] in calibrated and split == "validation",
            "trained_on": source in trained_on,
            "may_be_calibrated_on": may_be_calibrated_on(source, manifest["fingerprint"]),
        }
        for source, manifest in zip(sources, manifests, strict=True)
    ]
