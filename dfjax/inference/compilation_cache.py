"""Keeps what JAX has compiled from one process to the next, in the user's own cache."""

import hashlib
import os
import platform
from pathlib import Path

from dfjax.errors import DfjaxError
from dfjax.files import require_writable


def use_compilation_cache() -> None:
    """Lets JAX keep what it compiles, before it is imported. For programs, not for libraries.

    `JAX_COMPILATION_CACHE_DIR` names another folder, and `JAX_ENABLE_COMPILATION_CACHE=false` turns
    it off; both are JAX's own. What is compiled for a CPU may use all of its instructions, so each
    kind has a folder, for a home that several machines share.
    """
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(base) / "dfjax" / f"jax-{_processor()}"
    try:
        require_writable(folder)
    except DfjaxError:
        return  # JAX would warn of every file that it cannot write
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder))
    # Most of what is compiled here takes less than the second from which JAX keeps it.
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")


def _processor() -> str:
    """Returns a hash of what the processor can do, 8 hex digits."""
    what = platform.machine() + platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        kinds = ("model name", "flags", "Features")
        what += "".join(sorted({line for line in lines if line.startswith(kinds)}))
    return hashlib.sha256(what.encode()).hexdigest()[:8]
