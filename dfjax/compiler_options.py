"""How XLA is asked to compile the networks."""

import functools
import os

import jax

_FUSIONS = "xla_cpu_experimental_ynn_fusion_type"


@functools.cache
def compiler_options() -> dict[str, str]:
    """Returns options for `jax.jit` with which the networks run fastest on the default device.

    From jaxlib 0.10.1 on, XLA hands convolutions on a CPU to YNNPACK. Eigen, which did them before,
    is faster for those of a ResNet and their gradients, and far faster for small ones in a loop, as
    MTCNN has them: measured with AVX2, not yet with AVX-512. Products and sums stay with YNNPACK.
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
