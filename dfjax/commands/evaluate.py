"""`python -m dfjax evaluate`: how far a model can be trusted, in figures."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
import tyro.extras
from rich.console import Console

from dfjax.commands.progress import progress_bar
from dfjax.errors import DfjaxError
from dfjax.evaluation.distortions import KINDS
from dfjax.extras import require_extra

if TYPE_CHECKING:
    from dfjax.evaluation.studies.study import Study

Kind = Annotated[str, tyro.conf.arg(constructor=tyro.extras.literal_type_from_choices(KINDS))]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Measure a model on prepared data sets: report.json, report.md and plots.

    Nothing is fitted to the data: calibration and thresholds are the model's own.
    """

    datasets: tyro.conf.Positional[tuple[str, ...]]
    """Folders made by `python -m dfjax prepare`, parquet files, or Hub repositories."""

    out: Path
    """Folder for the report."""

    model: str | None = None
    """Folder or Hub repository. Without it DFJAX_MODEL, and without that `checkpoint/`."""

    split: str = "test"
    """Which split of the data sets."""

    self_blended: bool = False
    """Also tell real clips from fakes that are blended from them."""

    shortcuts: bool = False
    """Also measure whether labels can be told without the face: by what is around it and, with
    --roots, by the files' metadata alone. Both should be near an AUC of 0.5."""

    roots: tuple[Path, ...] = ()
    """The folders that the data sets were prepared from, in the same order."""

    robustness: bool = False
    """Also re-encode and distort the videos of --roots, search them for faces and score them anew.
    Can be stopped and started again: the same command goes on where it was."""

    robustness_kinds: tuple[Kind, ...] = KINDS
    """Which distortions; all but "everyday" come in five severities."""

    robustness_videos: int = 100
    """How many videos are distorted, at most; half of them real, half fake."""

    card: bool = False
    """Also put the report and its pictures into the model's own folder, and write its card anew."""

    def run(self) -> int:
        """Returns the exit code."""
        require_extra("train", "`python -m dfjax evaluate`")
        import datasets

        from dfjax.evaluation.run import evaluate
        from dfjax.evaluation.tables import cell
        from dfjax.hub.model import add_evaluation
        from dfjax.predictor import model_source
        from dfjax.reporting.report import write_report

        datasets.disable_progress_bars()
        model = model_source(self.model)
        # Now, and not when all is measured.
        if self.card and not (Path(model) / "training.json").is_file():
            raise DfjaxError(
                f"--card writes into the model's own folder, beside its training.json; {model} is "
                "no folder that holds one. Name one that train.py wrote, or download the model."
            )
        if not self.datasets:
            raise DfjaxError("No data set was named. Give at least one.")
        with progress_bar() as progress:
            task = progress.add_task("Loading the model", total=None)
            try:
                evaluation = evaluate(
                    self.datasets,
                    model,
                    self.out,
                    split=self.split,
                    optional=self._optional(),
                    roots=self.roots,
                    on_progress=lambda stage, done, total: progress.update(
                        task,
                        description=stage if total is not None else f"{stage}: {done} clips",
                        completed=done if total is not None else 0,
                        total=total,
                    ),
                )
            except KeyboardInterrupt:
                Console(stderr=True).print(
                    "Stopped. The same command does not distort again what was distorted."
                )
                return 130
        write_report(evaluation, self.out)
        if self.card:
            add_evaluation(Path(model), self.out)
        report = evaluation.report
        figures = report["figures"]
        counts = figures["counts"]
        console = Console(stderr=True)
        for note in report["notes"]:
            console.print(note.replace("**", ""), markup=False)
        Console().print(
            f"AUC {cell(figures['video']['auc'])} over {counts['real']} real and "
            f"{counts['fake']} fake videos. {figures['mean_of_frames']['sentence']} "
            f"Written to {self.out / 'report.md'}.",
            markup=False,
        )
        return 0

    def _optional(self) -> "list[Study]":
        """Returns the studies that were asked for."""
        from dfjax.evaluation.studies.controls import ControlsStudy
        from dfjax.evaluation.studies.robustness import RobustnessStudy
        from dfjax.evaluation.studies.self_blended import SelfBlendedStudy

        asked: list[Study] = []
        if self.self_blended:
            asked.append(SelfBlendedStudy())
        if self.shortcuts:
            asked.append(ControlsStudy())
        if self.robustness:
            asked.append(
                RobustnessStudy(kinds=self.robustness_kinds, num_videos=self.robustness_videos)
            )
        return asked
