"""Lets threads that read files side by side hold no more memory than was set aside for them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Room:
    """An amount of memory that is shared. Whoever needs more than all of it gets it alone."""

    def __init__(self, num_bytes: int):
        """Takes how much there is."""
        self._num_bytes = num_bytes
        self._num_taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, num_bytes: int) -> Iterator[None]:
        """Waits until there is room for so many bytes, and takes them for as long as it is open."""
        needed = min(num_bytes, self._num_bytes)
        with self._changed:
            self._changed.wait_for(lambda: self._num_taken + needed <= self._num_bytes)
            self._num_taken += needed
        try:
            yield
        finally:
            with self._changed:
                self._num_taken -= needed
                self._changed.notify_all()
