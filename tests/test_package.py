import importlib
import importlib.resources
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import dfjax
import dfjax.video

HOMES = {
    "Detector": "dfjax.models.detector",
    "DfjaxError": "dfjax.errors",
    "Prediction": "dfjax.prediction",
    "Predictor": "dfjax.predictor",
    "VideoError": "dfjax.errors",
}


def loaded_by(code: str) -> set[str]:
    """Returns the packages outside the standard library that a fresh Python loads to run `code`."""
    code = (
        "import atexit, sys; before = set(sys.modules)\n"
        "def report():\n"
        "    names = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "    print(*names - set(sys.stdlib_module_names), file=sys.stderr)\n"
        f"atexit.register(report)\n{code}"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return set(result.stderr.split())


@pytest.mark.parametrize("name, home", HOMES.items())
def test_the_package_gives_the_classes_of_its_modules(name, home):
    assert getattr(dfjax, name) is getattr(importlib.import_module(home), name)


def test_the_package_gives_what_it_lists_and_nothing_else():
    assert set(dfjax.__all__) == {*HOMES, "__version__"}
    assert set(dfjax.__all__) <= set(dir(dfjax))
    with pytest.raises(AttributeError, match="no attribute 'Classifier'"):
        _ = dfjax.Classifier


def test_what_is_not_python_is_installed_as_well():
    project = Path(__file__).resolve().parent.parent
    setup = tomllib.loads((project / "pyproject.toml").read_text())["tool"]["setuptools"]
    package = project / "dfjax"
    installed = {
        file for pattern in setup["package-data"]["dfjax"] for file in package.glob(pattern)
    }
    others = {
        file
        for file in package.rglob("*")
        if file.is_file() and file.suffix not in (".py", ".pyc") and file.name[0] != "."
    }
    assert others == installed
    assert any(file.suffix == ".html" for file in installed)


def test_type_checkers_may_read_the_packages_annotations():
    assert importlib.resources.files("dfjax").joinpath("py.typed").is_file()


def test_the_package_loads_no_library_before_it_is_needed():
    assert loaded_by("import dfjax, dfjax.video, dfjax.errors, dfjax.train_config") == {"dfjax"}


def test_reading_videos_loads_no_more_than_arrays_and_pictures():
    modules = [module.name for module in pkgutil.iter_modules(dfjax.video.__path__, "dfjax.video.")]
    # Pillow and numpy may load what they are built with, such as the runtime of Cython.
    loaded = {name for name in loaded_by(f"import {', '.join(modules)}") if "cython" not in name}
    assert loaded == {"dfjax", "numpy", "PIL"}


def test_training_and_evaluation_on_prepared_clips_load_nothing_that_reads_videos():
    loaded = loaded_by("import dfjax.training.run, dfjax.evaluation.run, dfjax.commands.evaluate")
    assert not loaded & {"imageio_ffmpeg", "mtcnn", "gradio", "transformers"}


@pytest.mark.parametrize("program", ["dfjax.__main__", "train", "push_to_hub"])
def test_the_help_of_the_command_line_waits_for_no_heavy_library(program):
    loaded = loaded_by(f"sys.argv = ['x', '--help']; from {program} import main; main()")
    assert "tyro" in loaded
    assert not loaded & {
        *("jax", "jaxlib", "flax", "gradio", "datasets", "huggingface_hub", "scipy"),
        *("httpx", "matplotlib", "transformers"),
    }
