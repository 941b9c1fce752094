"""Settings of the whole test run, and the real clips where they are present."""

import functools
import gc
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Before jax is imported: eight devices, so that sharded code is sharded in the tests, and the older
# emitters of XLA: most programs of tests are small, and these take less time to compile them.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["XLA_FLAGS"] = (
    "--xla_force_host_platform_device_count=8 --xla_cpu_use_fusion_emitters=false "
    + os.environ.get("XLA_FLAGS", "")
).strip()
# What one process has compiled, the others need not. Name a folder to keep it for the next run.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    _compiled = tempfile.TemporaryDirectory(prefix="dfjax-compiled-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _compiled.name
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
# Else each of over a hundred Python processes that the tests start compiles the whole package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ.pop("DFJAX_RUNTIME", None)
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")

_PROJECT = Path(__file__).resolve().parent.parent

_LONG_FILES = (
    "test_kills.py",
    "training/test_run.py",
    "training/test_step.py",
    "training/test_two_processes.py",
    "inference/test_runtimes_on_real_clips.py",
    "data/test_prepare_workers.py",
    "inference/test_one_road.py",
    "e2e/test_live.py",
    "hub/test_wheel.py",
)
"""Few tests that take long: begun last, they would leave the other workers without work."""

NODE_MODULES = Path(os.environ.get("DFJAX_NODE_MODULES") or _PROJECT / "node_modules")
"""Where npm has put onnxruntime-node, if it has."""


def _real_clips_root() -> Path | None:
    """Returns the folder that holds `data/` and `weights/`, or None where there is none."""
    root = Path(os.environ.get("DFJAX_REAL_CLIPS") or _PROJECT.parent / "shared")
    return root if (root / "data" / "ffpp").is_dir() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts long files first, and skips what needs something that is absent, with the reason."""
    places = {f"tests/{name}": place for place, name in enumerate(_LONG_FILES)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))
    reasons = {}
    if _real_clips_root() is None:
        reasons["real_clips"] = "no real clips: set DFJAX_REAL_CLIPS to a folder with data/ffpp"
    if importlib.util.find_spec("openvino") is None:
        reasons["openvino"] = "no OpenVINO: pip install '.[openvino]'"
    if importlib.util.find_spec("ray") is None:
        reasons["ray"] = "no Ray: pip install '.[ray]'"
    if importlib.util.find_spec("torch") is None:
        reasons["parity"] = "no torch: pip install '.[torch]'"
    if not (shutil.which("node") and (NODE_MODULES / "onnxruntime-node").is_dir()):
        reasons["node"] = "no Node with onnxruntime-node: npm install --no-save onnxruntime-node"
    if not os.environ.get("DFJAX_FRESH_ENVIRONMENT"):
        reasons["fresh_environment"] = "downloads 2 GB: set DFJAX_FRESH_ENVIRONMENT=1 to run it"
    for item in items:
        for marker in reasons.keys() & set(item.keywords):
            item.add_marker(pytest.mark.skip(reason=reasons[marker]))


def pytest_collection_finish() -> None:
    """Spares the garbage collector what stays to the end, which took it a twentieth of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def real_clips() -> Path:
    """The folder that holds `data/` and `weights/`; only for tests marked `real_clips`."""
    root = _real_clips_root()
    assert root is not None, "mark the test with @pytest.mark.real_clips"
    return root


@pytest.fixture(scope="module")
def blends_soon() -> Iterator[None]:
    """Fakes that evaluation blends are compiled quickly, since only a few are made."""
    from dfjax.augment.self_blend import self_blend
    from dfjax.train_config import BlendConfig
    from tests.compiling import COMPILE_SOON

    blend = functools.partial(self_blend, config=BlendConfig())
    with pytest.MonkeyPatch.context() as patch:
        quick = jax.jit(blend, compiler_options=COMPILE_SOON)
        patch.setattr("dfjax.evaluation.studies.self_blended._blend", quick)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Makes a skip a failure for the markers in DFJAX_REQUIRED_MARKERS, a list with commas.

    On a machine that is meant to run everything, a test that skips itself proves nothing.
    """
    report = yield
    required = set(filter(None, os.environ.get("DFJAX_REQUIRED_MARKERS", "").split(",")))
    if report.skipped and required & set(item.keywords):
        report.outcome = "failed"
        report.longrepr = f"skipped, but required here: {report.longrepr}"
    return report
