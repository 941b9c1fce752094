"""Scores the files of an archive, each content once, and goes on where it was stopped."""

import dataclasses
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from dfjax.archive.contents import Content, Hashed, hash_file
from dfjax.archive.results import Counts, Results
from dfjax.archive.settings import ScanSettings
from dfjax.archive.workers import Workers
from dfjax.files import shown_path
from dfjax.runtimes.runtime import num_threads

_Item = TypeVar("_Item")

_HASHED_AT_ONCE = 1024
_MAX_LOST = 0.01  # share of the work of a run that is lost if it is killed

OnProgress = Callable[[str, int, int], None]
"""Called with the name of the stage, how much of it is done, and how much there is to do."""


class Shard(NamedTuple):
    """Which part of an archive is scanned."""

    number: int = 1  # from 1 to `of`
    of: int = 1

    @property
    def table(self) -> str:
        """The name of its table's file."""
        if self.of == 1:
            return "results.parquet"
        return f"results-{self.number:05d}-of-{self.of:05d}.parquet"

    def files(self, paths: Iterable[str]) -> list[str]:
        """Returns the files that belong to it, each once.

        A hash of a file's path decides, so the shards agree though files are added between their
        starts.
        """
        return [path for path in dict.fromkeys(paths) if self._owns(path)]

    def _owns(self, path: str) -> bool:
        digest = hashlib.sha256(os.fsencode(path)).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.number - 1


def scan(
    paths: Sequence[str],
    out: str,
    settings: ScanSettings,
    *,
    shard: Shard = Shard(),
    workers: int = 1,
    on_progress: OnProgress | None = None,
) -> Counts:
    """Scores files, and writes a table with a row for each of them (`TABLE_SCHEMA`).

    Args:
      paths: The files, or their addresses.
      out: A folder, or its address: a new one, or that of an interrupted or earlier scan. What is
        known from that is not scored again, unless file, model or another setting has changed.
      settings: How files are scored. Several processes share the cores.
      shard: Which of them.
      workers: How many processes score files.
      on_progress: Called as work is done.

    Returns:
      What the table holds.

    Raises:
      DfjaxError: The folder cannot be written to, or the model cannot be loaded or has changed.
    """
    report = on_progress or ignore_progress
    settings = settings.pinned()
    key = settings.key()
    results = Results(out, key)
    files = _hash(shard.files(paths), results, workers, report)
    contents = unscored(files, results.known_contents())
    if contents:
        workers = min(workers, len(contents))
        if workers > 1:
            settings = dataclasses.replace(settings, threads=max(1, num_threads() // workers))
        with Workers(settings, key, workers) as processes:
            rows = _counted(processes.score(contents), "Scoring", len(contents), report)
            _keep_often(rows, results.keep_scores)
    return results.write_table(files, shard.table)


def unscored(files: Iterable[Hashed], known: set[str]) -> list[Content]:
    """Returns one file for each content that is not known, in their order."""
    first: dict[str, Content] = {}
    for file in files:
        if file.sha256 is not None and file.sha256 not in known:
            first.setdefault(file.sha256, Content(file.path, file.sha256))
    return list(first.values())


def _hash(paths: Sequence[str], results: Results, workers: int, report: OnProgress) -> list[Hashed]:
    """Returns the digests of files, and keeps those that are new."""
    known = results.known_hashes()
    files: list[Hashed] = []

    is_over = threading.Event()

    def new() -> Iterator[Hashed]:
        with ThreadPoolExecutor(workers) as pool:
            try:
                for start in range(0, len(paths), _HASHED_AT_ONCE):
                    part = paths[start : start + _HASHED_AT_ONCE]
                    for file in pool.map(lambda path: hash_file(path, known, is_over), part):
                        files.append(file)
                        report("Reading", len(files), len(paths))
                        if is_new(file, known):
                            yield file
            finally:
                is_over.set()

    _keep_often(new(), results.keep_hashes)
    return files


def is_new(file: Hashed, known: Mapping[str, tuple[str, str]]) -> bool:
    """Returns whether a digest is worth keeping: it is not known, and can be told to be valid."""
    is_known = known.get(shown_path(file.path), ("",))[0] == file.facts
    return file.sha256 is not None and file.facts is not None and not is_known


def _keep_often(items: Iterable[_Item], keep: Callable[[list[_Item]], None]) -> None:
    """Passes items on in lists, which grow as time passes so that there are not too many."""
    started = kept = time.monotonic()
    waiting: list[_Item] = []
    try:
        for item in items:
            waiting.append(item)
            now = time.monotonic()
            if now - kept >= _MAX_LOST * (now - started):
                keep(waiting)
                waiting, kept = [], time.monotonic()
    finally:  # also if it is stopped
        if waiting:
            keep(waiting)


def _counted(items: Iterable[_Item], stage: str, total: int, report: OnProgress) -> Iterator[_Item]:
    report(stage, 0, total)
    for done, item in enumerate(items, start=1):
        yield item
        report(stage, done, total)


def ignore_progress(stage: str, done: int, total: int) -> None:
    """Is called where nobody wants to know."""
