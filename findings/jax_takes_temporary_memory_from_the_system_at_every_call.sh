#!/usr/bin/env bash
# One would guess: a compiled function of JAX keeps the temporary memory that XLA planned for it, or has a pool,
# so that calling it again costs the system nothing.
# What happens: on a CPU, every call asks malloc for the whole of it and frees it at the end. Above 32 MiB,
# glibc gets such a block from the system and gives it back at once, and the next call touches every page for
# the first time again: as many page faults as it has pages. Where mallopt has told malloc to keep what is
# freed, there are next to none.
# Version: jax and jaxlib 0.10.2, Linux with glibc. Source: XLA's own size of the temporary memory and the
# system's count of page faults, printed below. Huge pages are switched off, so that the counts are comparable.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2
"$folder/venv/bin/python" - <<'PYTHON'
import ctypes
import resource
import statistics

import jax
import jax.numpy as jnp
import jaxlib

CALLS = 21
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8
PR_SET_THP_DISABLE = 41

libc = ctypes.CDLL(None)
assert libc.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0
assert libc.mallopt(M_ARENA_MAX, 1) == 1
print("jax", jax.__version__, "jaxlib", jaxlib.__version__)

wide, narrow = jnp.ones((1024, 16384)) / 1024, jnp.ones((16384, 8)) / 16384
function = jax.jit(lambda x: (x @ wide) @ narrow).lower(jnp.ones((1024, 1024))).compile()
x = jnp.ones((1024, 1024))
temporary = function.memory_analysis().temp_size_in_bytes


def faults_per_call() -> float:
    counts = []
    for _ in range(CALLS):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        function(x).block_until_ready()
        counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    # Not the mean: a call may begin before the one before it has freed its memory, and the heap grows.
    return statistics.median(counts)


pages = temporary // resource.getpagesize()
usual = faults_per_call()
libc.mallopt(M_MMAP_MAX, 0)
libc.mallopt(M_TRIM_THRESHOLD, -1)
kept = faults_per_call()
print(f"temporary memory: {temporary / 2**20:.0f} MiB = {pages} pages")
print(f"page faults a call, median: {usual:.0f}; when malloc keeps what is freed: {kept:.0f}")
assert pages > 10_000
assert usual > 0.9 * pages
assert kept < 0.1 * pages
PYTHON
