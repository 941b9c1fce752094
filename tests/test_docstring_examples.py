"""The examples in docstrings of the public API do what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

from tests.tiny import tiny_detector
from tests.videos import portrait_frames, write_video

PROJECT = Path(__file__).resolve().parent.parent

OF_ANY_MODEL = (
    "dfjax.errors",
    "dfjax.faces.clips",
    "dfjax.prediction",
    "dfjax.predictor",
    "dfjax.video.reading",
)
OF_THE_SHIPPED_MODEL = ("dfjax.models.detector",)  # how many features it has


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with what the examples name: a model, which is a tiny one, and a clip."""
    folder = tmp_path_factory.mktemp("examples")
    tiny_detector().save_pretrained(folder / "checkpoint")
    write_video(folder / "clip.mp4", portrait_frames(10))
    return folder


@pytest.mark.parametrize("name", OF_ANY_MODEL)
def test_the_examples_give_what_they_show(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    _try_examples(name)


@pytest.mark.parametrize("name", OF_THE_SHIPPED_MODEL)
def test_the_examples_of_the_shipped_model_give_what_they_show(name, monkeypatch):
    monkeypatch.chdir(PROJECT)
    _try_examples(name)


def _try_examples(name: str) -> None:
    module = importlib.import_module(name)
    results = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert results.attempted > 0 and results.failed == 0
