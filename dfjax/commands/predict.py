"""`python -m dfjax predict`: labels videos and gives their probability of being fake."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from dfjax.commands.prediction_file import PredictionFile
from dfjax.commands.prediction_table import PredictionTable
from dfjax.commands.progress import progress_bar
from dfjax.commands.video_files import LeftOut, VideoFile, find_videos
from dfjax.errors import DfjaxError
from dfjax.files import shown_path
from dfjax.inference.compilation_cache import use_compilation_cache
from dfjax.memory import use_one_arena
from dfjax.prediction import Prediction, Segment, failure_report
from dfjax.runtimes.runtime import RuntimeName
from dfjax.video.formats import shown_name
from dfjax.video.sampling import Effort
from dfjax.video.suffixes import STILL_SUFFIXES, VIDEO_SUFFIXES
from dfjax.words import ENGLISH, Language

if TYPE_CHECKING:
    from dfjax.commands.prediction_pages import PredictionPages

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
    scored. Stopped with Ctrl-C, it shows what it has and exits with 130.
    """

    videos: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="VIDEO...")]]
    """Video files, still images, or folders of them; the README lists the formats."""

    recursive: bool = False
    """Look into the folders in a folder as well."""

    model: str | None = None
    """Folder or Hub repository. Defaults to DFJAX_MODEL, or `checkpoint/` if that is not set."""

    revision: str | None = None
    """Branch, tag or commit of a Hub repository."""

    runtime: RuntimeName | None = None
    """What computes the networks. Defaults to DFJAX_RUNTIME, or jax if that is not set. The others
    start and run faster on a CPU; onnx and openvino need the extra of their name. Probabilities
    differ from those of jax by up to 0.01; with openvino-bf16, for CPUs that have bfloat16, by up
    to 0.02."""

    effort: Effort = "standard"
    """How much of a long video is looked at: as many frames as of a short one, up to 128, or up to
    1,024, so that looks are three seconds apart in up to 6 or 51 minutes. Only for models that
    weigh all evidence (those of train.py do, unless made with --no-weigh-evidence); others always
    look quickly."""

    json: str | None = None
    """Write the predictions to this file, or with "-" to standard output instead of the table.
    One video gives an object, several give a list, in which each has its "path"; a file that could
    not be read has "error" in place of a verdict. The file is written while the command runs: if
    that is stopped, it is still valid and holds the predictions made so far."""

    csv: str | None = None
    """Write a table for spreadsheets to this file: a line for each video, or for each stretch of it
    that looks fake."""

    html: str | None = None
    """Write a report to keep, with the faces that were judged: to this file, or for several videos
    a file for each into this folder."""

    language: Language = ENGLISH
    """Language of the reports that --html writes; everything else is English."""

    def run(self) -> int:
        """Returns the exit code."""
        if not self.videos:
            raise DfjaxError("No video was given. Pass at least one file.")
        left_out = LeftOut()
        files = find_videos(self.videos, recursive=self.recursive, left_out=left_out)
        outputs = {"--json": self.json, "--csv": self.csv, "--html": self.html}
        given = {option: name for option, name in outputs.items() if name is not None}
        _require_apart(given, files)
        is_list = len(files) > 1 or any(map(os.path.isdir, self.videos))
        answers = _Answers()
        stopped = False
        with contextlib.ExitStack() as stack:
            stack.callback(left_out.show)  # last, so that it is seen
            pages = self._pages(files, is_list)
            if pages:
                stack.callback(pages.show)
            stack.callback(answers.show, with_table=self.json != "-")  # also if an error ends this
            file = table = None
            if self.json is not None:
                file = stack.enter_context(PredictionFile(self.json, as_list=is_list))
            if self.csv is not None:
                table = stack.enter_context(PredictionTable(self.csv))
            try:
                for video, result in self._results(files):
                    report = answers.add(video.name, result)
                    if file:
                        path = {"path": shown_path(video.path)} if is_list else {}
                        file.add(report | path)
                    if table:
                        table.add(report, video.name)
                    if pages and isinstance(result, Prediction):
                        pages.add(result)
            except KeyboardInterrupt:
                stopped = True
        if stopped:
            counts = f"{answers.count} of {len(files)} files"
            Console(stderr=True).print(f"Stopped after {counts}.")
            return 130
        return 1 if answers.failures else 0

    def _pages(self, files: Sequence[VideoFile], is_list: bool) -> "PredictionPages | None":
        """Returns what writes the reports, if there are to be any."""
        if self.html is None:
            return None
        from dfjax.commands.prediction_pages import PredictionPages

        names = [shown_name(file.path) for file in files]
        return PredictionPages(self.html, names, is_folder=is_list, language=self.language)

    def _results(
        self, files: Sequence[VideoFile]
    ) -> Iterator[tuple[VideoFile, Prediction | DfjaxError]]:
        """Yields each file, and its prediction or why there is none."""
        from dfjax.inference.begun_file import BegunFile
        from dfjax.models.locate import model_source
        from dfjax.models.pretrained import read_config
        from dfjax.predictor import Predictor

        use_compilation_cache()
        use_one_arena()
        with contextlib.ExitStack() as stack:
            progress = stack.enter_context(progress_bar())
            task = progress.add_task("Loading the model", total=len(files))
            model = model_source(self.model)
            begun = None
            if os.path.isdir(model):  # one on the Hub takes longer to find than to read a file
                begun = BegunFile(files[0].path, read_config(Path(model)), self.effort)
                stack.callback(begun.close)
            predictor = Predictor.from_pretrained(
                model, revision=self.revision, runtime=self.runtime
            )

            def moves(place: int, fraction: float, stage: str) -> None:
                name = f"{stage}: {files[place].name}"
                progress.update(task, completed=place + fraction, description=name)

            paths = [file.path for file in files]
            results = predictor.each(paths, effort=self.effort, begun=begun, on_progress=moves)
            stack.enter_context(contextlib.closing(results))
            yield from zip(files, results, strict=True)


