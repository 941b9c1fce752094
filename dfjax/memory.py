"""Keeps glibc from holding memory that nothing uses."""

import ctypes
import os
from collections.abc import Callable

_M_ARENA_MAX = -8  # of `mallopt`, in glibc's malloc.h


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


def give_back() -> None:
    """Gives the system what was freed, such as after loading a model, which copies its weights."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(ctypes.c_size_t(0))


def _of_glibc(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None) if os.name == "posix" else None
