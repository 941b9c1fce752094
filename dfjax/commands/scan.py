"""`python -m dfjax scan`: scores whole archives, and can be stopped and continued at any time."""

import dataclasses
import os
import re
import time
from typing import Annotated

import tyro
from rich.console import Console

from dfjax.commands.archive_files import find_archive
from dfjax.commands.options import require_switch
from dfjax.commands.progress import progress_bar
from dfjax.commands.video_files import LeftOut
from dfjax.errors import DfjaxError
from dfjax.extras import require_extra
from dfjax.runtimes.runtime import RuntimeName, chosen_runtime
from dfjax.video.sampling import Effort

_SECONDS_BETWEEN_LINES = 30.0  # of a log


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scan:
    """Score all files of an archive into a parquet table, with a reason for those that fail.

    docs/archives.md describes the table. The command can be stopped at any time: run it again to
    continue. A file is scored again only if it, the model or an option has changed, and files with
    the same bytes once for all.
    """

    files: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="FILE...")]]
    """Folders with all that is in them, files, patterns in quotes ("in/**/*.mp4"), and lists: .txt
    with a file on each line, or .parquet with a column `path`. All can be addresses, such as
    s3://bucket/folder or hf://datasets/owner/name, where the package for them is installed."""

    out: str
    """Folder for the table: a new one, or that of an earlier scan. May be an address as well."""

    model: str | None = None
    """Folder or Hub repository. Defaults to DFJAX_MODEL, or `checkpoint/` if that is not set."""

    revision: str | None = None
    """Branch, tag or commit of a Hub repository. All processes of a scan use the commit that it has
    when the scan begins."""

    runtime: RuntimeName | None = None
    """What computes the networks; as for `predict`."""

    effort: Effort = "standard"
    """How much of a long video is looked at; as for `predict`."""

    workers: int = 1
    """Number of processes that score files, each with a model of its own; about 0.8 GB each with
    JAX. With --ray, the most that are started on the cluster."""

    shard: str = "1/1"
    """Scan only a part: 3/8 is the third of eight. For job arrays, whose jobs may share --out."""

    ray: bool = False
    """Scan as a job on a Ray cluster: the one that RAY_ADDRESS names, the one whose head this is,
    or one that is started here."""

    cpus_per_worker: float = 1.0
    """With --ray: how many cores of the cluster each worker takes."""

    gpus_per_worker: float = 0.0
    """With --ray: how many GPUs; .5 lets two workers share one."""

    def run(self) -> int:
        """Returns the exit code."""
        require_extra("scan", "`python -m dfjax scan`")
        if self.ray:
            require_extra("ray", "`python -m dfjax scan --ray`")
        from dfjax.archive.results import is_result
        from dfjax.archive.scan import Shard, scan
        from dfjax.archive.settings import ScanSettings
        from dfjax.models.locate import model_source

        if not self.files:
            raise DfjaxError("No file or folder was given. Pass at least one.")
        if self.workers < 1:
            raise DfjaxError(f"--workers is {self.workers}; at least 1 is needed.")
        require_switch(self, ("cpus_per_worker", "gpus_per_worker"), "ray")
        shard = Shard(*_shard(self.shard))
        settings = ScanSettings(
            model=model_source(self.model),
            revision=self.revision,
            runtime=chosen_runtime(self.runtime),
            effort=self.effort,
            # Each worker's share of the cores that are reserved for it.
            threads=max(1, int(self.cpus_per_worker)) if self.ray else None,
        )
        left_out = LeftOut(lambda path: is_result(path, self.out))
        with _Progress() as progress:
            try:
                paths = find_archive(self.files, left_out)
                if self.ray:
                    from dfjax.archive.ray_scan import Pool, scan_on_ray

                    pool = Pool(self.workers, self.cpus_per_worker, self.gpus_per_worker)
                    counts = scan_on_ray(
                        *(paths, self.out, settings, pool),
                        shard=shard,
                        on_progress=progress.report,
                    )
                else:
                    counts = scan(
                        *(paths, self.out, settings),
                        shard=shard,
                        workers=self.workers,
                        on_progress=progress.report,
                    )
            except KeyboardInterrupt:
                Console(stderr=True).print("Stopped. Run the same command again to continue.")
                return 130
        labels = ", ".join(f"{count} {label}" for label, count in sorted(counts.labels.items()))
        Console(markup=False, emoji=False).print(
            f"{counts.files} files: {labels or 'none judged'}; {counts.failures} could not be "
            f"judged. Written to {os.path.join(self.out, shard.table)}.",
            highlight=False,
            soft_wrap=True,
        )
        left_out.show()
        return 1 if counts.failures else 0


def _shard(text: str) -> tuple[int, int]:
    """Returns number and count of a shard."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    number, count = map(int, match.groups()) if match else (0, 0)
    if not 1 <= number <= count:
        raise DfjaxError(f"--shard is {text}; a number from 1/N to N/N is needed, such as 3/8.")
    return number, count


class _Progress:
    """A bar on a terminal, and otherwise a line now and then, for the logs of jobs."""

    def __init__(self):
        self._bar = progress_bar()
        self._task = self._bar.add_task("Loading", total=None)
        self._stage = ""
        self._begun = self._said = time.monotonic()

    def __enter__(self) -> "_Progress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def report(self, stage: str, done: int, total: int) -> None:
        """Shows how far a stage is."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._begun, self._said = stage, now, now
            self._bar.reset(self._task)
        rate = done / max(now - self._begun, 1e-9) if done else 0.0
        text = f"{stage}: {done} of {total} files, {_rate(rate)}"
        if self._bar.console.is_terminal:
            self._bar.update(self._task, description=text, completed=done, total=total)
        elif now - self._said >= _SECONDS_BETWEEN_LINES and rate:
            self._said = now
            left = (total - done) / rate
            text = f"{text}, {left / 60:.0f} minutes left"
            self._bar.console.print(text, highlight=False, soft_wrap=True)


def _rate(per_second: float) -> str:
    return f"{per_second:.1f}/s" if per_second >= 1 else f"{60 * per_second:.1f}/min"
