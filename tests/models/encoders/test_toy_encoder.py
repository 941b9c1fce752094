"""A new encoder is one class and its config: nothing else in dfjax has to know of it."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

from dfjax.config import Config
from dfjax.encoder_config import EncoderConfig, NormalizationConfig
from dfjax.errors import ModelFormatError, TrainingError
from dfjax.models.detector import Detector
from dfjax.models.encoders import Encoder, load_encoder
from dfjax.models.tensors import PublishedTensor, VariablePath, to_tensors
from dfjax.predictor import Predictor
from dfjax.training.state import ModelParts
from tests.models.tiny import assert_same_weights, filled
from tests.tiny import TINY_CONFIG
from tests.training.prepared_set import plain
from tests.training.short_run import short_run
from tests.videos import portrait_frames, write_video

STEM, HEAD = "encoder.toy.patches.weight", "encoder.toy.mixer.weight"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ToyConfig(EncoderConfig):
    """Of an encoder of square patches."""

    type: ClassVar[str] = "toy-patches"

    normalization: NormalizationConfig = NormalizationConfig(mean=(0.5, 0.5, 0.5))
    patch: int = 8
    features: int = 6


class Toy(Encoder[ToyConfig]):
    """One matrix for the pixels of a patch, and one for what it gives."""

    config_class = ToyConfig
    published_types = ("toy",)

    def __init__(self, config: ToyConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.patches = nnx.Linear(3 * config.patch**2, 5, use_bias=False, rngs=rngs)
        self.mixer = nnx.Linear(5, config.features, use_bias=False, rngs=rngs)

    @property
    def num_features(self) -> int:
        return self.config.features

    @property
    def num_stages(self) -> int:
        return 2

    def stage_of(self, path: VariablePath) -> int:
        return ("patches", "mixer").index(path[0])

    @classmethod
    def published(cls, path: VariablePath) -> PublishedTensor:
        return PublishedTensor(f"toy.{path[0]}.weight", (1, 0))  # as torch has them: [out, in]

    @classmethod
    def config_of_files(cls, values: Mapping[str, Any], where: str) -> ToyConfig:
        return ToyConfig(patch=values["patch_size"])

    @classmethod
    def known_name(cls, name: str) -> str | None:
        return None if name == "toy.head" else name

    def feature_map(self, images: jax.Array, **options: Any) -> jax.Array:
        del options
        side = self.config.patch
        count, height, width, _ = images.shape
        shape = (count, height // side, side, width // side, side, 3)
        patches = images.reshape(shape).transpose(0, 1, 3, 2, 4, 5)
        return self.mixer(jnp.tanh(self.patches(patches.reshape(*patches.shape[:3], -1))))


CONFIG: Config = dataclasses.replace(TINY_CONFIG, encoder=ToyConfig())


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """Files of the toy as somebody else would publish them."""
    folder = tmp_path_factory.mktemp("published")
    encoder = filled(lambda rngs: Toy(ToyConfig(), rngs=rngs))
    (folder / "config.json").write_text(json.dumps({"model_type": "toy", "patch_size": 8}))
    tensors = to_tensors(encoder, Toy.published) | {"toy.head": np.zeros(3, np.float32)}
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def trained(published, tmp_path_factory) -> Path:
    """The checkpoint of a run of two steps that trains the last stage."""
    config = plain(steps=2, still_pairs=0, trained_stages=1)
    folder = tmp_path_factory.mktemp("run")
    return short_run(folder, published, config, TINY_CONFIG.detector) / "checkpoint"


def _tensors(folder: Path) -> dict[str, np.ndarray]:
    return {k: v for file in folder.glob("*.safetensors") for k, v in load_file(file).items()}


def test_it_trains_and_only_the_stage_that_is_asked_for_changes(trained, published):
    before, after = _tensors(published), _tensors(trained)
    for theirs, ours, is_trained in (
        ("toy.patches.weight", STEM, False),
        ("toy.mixer.weight", HEAD, True),
    ):
        # Kernels are published with the digits of float16.
        same = np.array_equal(before[theirs].astype(np.float16), after[ours].astype(np.float16))
        assert same != is_trained, ours


@pytest.mark.parametrize(
    "trained_stages, trained", [(0, set()), (1, {"mixer"}), (2, {"mixer", "patches"})]
)
def test_its_last_stages_are_trained_first(trained_stages, trained):
    detector = filled(lambda rngs: Detector(CONFIG, rngs=rngs))
    parts = ModelParts.of(detector, plain(trained_stages=trained_stages))
    paths = [path for path, _ in nnx.to_flat_state(parts.params)]
    assert {path[1] for path in paths if path[0] == "encoder"} == trained


def test_its_type_stands_in_the_config_and_it_loads_and_predicts(trained, tmp_path):
    values = json.loads((trained / "config.json").read_text())
    assert values["encoder"]["type"] == "toy-patches"
    preprocessor = json.loads((trained / "preprocessor_config.json").read_text())
    assert preprocessor["image_mean"] == [0.5, 0.5, 0.5]
    detector = Detector.from_pretrained(trained)
    assert isinstance(detector.encoder, Toy) and detector.encoder.config == ToyConfig()
    write_video(tmp_path / "clip.mp4", portrait_frames(10))
    prediction = Predictor.from_pretrained(trained)(tmp_path / "clip.mp4")
    assert prediction.probability_fake is not None and 0 < prediction.probability_fake < 1


def test_a_saved_one_comes_back_with_the_same_bits(tmp_path):
    detector = filled(lambda rngs: Detector(CONFIG, rngs=rngs))
    detector.save_pretrained(tmp_path)
    loaded = Detector.from_pretrained(tmp_path)
    assert loaded.config == CONFIG
    assert_same_weights(loaded, detector)


def test_the_mean_of_its_feature_map_is_its_features():
    detector = filled(lambda rngs: Detector(CONFIG, rngs=rngs))
    crops = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    places = np.asarray(detector.feature_map(crops))
    assert places.shape == (2, 4, 4, 6)
    np.testing.assert_allclose(places.mean((1, 2)), detector.encode(crops), atol=1e-6)


def test_norms_cannot_be_trained_where_there_are_none():
    detector = filled(lambda rngs: Detector(CONFIG, rngs=rngs))
    with pytest.raises(TrainingError, match="'?toy-patches'?. has none. Use --train stages"):
        ModelParts.of(detector, plain(train="norms"))


def test_files_that_no_encoder_reads_are_refused_with_those_that_are_read(published, tmp_path):
    assert isinstance(load_encoder(published), Toy)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelFormatError, match="model_type 'bert'.*'resnet' or 'toy' is needed"):
        load_encoder(tmp_path)


def test_crops_of_a_size_that_it_does_not_take_are_refused():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class FixedConfig(ToyConfig):
        type: ClassVar[str] = "toy-fixed"

        @property
        def required_size(self) -> int | None:
            return 64

    with pytest.raises(ValueError, match="'toy-fixed' takes crops of 64 pixels"):
        dataclasses.replace(TINY_CONFIG, encoder=FixedConfig())
