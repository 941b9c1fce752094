"""A tiny checkpoint to publish, and a Hub on loopback to publish it on."""

from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest

from tests.checkpoint import write_checkpoint
from tests.hub.loopback_hub import WRITE_TOKEN, LoopbackHub
from tests.hub.sending import CARD
from tests.hub.small_project import write_project


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny, untrained checkpoint with everything that a published one has. Do not change it."""
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """An empty Hub that this process takes for the Hub, as its owner."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", WRITE_TOKEN)
    with LoopbackHub() as hub:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.url)
        yield hub
        huggingface_hub.close_session()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of small files, in place of a model."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "README.md").write_bytes(CARD)
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project in place of ours, to make a Space of."""
    return write_project(tmp_path / "project")
