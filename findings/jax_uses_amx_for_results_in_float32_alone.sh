#!/usr/bin/env bash
# One would guess: on a CPU with matrix units for bfloat16 (AMX), JAX multiplies two bfloat16 matrices with them, and
# fastest if the result is bfloat16 as well; and convolutions gain as products do.
# What happens: it uses them only if the result is asked for in float32 (`preferred_element_type`), which is several
# times as fast as a result in bfloat16. A convolution is as slow either way.
# Version: jax and jaxlib 0.10.2. Needs a processor with AMX ("amx_bf16" in /proc/cpuinfo). Source: the least of twenty
# times of compiled functions, printed below; x86_amxbf16.cc of YNNPACK, to which XLA hands products, has kernels of
# bfloat16 with sums in float32.
set -euo pipefail
grep -q amx_bf16 /proc/cpuinfo || { echo "needs a processor with AMX; this one has none, so nothing was tried" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PYTHON'
import time

import jax
import jax.numpy as jnp
import jaxlib

print("jax", jax.__version__, "jaxlib", jaxlib.__version__)


def rate(run, operations, *arguments):
    """Returns billions of operations a second."""
    run = jax.jit(run)
    jax.block_until_ready(run(*arguments))
    least = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        jax.block_until_ready(run(*arguments))
        least = min(least, time.perf_counter() - start)
    return operations / least / 1e9


def product(result):
    return lambda a, b: jnp.matmul(a, b, preferred_element_type=result)


def convolution(result):
    return lambda x, k: jax.lax.conv_general_dilated(
        x, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"),
        preferred_element_type=result,
    )


matrices = jnp.ones((1024, 4096), jnp.bfloat16), jnp.ones((4096, 1024), jnp.bfloat16)
pictures = jnp.ones((64, 16, 16, 128), jnp.bfloat16), jnp.ones((3, 3, 128, 128), jnp.bfloat16)
found = {
    (name, result.__name__): rate(make(result), 2 * count, *arguments)
    for name, make, count, arguments in (
        ("product", product, 1024 * 4096 * 1024, matrices),
        ("convolution", convolution, 64 * 16 * 16 * 9 * 128 * 128, pictures),
    )
    for result in (jnp.float32, jnp.bfloat16)
}
for (name, result), billions in found.items():
    print(f"{name} of bfloat16, result {result}: {billions:.0f} GFLOP/s")
assert found["product", "float32"] > 2 * found["product", "bfloat16"]
assert found["convolution", "float32"] < 1.5 * found["convolution", "bfloat16"]
PYTHON
