"""Reads many videos in parallel, in single-threaded processes, and yields their rows in order."""

import collections
import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import jax

from dfjax.config import Config
from dfjax.data.rows import CodecConfig, Outcome, RowReader, VideoRows, make_batches
from dfjax.data.sources.videos import LabelledVideo
from dfjax.errors import DatasetError

_AHEAD = 4  # batches per process that are being read or queued, ahead of what is written

_ENDED = "the process reading it died: out of memory, or a decoder crashed"

_Batch = Sequence[LabelledVideo]
_Results = list[list[VideoRows]]  # for each video of a batch


def read_in_order(
    videos: Iterable[LabelledVideo],
    config: Config,
    codec: CodecConfig,
    scratch: Path,
    *,
    workers: int,
) -> Generator[list[VideoRows], None, None]:
    """Yields what `RowReader` returns for each video, in order; the same for any `workers`.

    Args:
      videos: The videos to read.
      config: As for `RowReader`.
      codec: As for `RowReader`.
      scratch: As for `RowReader`.
      workers: How many processes to use; with 1, everything is done in this process.

    Raises:
      DatasetError: No process can be started.
    """
    batches = make_batches(videos)
    if workers == 1:
        yield from itertools.chain.from_iterable(map(RowReader(config, codec, scratch), batches))
        return
    waiting: collections.deque[tuple[_Batch, Future[_Results]]] = collections.deque()
    pool = _open_pool(workers, config, codec, scratch)
    try:
        while True:
            for batch in itertools.islice(batches, _AHEAD * workers - len(waiting)):
                waiting.append((batch, _submit(pool, batch)))
            if not waiting:
                return
            batch, future = waiting.popleft()
            try:
                results = future.result()
            except BrokenProcessPool:
                # One of the videos being read killed its process, and with it the pool. From here
                # on the first in the queue is read alone, until we reach the one to blame.
                pool.shutdown()
                results = [_read_alone(video, config, codec, scratch) for video in batch]
                pool = _open_pool(workers, config, codec, scratch)
                waiting = collections.deque((b, _submit(pool, b)) for b, _ in waiting)
            yield from results
    finally:
        pool.shutdown(cancel_futures=True)


def _read_alone(
    video: LabelledVideo, config: Config, codec: CodecConfig, scratch: Path
) -> list[VideoRows]:
    """Reads a video in a separate process, which it may kill."""
    with _open_pool(1, config, codec, scratch) as pool:
        try:
            (versions,) = _submit(pool, [video]).result()
        except BrokenProcessPool:
            outcome = Outcome(
                is_fake=video.is_fake,
                method=video.method,
                group=video.group,
                reason=_ENDED,
                may_pass=True,
            )
            return [VideoRows(key=video.key, outcome=outcome, rows=[])]
    return versions


def _open_pool(
    workers: int, config: Config, codec: CodecConfig, scratch: Path
) -> ProcessPoolExecutor:
    pool = ProcessPoolExecutor(
        workers,
        # Not forked: jax has threads, so a forked process may hang.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(config, codec, scratch),
    )
    try:
        pool.submit(os.getpid).result()
    except BrokenProcessPool as error:
        pool.shutdown()
        raise DatasetError(
            "No worker process can be started. Run with --workers 1 to see why."
        ) from error
    return pool


def _submit(pool: ProcessPoolExecutor, batch: _Batch) -> Future[_Results]:
    try:
        return pool.submit(_read, batch)
    except BrokenProcessPool as error:
        future: Future[_Results] = Future()
        future.set_exception(error)
        return future


# What follows runs in a worker process, which keeps one reader for all its videos.

_reader: RowReader | None = None


def _start_worker(config: Config, codec: CodecConfig, scratch: Path) -> None:
    global _reader
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the process that writes
    threading.Thread(target=_end_with_parent, daemon=True).start()
    jax.config.update("jax_platforms", "cpu")
    os.environ["NPROC"] = "1"  # threads of jax's CPU client
    _reader = RowReader(config, codec, scratch)


def _end_with_parent() -> None:
    """Ends this process if the one that started it is killed; otherwise it would wait forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _read(batch: _Batch) -> _Results:
    assert _reader is not None
    return _reader(batch)
