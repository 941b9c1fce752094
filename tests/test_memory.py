import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="about glibc")

THREADS = """
import ctypes, threading
from dfjax.memory import use_one_arena
{first}
libc = ctypes.CDLL(None)
threads = [threading.Thread(target=libc.malloc, args=(1000,)) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.malloc_stats()
"""

FREED = """
import ctypes
from pathlib import Path
from dfjax.memory import give_back
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
blocks = [libc.malloc(10_000) for _ in range(5_000)]
for block in blocks: ctypes.memset(block, 1, 10_000)
kept = libc.malloc(10_000)
for block in blocks: libc.free(ctypes.c_void_p(block))
def held(): return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
before = held()
give_back()
print(before - held())
"""


def _run(program: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)


@pytest.mark.parametrize(("first", "is_one"), [("use_one_arena()", True), ("", False)])
def test_threads_share_one_arena_where_that_was_asked_for(first, is_one):
    arenas = re.findall(r"^Arena \d+:", _run(THREADS.format(first=first)).stderr, re.MULTILINE)
    assert (len(arenas) == 1) == is_one


def test_what_was_freed_is_given_back():
    assert int(_run(FREED).stdout) > 40_000_000
