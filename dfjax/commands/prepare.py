"""`python -m dfjax prepare`: from a data set's videos to face clips."""

import dataclasses
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

from dfjax.commands.progress import progress_bar
from dfjax.config import Config, CropConfig, VideoConfig
from dfjax.data.sources import LAYOUTS, read_source
from dfjax.errors import DatasetError
from dfjax.extras import require_extra


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepare:
    """Turn a data set's videos into face clips to train on.

    Can be stopped and started again: the same command goes on where it was.
    """

    source: tyro.conf.Positional[
        Annotated[
            str,
            tyro.conf.arg(
                metavar="{" + ",".join(layout.name for layout in LAYOUTS) + "}",
                help="\n".join(f"{layout.name}: {layout.summary}" for layout in LAYOUTS),
            ),
        ]
    ]

    root: tyro.conf.Positional[Path]
    """The data set's folder."""

    out: Path
    """Folder for the prepared data set: a new one, or one that an earlier run began."""

    compressions: tuple[Literal["raw", "c23", "c40"], ...] | None = None
    """Of ffpp: which compressions; c23 if not given."""

    methods: tuple[str, ...] | None = None
    """Of ffpp: which manipulations; if not given, all but DeepFakeDetection."""

    name: str | None = None
    """Of folder: what the data set is called in reports."""

    num_frames: int = VideoConfig().num_frames
    """Frames sampled per video."""

    image_size: int = CropConfig().image_size
    """Side of the face crops, pixels."""

    margin: float = CropConfig().margin
    """Side of the crop over side of the face box."""

    min_detail: float = 0.125
    """A face with less detail, out of focus in the background, is left out where a clearer one is
    in view, here and by a model that is trained on this. 0 keeps all."""

    codec_variants: int = 0
    """How many re-encoded versions of each video are added, with H.264 at a constant rate factor
    from 23 to 40 that a real video and its fakes share."""

    filmed: int = 0
    """How many short videos are made of each picture to train on, as a camera in a hand would take
    it, with H.264 likewise: far more faces are at hand in pictures than in videos."""

    codec_seed: int = 0
    """Draws those factors, and the ways of the camera."""

    workers: int = os.cpu_count() or 1
    """Processes that read videos at once; all cores if not given. The result is the same."""

    def run(self) -> int:
        """Returns the exit code."""
        require_extra("train", "`python -m dfjax prepare`")
        import datasets

        from dfjax.data.prepare import prepare
        from dfjax.data.prepared import REPORT_FILE
        from dfjax.data.rows import CodecConfig

        if self.workers < 1:
            raise DatasetError(f"--workers is {self.workers}; at least 1 is needed.")
        datasets.disable_progress_bars()  # one for each shard, through ours
        options = {name: getattr(self, name) for name in ("compressions", "methods", "name")}
        given = {name: value for name, value in options.items() if value is not None}
        try:
            config = Config(
                video=VideoConfig(num_frames=self.num_frames),
                crops=CropConfig(
                    image_size=self.image_size, margin=self.margin, min_detail=self.min_detail
                ),
            )
            codec = CodecConfig(
                variants=self.codec_variants, filmed=self.filmed, seed=self.codec_seed
            )
        except ValueError as error:
            raise DatasetError(str(error)) from error
        source = read_source(self.source, self.root, **given)
        with progress_bar() as progress:
            task = progress.add_task("Preparing", total=len(source.videos))
            try:
                report = prepare(
                    source,
                    self.out,
                    config,
                    codec=codec,
                    workers=self.workers,
                    on_video=lambda done, total: progress.update(task, completed=done, total=total),
                )
            except KeyboardInterrupt:
                Console(stderr=True).print("Stopped. The same command goes on where it was.")
                return 130
        _print(report, self.out / REPORT_FILE)
        return 0


def _print(report: dict[str, Any], file: Path) -> None:
    """Prints the counts, and to standard error what is not in them."""
    columns = ("videos", "clips", "faces", "no_face", "unreadable")
    table = Table("split", *(name.replace("_", " ") for name in columns), box=None)
    for split, counts in report["splits"].items():
        table.add_row(split, *(str(counts[name]) for name in columns))
    Console().print(table)
    errors = Console(stderr=True)
    if report["missing"]:
        names = ", ".join(report["missing"][:3])
        errors.print(
            f"{len(report['missing'])} videos that the data set's lists name are not there, such "
            f"as {names}. {file} names them all.",
            markup=False,
        )
    for reason, dropped in report["dropped"].items():
        errors.print(f"{dropped['count']} videos were left out: {reason}.", markup=False)
