"""Scores an archive as a Ray Data job: any number of machines, one table.

The job itself only passes on which files there are and which are done. What comes of them goes
straight into the results' folder, so neither a worker that dies nor the end of the job loses what
was scored before, and nothing large goes through Ray's memory.
"""

import dataclasses
import logging
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

from dfjax.archive.contents import Content, Hashed, from_anywhere, hash_file
from dfjax.archive.results import Counts, Results
from dfjax.archive.scan import OnProgress, Shard, ignore_progress, is_new, unscored
from dfjax.archive.settings import ScanSettings
from dfjax.archive.workers import Workers
from dfjax.errors import DfjaxError
from dfjax.files import shown_path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when a cluster is started

import ray
import ray.data
import ray.exceptions

_HASHED_AT_ONCE = 256
_SCORED_AT_ONCE = 16  # files that are scored again if a worker dies
_HASHED = pa.schema(
    # Paths are bytes: a file's name need not be text.
    [("path", pa.binary())] + [(name, pa.string()) for name in ("facts", "sha256", "error")]
)


class Pool(NamedTuple):
    """The workers of a job."""

    most: int  # as many as there is work and room for, from 1 to this
    cpus: float = 1.0  # that each takes of the cluster
    gpus: float = 0.0


def scan_on_ray(
    paths: Sequence[str],
    out: str,
    settings: ScanSettings,
    pool: Pool,
    *,
    shard: Shard = Shard(),
    on_progress: OnProgress | None = None,
) -> Counts:
    """Does as `scan` does, on the Ray cluster that `RAY_ADDRESS` names, or a new one.

    Args:
      paths: The files, or their addresses; every machine must be able to read them.
      out: The folder, or its address; every machine must be able to write to it.
      settings: How files are scored; every machine must find the model there.
      pool: Who scores.
      shard: Which of the files.
      on_progress: As for `scan`.

    Raises:
      DfjaxError: The folder cannot be written to, or the job failed, for one because the model
        cannot be loaded, or is not the same on every machine.
    """
    report = on_progress or ignore_progress
    there = settings = settings.pinned()
    if os.path.isdir(settings.model):
        there = dataclasses.replace(settings, model=from_anywhere(settings.model))
    key = settings.key()
    results = Results(out, key)
    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level=logging.WARNING)
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what fails is told below
    ray.data.DataContext.get_current().enable_progress_bars = False
    files = _hash(shard.files(paths), results, report)
    contents = unscored(files, results.known_contents())
    if contents:
        rows = [
            {"path": os.fsencode(from_anywhere(path)), "sha256": sha256}
            for path, sha256 in contents
        ]
        at_once = max(1, min(_SCORED_AT_ONCE, len(rows) // (2 * pool.most)))
        done = 0
        for batch in _run(
            _in_blocks(pa.Table.from_pylist(rows), at_once).map_batches(
                _Scorer,
                fn_constructor_args=(there, key, from_anywhere(out)),
                batch_size=None,
                batch_format="pyarrow",
                compute=ray.data.ActorPoolStrategy(min_size=1, max_size=pool.most),
                num_cpus=pool.cpus,
                num_gpus=pool.gpus,
            )
        ):
            problem = batch["problem"][0].as_py()
            if problem is not None:
                raise DfjaxError(problem)
            done += len(batch)
            report("Scoring", done, len(contents))
    return results.write_table(files, shard.table)


def _hash(paths: Sequence[str], results: Results, report: OnProgress) -> list[Hashed]:
    """Returns the digests of files in their order, and keeps those that are new."""
    if not paths:
        return []
    known = results.known_hashes()
    rows = []
    for path in paths:
        facts, sha256 = known.get(shown_path(path), (None, None))
        place = os.fsencode(from_anywhere(path))
        rows.append({"path": place, "facts": facts, "sha256": sha256, "error": None})
    blocks = _in_blocks(pa.Table.from_pylist(rows, schema=_HASHED), _HASHED_AT_ONCE)
    path_of = {from_anywhere(path): path for path in paths}
    found: dict[str, Hashed] = {}
    for batch in _run(blocks.map_batches(_hash_files, batch_size=None, batch_format="pyarrow")):
        part = [
            Hashed(path_of[os.fsdecode(row["path"])], row["facts"], row["sha256"], row["error"])
            for row in batch.to_pylist()
        ]
        results.keep_hashes([file for file in part if is_new(file, known)])
        found |= {from_anywhere(file.path): file for file in part}
        report("Reading", len(found), len(paths))
    return [found[from_anywhere(path)]._replace(path=path) for path in paths]


def _in_blocks(table: pa.Table, size: int) -> ray.data.Dataset:
    return ray.data.from_arrow([table.slice(start, size) for start in range(0, len(table), size)])


def _run(job: ray.data.Dataset) -> Iterator[pa.Table]:
    """Yields what a job returns, as it is done."""
    try:
        yield from job.iter_batches(batch_size=None, batch_format="pyarrow")
    except ray.exceptions.RayError as error:
        raise DfjaxError(
            f"The job on the Ray cluster failed: {type(error).__name__}: {error} Run the same "
            "command again to continue."
        ) from error


# What follows runs on the machines of the cluster.


def _hash_files(batch: pa.Table) -> pa.Table:
    files = []
    for row in batch.to_pylist():
        path = os.fsdecode(row["path"])
        known = {shown_path(path): (row["facts"], row["sha256"])} if row["facts"] else {}
        hashed = hash_file(path, known)
        files.append(hashed._asdict() | {"path": row["path"]})
    return pa.Table.from_pylist(files, schema=_HASHED)


class _Scorer:
    """Scores files, and keeps what comes of them before it says that they are done."""

    def __init__(self, settings: ScanSettings, key: str, out: str):
        self._workers = Workers(settings, key, 1)
        self._results = Results(out, key)

    def __del__(self):
        """Ends its process, as the job does. Ray would kill it, and leave what it has fetched."""
        self._workers.close()

    def __call__(self, batch: pa.Table) -> pa.Table:
        contents = [Content(os.fsdecode(row["path"]), row["sha256"]) for row in batch.to_pylist()]
        problem = None
        try:
            self._results.keep_scores(list(self._workers.score(contents)))
        except DfjaxError as error:  # told in one sentence, unlike errors that go through Ray
            problem = str(error)
        return pa.table({"problem": pa.array([problem] * len(batch), pa.string())})
