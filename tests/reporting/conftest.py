"""A tiny checkpoint to write cards for."""

from pathlib import Path
from typing import Any

import pytest

from tests.checkpoint import recorded_training, write_checkpoint


@pytest.fixture
def training() -> dict[str, Any]:
    """What training records, with figures that are all different."""
    return recorded_training()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny, untrained checkpoint with everything that a published one has. Do not change it."""
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"))
