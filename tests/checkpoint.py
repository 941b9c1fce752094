"""A tiny checkpoint with everything that a published one has, and what its training recorded."""

import itertools
from pathlib import Path
from typing import Any

from dfjax.evaluation.metrics import DECISIONS, RANKING
from dfjax.json_values import dumps
from dfjax.reporting.card import model_card
from tests.tiny import TINY_CONFIG, tiny_detector


def recorded_training() -> dict[str, Any]:
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
            "mean_over_methods": {"auc": figure(), "tpr_at_5_percent_fpr": figure()},
            "mean_over_datasets": {"auc": figure()},
            "confusion": counted("true_real", "false_fake", "false_real", "true_fake"),
            "verdicts": {label: counted("real", "uncertain", "fake") for label in ("real", "fake")},
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
                    **counted("fake", "real"),
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
                **{
                    name: {
                        key: figure() for key in ("auc", "balanced_accuracy", "false_positive_rate")
                    }
                    for name in ("left_out", "counted_as_wrong")
                },
            },
        },
    }


def write_checkpoint(folder: Path) -> Path:
    """Writes an untrained model with its card and record; returns the folder."""
    training = recorded_training()
    tiny_detector().save_pretrained(folder)
    (folder / "README.md").write_text(model_card(TINY_CONFIG, training=training), encoding="utf-8")
    (folder / "training.json").write_text(dumps(training), encoding="utf-8")
    return folder
