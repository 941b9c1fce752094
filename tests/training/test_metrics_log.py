import json

import numpy as np
import pytest

from dfjax.config import CalibrationConfig
from dfjax.evaluation.scores import video_scores
from dfjax.training.metrics_log import METRICS_FILE, MetricsLog, read_metrics
from tests.evaluation.clips import scored_set


def test_what_was_added_is_read_again(tmp_path):
    with MetricsLog(tmp_path, start=0) as record:
        record.add(1, {"loss": 0.5, "wait_share": 0.0})
        record.add(1, {"validation_auc": 0.75})
    assert read_metrics(tmp_path) == [
        {"step": 1, "loss": 0.5, "wait_share": 0.0},
        {"step": 1, "validation_auc": 0.75},
    ]
    assert any((tmp_path / "tensorboard").iterdir())


def test_steps_that_are_done_again_are_dropped_first(tmp_path):
    with MetricsLog(tmp_path, start=0) as record:
        for step in (1, 2, 3):
            record.add(step, {"loss": float(step)})
    with MetricsLog(tmp_path, start=2) as record:
        record.add(3, {"loss": 33.0})
    assert [row["loss"] for row in read_metrics(tmp_path)] == [1.0, 2.0, 33.0]


def test_a_rewrite_that_is_cut_off_keeps_every_line(tmp_path, monkeypatch):
    with MetricsLog(tmp_path, start=0) as record:
        for step in (1, 2, 3):
            record.add(step, {"loss": float(step)})

    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr("dfjax.files.os.replace", fail)
    with pytest.raises(OSError, match="disk is full"):
        MetricsLog(tmp_path, start=2)
    assert [row["loss"] for row in read_metrics(tmp_path)] == [1.0, 2.0, 3.0]


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path):
    line = json.dumps({"step": 1, "loss": 0.5})
    (tmp_path / METRICS_FILE).write_text(line + "\n" + line[:9])
    assert read_metrics(tmp_path) == [{"step": 1, "loss": 0.5}]


def test_curves_are_pictures(tmp_path):
    scores = {"ffpp": video_scores(scored_set(), CalibrationConfig())}
    with MetricsLog(tmp_path, start=0) as record:
        for step in range(1, 80):
            record.add(step, {"loss": float(np.exp(-step / 40))})
        record.add(79, {"validation_auc": 0.8})
        record.draw(scores)
    for name in ("loss.png", "roc.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
