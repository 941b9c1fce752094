"""Processes that hold a `Predictor` each. A file that kills its process costs no other file."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Self

from dfjax.archive.contents import Content, on_this_machine, reason
from dfjax.archive.settings import ScanSettings
from dfjax.errors import DfjaxError, VideoError, VideoLimitError
from dfjax.video.formats import shown_name

Row = dict[str, Any]
"""A row of `SCORED_SCHEMA`."""

_ENDED = (
    "{!r} could not be judged: the process that read it died twice. Memory may have run out: use "
    "fewer workers."
)
_READY = "ready"


class Workers:
    """Some processes that score files, until the `with` block is left."""

    def __init__(self, settings: ScanSettings, count: int):
        """Starts the processes.

        Args:
          settings: What each of them loads.
          count: How many, at least 1.
        """
        self._processes = [_Process(settings) for _ in range(count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the processes, whatever they are doing."""
        for process in self._processes:
            process.end()

    def score(self, contents: Iterable[Content]) -> Iterator[Row]:
        """Yields what comes of each of some files, in the order in which that is known.

        Raises:
          DfjaxError: The model cannot be loaded.
        """
        waiting = iter(contents)
        busy: dict[Any, tuple[_Process, Content, bool]] = {}
        for process in self._processes:
            self._give_next(process, waiting, busy)
        while busy:
            for connection in wait(list(busy)):
                process, content, is_second_try = busy.pop(connection)
                try:
                    answer = process.receive()
                except (EOFError, ConnectionError):
                    process.restart()
                    if not is_second_try:  # perhaps another program took the memory
                        process.send(content)
                        busy[process.connection] = process, content, True
                        continue
                    answer = _failure(content, _ENDED.format(shown_name(content.path)), again=True)
                if answer is None:  # it has loaded the model, and is reading the file
                    busy[connection] = process, content, is_second_try
                    continue
                yield answer
                self._give_next(process, waiting, busy)

    def _give_next(
        self,
        process: "_Process",
        waiting: Iterator[Content],
        busy: "dict[Any, tuple[_Process, Content, bool]]",
    ) -> None:
        content = next(waiting, None)
        if content is not None:
            process.send(content)
            busy[process.connection] = process, content, False


class _Process:
    """A process that answers files with rows, one at a time."""

    def __init__(self, settings: ScanSettings):
        self._settings = settings
        self._start()

    def _start(self) -> None:
        # Not forked: jax has threads, so a forked process may hang.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._settings), daemon=True)
        self._process.start()
        theirs.close()  # so that its end is noticed
        self._is_ready = False

    def send(self, content: Content) -> None:
        try:
            self.connection.send(content)
        except ConnectionError:
            pass  # it has died, which `receive` says

    def receive(self) -> Row | None:
        """Returns its next answer; None if that is that the model is loaded.

        Raises:
          DfjaxError: It cannot load the model.
          EOFError, ConnectionError: It has died over the file.
        """
        try:
            answer = self.connection.recv()
        except (EOFError, ConnectionError) as error:
            if self._is_ready:
                raise
            raise DfjaxError(
                "A process that was to score files died while it loaded the model. Memory may have "
                "run out: use fewer workers. `python -m dfjax predict` with one file says more."
            ) from error
        if isinstance(answer, DfjaxError):
            raise answer
        if answer == _READY:
            self._is_ready = True
            return None
        return answer

    def restart(self) -> None:
        self.end()
        self._start()

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()


# What follows runs in the processes.


def _serve(connection: Connection, settings: ScanSettings) -> None:
    """Loads the model, then answers files until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the process that started us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Before jax is imported. Several processes may share a GPU's memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if settings.threads is not None:
        os.environ["NPROC"] = str(settings.threads)
    from dfjax.inference.compilation_cache import use_compilation_cache
    from dfjax.memory import use_one_arena
    from dfjax.predictor import Predictor

    use_compilation_cache()
    use_one_arena()
    try:
        predictor = Predictor.from_pretrained(settings.model, runtime=settings.runtime)
    except DfjaxError as error:
        connection.send(error)
        return
    connection.send(_READY)
    while True:
        try:
            content = connection.recv()
        except (EOFError, ConnectionError):
            return
        try:
            with on_this_machine(content.path) as path:
                prediction = predictor(path, effort=settings.effort)
        except Exception as error:  # whatever it is, it must not end the scan of the other files
            # A file may be too slow to decode only while the machine is busy.
            is_final = isinstance(error, VideoError) and not isinstance(error, VideoLimitError)
            row = _failure(content, reason(content.path, error), again=not is_final)
        else:
            row = prediction.to_dict() | {
                # The digest of what was read: the file may have changed since it was hashed.
                "sha256": prediction.video.sha256,
                "name": prediction.video.name,
                "again": False,
            }
        connection.send(row)


def _failure(content: Content, error: str, *, again: bool) -> Row:
    name = shown_name(content.path)
    return {"sha256": content.sha256, "name": name, "again": again, "error": error}


def _end_with_parent() -> None:
    """Ends this process if the one that started it is killed, even in the middle of a file."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
