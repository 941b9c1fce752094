"""A tiny checkpoint to publish, and a Hub on loopback to publish it on."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from dfjax.config import dumps
from dfjax.hub.card import model_card
from tests.hub.loopback_hub import WRITE_TOKEN, LoopbackHub
from tests.tiny import TINY_CONFIG, tiny_detector

_TRAINING = {
    "data": {
        "name": "FaceForensics++ c23",
        "train": {"videos": 190, "clips": 192, "real": 129, "fake": 161, "groups": 132},
        "validation": {"videos": 236, "clips": 237, "real": 212, "fake": 224, "groups": 221},
        "skipped": {"no_face": 17, "unreadable": 19},
        "fingerprint": "0123456789abcdef",
    },
    "train_config": {"steps": 431, "learning_rate": 0.0007, "seed": 5},
    "versions": {"dfjax": "0.1.0", "jax": "0.10.2"},
    "seconds": 123.4,
    "command": "python train.py",
    "validation": {
        "auc": 0.7123,
        "auc_interval": [0.5512, 0.8432],
        "num_bootstrap": 1009,
        "interval_over": "source identity pairs",
        "auc_mean_of_frames": 0.7034,
        "auc_mean_of_frames_interval": [0.5411, 0.8333],
        "threshold": 0.8321,
        "confusion": {"true_real": 71, "false_fake": 72, "false_real": 73, "true_fake": 74},
        "balanced_accuracy": 0.6543,
        "per_method": {
            "Deepfakes": {"auc": 0.8456, "videos": 81},
            "FaceSwap": {"auc": 0.6789, "videos": 82},
        },
        "videos": 235,
    },
}


@pytest.fixture
def training() -> dict[str, Any]:
    """What training records, with figures that are all different."""
    return copy.deepcopy(_TRAINING)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny, untrained checkpoint with everything that a published one has. Do not change it."""
    folder = tmp_path_factory.mktemp("checkpoint")
    tiny_detector().save_pretrained(folder)
    (folder / "README.md").write_text(model_card(TINY_CONFIG, training=_TRAINING), encoding="utf-8")
    (folder / "training.json").write_text(dumps(_TRAINING), encoding="utf-8")
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """An empty Hub that this process takes for the Hub, as its owner."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", WRITE_TOKEN)
    with LoopbackHub() as hub:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.url)
        yield hub
        huggingface_hub.close_session()
