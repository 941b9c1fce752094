"""What a run starts from: which models it takes, and what it makes of several."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from flax import nnx

from dfjax.config import Config
from dfjax.encoder_config import CLIPConfig
from dfjax.errors import TrainingError
from dfjax.models.detector import Detector
from dfjax.models.pretrained import read_tensors
from dfjax.training.start import start
from tests.tiny import TINY_CONFIG
from tests.training.prepared_set import write_weights


def _write(folder: Path, seed: int = 0, config: Config = TINY_CONFIG) -> str:
    Detector(config, rngs=nnx.Rngs(seed)).save_pretrained(folder)
    return str(folder)


def test_of_several_models_the_mean_is_taken(tmp_path):
    folders = [_write(tmp_path / str(seed), seed) for seed in range(3)]
    begin = start(folders, TINY_CONFIG, seed=0)
    begin.detector.save_pretrained(tmp_path / "mean")
    found, *each = (read_tensors(tmp_path / name) for name in ("mean", "0", "1", "2"))
    assert len(begin.records) == 3
    for name, tensor in found.items():
        mean = np.mean([one[name].astype(np.float64) for one in each], axis=0)
        np.testing.assert_allclose(tensor, mean, rtol=2e-3, atol=1e-5, err_msg=name)


def test_one_model_is_taken_to_the_bit(tmp_path):
    detector = start([_write(tmp_path / "one")], TINY_CONFIG, seed=1).detector
    detector.save_pretrained(tmp_path / "again")
    again = read_tensors(tmp_path / "again")
    for name, tensor in read_tensors(tmp_path / "one").items():
        np.testing.assert_array_equal(again[name], tensor, err_msg=name)


def test_which_faces_count_may_be_chosen_anew_and_what_a_crop_shows_may_not(tmp_path):
    folder = _write(tmp_path / "one")
    crops = TINY_CONFIG.crops
    sharper = dataclasses.replace(TINY_CONFIG, crops=dataclasses.replace(crops, min_detail=0.1))
    detector = start([folder], sharper, seed=0).detector
    assert detector.config.crops.min_detail == 0.1
    wider = dataclasses.replace(TINY_CONFIG, crops=dataclasses.replace(crops, margin=2.0))
    with pytest.raises(TrainingError, match="in crops: margin: 1.0 there, 2.0 here.*--new-crops"):
        start([folder], wider, seed=0)
    detector = start([folder], wider, seed=0, new_crops=True).detector
    assert detector.config.crops.margin == 2.0


def test_another_head_is_refused_with_what_helps_and_dropout_is_free(tmp_path):
    folder = _write(tmp_path / "one")
    head = dataclasses.replace(TINY_CONFIG.detector, hidden_size=4)
    with pytest.raises(TrainingError, match="hidden_size: 8 there, 4 here.*--detector.* options"):
        start([folder], dataclasses.replace(TINY_CONFIG, detector=head), seed=0, new_crops=True)
    head = dataclasses.replace(TINY_CONFIG.detector, dropout=0.4)
    config = dataclasses.replace(TINY_CONFIG, detector=head)
    assert start([folder], config, seed=0).detector.config.detector == head


def test_crops_that_do_not_fit_a_vision_transformer_are_refused_with_the_size_that_does(tmp_path):
    crops = dataclasses.replace(TINY_CONFIG.crops, image_size=32)
    encoder = CLIPConfig(
        image_size=32, patch_size=8, hidden_size=24, num_layers=1, num_heads=2, mlp_size=48
    )
    config = dataclasses.replace(TINY_CONFIG, encoder=encoder, crops=crops)
    folder = _write(tmp_path / "clip", config=config)
    larger = dataclasses.replace(TINY_CONFIG, crops=dataclasses.replace(crops, image_size=48))
    with pytest.raises(TrainingError, match="--image-size 32"):
        start([folder], larger, seed=0, new_crops=True)


def test_an_encoder_has_no_mean_with_a_detector(tmp_path):
    encoder = write_weights(tmp_path / "encoder")
    with pytest.raises(TrainingError, match="encoder is not a detector"):
        start([_write(tmp_path / "one"), encoder], TINY_CONFIG, seed=0)


def test_detectors_with_different_encoders_have_no_mean(tmp_path):
    encoder = dataclasses.replace(TINY_CONFIG.encoder, depths=(1, 2))
    deeper = dataclasses.replace(TINY_CONFIG, encoder=encoder)
    folders = [_write(tmp_path / "one"), _write(tmp_path / "deeper", config=deeper)]
    with pytest.raises(TrainingError, match=r"of \S+deeper is not that of \S+one, .* depths: 1: 2"):
        start(folders, TINY_CONFIG, seed=0)


def test_nothing_to_start_from_is_said():
    with pytest.raises(TrainingError, match="--weights is empty"):
        start([], TINY_CONFIG, seed=0)
