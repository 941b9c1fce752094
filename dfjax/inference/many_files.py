"""Scores many files one after the other, and reads the next ones while one is scored."""

import collections
import itertools
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Protocol, TypeVar

from dfjax.errors import AbandonedError, DfjaxError
from dfjax.faces.clips import OnProgress

OnFileProgress = Callable[[int, float, str], None]
"""Called with a file's place, the fraction of it that is done, 0 to 1, and the stage's name."""

_AHEAD = 2
"""Files that are opened beside one that is finished. Opening begins and ends with what keeps only
one core busy: with a single file ahead, two cores stood still for a fifth of the time."""


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

    While one that `is_read` is finished, the next two are opened in threads, so that decoding fills
    the gaps that the engine leaves. Any other file is finished alone.

    Args:
      paths: The files.
      open_file: Opens a file; called with its progress.
      finish: Scores what was opened; called with its progress.
      on_progress: Called from this thread and others, never for a file before its turn.

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

    waiting = enumerate(paths)
    coming: collections.deque[Future[_Opened]] = collections.deque()
    with ThreadPoolExecutor(_AHEAD, thread_name_prefix="read next file") as pool:

        def open_more() -> None:
            for later, path in itertools.islice(waiting, _AHEAD - len(coming)):
                coming.append(pool.submit(open_file, path, report_of(later)))

        try:
            for place in range(len(paths)):
                turn = place
                open_more()
                try:
                    opened = coming.popleft().result()
                    if opened.is_read:
                        open_more()
                    else:
                        wait(coming)
                    result = finish(opened, report_of(place))
                except DfjaxError as error:
                    result = error
                yield result
        finally:
            is_over.set()
