"""`python -m dfjax evaluate`: measures a model on prepared data sets."""

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
import tyro.extras
from rich.console import Console

from dfjax.commands.options import require_switch
from dfjax.commands.progress import progress_bar
from dfjax.errors import DfjaxError
from dfjax.evaluation.distortions import KINDS
from dfjax.extras import require_extra
from dfjax.files import require_writable
from dfjax.memory import keep_freed

if TYPE_CHECKING:
    from dfjax.evaluation.studies.study import Study

Kind = Annotated[str, tyro.conf.arg(constructor=tyro.extras.literal_type_from_choices(KINDS))]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Measure a model on prepared data sets: report.json, report.md and plots.

    Nothing is fitted to this data: calibration and thresholds come from the model's config.
    """

    datasets: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="DATA...")]]
    """Folders made by `python -m dfjax prepare`, parquet files, or Hub repositories."""

    out: Path
    """Folder for the report."""

    model: str | None = None
    """Folder or Hub repository. Defaults to DFJAX_MODEL, or `checkpoint/` if that is not set."""

    revision: str | None = None
    """Branch, tag or commit of a Hub repository."""

    split: str = "test"
    """Split of the data sets to measure."""

    self_blended: bool = False
    """Also measure real clips against fakes blended from them."""

    shortcuts: bool = False
    """Also measure whether labels can be predicted without the face: from what is around it and,
    with --roots, from the files' metadata alone. Both should be near an AUC of 0.5."""

    mirrored: bool = False
    """Also measure what mirroring the crops changes, and what averaging over both would gain."""

    composed: bool = False
    """Also measure verdicts on videos composed from the clips: of several people, of minutes, and
    of real people who are fake for some seconds."""

    heat_maps: bool = False
    """Also measure whether heat maps show what makes frames look fake."""

    roots: tuple[Path, ...] = ()
    """The folders the data sets were prepared from, in the same order."""

    robustness: bool = False
    """Also re-encode and distort the videos of --roots, then detect faces and score them again.
    If interrupted, run the same command again to continue where it stopped."""

    robustness_kinds: tuple[Kind, ...] = KINDS
    """Distortions to apply; all but "everyday" have five severities."""

    robustness_videos: int = 100
    """Maximum number of videos to distort, half of them real and half fake."""

    card: bool = False
    """Also copy the report and its plots into the model's folder, and rewrite its model card."""

    def run(self) -> int:
        """Returns the exit code."""
        require_extra("train", "`python -m dfjax evaluate`")
        import datasets

        from dfjax.evaluation.run import evaluate
        from dfjax.evaluation.tables import cell
        from dfjax.hub.model import add_evaluation
        from dfjax.models.locate import model_source
        from dfjax.reporting.report import write_report

        datasets.disable_progress_bars()
        model = os.path.expanduser(model_source(self.model))
        # Checked now, not after an hour of measuring.
        require_writable(self.out)
        if self.card:
            _require_place_for_card(Path(model), self.out)
        if not self.datasets:
            raise DfjaxError("No data set was given. Pass at least one.")
        require_switch(self, ("robustness_kinds", "robustness_videos"), "robustness")
        keep_freed()
        with progress_bar() as progress:
            task = progress.add_task("Loading the model", total=None)
            try:
                evaluation = evaluate(
                    self.datasets,
                    model,
                    self.out,
                    revision=self.revision,
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
                    "Stopped. Run the same command again; finished distortions are kept.",
                    soft_wrap=True,
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
            console.print(note.replace("**", ""), markup=False, soft_wrap=True)
        Console().print(
            f"AUC {cell(figures['video']['auc'])} over {counts['real']} real and "
            f"{counts['fake']} fake videos. {figures['mean_of_frames']['sentence']} "
            f"Written to {self.out / 'report.md'}.",
            markup=False,
            soft_wrap=True,
        )
        return 0

    def _optional(self) -> "list[Study]":
        """Returns the optional studies that were requested."""
        from dfjax.evaluation.studies.composed import ComposedStudy
        from dfjax.evaluation.studies.controls import ControlsStudy
        from dfjax.evaluation.studies.heat_maps import HeatMapsStudy
        from dfjax.evaluation.studies.mirrored import MirroredStudy
        from dfjax.evaluation.studies.robustness import RobustnessStudy
        from dfjax.evaluation.studies.self_blended import SelfBlendedStudy

        asked: list[Study] = []
        if self.self_blended:
            asked.append(SelfBlendedStudy())
        if self.shortcuts:
            asked.append(ControlsStudy())
        if self.mirrored:
            asked.append(MirroredStudy())
        if self.composed:
            asked.append(ComposedStudy())
        if self.heat_maps:
            asked.append(HeatMapsStudy())
        if self.robustness:
            asked.append(
                RobustnessStudy(kinds=self.robustness_kinds, num_videos=self.robustness_videos)
            )
        return asked


def _require_place_for_card(model: Path, out: Path) -> None:
    """Checks that a report in `out` can be copied into a model's folder, and its card rewritten."""
    if not (model / "training.json").is_file():
        raise DfjaxError(
            f"--card writes to a local model folder that has training.json; {model} is not "
            "one. Pass a folder written by train.py, or download the model first."
        )
    require_writable(model)
    if out.resolve().is_relative_to(model.resolve()):
        raise DfjaxError(
            f"--card copies the report into {model}, and {out} lies in there. Choose another --out."
        )
