"""The examples in docstrings of the public API do what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

from tests.videos import portrait_frames, write_video

PROJECT = Path(__file__).resolve().parent.parent

MODULES = (
    "dfjax.errors",
    "dfjax.faces.clips",
    "dfjax.models.detector",
    "dfjax.prediction",
    "dfjax.predictor",
    "dfjax.video.reading",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with what the examples name: a model and a clip."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "checkpoint").symlink_to(PROJECT / "checkpoint")
    write_video(folder / "clip.mp4", portrait_frames(10))
    return folder


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_give_what_they_show(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    module = importlib.import_module(name)
    results = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert results.attempted > 0 and results.failed == 0
