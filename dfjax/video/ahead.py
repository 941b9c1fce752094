"""Reads ahead in a thread: the next frames are decoded while the last ones are worked on."""

import queue
import threading
from collections.abc import Generator
from contextlib import closing
from typing import NamedTuple, TypeVar

_Item = TypeVar("_Item")


def read_ahead(items: Generator[_Item, None, None], most: int) -> Generator[_Item, None, None]:
    """Yields what a generator yields; it runs in a thread, up to `most` items ahead.

    An exception in it is raised here, after the items before it. If this generator is closed, so is
    the other one.

    Args:
      items: Not started yet, and not used by anyone else.
      most: Bounds the memory, at least 1.
    """
    results: queue.SimpleQueue[_Item | _End] = queue.SimpleQueue()
    room = threading.Semaphore(most)
    is_over = threading.Event()

    def run() -> None:
        error = None
        try:
            with closing(items):
                while room.acquire() and not is_over.is_set():
                    results.put(next(items))
        except StopIteration:
            pass
        except BaseException as caught:  # it is raised where it is waited for
            error = caught
        results.put(_End(error))

    thread = threading.Thread(target=run, name="read ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := results.get(), _End):
            room.release()
            yield item
        if item.error is not None:
            raise item.error
    finally:
        is_over.set()
        room.release()
        thread.join()


class _End(NamedTuple):
    """Nothing follows."""

    error: BaseException | None
