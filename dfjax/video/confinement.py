"""Limits on the ffmpeg process that reads a stranger's file, set by the system and not by ffmpeg.

They are far above what any file needs that `VideoLimits` lets in: they end what has run away, such
as a decoder that asks for ever more memory, and whatever outlives a parent that was killed. They
are set from outside, right after the start: `preexec_fn` is unsafe in a process with threads, such
as those of jax.
"""

import contextlib
import os
import sys

if sys.platform == "linux":
    import resource

_BYTES = 4 << 30  # of memory, for any file
_BYTES_PER_PIXEL = 128  # more for large frames: 16 references and 4 threads, 10 bits
_FILE_BYTES = 8 << 30  # of what is re-encoded
_OPEN_FILES = 64
_LOWEST_PRIORITY = 19


def confine(pid: int, *, max_pixels: int, cpu_seconds: float, writes_file: bool) -> None:
    """Lowers the priority of a process that was just started and, on Linux, limits what it may use.

    Args:
      pid: The process.
      max_pixels: Pixels of the largest frame that it may have to decode.
      cpu_seconds: Processor time after which it is killed, of all its threads together.
      writes_file: Whether its output goes to a file. Otherwise it cannot write to any.
    """
    with contextlib.suppress(OSError):  # it has ended by itself, or a sandbox forbids this
        os.setpriority(os.PRIO_PROCESS, pid, _LOWEST_PRIORITY)
    if sys.platform == "linux":
        limits = {
            resource.RLIMIT_AS: _BYTES + _BYTES_PER_PIXEL * max_pixels,
            resource.RLIMIT_CPU: max(1, round(cpu_seconds)),
            resource.RLIMIT_FSIZE: _FILE_BYTES if writes_file else 0,
            resource.RLIMIT_NOFILE: _OPEN_FILES,
            resource.RLIMIT_CORE: 0,
        }
        for kind, limit in limits.items():
            with contextlib.suppress(OSError):
                _, most = resource.prlimit(pid, kind)  # no process may raise it again
                limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
                resource.prlimit(pid, kind, (limit, limit))
