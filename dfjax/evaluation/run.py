"""A detector measured on prepared data sets: from folders to `report.json` and `report.md`."""

import dataclasses
import hashlib
import importlib.metadata
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from dfjax.config import Config, dumps
from dfjax.data.prepared import ClipRow, load_manifest, load_skipped, read_clips
from dfjax.data.sources import LabelledVideo, read_source, title
from dfjax.data.sources.videos import STILL_SUFFIXES
from dfjax.errors import DatasetError
from dfjax.evaluation.calibration import frozen_threshold
from dfjax.evaluation.figures import report
from dfjax.evaluation.scores import video_scores
from dfjax.evaluation.scoring import ScoredClip, Scorer
from dfjax.evaluation.studies.controls import measure_faceless, measure_metadata
from dfjax.evaluation.studies.distorted_videos import DistortedScorer
from dfjax.evaluation.studies.distortions import DISTORTIONS
from dfjax.evaluation.studies.partial_fakes import measure_partial_fakes
from dfjax.evaluation.studies.robustness import EVERYDAY_KIND, choose_videos, measure_robustness
from dfjax.evaluation.studies.self_blended import measure_self_blended
from dfjax.evaluation.studies.slices import slices
from dfjax.evaluation.studies.worst_errors import mistakes
from dfjax.faces.detection import FaceDetector
from dfjax.inference.jax_engine import JaxEngine
from dfjax.models.detector import Detector
from dfjax.models.locate import find_folder
from dfjax.reporting import plots
from dfjax.reporting.markdown import markdown
from dfjax.version import __version__

SCHEMA_VERSION = 1
"""Version of the layout of `report.json`."""

FEW_GROUPS = 20
"""Under so many groups of identities, intervals by bootstrap come out too narrow."""

