import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from dfjax.extras import MODULES
from tests.tiny import tiny_detector
from tests.videos import moving_pattern, write_video

PROJECT = Path(__file__).resolve().parent.parent
METADATA = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
EXTRAS = METADATA["optional-dependencies"]

# flax and huggingface_hub need these themselves, so they are there without the extra as well.
BROUGHT_BY_CORE = {"fsspec", "optax", "orbax", "yaml"}
# tyro, of the core, imports it wherever it is installed.
SOUGHT_BY_CORE = {"torch"}

MARKERS = {"openvino": "openvino", "ray": "ray", "torch": "parity"}  # of extras that may be absent


def run_without(modules: set[str], script: str, *arguments: str | Path, folder: Path):
    """Runs a script of the project from `folder`, as if `modules` were not installed."""
    code = (
        "import runpy, sys\n"
        f"sys.modules |= dict.fromkeys({sorted(modules)!r})\n"  # None: an import of it fails
        f"sys.path.insert(0, {str(PROJECT)!r})\n"
        f"runpy.run_path({str(PROJECT / script)!r}, run_name='__main__')"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def test_the_space_installs_the_core_and_the_extras_that_it_uses():
    lines = (PROJECT / "requirements.txt").read_text().splitlines()
    installed = [line.partition("#")[0].strip() for line in lines]
    expected = {
        *METADATA["dependencies"],
        *(line for extra in ("app", "onnx", "provenance", "train") for line in EXTRAS[extra]),
    }
    assert sorted(filter(None, installed)) == sorted(expected)


@pytest.mark.parametrize("extra", ["onnx", "openvino"])
def test_an_onnx_that_cannot_hold_weights_in_bfloat16_is_not_allowed(extra):
    """Up to 1.18, `numpy_helper.from_array` refuses the bfloat16 of ml_dtypes."""
    (wanted,) = [one for one in map(Requirement, EXTRAS[extra]) if one.name == "onnx"]
    assert wanted.specifier.contains("1.19.0") and not wanted.specifier.contains("1.18.0")


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(
            extra, marks=[getattr(pytest.mark, MARKERS[extra])] if extra in MARKERS else []
        )
        for extra in MODULES
    ],
)
def test_an_extra_is_looked_for_by_the_modules_of_all_its_packages(extra):
    homes = importlib.metadata.packages_distributions()
    packages = {homes[module][0].lower() for module in MODULES[extra]}
    assert packages == {Requirement(line).name.lower() for line in EXTRAS[extra]}


@pytest.mark.parametrize(
    "extra, hidden, script, arguments",
    [
        ("app", "gradio", "app.py", ()),
        ("app", "skimage", "app.py", ()),
        ("train", "datasets", "train.py", ("--data", "set", "--out", "run")),
        ("train", "transformers", "train.py", ("--data", "set", "--out", "run")),
        ("train", "datasets", "dfjax/__main__.py", ("prepare", "ffpp", "set", "--out", "run")),
        ("train", "sklearn", "dfjax/__main__.py", ("evaluate", "set", "--out", "run")),
        ("scan", "pyarrow", "dfjax/__main__.py", ("scan", "in", "--out", "run")),
        ("ray", "ray", "dfjax/__main__.py", ("scan", "in", "--out", "run", "--ray")),
        ("train", "datasets", "push_to_hub.py", ("model", "--repo-id", "a/b")),
        ("train", "matplotlib", "push_to_hub.py", ("space", "--repo-id", "a/b")),
        (
            *("onnx", "onnxruntime", "dfjax/__main__.py"),
            ("export", "checkpoint", "--format", "onnx", "--out", "out"),
        ),
        (
            *("stablehlo", "flatbuffers", "dfjax/__main__.py"),
            ("export", "checkpoint", "--format", "stablehlo", "--out", "out"),
        ),
    ],
)
def test_a_missing_extra_is_named_in_one_sentence_before_any_work(
    extra, hidden, script, arguments, tmp_path
):
    result = run_without({hidden}, script, *arguments, folder=tmp_path)
    said = " ".join(result.stderr.split())
    assert result.returncode == 1
    assert f" needs {hidden}, not installed here" in said and f" its extra {extra}, " in said
    assert f"pip install '.[{extra}]'" in said and "dfjax[" not in said  # others may take that name
    assert said.count(". ") == 0 and said.endswith(".")
    assert result.stdout == "" and "Traceback" not in said
    assert not any(tmp_path.iterdir())


def test_judging_a_video_needs_no_extra(tmp_path):
    tiny_detector().save_pretrained(tmp_path / "model")
    write_video(tmp_path / "clip.mp4", moving_pattern(10))
    hidden = {module for modules in MODULES.values() for module in modules} - BROUGHT_BY_CORE
    hidden -= SOUGHT_BY_CORE
    arguments = ("predict", "clip.mp4", "--model", "model")
    result = run_without(hidden, "dfjax/__main__.py", *arguments, folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "no face" in result.stdout


@pytest.mark.parametrize("kind", ["onnx", "stablehlo"])
def test_an_export_needs_its_own_extra_alone(kind, tmp_path):
    tiny_detector().save_pretrained(tmp_path / "model")
    others = {module for extra in MODULES.keys() - {kind} for module in MODULES[extra]}
    hidden = others - {*MODULES[kind]} - BROUGHT_BY_CORE - SOUGHT_BY_CORE
    arguments = ("export", "model", "--format", kind, "--out", "out")
    result = run_without(hidden, "dfjax/__main__.py", *arguments, folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert any((tmp_path / "out").iterdir())
