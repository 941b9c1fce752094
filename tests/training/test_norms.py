"""Training the norms of a vision transformer: what changes, and that it learns."""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file

from dfjax.encoder_config import CLIPConfig
from dfjax.errors import DfjaxError, TrainingError
from dfjax.head_config import DetectorConfig, LinearHeadConfig
from dfjax.models.detector import Detector
from dfjax.models.pretrained import read_tensors
from dfjax.train_config import TrainConfig
from dfjax.training.metrics_log import read_metrics
from dfjax.training.start import start
from dfjax.training.state import ModelParts, make_optimizer
from tests.models.clip_files import write_clip
from tests.models.gend_files import write_gend
from tests.tiny import TINY_CONFIG, tiny_detector
from tests.training.prepared_set import plain
from tests.training.short_run import short_run
from train import Arguments

SHAPE = CLIPConfig(
    image_size=32, patch_size=8, hidden_size=24, num_layers=2, num_heads=2, mlp_size=48
)
NORMS = plain(
    train="norms",
    steps=30,
    pairs=8,
    still_pairs=0,
    learning_rate=0.03,
    ema_decay=0.8,
    validate_every=30,
)


WITH_LINEAR_HEAD = dataclasses.replace(TINY_CONFIG, detector=LinearHeadConfig())


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip"), SHAPE)


@pytest.fixture(scope="module")
def trained(published, tmp_path_factory) -> Path:
    return short_run(tmp_path_factory.mktemp("run"), published, NORMS, LinearHeadConfig())


def test_it_learns_to_tell_real_crops_from_fakes_of_people_it_never_saw(trained):
    rows = read_metrics(trained)
    losses = [row["frame_loss"] for row in rows if "frame_loss" in row]
    assert np.mean(losses[-3:]) < 0.7 * losses[0]
    assert {"alignment", "uniformity"} <= rows[0].keys()
    (validation,) = [row["validation_auc"] for row in rows if "validation_auc" in row]
    assert validation > 0.9


def test_of_the_encoder_only_the_norms_change(trained, published):
    before = load_file(published / "model.safetensors")
    after = read_tensors(trained / "checkpoint")
    changed = {
        name
        for name, tensor in after.items()
        if name.startswith("encoder.")
        and not np.array_equal(
            tensor.astype(np.float16), before[name.removeprefix("encoder.")].astype(np.float16)
        )
    }
    norms = {name for name in after if "norm" in name or "layrnorm" in name}
    assert changed and changed <= norms
    assert not any(name.endswith(".weight") and after[name].ndim > 1 for name in norms)


def test_its_checkpoint_says_so_and_loads(trained):
    detector = Detector.from_pretrained(trained / "checkpoint")
    assert detector.config.detector == LinearHeadConfig(normalized=True)
    record = json.loads((trained / "checkpoint" / "training.json").read_text())
    assert record["correction_share"] is None


def test_all_norms_learn_at_the_same_rate_as_the_head(published):
    detector = start([str(published)], WITH_LINEAR_HEAD, seed=0).detector
    parts = ModelParts.of(detector, NORMS)
    optimizer = make_optimizer(NORMS, parts)
    state = optimizer.init(parts.params)
    ones = jax.tree.map(jnp.ones_like, parts.params)
    _, state = optimizer.update(ones, state, ones)  # the first step warms up
    updates, _ = optimizer.update(ones, state, ones)
    sizes = [float(np.abs(update).max()) for update in jax.tree.leaves(updates)]
    assert max(sizes) < 1.1 * min(sizes)


def test_norms_of_a_resnet_can_be_trained_too():
    parts = ModelParts.of(tiny_detector(), NORMS)
    trained = {path for path, _ in nnx.to_flat_state(parts.params) if path[0] == "encoder"}
    assert trained and all(path[-2] == "normalization" for path in trained)


def test_a_run_goes_on_from_a_published_gend_model(tmp_path):
    folder = write_gend(tmp_path)
    theirs = Detector.from_pretrained(folder)
    config = dataclasses.replace(theirs.config, encoder=TINY_CONFIG.encoder)
    detector = start([str(folder)], config, seed=0).detector
    assert detector.config.encoder == theirs.config.encoder
    with pytest.raises(TrainingError, match="in video: num_frames: 32 there, 8 here.*--new-crops"):
        start([str(folder)], WITH_LINEAR_HEAD, seed=0)


def test_what_cannot_be_meant_together_is_refused():
    both = Arguments(data=("x",), out=Path("y"), encoder="clip-l14", weights=("z",))
    with pytest.raises(DfjaxError, match="--encoder is clip-l14, and --weights is z"):
        both.starting_weights()
    lstm = Arguments(
        data=("x",),
        out=Path("y"),
        train=TrainConfig(train="norms"),
        detector=DetectorConfig(hidden_size=8),
    )
    with pytest.raises(DfjaxError, match="shapes the LSTM"):
        lstm.head()


def test_an_encoder_is_named_in_short_and_a_resnet_is_the_default():
    short = Arguments(data=("x",), out=Path("y"), encoder="clip-l14")
    assert short.starting_weights() == ("openai/clip-vit-large-patch14",)
    assert Arguments(data=("x",), out=Path("y")).starting_weights() == ("microsoft/resnet-50",)
