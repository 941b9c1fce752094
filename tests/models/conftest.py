from pathlib import Path

import pytest

from dfjax.models.detector import Detector
from tests.models.tiny import make_detector


@pytest.fixture(scope="module")
def detector() -> Detector:
    return make_detector()


@pytest.fixture(scope="module")
def saved(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model of one file; tests copy it before they change it."""
    folder = tmp_path_factory.mktemp("saved")
    detector.save_pretrained(folder)
    return folder
