"""Calibrates a published model anew, on prepared data, and writes the result beside its weights."""

import dataclasses
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dfjax.config import Config
from dfjax.data.clip_row import ClipRow
from dfjax.data.prepared import load_manifest, read_all_clips
from dfjax.data.trained_on import TRAINED_ON_FILE, digests, read_trained_on
from dfjax.errors import DatasetError, DfjaxError
from dfjax.evaluation.calibration import calibrate_on
from dfjax.evaluation.scores import Scores, video_scores
from dfjax.evaluation.scoring import OnClip, Scorer, require_same_crops
from dfjax.files import require_writable, write_text_atomically
from dfjax.inference.jax_engine import JaxEngine
from dfjax.json_values import dumps
from dfjax.models.detector import Detector
from dfjax.models.locate import find_folder
from dfjax.models.pretrained import PREPROCESSOR_NAME, preprocessor_values, write_calibration

SPLIT = "validation"
"""The split that calibrations are fitted on; figures on it are no measure of unseen videos."""

_COPIED = ("config.json", PREPROCESSOR_NAME, "training.json", TRAINED_ON_FILE)
_COPIED += ("model*.safetensors", "model*.json")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CalibrationOptions:
    """How often verdicts may be wrong, and what they rest on."""

    max_false_positive_rate: float = 0.05  # share of real videos that may be called fake
    max_false_negative_rate: float = 0.2  # share of fakes that may be called real
    weigh_evidence: bool = True  # whether a model of evidence decides; see `inference.evidence`
    mirror_bursts: bool = True  # whether some frames are mirrored; see `inference.mirroring`

    def __post_init__(self):
        """Checks ranges."""
        for name in ("max_false_positive_rate", "max_false_negative_rate"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise DfjaxError(f"{name} is {value}; it is a share and must lie between 0 and 1.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recalibration:
    """A calibration that was written."""

    folder: Path  # of the model that has it
    config: Config  # of the model, with it
    calibrated_on: dict[str, Any]  # what it was fitted on, as in `calibration.json`
    videos: Scores  # of the split that it was fitted on


def recalibrate(
    model: str,
    sources: Sequence[str],
    *,
    revision: str | None = None,
    out: Path | None = None,
    options: CalibrationOptions = CalibrationOptions(),
    on_clip: OnClip | None = None,
) -> Recalibration:
    """Fits the calibration of a model to the validation split of prepared data sets.

    It is written to `calibration.json` in the model's folder, which overrules the model's config.
    The weights stay as they are.

    Args:
      model: Folder or Hub repository of a detector, of dfjax or GenD.
      sources: Data sets that were prepared with the model's frames and crops.
      revision: Branch, tag or commit of a model on the Hub; None: its main branch.
      out: New folder for a copy of the model with its calibration; None: the model's own folder.
      options: Error rates.
      on_clip: Called with the number of clips scored.

    Raises:
      DatasetError: A data set has other frames or crops than the model, lacks the split or one of
        the labels, or shows people in it whom the model was trained on.
      DfjaxError: `out` is not usable, or the model is on the Hub and there is no `out`.
      ModelFormatError: The model cannot be loaded.
      HubError: The model or a data set cannot be downloaded from the Hub.
    """
    is_local = Path(model).expanduser().is_dir()
    if out is None and not is_local:
        raise DfjaxError(
            f"{model} is on the Hugging Face Hub. Give --out a new folder, for a copy of it with "
            "its calibration."
        )
    if out is not None:
        _require_new(out)
    require_writable(Path(model).expanduser() if out is None else out)
    source = find_folder(model, revision=revision)
    detector = Detector.from_pretrained(source)
    manifests = [load_manifest(name) for name in sources]
    for name, manifest in zip(sources, manifests, strict=True):
        require_same_crops(model, detector.config, name, manifest)
    rows = _of_others(read_all_clips(sources, SPLIT), model, read_trained_on(source))
    scorer = Scorer(JaxEngine.for_many(detector), mirror_bursts=options.mirror_bursts)
    scored = scorer(rows, on_clip=on_clip)
    calibration = calibrate_on(
        scored,
        max_false_positive_rate=options.max_false_positive_rate,
        max_false_negative_rate=options.max_false_negative_rate,
        burst_frames=detector.config.video.burst_frames if options.weigh_evidence else None,
        mirror_bursts=options.mirror_bursts,
    )
    videos = video_scores(scored, calibration)
    calibrated_on = {
        "split": SPLIT,
        "datasets": sorted(set(videos.datasets.tolist())),
        "fingerprints": [manifest["fingerprint"] for manifest in manifests],
        **videos.counts(),
        **dataclasses.asdict(options),
    }
    folder = source
    if out is not None:
        folder = _copied(source, out)
    write_calibration(folder, calibration, calibrated_on)
    config = dataclasses.replace(detector.config, calibration=calibration)
    if not (folder / PREPROCESSOR_NAME).exists():
        write_text_atomically(folder / PREPROCESSOR_NAME, dumps(preprocessor_values(config)))
    return Recalibration(folder=folder, config=config, calibrated_on=calibrated_on, videos=videos)


def _of_others(
    rows: Iterable[ClipRow], model: str, trained_on: frozenset[str]
) -> Iterator[ClipRow]:
    """Yields clips, and refuses the first of somebody whom the model was trained on."""
    for row in rows:
        if digests(row) & trained_on:
            raise DatasetError(
                f"{model} was trained on {row.video}, which is in the validation split, or on its "
                "people. Thresholds that fit people whom it knows do not hold for others. Hold the "
                "same people out as for the model, or give other data. If nothing but the names is "
                "the same, prepare the data under a name of its own, with --name."
            )
        yield row


def _require_new(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DfjaxError(f"{out} already exists. Choose a new folder for the calibrated copy.")


def _copied(source: Path, out: Path) -> Path:
    """Copies the files that make the model; returns the new folder."""
    out.mkdir(parents=True, exist_ok=True)
    for pattern in _COPIED:
        for path in source.glob(pattern):
            shutil.copyfile(path, out / path.name)
    return out
