"""The choice of a runtime, and what the runtimes need."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dfjax.errors import DfjaxError, MissingExtraError, RuntimeChoiceError
from dfjax.predictor import Predictor
from dfjax.runtimes import runtime
from dfjax.runtimes.graph import Graph, Value
from dfjax.runtimes.runtime import chosen_runtime, open_runtime

_TELEMETRY = {"ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME"}


def test_the_runtime_is_the_argument_else_the_variable_else_jax(monkeypatch):
    monkeypatch.delenv("DFJAX_RUNTIME", raising=False)
    assert chosen_runtime() == "jax"
    monkeypatch.setenv("DFJAX_RUNTIME", "onnx")
    assert chosen_runtime() == "onnx"
    assert chosen_runtime("openvino") == "openvino"


def test_an_unknown_runtime_is_refused_with_those_that_there_are(monkeypatch):
    monkeypatch.setenv("DFJAX_RUNTIME", "torch")
    with pytest.raises(RuntimeChoiceError, match="'torch'.*DFJAX_RUNTIME.*jax, onnx, openvino"):
        Predictor.from_pretrained("checkpoint")


def test_a_runtime_that_is_not_installed_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"runtime onnx needs onnx.*\.\[onnx\]"):
        open_runtime("onnx")


def test_an_error_of_the_choice_is_one_that_the_command_line_shows():
    assert issubclass(RuntimeChoiceError, DfjaxError)


@pytest.mark.parametrize(
    ("asked", "quota", "threads"),
    [
        (None, None, 3),
        ("2", None, 2),
        ("8", None, 3),
        ("0", "max 100000\n", 3),
        ("all", "", 3),
        (None, "150000 100000\n", 2),
        ("1", "150000 100000\n", 1),
        (None, "1000 100000\n", 1),
    ],
)
def test_as_many_threads_compute_as_there_are_cores_for_them(
    monkeypatch, tmp_path, asked, quota, threads
):
    """Three cores, of which `NPROC` or a container's share may leave less."""
    monkeypatch.setattr(runtime.os, "sched_getaffinity", lambda pid: {3, 5, 7}, raising=False)
    monkeypatch.setattr(runtime, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.delenv("NPROC", raising=False)
    if asked is not None:
        monkeypatch.setenv("NPROC", asked)
    if quota is not None:
        (tmp_path / "cpu.max").write_text(quota)
    assert runtime.num_threads() == threads


def _sum_of_rows() -> bytes:
    """Returns a graph that adds the rows of [T,2], from the last to the first."""
    graph, step = Graph(), Graph("step_")
    step.add("Add", "total", "row", name="next_total")
    step.add("Identity", "next_total", name="so_far")
    rows = graph.scan(
        step,
        [Value("total", np.float32, (2,)), Value("row", np.float32, (2,))],
        [Value("next_total", np.float32, (2,)), Value("so_far", np.float32, (2,))],
        states=[graph.numbers(10.0, 20.0)],
        sequences=["rows"],
        reverse=True,
    )
    graph.add("Identity", rows, name="sums")
    return graph.model(
        [Value("rows", np.float32, ("rows", 2))], [Value("sums", np.float32, ("rows", 2))]
    )


@pytest.mark.parametrize("name", ["onnx", pytest.param("openvino", marks=pytest.mark.openvino)])
def test_a_loop_from_last_to_first_keeps_the_order_of_its_results(name):
    rows = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    (sums,) = open_runtime(name).load(_sum_of_rows())(rows)
    np.testing.assert_array_equal(sums, [[19, 32], [18, 30], [15, 26]])


@pytest.mark.openvino
@pytest.mark.parametrize(
    "name, may_round, precision",
    [
        ("openvino", False, "f32"),
        ("openvino", True, "f32"),
        ("openvino-bf16", False, "f32"),
        ("openvino-bf16", True, "bf16"),
    ],
)
def test_openvino_rounds_what_it_may_if_it_is_asked_to(name, may_round, precision):
    opened: Any = open_runtime(name)
    assert opened.rounds == (name == "openvino-bf16")
    core, asked = opened._core, []

    def compile_model(model, device, options):
        asked.append(options["INFERENCE_PRECISION_HINT"])
        return core.compile_model(model, device, options)

    opened._core = SimpleNamespace(read_model=core.read_model, compile_model=compile_model)
    opened.load(_sum_of_rows(), may_round=may_round)
    assert asked == [precision]


@pytest.mark.parametrize("name", ["onnx", pytest.param("openvino", marks=pytest.mark.openvino)])
def test_several_threads_may_run_a_network_at_once(name):
    run = open_runtime(name).load(_sum_of_rows())
    rows = [np.full((3000, 2), number, np.float32) for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        found = [sums for (sums,) in threads.map(run, rows)]
    for of_rows, sums in zip(rows, found, strict=True):
        np.testing.assert_array_equal(sums, run(of_rows)[0])


@pytest.mark.openvino
def test_openvino_is_imported_without_its_telemetry():
    code = (
        "import multiprocessing.process as processes, sys\n"
        "def start(self): raise SystemExit('a process was started')\n"
        "processes.BaseProcess.start = start\n"
        "from dfjax.runtimes.runtime import open_runtime\n"
        "open_runtime('openvino')\n"
        "print('openvino' in sys.modules, 'openvino_telemetry' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["True", "False"], done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="it keeps its number elsewhere")
def test_onnx_runtime_leaves_no_trace_of_its_telemetry(tmp_path):
    code = (
        "from tests.runtimes.test_runtime import _sum_of_rows\n"
        "from dfjax.runtimes.runtime import open_runtime\n"
        "print(open_runtime('onnx').load(_sum_of_rows()))"
    )
    folders = dict.fromkeys(("HOME", "TMPDIR"), str(tmp_path))
    kept = {k: v for k, v in os.environ.items() if k not in _TELEMETRY}
    done = subprocess.run(
        [sys.executable, "-c", code], env=kept | folders, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob("*"))
