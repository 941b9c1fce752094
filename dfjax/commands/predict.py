"""`python -m dfjax predict`: labels videos and gives their probability of being fake."""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from dfjax.commands.progress import progress_bar
from dfjax.errors import DfjaxError
from dfjax.json_values import dumps
from dfjax.prediction import SCHEMA_VERSION, Prediction, Segment
from dfjax.video.reading import Effort

_VERDICTS = {
    "fake": "[bold red]fake[/]",
    "real": "[green]real[/]",
    "uncertain": "[yellow]uncertain[/]",
    "no_face": "[cyan]no face[/]",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predict:
    """Score videos: a label and a probability for each, and with --json a score per frame.

    Exits with 0 if every file could be read, and with 1 if any could not; the others are still
    scored.
    """

    videos: tyro.conf.Positional[tuple[str, ...]]
    """Video files (MP4, MOV, AVI, WebM, MKV, GIF) or still images."""

    model: str | None = None
    """Folder or Hub repository. Defaults to DFJAX_MODEL, or `checkpoint/` if that is not set."""

    effort: Effort = "standard"
    """How much of a long video is looked at: as many frames as of a short one, up to 128, or up to
    1,024, so that looks are three seconds apart in up to 6 or 51 minutes. Only for models that
    weigh all evidence (train.py --weigh-evidence); others always look quickly."""

    json: str | None = None
    """Write the predictions to this file, or with "-" to standard output instead of the table.
    One video gives an object, several give a list; a file that could not be read has "error" in
    place of a verdict."""

    def run(self) -> int:
        """Returns the exit code."""
        from dfjax.predictor import Predictor, model_source

        if not self.videos:
            raise DfjaxError("No video was given. Pass at least one file.")
        table = Table("video", "verdict", "P(fake)", "faces", "frames", "seconds", box=None)
        stretches = Table("stretch that looks fake", "face", "from", "to", "P(fake)", box=None)
        reports: list[dict[str, Any]] = []
        failures: list[str] = []
        notes: dict[str, list[str]] = {}  # from a warning to the files it applies to
        with progress_bar() as progress:
            task = progress.add_task("Loading the model", total=len(self.videos))
            predictor = Predictor.from_pretrained(model_source(self.model))
            for index, path in enumerate(self.videos):
                name = Path(path).name
                try:
                    prediction = predictor(
                        path,
                        effort=self.effort,
                        on_progress=_moves(progress, task, index, name),
                    )
                except DfjaxError as error:
                    failures.append(str(error))
                    reports.append(_failure(name, error))
                    table.add_row(_plain(name), "[red]not read[/]", "", "", "", "")
                else:
                    reports.append(prediction.to_dict())
                    table.add_row(_plain(name), *_cells(prediction))
                    for segment in prediction.segments:
                        stretches.add_row(_plain(name), *_stretch(segment))
                    for warning in prediction.warnings:
                        notes.setdefault(warning, []).append(name)
        text = dumps(reports[0] if len(reports) == 1 else reports)
        if self.json == "-":
            sys.stdout.write(text)
        else:
            Console().print(table)
            if stretches.rows:
                Console().print(stretches)
            if self.json is not None:
                Path(self.json).write_text(text, encoding="utf-8")
        for warning, names in notes.items():
            Console(stderr=True).print(f"{', '.join(names)}: {warning}", markup=False)
        for failure in failures:
            Console(stderr=True).print(f"Error: {failure}", style="red", markup=False)
        return 1 if failures else 0


def _moves(progress: Progress, task: Any, index: int, name: str) -> Callable[[float, str], None]:
    """Returns the progress callback for file number `index`."""

    def on_progress(fraction: float, stage: str) -> None:
        progress.update(task, completed=index + fraction, description=f"{stage}: {name}")

    return on_progress


def _plain(name: str) -> str:
    # A file name such as "[bold]x.mp4" must not be read as markup.
    return name.replace("[", r"\[")


def _cells(prediction: Prediction) -> list[str]:
    probability = prediction.probability_fake
    return [
        _VERDICTS[prediction.label],
        "—" if probability is None else f"{probability:.2f}",
        str(len(prediction.tracks)),
        str(prediction.video.frames_scored),
        f"{sum(dataclasses.astuple(prediction.seconds)):.1f}",
    ]


def _stretch(segment: Segment) -> list[str]:
    return [
        str(segment.track + 1),
        f"{segment.start:.1f} s",
        f"{segment.end:.1f} s",
        f"{segment.probability_fake:.2f}",
    ]


def _failure(name: str, error: DfjaxError) -> dict[str, Any]:
    return {"schema_version": SCHEMA_VERSION, "video": {"name": name}, "error": str(error)}