def _require_apart(outputs: Mapping[str, str], files: Sequence[VideoFile]) -> None:
    """Checks that no file to write is another, or a video, by an option in the wrong place.

    Args:
      outputs: From options to the files that they name.
      files: The videos.

    Raises:
      DfjaxError: One ends like a video or a picture or is one of the files, two are the same, or
        one is "-" where that does not stand for standard output.
    """
    # `Path.resolve` raises at a link to itself, before Python 3.13.
    inputs = {os.path.realpath(file.path) for file in files}
    option_of: dict[str, str] = {}
    for option, name in outputs.items():
        if name == "-" and option != "--json":
            raise DfjaxError(
                f"{option} is -, which is standard output for --json alone. Name a file; one that "
                "is called so is ./-"
            )
        place = os.path.realpath(name)
        if place in inputs or Path(name).suffix.lower() in (*VIDEO_SUFFIXES, *STILL_SUFFIXES):
            raise DfjaxError(
                f"{option} is {name}, which would overwrite a video or a picture. "
                f"Name the file to write after {option}, and the videos elsewhere."
            )
        if option_of.setdefault(place, option) != option:
            raise DfjaxError(
                f"{option_of[place]} and {option} are both {name}. Name a file for each."
            )


class _Answers:
    """What is printed at the end."""

    def __init__(self):
        self.count = 0
        self.failures: list[str] = []
        self._table = Table(
            Column("video", overflow="fold"),  # a name that is cut off finds no file
            *("verdict", "P(fake)", "faces", "frames", "seconds"),
            box=None,
        )
        self._stretches = Table(
            Column("stretch that looks fake", overflow="fold"),
            *("face", "from", "to", "P(fake)"),
            box=None,
        )
        self._notes: dict[str, list[str]] = {}  # from a warning to the files it applies to

    def add(self, name: str, result: Prediction | DfjaxError) -> dict[str, Any]:
        """Adds what came of a file; returns it as JSON values."""
        self.count += 1
        if isinstance(result, DfjaxError):
            is_named = name in str(result)
            self.failures.append(str(result) if is_named else f"{name}: {result}")
            self._table.add_row(Text(name), "[red]not read[/]", "", "", "", "")
            return failure_report(Path(name).name, str(result))
        self._table.add_row(Text(name), *_cells(result))
        for segment in result.segments:
            self._stretches.add_row(Text(name), *_stretch(segment))
        for warning in result.warnings:
            self._notes.setdefault(warning, []).append(name)
        return result.to_dict()

    def show(self, *, with_table: bool) -> None:
        """Prints the table, if there is anything in it, and on standard error what was wrong."""
        if with_table and self.count:
            Console().print(self._table)
            if self._stretches.rows:
                Console().print(self._stretches)
        errors = Console(stderr=True, markup=False, emoji=False)
        for warning, names in self._notes.items():
            errors.print(f"{', '.join(names)}: {warning}", soft_wrap=True)
        for failure in self.failures:
            errors.print(f"Error: {failure}", style="red", soft_wrap=True)


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
