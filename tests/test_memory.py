import os
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

KEPT = """
import ctypes
from pathlib import Path
from dfjax.memory import keep_freed
{first}
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
def held(): return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
before = held()
block = libc.malloc(ctypes.c_size_t(100_000_000))
ctypes.memset(block, 1, 100_000_000)
libc.free(ctypes.c_void_p(block))
print(held() - before)
"""


def _run(program: str, **variables: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", program]
    env = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    return subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, check=True, env=env | variables
    )


@pytest.mark.parametrize(("first", "is_one"), [("use_one_arena()", True), ("", False)])
def test_threads_share_one_arena_where_that_was_asked_for(first, is_one):
    arenas = re.findall(r"^Arena \d+:", _run(THREADS.format(first=first)).stderr, re.MULTILINE)
    assert (len(arenas) == 1) == is_one


def test_what_was_freed_is_given_back():
    assert int(_run(FREED).stdout) > 40_000_000


@pytest.mark.parametrize(
    ("first", "variables", "is_kept"),
    [
        ("keep_freed()", {}, True),
        ("", {}, False),
        ("keep_freed()", {"MALLOC_MMAP_MAX_": "9"}, False),
        ("keep_freed()", {"MALLOC_TRIM_THRESHOLD_": "9"}, False),
    ],
    ids=["asked for", "not asked for", "mappings are set", "trimming is set"],
)
def test_a_large_buffer_that_was_freed_is_kept_where_that_was_asked_for(first, variables, is_kept):
    held = int(_run(KEPT.format(first=first), **variables).stdout)
    assert (held > 90_000_000) == is_kept
