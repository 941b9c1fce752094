"""Networks in ONNX Runtime, on the CPU."""

import functools
import os
from typing import Any

import numpy as np

from dfjax.runtimes.runtime import Network, num_threads


class OnnxRuntime:
    """Runs networks in ONNX Runtime, always in float32."""

    rounds = False

    def load(self, model: bytes, *, may_round: bool = False) -> Network:
        """Prepares a network; see `Runtime.load`. It never rounds."""
        del may_round
        onnxruntime = _import_onnxruntime()
        options = onnxruntime.SessionOptions()
        # Set explicitly, or ONNX Runtime would also pin its threads to cores.
        options.intra_op_num_threads = num_threads()
        # Idle threads would otherwise spin, and take the cores from ffmpeg and Pillow.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.use_env_allocators", "1")
        options.log_severity_level = 3  # errors
        _share_memory(onnxruntime)
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        names = [value.name for value in session.get_inputs()]

        def run(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
            outputs = session.run(None, dict(zip(names, arrays, strict=True)))
            return tuple(np.asarray(output) for output in outputs)

        return run


@functools.cache
def _share_memory(onnxruntime: Any) -> None:
    """Lets all networks take memory from one place, which no network gives back to the system.

    Otherwise each has a place of its own, as large as what it ever needed.
    """
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(memory, None)  # None: as each would be


def _import_onnxruntime() -> Any:
    """Returns the package `onnxruntime`, imported without its telemetry.

    By default, its official builds report to Microsoft the kind of machine, the path of Python, and
    a number that is kept in the user's own cache.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when it is imported
    import onnxruntime

    return onnxruntime
