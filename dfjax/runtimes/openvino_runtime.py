"""Networks in OpenVINO, on the CPU."""

import sys
import threading
from typing import Any, Literal, cast

import numpy as np

from dfjax.runtimes.runtime import Network, num_threads


class OpenVinoRuntime:
    """Runs networks in OpenVINO. Holds its core."""

    def __init__(self, *, precision: Literal["f32", "bf16"] = "f32"):
        """Opens the device.

        Args:
          precision: In which networks are computed that may be rounded.
        """
        self._core = _import_openvino().Core()
        self._precision = precision
        self.rounds = precision != "f32"

    def load(self, model: bytes, *, may_round: bool = False) -> Network:
        """Prepares a network; see `Runtime.load`."""
        compiled = self._core.compile_model(
            self._core.read_model(model, b""),
            "CPU",
            {
                # Without it, OpenVINO computes in bfloat16 on processors that have it.
                "INFERENCE_PRECISION_HINT": self._precision if may_round else "f32",
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": num_threads(),
                # A thread pinned to a core where ffmpeg decodes would hold up all the others.
                "ENABLE_CPU_PINNING": False,
            },
        )
        request = compiled.create_infer_request()
        in_turn = threading.Lock()  # a request that is busy refuses another thread

        def run(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
            with in_turn:
                results = request.infer(dict(enumerate(arrays)))
                return tuple(np.array(results[output]) for output in compiled.outputs)

        return run


def _import_openvino() -> Any:
    """Returns the package `openvino`, imported without its telemetry.

    Importing it would otherwise start a process that reports the import to Google Analytics. Where
    `openvino_telemetry` is not installed, OpenVINO does without, so that is what it is told.
    """
    modules = cast(dict[str, Any], sys.modules)
    name = "openvino_telemetry"
    if name in modules:
        import openvino

        return openvino
    modules[name] = None  # makes an import of it fail
    try:
        import openvino
    finally:
        del modules[name]
    return openvino