OnProgress = Callable[[str, int, int | None], None]
"""Called with a few words for the stage, how much of it is done, and of how much, if known."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RobustnessConfig:
    """Which videos are distorted, and how."""

    kinds: tuple[str, ...] = (*DISTORTIONS, EVERYDAY_KIND)
    num_videos: int = 100  # at most, over all data sets; balanced over classes and groups


def evaluate(
    sources: Sequence[str],
    model: str,
    out: Path,
    *,
    split: str,
    self_blended: bool = False,
    shortcuts: bool = False,
    roots: Sequence[Path] = (),
    robustness: RobustnessConfig | None = None,
    on_progress: OnProgress = lambda stage, done, total: None,
) -> dict[str, Any]:
    """Measures a detector on one split, and writes `report.json`, `report.md` and plots.

    Nothing is fitted: calibration and thresholds are those of the model's config.

    Args:
      sources: Prepared folders, parquet files or Hub repositories, as for `open_rows`.
      model: Folder or Hub repository of the detector.
      out: Folder to write to. Distorted videos are not done again if it holds what they gave.
      split: Such as "test".
      self_blended: Measure also real clips against fakes blended from them.
      shortcuts: Measure also whether labels are told without the face: by what is around it, and,
        if there are `roots`, by the files' metadata.
      roots: The folder that each data set was prepared from, in their order.
      robustness: Distort the videos in `roots`, and score them anew; None: do not.
      on_progress: Told how far the run is.

    Returns:
      What `report.json` holds: schema_version; model: `id`, `revision`, `fingerprint` of weights
      and config; data: per source `name`, `split`, `fingerprint`, `prepared_with`, and whether it
      is known that the model was calibrated or trained on it; versions; notes: sentences that a
      reader of the figures must know; figures: see `report`; slices: see `slices`; partial_fakes:
      see `measure_partial_fakes`; self_blended: see `measure_self_blended`, or null; mistakes: see
      `mistakes`; shortcuts: null, or `faceless`, see `measure_faceless`, and `metadata`, see
      `measure_metadata`, null without `roots`; robustness: see `measure_robustness`, or null. It
      names no path of this machine.

    Raises:
      DatasetError: A data set is not there, or lacks the split or what a measure needs.
      ModelFormatError: There is no model that can be loaded.
      HubError: The Hub does not give one of them.
    """
    folder = find_folder(model)
    detector = Detector.from_pretrained(folder)
    calibration = detector.config.calibration
    state = nnx.state(detector)
    scorer = Scorer(JaxEngine.for_many(detector))
    manifests = [load_manifest(source) for source in sources]
    files = _files(sources, manifests, roots) if roots else []
    if robustness is not None and not files:
        raise DatasetError(
            "Videos are distorted from their files on. Give the folders that the data sets were "
            "prepared from, in the same order."
        )

    def on_clip(stage: str) -> Callable[[int], None]:
        return lambda done: on_progress(stage, done, None)

    scored = scorer(_rows(sources, split), on_clip=on_clip("Scoring"))
    figures = report(scored, load_skipped(sources, split), calibration, split=split)
    data = _data(sources, manifests, split, _training_record(folder))
    result: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "model": {
            "id": folder.resolve().name if Path(model).is_dir() else model,
            "revision": None if Path(model).is_dir() else folder.name,
            "fingerprint": fingerprint(state, detector.config),
        },
        "data": data,
        "versions": {
            "dfjax": __version__,
            **{name: importlib.metadata.version(name) for name in ("jax", "jaxlib", "flax")},
        },
        "notes": _notes(figures, data, detector.config),
        "figures": figures,
        "slices": slices(scored, calibration),
        "partial_fakes": measure_partial_fakes(
            scorer, sources, split, on_clip=on_clip("Scoring partial fakes")
        ),
        "self_blended": None,
        "mistakes": mistakes(scored, calibration),
        "shortcuts": None,
        "robustness": None,
    }
    if self_blended:
        result["self_blended"] = measure_self_blended(
            scorer,
            _rows(sources, split),
            scored,
            calibration,
            detector.config.video.num_frames,
            on_clip=on_clip("Scoring self-blended fakes"),
        )
    if shortcuts:
        result["shortcuts"] = {
            "faceless": measure_faceless(
                scorer,
                _rows(sources, split),
                detector.config.video.num_frames,
                on_clip=on_clip("Scoring without faces"),
            ),
            "metadata": measure_metadata(
                files,
                split,
                on_file=lambda done, total: on_progress("Reading files", done, total),
            )
            if files
            else None,
        }
    if robustness is not None:
        name = "-".join((result["model"]["fingerprint"], *(m["fingerprint"] for m in manifests)))
        distorted = DistortedScorer(
            scorer,
            detector.config,
            FaceDetector(detector.config.faces),
            out / "distorted" / name,
        )
        result["robustness"] = measure_robustness(
            distorted,
            choose_videos(_to_distort(files, split), robustness.num_videos),
            calibration,
            kinds=robustness.kinds,
            on_video=lambda done, total: on_progress("Distorting videos", done, total),
        )
    _write(result, scored, detector.config, out)
    return result


def fingerprint(state: Any, config: Config) -> str:
    """Returns a name for the weights together with the config."""
    values = config.to_dict()
    if config.crops.min_detail == 0:
        del values["crops"]["min_detail"]  # models from before there was such a field keep theirs
    digest = hashlib.sha256(dumps(values).encode())
    for path, value in jax.tree.leaves_with_path(state):
        digest.update(jax.tree_util.keystr(path).encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()[:16]


def _rows(sources: Sequence[str], split: str) -> Iterator[ClipRow]:
    """Yields the clips of all data sets."""
    source_of: dict[str, str] = {}
    for source in sources:
        for row in read_clips(source, split):
            first = source_of.setdefault(row.video, source)
            if first != source:
                raise DatasetError(
                    f"{row.video} is in both {first} and {source}, and would count twice. "
                    "Give each data set once."
                )
            yield row


def _files(
    sources: Sequence[str], manifests: Sequence[Mapping[str, Any]], roots: Sequence[Path]
) -> list[Sequence[LabelledVideo]]:
    """Returns the files of each data set, of all splits."""
    if len(roots) != len(sources):
        raise DatasetError(
            f"{len(sources)} data sets came with {len(roots)} folders of their videos; "
            "give one for each, in the same order."
        )
    files = []
    for source, manifest, root in zip(sources, manifests, roots, strict=True):
        if "source" not in manifest:
            raise DatasetError(
                f"{source} does not say how its videos were listed. Prepare it again with this "
                "version of dfjax."
            )
        listed = read_source(manifest["source"]["name"], root, **manifest["source"]["options"])
        files.append(listed.videos)
    return files


def _to_distort(files: Sequence[Sequence[LabelledVideo]], split: str) -> list[LabelledVideo]:
    """Returns the videos of a split; stills have no codec to go through."""
    return [
        video
        for video in itertools.chain.from_iterable(files)
        if video.split == split and video.path.suffix.lower() not in STILL_SUFFIXES
    ]


def _training_record(folder: Path) -> dict[str, Any]:
    """Returns the model's training record, or nothing where it has none."""
    try:
        return json.loads((folder / "training.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _data(
    sources: Sequence[str],
    manifests: Sequence[Mapping[str, Any]],
    split: str,
    training: Mapping[str, Any],
) -> list[dict[str, Any]]:
    known = str(training.get("data", {}).get("fingerprint", "")).split("+")
    return [
        {
            # A report goes to strangers: name a local folder, but not the path that leads to it.
            "name": Path(source).resolve().name if Path(source).exists() else source,
            "split": split,
            "fingerprint": manifest["fingerprint"],
            "prepared_with": "not told, a parquet file alone"
            if Path(source).is_file()
            else "{} frames a video, crops of {} pixels".format(
                manifest["config"]["video"]["num_frames"],
                manifest["config"]["crops"]["image_size"],
            ),
            "calibrated_on": manifest["fingerprint"] in known and split == "validation",
            "trained_on": manifest["fingerprint"] in known and split == "train",
        }
        for source, manifest in zip(sources, manifests, strict=True)
    ]


def _notes(figures: Mapping[str, Any], data: Sequence[Mapping], config: Config) -> list[str]:
    """Returns what a reader of the figures must know of them."""
    notes = []
    counts = figures["counts"]
    for entry in data:
        if entry["calibrated_on"]:
            notes.append(
                f"**The model's calibration and thresholds were fitted on this very split of "
                f"{entry['name']}.** Its figures are no measure of unseen data."
            )
        if entry["trained_on"]:
            notes.append(
                f"**The model was trained on this very split of {entry['name']}.** Its figures say "
                "nothing of unseen data."
            )
    if config.calibration.caveat is not None:
        notes.append(config.calibration.caveat)
    if config.calibration.false_positive_rate is None:
        notes.append("The model was never calibrated: its probabilities and threshold mean little.")
    if counts["groups"] < FEW_GROUPS:
        notes.append(
            f"There are only {counts['groups']} groups of identities: the intervals are too narrow."
        )
    if 0 < counts["real"] < 100:
        notes.append(
            f"With {counts['real']} real videos, 1% false positives cannot be told from none."
        )
    return notes


def _write(
    result: Mapping[str, Any], scored: Sequence[ScoredClip], config: Config, out: Path
) -> None:
    figures, counts = result["figures"], result["figures"]["counts"]
    videos = video_scores(scored, config.calibration)
    threshold = frozen_threshold(config.calibration)
    caption = f"{', '.join(map(title, counts['datasets']))}, {figures['split']} split: "
    caption += f"{counts['real']} real, {counts['fake']} fake"
    pictures = {
        "roc": plots.draw_roc(videos, caption),
        "probabilities": plots.draw_probabilities(videos, threshold, caption),
        "reliability": plots.draw_reliability(figures, caption),
        "methods": plots.draw_methods(figures, caption),
    }
    if any(entry["parts"] for entry in result["slices"]):
        pictures["slices"] = plots.draw_slices(result["slices"], caption)
    if result["robustness"] is not None and len(result["robustness"]["distortions"]) > 1:
        pictures["robustness"] = plots.draw_robustness(result["robustness"], caption)
    out.mkdir(parents=True, exist_ok=True)
    for name, figure in pictures.items():
        figure.savefig(out / f"{name}.png", dpi=120)
    (out / "report.json").write_text(dumps(result), encoding="utf-8")
    (out / "report.md").write_text(markdown(result), encoding="utf-8")
