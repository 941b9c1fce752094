"""The interface of runtimes other than JAX, and the choice between them."""

import contextlib
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np

from dfjax.errors import RuntimeChoiceError
from dfjax.extras import require_extra

RuntimeName = Literal["jax", "onnx", "openvino", "openvino-bf16"]
"""JAX is the reference. The last one computes most of the encoder in bfloat16, the others in
float32."""

VARIABLE = "DFJAX_RUNTIME"

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""In a container under cgroup v2, its share of the processor: microseconds, and of how many."""

Network = Callable[..., tuple[np.ndarray, ...]]
"""A network that is ready to run: takes its inputs and returns its outputs, in their order. Several
threads may call it at once."""


class Runtime(Protocol):
    """Runs networks that are given as ONNX graphs. Not thread-safe."""

    rounds: bool
    """Whether networks that may be rounded are."""

    def load(self, model: bytes, *, may_round: bool = False) -> Network:
        """Prepares a network.

        Args:
          model: An ONNX file, as from `Graph.model`.
          may_round: Whether it may be computed in fewer bits than float32, if this runtime
            `rounds`.
        """
        ...


def chosen_runtime(argument: str | None = None) -> RuntimeName:
    """Returns which runtime to use: the argument, else `DFJAX_RUNTIME`, else JAX.

    Raises:
      RuntimeChoiceError: It is no runtime of dfjax.
    """
    name = argument or os.environ.get(VARIABLE) or "jax"
    for known in get_args(RuntimeName):
        if name == known:
            return known
    raise RuntimeChoiceError(
        f"The runtime is {name!r}, from --runtime or {VARIABLE}; it must be one of "
        f"{', '.join(get_args(RuntimeName))}."
    )


def open_runtime(name: RuntimeName) -> Runtime:
    """Returns a runtime other than JAX.

    Raises:
      MissingExtraError: Its packages are not installed.
      ValueError: `name` is "jax", which needs no graphs.
    """
    match name:
        case "onnx":
            require_extra("onnx", "The runtime onnx")
            from dfjax.runtimes.onnx_runtime import OnnxRuntime

            return OnnxRuntime()
        case "openvino" | "openvino-bf16":
            require_extra("openvino", f"The runtime {name}")
            from dfjax.runtimes.openvino_runtime import OpenVinoRuntime

            return OpenVinoRuntime(precision="bf16" if name == "openvino-bf16" else "f32")
        case "jax":
            raise ValueError("JAX runs the modules themselves: use dfjax.Detector and JaxEngine.")


def num_threads() -> int:
    """Returns how many threads to compute with: one for each core that this process may use.

    `NPROC` may ask for fewer; it is XLA's own variable, and so holds in every runtime.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    asked = os.environ.get("NPROC", "")
    if asked.isdecimal() and int(asked) > 0:
        cores = min(cores, int(asked))
    with contextlib.suppress(OSError, ValueError):  # no cgroup v2 here, or "max": no limit
        used, of = map(int, _QUOTA.read_text(encoding="ascii").split())
        cores = min(cores, math.ceil(used / of))
    return cores
