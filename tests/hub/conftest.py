"""A tiny checkpoint to publish, and a Hub on loopback to publish it on."""

import copy
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from dfjax.config import dumps
from dfjax.evaluation.metrics import DECISIONS, RANKING
from dfjax.reporting.card import model_card
from tests.hub.loopback_hub import WRITE_TOKEN, LoopbackHub
from tests.tiny import TINY_CONFIG, tiny_detector


def _record() -> dict[str, Any]:
    """Returns what the card states of a training, with figures that are all different."""
    numbers = itertools.count(501, 2)
    counts = itertools.count(1001)

    def figure() -> dict[str, Any]:
        low, value, high = (next(numbers) / 1000 for _ in range(3))
        return {"value": value, "interval": [low, high], "reason": None}

    def counted(*names: str) -> dict[str, int]:
        return {name: next(counts) for name in names}

    videos = ("videos", "real", "fake", "groups")
    return {
        "data": {
            "name": "FaceForensics++ c23",
            "about": "The stills are of a private album.",
            "train": counted(*videos, "clips"),
            "validation": counted(*videos, "clips"),
            "skipped": counted("no_face", "unreadable", "missing"),
            "fingerprint": "0123456789abcdef",
        },
        "train_config": {
            "steps": 431,
            "trained_stages": 2,
            "self_blended": 0.4,
            "partial_fakes": 0.3,
            "blend": {"ratios": [0.125, 0.875]},
            "seed": 5,
        },
        "versions": {"dfjax": "0.1.0", "jax": "0.10.2"},
        "seconds": 123.4,
        "step": 432,
        "published": "last",
        "command": "python train.py",
        "started_from": [
            {
                "step": 877,
                "command": "python train.py --out middle",
                "started_from": [{"step": 879, "command": "python train.py --out first"}],
            },
            {"step": 879, "command": "python train.py --out first"},
        ],
        "start_share": 0.41,
        "correction_share": 0.35,
        "rounding": {"largest_logit_change": 0.00123},
        "validation": {
            "split": "validation",
            "counts": {**counted(*videos, "clips", "frames"), "datasets": ["ffpp"]},
            "bootstrap": {"draws": 1009, "over": "source identity pairs"},
            "threshold": {"value": 0.3332},
            "video": {name: figure() for name in (*RANKING, *DECISIONS)},
            "frame": {name: figure() for name in (*RANKING, *DECISIONS)},
            "mean_of_frames": {
                **{name: figure() for name in RANKING},
                "sentence": "The LSTM was not shown to beat the mean of frames.",
            },
            "mean_over_methods": {"auc": figure()},
            "mean_over_datasets": {"auc": figure()},
            "confusion": counted("true_real", "false_fake", "false_real", "true_fake"),
            "operating_points": [
                {
                    "wanted_false_positive_rate": 0.05,
                    "fake_above": 0.4442,
                    "false_positive_rate": figure(),
                    "true_positive_rate": figure(),
                }
            ],
            "per_method": [
                {
                    "dataset": "ffpp",
                    "compression": "c23",
                    "method": method,
                    **counted("fake"),
                    "auc": figure(),
                    "tpr_at_5_percent_fpr": figure(),
                }
                for method in ("Deepfakes", "FaceSwap")
            ],
            "per_dataset": [
                {"dataset": "ffpp", **counted("real", "fake", "groups"), "auc": figure()}
            ],
            "per_compression": [
                {
                    "dataset": "ffpp",
                    "compression": "c23",
                    **counted("real", "fake", "groups"),
                    "auc": figure(),
                }
            ],
            "failures": {
                "known": True,
                **counted("no_face", "unreadable"),
                "counted_as_wrong": {"auc": figure()},
            },
        },
    }


_TRAINING = _record()


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
