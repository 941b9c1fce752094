"""`python -m dfjax prepare`: turns a data set's videos into face clips."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

from dfjax.commands.options import given
from dfjax.commands.progress import progress_bar
from dfjax.config import MIN_DETAIL, Config, CropConfig, VideoConfig
from dfjax.data.sources import LAYOUTS, read_source
from dfjax.errors import DatasetError
from dfjax.extras import require_extra
from dfjax.runtimes.runtime import num_threads


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepare:
    """Turn a data set's videos into face clips to train on.

    It can be stopped at any time; run the same command again to continue.
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

    root: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="FOLDER")]]
    """Folder that holds the data set."""

    out: Path
    """Folder to write to: a new one, or that of an interrupted run, which is then continued."""

    compressions: tuple[Literal["raw", "c23", "c40"], ...] | None = None
    """For ffpp: which compressions to read; c23 if not given."""

    methods: tuple[str, ...] | None = None
    """For ffpp: which manipulations to read; if not given, all but DeepFakeDetection."""

    name: str | None = None
    """For folder: what to call the data set in reports."""

    validation_share: float | None = None
    """For folder: about this share of the people is held out for validation; .1 if not given."""

    unseen_methods: tuple[str, ...] | None = None
    """For folder: methods that training must never see; their fakes, and everything else that shows
    the same people, are held out for validation."""

    num_frames: int = VideoConfig().num_frames
    """Frames sampled per video."""

    burst_frames: int = VideoConfig().burst_frames
    """How many of them follow each other, so that a model sees motion and flicker. The bursts are
    spread evenly over the video."""

    image_size: int = CropConfig().image_size
    """Side of the face crops, pixels."""

    margin: float = CropConfig().margin
    """Side of the crop over the side of the face, which is 2.5 times the distance from eyes to
    mouth: about that of the detector's box, but also where the face fills the picture."""

    model: str | None = None
    """Folder or Hub repository of a model whose frames and crops to make, instead of those that the
    options before this one and --min-detail give: to calibrate it, or to train on from it."""

    revision: str | None = None
    """Branch, tag or commit of the Hub repository that --model names."""

    min_detail: float = MIN_DETAIL
    """A face with less detail than this, such as one out of focus in the background, is left out if
    a sharper one is in view, both here and by a model trained on this data. 0 keeps all faces."""

    codec_variants: int = 0
    """How many re-encoded versions of each video to add, in H.264 at a constant rate factor (CRF)
    from 23 to 40 that is the same for a real video and its fakes."""

    only_encoded: bool = False
    """Leave out the training videos as they are, and keep their re-encoded versions. Use it if real
    and fake videos come in different containers, codecs or qualities, which must not tell the
    label; `python -m dfjax evaluate --shortcuts` measures whether they do."""

    filmed: int = 0
    """How many short videos to make of each training picture, as if filmed with a handheld camera,
    in H.264 as above: pictures offer far more faces than videos do."""

    codec_seed: int = 0
    """Random seed for the CRFs and the camera movements."""

    workers: int | None = None
    """Number of processes that read videos in parallel; if not given, one for each core that this
    one may use. The result does not depend on it."""

    def run(self) -> int:
        """Returns the exit code."""
        require_extra("train", "`python -m dfjax prepare`")
        import datasets

        from dfjax.data.prepare import prepare
        from dfjax.data.prepared import REPORT_FILE
        from dfjax.data.rows import CodecConfig

        workers = num_threads() if self.workers is None else self.workers
        if workers < 1:
            raise DatasetError(f"--workers is {workers}; at least 1 is needed.")
        datasets.disable_progress_bars()  # it draws one per shard, across ours
        names = ("compressions", "methods", "name", "validation_share", "unseen_methods")
        options = {name: getattr(self, name) for name in names}
        options = {name: value for name, value in options.items() if value is not None}
        try:
            config = self.config()
            codec = CodecConfig(
                variants=self.codec_variants,
                filmed=self.filmed,
                only_encoded=self.only_encoded,
                seed=self.codec_seed,
            )
        except ValueError as error:
            raise DatasetError(str(error)) from error
        source = read_source(self.source, self.root, **options)
        with progress_bar() as progress:
            task = progress.add_task("Preparing", total=len(source.videos))
            try:
                report = prepare(
                    source,
                    self.out,
                    config,
                    codec=codec,
                    workers=workers,
                    on_video=lambda done, total: progress.update(task, completed=done, total=total),
                )
            except KeyboardInterrupt:
                Console(stderr=True).print("Stopped. Run the same command again to continue.")
                return 130
        _print(report, self.out / REPORT_FILE)
        return _print_what_may_pass(report)

    def config(self) -> Config:
        """Returns which frames and crops to make.

        Raises:
          DatasetError: They are given twice, or a revision without a model.
          ModelFormatError: The model's config cannot be read.
          HubError: The model cannot be downloaded.
          ValueError: An option is out of range.
        """
        if self.model is None:
            if self.revision is not None:
                raise DatasetError("--revision is of a model, and --model names none.")
            return Config(
                video=VideoConfig(num_frames=self.num_frames, burst_frames=self.burst_frames),
                crops=CropConfig(
                    image_size=self.image_size, margin=self.margin, min_detail=self.min_detail
                ),
            )
        names = ("num_frames", "burst_frames", "image_size", "margin", "min_detail")
        if options := given(self, names):
            raise DatasetError(
                "--model says which frames and crops to make, and so does "
                f"{', '.join(options)}. Leave one of the two out."
            )
        from dfjax.models.locate import find_folder
        from dfjax.models.pretrained import read_config

        return read_config(find_folder(self.model, revision=self.revision))


def _print(report: dict[str, Any], file: Path) -> None:
    """Prints the counts, and on standard error what they leave out."""
    columns = ("videos", "clips", "faces", "no_face", "unreadable")
    table = Table("split", *(name.replace("_", " ") for name in columns), box=None)
    for split, counts in report["splits"].items():
        table.add_row(split, *(str(counts[name]) for name in columns))
    Console().print(table)
    if report["missing"]:
        names = ", ".join(report["missing"][:3])
        _say(
            f"{len(report['missing'])} videos in the data set's lists were not found, such as "
            f"{names}. {file} lists them all."
        )
    for split, counts in report["splits"].items():
        if not counts["clips"]:
            _say(f"The split {split!r} has no clip. {file} says why.")
    for reason, dropped in report["dropped"].items():
        _say(f"{dropped['count']} videos were left out: {reason}.")
    for reason, files in report["left_out"].items():
        _say(f"{files['count']} files were left out, such as {files['files'][0]}: {reason}.")


def _print_what_may_pass(report: dict[str, Any]) -> int:
    """Prints how many videos another run may read; returns the exit code, 1 if there are any."""
    reasons = [
        f"{key}: {video['reason']}"
        for counts in report["splits"].values()
        for key, video in counts["skipped"].items()
        if video["may_pass"]
    ]
    if not reasons:
        return 0
    _say(
        f"{len(reasons)} videos could not be read for a reason that may pass, such as "
        f"{reasons[0].rstrip('.')}. Run the same command again to read them; the rest is done."
    )
    return 1


def _say(sentence: str) -> None:
    """Prints a sentence on standard error, in one line, so that names in it can be copied."""
    Console(stderr=True, markup=False, emoji=False).print(sentence, soft_wrap=True)
