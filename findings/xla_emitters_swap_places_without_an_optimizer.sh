#!/usr/bin/env bash
# One would guess: XLA has two ways to write the loops of a CPU program, with fusion emitters (the default) and
# without, and one of them compiles faster, whatever the optimization level; and level 0 by itself is the fastest
# that XLA can compile.
# What happens: at the default level, a program takes more time to compile without fusion emitters than with
# them. At level 0, it takes half as much without them as with them.
# Version: jax and jaxlib 0.10.2. Source: processor time of compiling one function with its gradients, the least
# of three turns, printed below; the options are those of `compiler_options` and of XLA_FLAGS.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2
JAX_PLATFORMS=cpu JAX_ENABLE_COMPILATION_CACHE=false "$folder/venv/bin/python" - <<'PYTHON'
import time

import jax
import jax.numpy as jnp
import jaxlib

print("jax", jax.__version__, "jaxlib", jaxlib.__version__)


def noisy(pictures, key):
    """Blends each picture with a blurred one, six times, and adds noise."""
    for key in jax.random.split(key, 6):
        share = jax.random.uniform(key, (len(pictures), 1, 1, 1))
        padded = jnp.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
        across = padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
        down = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1]
        blurred = (across + down) / 4 + 0.01 * jax.random.normal(key, pictures.shape)
        pictures = jnp.clip(share * pictures + (1 - share) * blurred, 0, 1)
    return pictures


def loss(kernels, pictures):
    for kernel in kernels:
        pictures = jax.lax.conv_general_dilated(
            pictures, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        mean, variance = pictures.mean((0, 1, 2)), pictures.var((0, 1, 2))
        pictures = jax.nn.relu((pictures - mean) * jax.lax.rsqrt(variance + 1e-5))
    return jnp.mean(pictures**2)


def step(kernels, pictures, key):
    return jax.value_and_grad(loss)(kernels, noisy(pictures, key))


kernels = [jnp.ones((3, 3, 3 if not layer else 16, 16)) for layer in range(8)]
arguments = kernels, jnp.ones((4, 32, 32, 3)), jax.random.key(0)


def seconds(**options):
    jax.clear_caches()
    lowered = jax.jit(step).lower(*arguments)
    start = time.process_time()
    lowered.compile(options)
    return time.process_time() - start


emitters = {"with": True, "without": False}
levels = {"default": {}, "0": {"xla_backend_optimization_level": 0}}
found = {
    (level, name): min(
        seconds(xla_cpu_use_fusion_emitters=value, **options) for _ in range(3)
    )
    for level, options in levels.items()
    for name, value in emitters.items()
}
for (level, name), least in found.items():
    print(f"level {level}, {name} fusion emitters: {least:.2f} s")
assert found["default", "without"] > 1.15 * found["default", "with"]
assert found["0", "with"] > 1.4 * found["0", "without"]
PYTHON
