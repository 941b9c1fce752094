"""How glibc holds memory: less where nothing uses it, more where it is wanted again at once."""

import ctypes
import os
from collections.abc import Callable

# Of `mallopt`, in glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
_NEVER = -1  # as a threshold

# Variables of the environment that say what is kept.
_KEEPING = {"MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"}


def use_one_arena() -> None:
    """Lets all threads take memory from one place. For programs, not for libraries.

    By default, each thread gets a place of its own, to which what it frees returns. Frames and
    crops are made in one thread and the networks' buffers in another, and then none can use what
    the other has freed. Threads that exist already keep theirs. `MALLOC_ARENA_MAX` goes before
    this; where there is no glibc, nothing happens.
    """
    change = _of_glibc("mallopt")
    if change is not None and "MALLOC_ARENA_MAX" not in os.environ:
        change(_M_ARENA_MAX, 1)


def keep_freed() -> None:
    """Keeps what is freed for whoever asks next. For programs that compute batch after batch.

    By default, glibc returns large buffers to the system at once. XLA takes the same ones again for
    the next batch, and the system then has to clear every page of them. The process may end up
    larger, because large and small buffers share one place. Not for libraries. If one of glibc's
    own variables for this is set, it takes precedence; where there is no glibc, nothing happens.
    """
    use_one_arena()
    change = _of_glibc("mallopt")
    if change is None or not _KEEPING.isdisjoint(os.environ):
        return
    change(_M_MMAP_MAX, 0)
    change(_M_TRIM_THRESHOLD, _NEVER)


def give_back() -> None:
    """Gives the system what was freed, such as after loading a model, which copies its weights."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(ctypes.c_size_t(0))


def _of_glibc(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None) if os.name == "posix" else None
