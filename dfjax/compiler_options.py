"""How XLA is asked to compile the networks."""

import functools
import os
from collections.abc import Callable
from typing import Any

import jax

_FUSIONS = "xla_cpu_experimental_ynn_fusion_type"


@functools.cache
def compiler_options() -> dict[str, str]:
    """Returns options for `jax.jit` with which the networks run fastest on the default device.

    From jaxlib 0.10.1 on, XLA hands convolutions on a CPU to YNNPACK. Eigen, which did them before,
    is faster for those of a ResNet and their gradients, and far faster for small ones in a loop, as
    MTCNN has them, with AVX2 and with AVX-512 alike. Products and sums stay with YNNPACK.
    `XLA_FLAGS` goes before this.
    """
    if jax.default_backend() != "cpu" or _FUSIONS in os.environ.get("XLA_FLAGS", ""):
        return {}
    options = {_FUSIONS: "LIBRARY_FUSION_TYPE_DOT,LIBRARY_FUSION_TYPE_REDUCE"}
    try:
        jax.jit(lambda: 0, compiler_options=options).lower().compile()
    except jax.errors.JaxRuntimeError:
        return {}  # a version of XLA that does not know the option, and so may do as it likes
    return options


def in_float32(run: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function to be compiled in which float32 numbers are multiplied as they are.

    TPUs would round them to bfloat16, and GPUs to TF32, if that were not asked against. On CPUs it
    makes no difference.
    """

    @functools.wraps(run)
    def traced(*args: Any) -> Any:
        with jax.default_matmul_precision("highest"):
            return run(*args)

    return traced
