"""Keeps up with a camera: one gets its newest frame, and older ones are dropped."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

FrameT = TypeVar("FrameT")


class NewestFrames(Generic[FrameT]):
    """Iterates over a source of frames; those that come while one is being used are dropped.

    So the delay does not grow if frames come faster than they can be used. The source is read in a
    thread of its own, up to its end; what it raises is raised here. If one stops iterating before
    that, the source is closed when its next frame comes.

    Example:
      >>> from dfjax.video.newest import NewestFrames
      >>> frames = NewestFrames(iter("abc"))
      >>> [frame for _, frame in frames][-1], frames.num_dropped <= 2
      ('c', True)
    """

    def __init__(self, frames: Iterable[FrameT], *, clock: Callable[[], float] = time.monotonic):
        """Takes the source, such as a generator over a camera; `clock` tells the seconds."""
        self.num_dropped = 0
        self._frames, self._clock = frames, clock
        self._changed = threading.Condition()
        self._newest: tuple[float, FrameT] | None = None
        self._error: BaseException | None = None
        self._is_over = False

    def __iter__(self) -> Iterator[tuple[float, FrameT]]:
        """Yields the newest frame, and when it came, seconds."""
        reader = threading.Thread(target=self._read, name="newest-frames", daemon=True)
        reader.start()
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._newest is not None or self._is_over)
                    newest, self._newest = self._newest, None
                if newest is None:
                    break
                yield newest
        finally:
            self._is_over = True
        if self._error is not None:
            raise self._error

    def _read(self) -> None:
        try:
            for frame in self._frames:
                with self._changed:
                    if self._is_over:
                        return
                    self.num_dropped += self._newest is not None
                    self._newest = self._clock(), frame
                    self._changed.notify()
        except Exception as error:
            self._error = error
        finally:
            if self._is_over and (close := getattr(self._frames, "close", None)):
                close()  # nobody else can: a generator cannot be closed from another thread
            with self._changed:
                self._is_over = True
                self._changed.notify()
