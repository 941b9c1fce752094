"""How glibc holds memory: less where nothing uses it, more where it is wanted again at once."""

import ctypes
import os
from collections.abc import Callable

# Of `mallopt`, in glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
_INT_MAX = 2**31 - 1


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
    """Keeps what is freed for whoever asks next. For programs that do the same over and over.

    By default, glibc returns large buffers to the system at once. In training, and in scoring with
    large batches, XLA takes the same ones again for the next batch, and the system then has to
    clear every page of them: a tenth of the time on a CPU. The process ends up larger, by what it
    frees out of order. glibc's own variables go before this; where there is no glibc, nothing
    happens.
    """
    use_one_arena()
    change = _of_glibc("mallopt")
    if change is None:
        return
    if "MALLOC_MMAP_MAX_" not in os.environ:
        change(_M_MMAP_MAX, 0)
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        change(_M_TRIM_THRESHOLD, _INT_MAX)


def give_back() -> None:
    """Gives the system what was freed, such as after loading a model, which copies its weights."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(ctypes.c_size_t(0))


def _of_glibc(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None) if os.name == "posix" else None
