import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboardX.proto import event_pb2

from dfjax.config import CalibrationConfig
from dfjax.evaluation.scores import video_scores
from dfjax.training.metrics_log import EVENTS_FOLDER, METRICS_FILE, MetricsLog, read_metrics
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


MESSAGES: Any = event_pb2  # protobuf makes its classes when it is imported


def _events(folder: Path) -> list[Any]:
    """Returns the TensorBoard events of a run, in order: records of length, CRC, event and CRC."""
    events = []
    for file in sorted((folder / EVENTS_FOLDER).iterdir()):
        data, place = file.read_bytes(), 0
        while place < len(data):
            (length,) = struct.unpack_from("<Q", data, place)
            events.append(MESSAGES.Event.FromString(data[place + 12 : place + 12 + length]))
            place += 16 + length
    return events


@pytest.mark.parametrize("start", [0, 2])
def test_tensorboard_hides_the_steps_that_are_done_again_and_not_the_one_before(tmp_path, start):
    with MetricsLog(tmp_path, start=start) as record:
        record.add(start + 1, {"loss": 0.5})
    events, begun = _events(tmp_path), MESSAGES.SessionLog.START
    assert [e.step for e in events if e.session_log.status == begun] == [start + 1]
    assert [e.step for e in events if e.summary.value] == [start + 1]


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
