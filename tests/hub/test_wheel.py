"""The package as people install it: a wheel, with a model from the Hub."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import push_to_hub
from dfjax.version import __version__
from tests.hub.loopback_hub import LoopbackHub
from tests.hub.processes import PROJECT, hub_environment

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

REPO_ID = "owner/tiny"


def run(*command: str | Path, folder: Path, **options) -> str:
    done = subprocess.run(
        list(map(str, command)), cwd=folder, capture_output=True, text=True, timeout=240, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("out")
    shutil.copytree(PROJECT / "dfjax", source / "dfjax")
    (source / "docs").mkdir()
    for name in ("pyproject.toml", "LICENSE", "docs/package.md"):
        shutil.copy(PROJECT / name, source / name)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", out, folder=source)
    (built,) = out.iterdir()
    return built


def test_a_package_index_takes_the_wheel(wheel: Path):
    assert wheel.name == f"dfjax-{__version__}-py3-none-any.whl"
    said = run(sys.executable, "-m", "twine", "check", "--strict", wheel, folder=wheel.parent)
    assert "PASSED" in said


def test_an_installed_wheel_predicts_with_a_model_of_the_hub(
    wheel: Path, checkpoint: Path, hub: LoopbackHub, tmp_path: Path
):
    assert push_to_hub.main(["model", "--repo-id", REPO_ID, "--model", str(checkpoint)]) == 0
    installed, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index")
    run(*pip, "--target", installed, wheel, folder=tmp_path)
    elsewhere.mkdir()
    shutil.copy(PROJECT / "docs" / "sample.mp4", elsewhere / "clip.mp4")
    environment = hub_environment(hub, tmp_path / "home", None) | {"PYTHONPATH": str(installed)}
    where = run(
        sys.executable,
        "-c",
        "import dfjax; print(dfjax.__file__)",
        folder=elsewhere,
        env=environment,
    )
    assert Path(where.strip()).is_relative_to(installed)
    text = (PROJECT / "docs" / "package.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^python -m dfjax predict .*$", text, re.M)
    arguments = command.replace("OWNER/NAME", REPO_ID).split()[1:]
    said = run(sys.executable, *arguments, "--json", "-", folder=elsewhere, env=environment)
    report = json.loads(said)
    assert report["model"]["id"] == REPO_ID and report["frames"]


def test_the_description_installs_as_the_readme_does_while_no_index_has_the_package():
    readme, description = (
        (PROJECT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/package.md")
    )
    assert "dfjax is not on PyPI" in readme
    assert not re.search(r"pip install '?dfjax", description)
