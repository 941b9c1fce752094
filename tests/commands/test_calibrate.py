"""Calibrating a model that was published without thresholds, and what becomes of it."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import jax.numpy as jnp
import numpy as np
import pytest

from dfjax.commands.calibrate import Calibrate, _write_missing_card
from dfjax.config import CropConfig, VideoConfig
from dfjax.data.prepared import MANIFEST_FILE, read_clips
from dfjax.data.store import ClipStore
from dfjax.data.trained_on import digests, write_trained_on
from dfjax.errors import DatasetError, DfjaxError
from dfjax.hub.model import build_model_folder
from dfjax.inference.jax_engine import JaxEngine
from dfjax.json_values import to_json_value
from dfjax.models.detector import Detector
from dfjax.models.gend import CAVEAT
from dfjax.models.linear_head import l2_normalized
from dfjax.models.pretrained import read_config
from dfjax.prediction import Decision
from tests.models.gend_files import write_gend
from tests.tiny import TINY_CONFIG, tiny_detector
from tests.training.prepared_set import write_prepared

VIDEO = VideoConfig(num_frames=32)
CROPS = CropConfig(image_size=32, anchor="box", margin=1.3, smoothing=0.0)


def _calibrate(model: Path, data: str, **options: Any) -> int:
    """Calibrates with high rates, because twelve groups of people are too few for lower ones."""
    rates: dict[str, Any] = {"max_false_positive_rate": 0.3, "max_false_negative_rate": 0.3}
    return Calibrate(model=str(model), data=(data,), **rates | options).run()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> str:
    """Crops of 48 groups, of which 12 are for validation; as GenD's config has them made."""
    folder = write_prepared(tmp_path_factory.mktemp("data"), groups=48, stills=0)
    _rewrite(folder, video=VIDEO, crops=CROPS)
    return folder


def _rewrite(folder: str, **parts) -> None:
    manifest = json.loads((Path(folder) / MANIFEST_FILE).read_text())
    manifest["config"] |= {name: to_json_value(part) for name, part in parts.items()}
    (Path(folder) / MANIFEST_FILE).write_text(json.dumps(manifest))


@pytest.fixture(scope="module")
def gend(data, tmp_path_factory) -> Path:
    """A GenD model whose head tells the fakes of the training split from the real clips."""
    folder = write_gend(tmp_path_factory.mktemp("gend") / "tiny")
    engine = JaxEngine(Detector.from_pretrained(folder), crops_per_batch=32)
    rows = list(read_clips(data, "train"))
    features = l2_normalized(jnp.stack([engine.encode(row.frames).mean(axis=0) for row in rows]))
    is_fake = np.array([bool(row.is_fake) for row in rows])
    difference = np.asarray(features[is_fake].mean(axis=0) - features[~is_fake].mean(axis=0))
    return write_gend(folder, direction=20 * difference / np.linalg.norm(difference))


@pytest.fixture
def copied(gend, tmp_path) -> Path:
    return Path(shutil.copytree(gend, tmp_path / "model"))


def test_a_model_without_thresholds_gives_verdicts_afterwards(copied, data, capsys):
    assert read_config(copied).calibration.caveat == CAVEAT
    weights = (copied / "model.safetensors").read_bytes()
    assert _calibrate(copied, data, max_false_negative_rate=0.25) == 0
    calibration = read_config(copied).calibration
    assert calibration.caveat is None and calibration.evidence is not None
    assert (calibration.false_positive_rate, calibration.false_negative_rate) == (0.3, 0.25)
    assert not Decision.from_calibration(calibration).is_withheld
    assert (copied / "model.safetensors").read_bytes() == weights
    values = json.loads((copied / "calibration.json").read_text())
    assert values["calibrated_on"]["split"] == "validation"
    assert values["calibrated_on"]["groups"] == 12
    assert values["calibrated_on"]["datasets"] == ["ffpp"]
    assert values["calibrated_on"]["max_false_negative_rate"] == 0.25
    printed = capsys.readouterr().out
    assert "Of 12 real videos it calls" in printed and "Of 24 fake videos it calls" in printed


def test_without_evidence_the_published_score_is_kept_and_only_its_scale_is_fitted(copied, data):
    _calibrate(copied, data, weigh_evidence=False, mirror_bursts=False)
    assert read_config(copied).calibration.evidence is None


def test_a_model_is_fitted_to_what_it_will_see(copied, data):
    scales = []
    for mirror_bursts in (True, False):
        _calibrate(copied, data, mirror_bursts=mirror_bursts)
        calibration = read_config(copied).calibration
        assert calibration.mirror_bursts == mirror_bursts
        scales.append(calibration.scale)
    assert scales[0] != scales[1]


