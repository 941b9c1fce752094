"""Published ResNet files: what they hold arrives, and what does not fit is refused."""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
from flax import nnx
from PIL import Image
from safetensors.numpy import load_file, save_file

from dfjax.encoder_config import NormalizationConfig
from dfjax.errors import ModelFormatError
from dfjax.models.encoders import Encoder, load_encoder
from dfjax.models.encoders.resnet import ResNet
from dfjax.models.tensors import to_tensors
from tests.models.reference import pooled_features, random_tensors, relative_error
from tests.models.tiny import RESNET

CONFIG = {
    "model_type": "resnet",
    "layer_type": "bottleneck",
    "hidden_act": "relu",
    "num_channels": 3,
    "embedding_size": RESNET.embedding_size,
    "depths": list(RESNET.depths),
    "hidden_sizes": list(RESNET.widths),
    "downsample_in_first_stage": False,
    "downsample_in_bottleneck": False,
    "transformers_version": "5.0.0",
}
TENSORS = random_tensors(RESNET)


def written(folder: Path, tensors=TENSORS, **config) -> Path:
    """Writes a published ResNet and returns its folder."""
    (folder / "config.json").write_text(json.dumps(CONFIG | config))
    save_file(tensors, folder / "model.safetensors")
    return folder


def run(resnet: Encoder, images: np.ndarray) -> np.ndarray:
    graph, state = nnx.split(resnet)
    return np.asarray(jax.jit(lambda state, x: nnx.merge(graph, state)(x))(state, images))


@pytest.mark.parametrize(("height", "width"), [(32, 32), (45, 38)])
def test_features_are_those_of_a_plain_numpy_forward_pass(tmp_path, height, width):
    images = np.random.default_rng(1).normal(size=(2, height, width, 3)).astype(np.float32)
    features = run(load_encoder(written(tmp_path)), images)
    assert relative_error(features, pooled_features(TENSORS, RESNET, images)) < 1e-4


@pytest.mark.parity
def test_a_file_that_transformers_writes_gives_the_features_of_its_torch_model(tmp_path):
    torch = pytest.importorskip("torch")
    from transformers import ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(embedding_size=8, depths=[1, 2], hidden_sizes=[16, 32])
    model = ResNetForImageClassification(config).eval()
    values = model.state_dict()
    used = {name: tensor for name, tensor in TENSORS.items() if "classifier" not in name}
    model.load_state_dict(values | {name: torch.from_numpy(used[name]) for name in used})
    model.save_pretrained(tmp_path)
    images = np.random.default_rng(2).normal(size=(2, 32, 32, 3)).astype(np.float32)
    with torch.no_grad():
        pooled = model.resnet(torch.from_numpy(images.transpose(0, 3, 1, 2))).pooler_output
    assert relative_error(run(load_encoder(tmp_path), images), pooled[:, :, 0, 0].numpy()) < 1e-4
    model.resnet.save_pretrained(tmp_path)  # without its classifier
    names = load_file(tmp_path / "model.safetensors").keys()
    assert not any(name.startswith("resnet.") for name in names)
    assert relative_error(run(load_encoder(tmp_path), images), pooled[:, :, 0, 0].numpy()) < 1e-4


def test_a_file_without_a_classifier_holds_the_same_network(tmp_path):
    """`ResNetModel.save_pretrained` leaves out the prefix."""
    bare = {
        name.removeprefix("resnet."): tensor
        for name, tensor in TENSORS.items()
        if not name.startswith("classifier")
    }
    loaded = to_tensors(load_encoder(written(tmp_path, bare)), ResNet.published)
    for name, tensor in loaded.items():
        np.testing.assert_array_equal(tensor, TENSORS[name], err_msg=name)


@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16])
def test_a_half_precision_file_loads_into_float32_with_the_same_values(tmp_path, dtype):
    halves = {
        name: tensor.astype(dtype) if tensor.ndim == 4 else tensor
        for name, tensor in TENSORS.items()
    }
    loaded = to_tensors(load_encoder(written(tmp_path, halves)), ResNet.published)
    assert {tensor.dtype for tensor in loaded.values()} == {np.dtype(np.float32)}
    for name, tensor in loaded.items():
        np.testing.assert_array_equal(tensor, halves[name].astype(np.float32), err_msg=name)


def test_loaded_tensors_go_back_bit_for_bit_under_their_published_names(tmp_path):
    loaded = to_tensors(load_encoder(written(tmp_path)), ResNet.published)
    used = {
        name: tensor
        for name, tensor in TENSORS.items()
        if not name.startswith("classifier") and "num_batches" not in name
    }
    assert loaded.keys() == used.keys()
    for name, tensor in used.items():
        assert loaded[name].tobytes() == tensor.tobytes(), name


