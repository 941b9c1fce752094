"""Processes that hold a `Predictor` each. A file that kills its process costs no other file."""

import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from dfjax.archive.contents import CHANGED, Content, file_name, on_this_machine, reason
from dfjax.archive.settings import ScanSettings
from dfjax.errors import (
    DamagedVideoError,
    DfjaxError,
    NoVideoStreamError,
    UnsupportedFormatError,
)
from dfjax.video.file_facts import read_file_facts
from dfjax.video.sampling import Effort

if TYPE_CHECKING:
    from dfjax.predictor import Predictor

Row = dict[str, Any]
"""A row of `SCORED_SCHEMA`."""

_ENDED = (
    "{!r} could not be judged: the process that read it died twice. Memory may have run out: use "
    "fewer workers."
)
_OTHER_MODEL = (
    "{} is not what it was when the scan began, or this machine has another version of dfjax. "
    "What was scored before is kept. Run the same command again to score all files with it."
)
_READY = "ready"
_MOST_FAILED_LOADS = 3  # in a row, of a process that has loaded the model before

_IN_ITS_BYTES = (DamagedVideoError, NoVideoStreamError, UnsupportedFormatError)
"""What is wrong with a file for good. All else may pass: a disk that is away, a busy machine."""


class Workers:
    """Some processes that score files, until the `with` block is left."""

    def __init__(self, settings: ScanSettings, key: str, count: int):
        """Starts the processes.

        Args:
          settings: What each of them loads.
          key: That of the settings when the scan began. A process that loads anything else, since
            the model was changed meanwhile, scores nothing.
          count: How many, at least 1.
        """
        self._processes = [_Process(settings, key) for _ in range(count)]

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
          DfjaxError: The model cannot be loaded, or has another key.
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
                except (EOFError, OSError):
                    process.restart()
                    if not is_second_try:  # perhaps another program took the memory
                        process.send(content)
                        busy[process.connection] = process, content, True
                        continue
                    answer = _failure(content, _ENDED.format(file_name(content.path)), again=True)
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

    def __init__(self, settings: ScanSettings, key: str):
        self._settings, self._key = settings, key
        self._loads_left = 1  # that may fail: where even the first does, none will go well
        self._start()

    def _start(self) -> None:
        # Not forked: jax has threads, so a forked process may hang.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        # Ours to delete: a process that is killed leaves the copy that it reads.
        self._folder = tempfile.mkdtemp(prefix="dfjax-")
        arguments = (theirs, self._settings, self._key, self._folder)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        # Ctrl-C is handled by this process. Theirs begins with signals blocked as they are here.
        resource_tracker.ensure_running()  # which would otherwise be started now, and unblock it
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
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
          DfjaxError: It cannot load the model, or that has another key.
          EOFError, OSError: It has died over the file.
        """
        try:
            answer = self.connection.recv()
        except (EOFError, OSError) as error:  # OSError in the middle of an answer
            if not self._is_ready:
                self._loads_left -= 1
            if self._loads_left:
                raise
            raise DfjaxError(
                "A process that was to score files died while it loaded the model. Memory may have "
                "run out: use fewer workers. `python -m dfjax predict` with one file says more."
            ) from error
        if isinstance(answer, DfjaxError):
            raise answer
        if answer == _READY:
            self._is_ready, self._loads_left = True, _MOST_FAILED_LOADS
            return None
        return answer

    def restart(self) -> None:
        self.end()
        self._start()

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)


# What follows runs in the processes.


def _serve(connection: Connection, settings: ScanSettings, key: str, folder: str) -> None:
    """Loads the model, then answers files until the other end is closed.

    Args:
      connection: To the process that started this one.
      settings: What is loaded.
      key: That it has to have.
      folder: Where files from elsewhere are put while they are scored.
    """
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    # Before jax is imported. Several processes may share a GPU's memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if settings.threads is not None:
        os.environ["NPROC"] = str(settings.threads)
    from dfjax.inference.compilation_cache import use_compilation_cache
    from dfjax.memory import use_one_arena

    use_compilation_cache()
    use_one_arena()
    try:
        predictor = _load(settings, key)
    except DfjaxError as error:
        connection.send(error)
        return
    connection.send(_READY)
    while True:
        try:
            content = connection.recv()
        except (EOFError, ConnectionError):
            return
        connection.send(_judged(content, predictor, settings.effort, folder))


def _load(settings: ScanSettings, key: str) -> "Predictor":
    """Returns the predictor of some settings.

    Raises:
      DfjaxError: It cannot be loaded, or has another key: its scores would be filed as those of
        the model that it has replaced.
    """
    from dfjax.predictor import Predictor

    predictor = Predictor.from_pretrained(
        settings.model, revision=settings.revision, runtime=settings.runtime
    )
    if settings.key() != key:  # only now, so that what was loaded cannot be newer
        raise DfjaxError(_OTHER_MODEL.format(settings.model))
    return predictor


def _judged(content: Content, predictor: "Predictor", effort: Effort, folder: str) -> Row:
    """Returns what comes of a file: a prediction, or why there is none."""
    try:
        with on_this_machine(content.path, folder) as path:
            try:
                prediction = predictor(path, effort=effort)
            except _IN_ITS_BYTES as error:
                # It may have been changed since it was hashed, and be only half written now.
                if read_file_facts(path).sha256 == content.sha256:
                    return _failure(content, str(error), again=False)
                return _failure(content, CHANGED.format(file_name(content.path)), again=True)
    except Exception as error:  # whatever it is, it must not end the scan of the other files
        return _failure(content, reason(content.path, error), again=True)
    return prediction.to_dict() | {
        # The digest of what was read, for the same reason.
        "sha256": prediction.video.sha256,
        "name": prediction.video.name,
        "again": False,
    }


def _failure(content: Content, error: str, *, again: bool) -> Row:
    name = file_name(content.path)
    return {"sha256": content.sha256, "name": name, "again": again, "error": error}


def _end_with_parent(folder: str) -> None:
    """Ends this process if the one that started it is killed, even in the middle of a file.

    Args:
      folder: Deleted, since nobody else is left to do it.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