def test_a_calibrated_copy_can_be_published(gend, data, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()  # empty, as good as new
    _calibrate(gend, data, out=copy)
    assert not (gend / "calibration.json").exists()
    files = build_model_folder(copy, tmp_path / "built", "owner/calibrated")
    assert {"calibration.json", "model.safetensors", "README.md"} <= set(files)
    card = (tmp_path / "built" / "README.md").read_text()
    assert "license: mit" in card and 'from_pretrained("owner/calibrated")' in card
    assert "12 real and 24 fake videos" in card
    assert read_config(tmp_path / "built") == read_config(copy)
    with pytest.raises(DfjaxError, match="already exists"):
        _calibrate(gend, data, out=copy)


@pytest.mark.parametrize(
    "training, licence",
    [({"license": "mit"}, "mit"), ({"license": "other"}, "other"), ({}, "cc-by-nc-4.0")],
)
def test_the_card_of_a_model_that_was_trained_here_has_the_licence_of_its_weights(
    tmp_path, training, licence
):
    tiny_detector().save_pretrained(tmp_path)
    (tmp_path / "training.json").write_text(json.dumps(training))
    fitted_on = {"real": 1, "fake": 2, "groups": 1, "datasets": ["ffpp"], "split": "validation"}
    result = Mock(folder=tmp_path, config=TINY_CONFIG, calibrated_on=fitted_on)
    assert _write_missing_card(str(tmp_path), result)
    assert f"\nlicense: {licence}\n" in (tmp_path / "README.md").read_text()


def test_a_card_from_before_is_kept_and_said_to_be_out_of_date(copied, data, capsys):
    (copied / "README.md").write_text("A card.")
    _calibrate(copied, data)
    assert (copied / "README.md").read_text() == "A card."
    assert "README.md there still states the thresholds" in capsys.readouterr().out
    (copied / "README.md").unlink()
    _calibrate(copied, data)
    assert (copied / "README.md").exists() and "still" not in capsys.readouterr().out


def test_too_few_people_give_no_verdict_and_a_sentence_that_says_so(copied, data, capsys):
    _calibrate(copied, data, max_false_positive_rate=0.01)
    calibration = read_config(copied).calibration
    assert Decision.from_calibration(calibration).is_withheld
    assert calibration.caveat is not None and calibration.caveat in capsys.readouterr().out


def test_crops_that_the_model_does_not_see_in_the_app_are_refused(copied, tmp_path):
    other = write_prepared(tmp_path / "data")
    _rewrite(other, video=VIDEO, crops=dataclasses.replace(CROPS, margin=1.0))
    with pytest.raises(DatasetError, match="margin 1.0;.* takes margin 1.3.*prepare .*--model"):
        _calibrate(copied, other)
    assert not (copied / "calibration.json").exists()


def test_people_whom_the_model_was_trained_on_are_refused_and_others_are_not(copied, data):
    (validated, *_) = ClipStore([data], "validation").clips
    write_trained_on(copied, digests(dataclasses.replace(validated, video_id="another")))
    with pytest.raises(DatasetError, match="was trained on ffpp/.*with --name"):
        _calibrate(copied, data)
    assert not (copied / "calibration.json").exists()
    clips = ClipStore([data], "train").clips
    write_trained_on(copied, frozenset().union(*map(digests, clips)))
    assert _calibrate(copied, data) == 0


def test_a_calibration_does_not_outlive_the_weights_that_it_is_for(copied, data):
    _calibrate(copied, data)
    detector = Detector.from_pretrained(copied)
    detector.save_pretrained(copied)
    assert not (copied / "calibration.json").exists()
    assert read_config(copied).calibration == detector.config.calibration


@pytest.mark.parametrize("name", ["max_false_positive_rate", "max_false_negative_rate"])
def test_rates_that_are_no_shares_are_refused(copied, data, name):
    with pytest.raises(DfjaxError, match=f"{name} is 5"):
        _calibrate(copied, data, **{name: 5})


def test_a_model_on_the_hub_is_not_calibrated_where_it_is(data):
    with pytest.raises(DfjaxError, match="owner/name is on the .* Give --out a new folder"):
        Calibrate(model="owner/name", data=(data,)).run()


def test_a_copy_keeps_what_its_weights_were_trained_on(copied, data, tmp_path):
    for name in ("training.json", "trained_on.txt"):
        (copied / name).write_text("{}")
    _calibrate(copied, data, out=tmp_path / "made" / "copy")
    for name in ("training.json", "trained_on.txt"):
        assert (tmp_path / "made" / "copy" / name).read_text() == "{}"
