"""The end of a run: what is published is what was measured."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from dfjax.config import CalibrationConfig
from dfjax.data.trained_on import TRAINED_ON_FILE, digests, read_trained_on
from dfjax.evaluation.calibration import calibrate_on, frozen_threshold
from dfjax.models.detector import Detector
from dfjax.models.pretrained import read_config, read_tensors
from dfjax.training import publish as publish_module
from dfjax.training.opening import OpenedRun, RunOptions, open_run
from dfjax.training.publish import publish
from tests.tiny import TINY_CONFIG
from tests.training.prepared_set import CONFIG, write_prepared


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> OpenedRun:
    """A run that goes on from a fresh detector."""
    folder = tmp_path_factory.mktemp("publish")
    Detector(TINY_CONFIG, rngs=nnx.Rngs(0)).save_pretrained(folder / "model")
    return open_run(
        [write_prepared(folder / "prepared")],
        [str(folder / "model")],
        folder / "run",
        train_config=CONFIG,
        detector_config=TINY_CONFIG.detector,
        options=RunOptions(command="python train.py", about_data="Drawn at random."),
    )


def _publish(opened: OpenedRun, out: Path, **options: Any) -> tuple[dict[str, Any], nnx.State]:
    """Publishes what the run would end with, had it moved all weights by 0.01; returns that too."""
    start = nnx.state(opened.detector)
    detector = nnx.clone(opened.detector)
    one = dataclasses.replace(
        opened,
        out=out,
        detector=detector,
        options=dataclasses.replace(opened.options, **options),
    )
    moved = jax.tree.map(lambda x: x + 0.01, start)
    return publish(one, moved, step=6), nnx.state(detector)


def test_the_checkpoint_is_to_the_bit_what_was_measured(opened, tmp_path):
    record, published = _publish(opened, tmp_path)
    loaded = Detector.from_pretrained(tmp_path / "checkpoint")
    jax.tree.map(np.testing.assert_array_equal, nnx.state(loaded), published)
    threshold = frozen_threshold(loaded.config.calibration)
    assert record["validation"]["threshold"]["value"] == threshold


def test_the_record_is_written_and_names_data_steps_and_command(opened, tmp_path):
    record, _ = _publish(opened, tmp_path)
    written = json.loads((tmp_path / "checkpoint" / "training.json").read_text())
    assert written == record
    assert record["step"] == 6 and record["command"] == "python train.py"
    assert record["data"]["about"] == "Drawn at random."
    assert record["data"]["validation"]["videos"] == 2 * 3 + 2


def test_whom_and_which_methods_it_was_trained_on_includes_what_it_started_from(opened, tmp_path):
    before = {"trained_methods": {"ffpp": ["FaceShifter"], "old": ["DFM"]}}
    earlier = dataclasses.replace(
        opened, trained_before=frozenset(("0" * 12,)), started_from=[before]
    )
    record, _ = _publish(earlier, tmp_path)
    assert record["data"]["trained_methods"] == {
        "ffpp": ["Deepfakes", "FaceShifter", "FaceSwap", "stills"],
        "old": ["DFM"],
    }
    lines = read_trained_on(tmp_path / "checkpoint")
    trained = [digests(clip) for clip in opened.data.store.clips]
    assert lines == frozenset(("0" * 12,)).union(*trained)
    assert not any(digests(clip) & lines for clip in opened.data.validation_clips)
    text = (tmp_path / "checkpoint" / TRAINED_ON_FILE).read_text()
    assert "ffpp" not in text and len(text) == 13 * len(lines)


@pytest.mark.parametrize("weighed", [False, True])
def test_a_model_of_evidence_is_fitted_if_asked_for(opened, tmp_path, monkeypatch, weighed):
    asked = []

    def calibrate(scored: Any, *, burst_frames: int | None, **others: Any) -> CalibrationConfig:
        asked.append(burst_frames)
        return calibrate_on(scored, burst_frames=burst_frames, **others)

    monkeypatch.setattr(publish_module, "calibrate_on", calibrate)
    config = dataclasses.replace(opened.train_config, weigh_evidence=weighed)
    _publish(dataclasses.replace(opened, train_config=config), tmp_path)
    assert asked == [TINY_CONFIG.video.burst_frames if weighed else None]


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_published_model_says_whether_bursts_are_to_be_mirrored(opened, tmp_path, mirrored):
    config = dataclasses.replace(opened.train_config, mirror_bursts=mirrored)
    _publish(dataclasses.replace(opened, train_config=config), tmp_path)
    assert read_config(tmp_path / "checkpoint").calibration.mirror_bursts == mirrored


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_as_much_of_the_start_is_published_as_was_asked(opened, tmp_path, share):
    _publish(opened, tmp_path / "run", start_share=share)
    opened.detector.save_pretrained(tmp_path / "start")
    found, start = (read_tensors(tmp_path / name) for name in ("run/checkpoint", "start"))
    for name, tensor in start.items():
        if "correction_head" not in name:  # of it as much counts as validation says
            moved = found[name].astype(np.float64) - tensor
            np.testing.assert_allclose(
                moved, 0.01 * (1 - share), rtol=0, atol=2e-3 * np.abs(tensor).max() + 1e-5
            )