def test_every_tensor_that_does_not_fit_is_named_in_one_error(tmp_path):
    tensors = dict(TENSORS)
    del tensors["resnet.embedder.embedder.convolution.weight"]
    del tensors["resnet.encoder.stages.1.layers.0.shortcut.normalization.bias"]
    tensors["resnet.pooler.weight"] = np.zeros(3, np.float32)
    wide = "resnet.encoder.stages.0.layers.0.layer.1.convolution.weight"
    tensors[wide] = np.zeros((4, 5, 3, 3), np.float32)
    counts = "resnet.encoder.stages.0.layers.0.layer.0.normalization.weight"
    tensors[counts] = np.zeros(4, np.int32)
    broken = "resnet.encoder.stages.0.layers.0.layer.0.normalization.bias"
    tensors[broken] = np.full(4, np.nan, np.float32)
    below = "resnet.encoder.stages.0.layers.0.layer.0.normalization.running_var"
    tensors[below] = np.full(4, -0.1, np.float32)
    with pytest.raises(ModelFormatError) as caught:
        load_encoder(written(tmp_path, tensors))
    message = str(caught.value)
    for expected in (
        "missing: resnet.embedder.embedder.convolution.weight, "
        "resnet.encoder.stages.1.layers.0.shortcut.normalization.bias",
        "unknown: resnet.pooler.weight",
        f"of the wrong shape: {wide} (found [4, 5, 3, 3], needed [4, 4, 3, 3])",
        f"not of floating point: {counts} (int32)",
        f"not finite: {broken}",
        f"negative: {below}",
    ):
        assert expected in message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model_type", "vit"),
        ("layer_type", "basic"),
        ("hidden_act", "gelu"),
        ("num_channels", 1),
        ("downsample_in_first_stage", True),
        ("downsample_in_bottleneck", True),
    ],
)
def test_another_kind_of_network_is_refused(tmp_path, field, value):
    with pytest.raises(ModelFormatError, match=f"{field} {value!r}.*is needed"):
        load_encoder(written(tmp_path, **{field: value}))


@pytest.mark.parametrize("widths", [None, [10, 20], [16, 32, 64]])
def test_a_config_without_usable_widths_is_refused(tmp_path, widths):
    with pytest.raises(ModelFormatError, match=r"config\.json"):
        load_encoder(written(tmp_path, hidden_sizes=widths))


def test_fields_that_an_older_file_leaves_out_mean_what_transformers_says(tmp_path):
    """The file of `microsoft/resnet-50` has no `downsample_in_bottleneck`."""
    folder = written(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    del config["downsample_in_bottleneck"], config["num_channels"]
    (folder / "config.json").write_text(json.dumps(config))
    assert load_encoder(folder).config == RESNET


def test_the_compute_dtype_is_the_one_asked_for(tmp_path):
    resnet = load_encoder(written(tmp_path), compute_dtype="bfloat16")
    assert resnet.config == dataclasses.replace(RESNET, compute_dtype="bfloat16")


@pytest.fixture(scope="module")
def resnet50(real_clips) -> Encoder:
    return load_encoder(real_clips / "weights" / "resnet-50")


@pytest.mark.parity
@pytest.mark.real_clips
def test_resnet_50_gives_the_features_of_the_torch_model(real_clips, resnet50):
    torch = pytest.importorskip("torch")
    from transformers import ResNetModel

    folder = real_clips / "weights" / "resnet-50"
    model = ResNetModel.from_pretrained(folder, dtype=torch.float32).eval()
    images = np.stack([photograph("chelsea"), photograph("coffee")])
    with torch.no_grad():
        pooled = model(torch.from_numpy(images.transpose(0, 3, 1, 2))).pooler_output
    assert relative_error(run(resnet50, images), pooled[:, :, 0, 0].numpy()) < 1e-4


@pytest.mark.real_clips
def test_resnet_50_knows_a_cat_and_a_cup(real_clips, resnet50):
    tensors = load_file(real_clips / "weights" / "resnet-50" / "model.safetensors")
    images = np.stack([photograph("chelsea"), photograph("coffee")])
    features = run(resnet50, images)
    kernel = tensors["classifier.1.weight"].astype(np.float32)
    logits = features @ kernel.T + tensors["classifier.1.bias"].astype(np.float32)[None]
    probabilities = np.asarray(jax.nn.softmax(logits, axis=-1))
    assert probabilities.argmax(-1).tolist() == [285, 967]  # Egyptian cat, espresso
    # Ways to resize differ by some hundredths.
    np.testing.assert_allclose(probabilities.max(-1), [0.78, 0.89], atol=0.08)


def photograph(name: str) -> np.ndarray:
    """Returns a photograph as ImageNet's evaluation has it: 256 on the short side, middle 224."""
    image = Image.fromarray(skimage.data.chelsea() if name == "chelsea" else skimage.data.coffee())
    scale = 256 / min(image.size)
    width, height = round(image.width * scale), round(image.height * scale)
    left, top = (width - 224) // 2, (height - 224) // 2
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224))) / 255
    normalization = NormalizationConfig()
    mean = np.asarray(normalization.mean)[None, None]
    return ((pixels - mean) / np.asarray(normalization.std)[None, None]).astype(np.float32)
