"""`python -m dfjax calibrate`: fits a model's probabilities and thresholds to labelled videos."""

import collections
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console

from dfjax.commands.progress import progress_bar
from dfjax.errors import DatasetError
from dfjax.extras import require_extra
from dfjax.files import write_text_atomically
from dfjax.memory import keep_freed

if TYPE_CHECKING:
    from dfjax.evaluation.recalibration import Recalibration


_CARD_IS_OLD = (
    "README.md there still states the thresholds and figures of before. Before you publish the "
    "model, renew it with `python -m dfjax evaluate ... --card`; or calibrate a copy with --out, "
    "which gets a card of its own."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Calibrate:
    """Fit a model's probabilities and thresholds to the validation split of prepared data sets.

    For models that were published without any, such as GenD's, and for verdicts on other sources
    than those that a model was made for. The weights stay as they are: calibration.json is written
    beside them, and overrules the model's config.
    """

    model: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="MODEL")]]
    """Folder or Hub repository of the model."""

    data: tuple[str, ...]
    """Data sets made by `python -m dfjax prepare --model MODEL`: folders, parquet files or Hub
    repositories."""

    revision: str | None = None
    """Branch, tag or commit of a Hub repository."""

    out: Path | None = None
    """New folder for a copy of the model with its calibration, which can be published. It is needed
    for a model on the Hub; a folder is otherwise calibrated where it is."""

    max_false_positive_rate: float = 0.05
    """Share of real videos that may be called fake, of new people like those of the data."""

    max_false_negative_rate: float = 0.2
    """Share of fake videos that may be called real."""

    weigh_evidence: bool = True
    """Whether all frames of all faces are weighed, which also finds stretches that are fake. If
    not, the highest of the faces' mean probabilities decides."""

    mirror_bursts: bool = True
    """Whether every other burst of frames is scored as its mirror image, and pictures both ways."""

    def run(self) -> int:
        """Returns the exit code."""
        require_extra("train", "`python -m dfjax calibrate`")
        import datasets

        from dfjax.evaluation.recalibration import CalibrationOptions, recalibrate
        from dfjax.prediction import Decision

        if not self.data:
            raise DatasetError("No data set was given. Pass at least one with --data.")
        datasets.disable_progress_bars()
        keep_freed()
        options = CalibrationOptions(
            max_false_positive_rate=self.max_false_positive_rate,
            max_false_negative_rate=self.max_false_negative_rate,
            weigh_evidence=self.weigh_evidence,
            mirror_bursts=self.mirror_bursts,
        )
        with progress_bar() as progress:
            task = progress.add_task("Loading the model", total=None)
            result = recalibrate(
                self.model,
                self.data,
                revision=self.revision,
                out=self.out,
                options=options,
                on_clip=lambda done: progress.update(task, description=f"Scoring: {done} clips"),
            )
        is_card_ours = _write_missing_card(self.model, result)
        decision = Decision.from_calibration(result.config.calibration)
        lines = []
        for name, is_fake in (("real", 0), ("fake", 1)):
            of_kind = result.videos.probabilities[result.videos.is_fake == is_fake]
            counts = collections.Counter(map(decision.label, of_kind.tolist()))
            called = ", ".join(f"{counts[word]} {word}" for word in ("real", "uncertain", "fake"))
            lines.append(f"Of {len(of_kind)} {name} videos it calls {called}.")
        if result.config.calibration.caveat is not None:
            lines.append(result.config.calibration.caveat)
        lines.append(f"Written to {result.folder}.")
        if not is_card_ours:
            lines.append(_CARD_IS_OLD)
        Console().print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
        return 0


def _write_missing_card(model: str, result: "Recalibration") -> bool:
    """Writes a card that says what was done, unless the model's folder has one.

    Returns:
      Whether it was written.
    """
    from dfjax.models.model_files import read_json
    from dfjax.models.pretrained import CONFIG_NAME, MODEL_TYPE
    from dfjax.reporting.calibration_card import calibration_card
    from dfjax.reporting.card import weights_license

    path = result.folder / "README.md"
    if path.exists():
        return False
    if (result.folder / "training.json").exists():
        license = weights_license(read_json(result.folder, "training.json"))
    elif read_json(result.folder, CONFIG_NAME).get("model_type") == MODEL_TYPE:
        license = "cc-by-nc-4.0"
    else:
        license = "mit"  # of GenD
    card = calibration_card(
        result.config,
        base_model=None if Path(model).expanduser().is_dir() else model,
        license=license,
        calibrated_on=result.calibrated_on,
    )
    write_text_atomically(path, card)
    return True
