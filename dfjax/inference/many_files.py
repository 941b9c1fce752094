"""Scores many files one after the other, and reads the next while one is scored."""

import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar

from dfjax.errors import AbandonedError, DfjaxError
from dfjax.faces.clips import OnProgress

OnFileProgress = Callable[[int, float, str], None]
"""Called with a file's place, the fraction of it that is done, 0 to 1, and the stage's name."""


class Opened(Protocol):
    """A file that was read as far as it can be without the engine."""

    @property
    def is_read(self) -> bool:
        """Whether its faces are found, so that only the engine is needed for what is left."""
        ...


_Opened = TypeVar("_Opened", bound=Opened)
_Result = TypeVar("_Result")


def score_each(
    paths: Sequence[Path],
    open_file: Callable[[Path, OnProgress], _Opened],
    finish: Callable[[_Opened, OnProgress], _Result],
    on_progress: OnFileProgress,
) -> Generator[_Result | DfjaxError, None, None]:
    """Yields what comes of each file, in their order.

    While one that `is_read` is finished, the next is opened in a thread, so that decoding fills the
    gaps that the engine leaves. Nothing else runs in two threads at once.

    Args:
      paths: The files.
      open_file: Opens a file; called with its progress.
      finish: Scores what was opened; called with its progress.
      on_progress: Called from this thread and the other, never for a file before its turn.

    Yields:
      What `finish` returned, or why the file cannot be read.
    """
    turn = 0
    is_over = threading.Event()

    def report_of(place: int) -> OnProgress:
        def report(fraction: float, stage: str) -> None:
            if is_over.is_set():
                raise AbandonedError("Nobody waits for this file any more.")
            if place == turn:
                on_progress(place, fraction, stage)

        return report

    with ThreadPoolExecutor(1, thread_name_prefix="read next file") as pool:
        coming: Future[_Opened] | None = None
        try:
            for place, path in enumerate(paths):
                turn, report = place, report_of(place)
                try:
                    next_one, coming = coming, None
                    opened = open_file(path, report) if next_one is None else next_one.result()
                    if opened.is_read and place + 1 < len(paths):
                        coming = pool.submit(open_file, paths[place + 1], report_of(place + 1))
                    result = finish(opened, report)
                except DfjaxError as error:
                    result = error
                yield result
        finally:
            is_over.set()
