#!/usr/bin/env bash
# One would guess: of an array in JAX, len(x) is x.shape[0], wherever one of them works.
# What happens: in a function that is exported with a symbolic first size, as for any number of pictures, len(x) raises
# TypeError, while x.shape[0] works. Under jit, where every size is known, both do, so nobody notices before an export.
# Version: jax and jaxlib 0.10.2. Source: both ways, exported and run below.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2
"$folder/venv/bin/python" - <<'PYTHON'
import jax
import jax.numpy as jnp
import jaxlib
import numpy as np
from jax import export

print("jax", jax.__version__, "jaxlib", jaxlib.__version__)


def by_shape(x):
    return x.reshape(x.shape[0], -1)


def by_len(x):
    return x.reshape(len(x), -1)


pictures = np.zeros((3, 2, 2), np.float32)
assert jax.jit(by_len)(pictures).shape == jax.jit(by_shape)(pictures).shape == (3, 4)
of_any_number = jax.ShapeDtypeStruct(export.symbolic_shape("n, 2, 2"), jnp.float32)
exported = export.export(jax.jit(by_shape))(of_any_number)
print("by x.shape[0]:", exported.in_avals[0], "to", exported.out_avals[0])
try:
    export.export(jax.jit(by_len))(of_any_number)
except TypeError as error:
    print("by len(x): TypeError:", error)
else:
    raise SystemExit("len(x) works now")
PYTHON
