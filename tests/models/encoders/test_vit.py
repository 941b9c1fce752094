"""Vision transformers: transformers' own files give the features of its torch models."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

from dfjax.encoder_config import CLIPConfig
from dfjax.errors import ModelFormatError
from dfjax.models.encoders import CLIP, DINOv2, Encoder, load_encoder
from dfjax.models.tensors import to_tensors
from tests.models.clip_files import write_clip
from tests.models.reference import relative_error
from tests.models.tiny import filled

CONFIG = CLIPConfig(
    image_size=32, patch_size=8, hidden_size=24, num_layers=2, num_heads=2, mlp_size=40
)
SHAPE = {
    "image_size": 32,
    "patch_size": 8,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
VISION = {**SHAPE, "intermediate_size": 40, "projection_dim": 7}
IMAGES = np.random.default_rng(1).normal(size=(2, 32, 32, 3)).astype(np.float32)


def run(encoder: Encoder, images: np.ndarray) -> np.ndarray:
    graph, state = nnx.split(encoder)
    return np.asarray(jax.jit(lambda state, x: nnx.merge(graph, state)(x))(state, images))


def as_torch(images: np.ndarray) -> Any:
    torch = pytest.importorskip("torch")
    return torch.from_numpy(images.transpose(0, 3, 1, 2).copy())


def randomized(model: Any) -> Any:
    """Returns a torch model with values that are far from those of a fresh one."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_scale = "norm" in name and name.endswith("weight")
            parameter.normal_(mean=1.0 if is_scale else 0.0, std=0.3)
    return model.eval()


def clip_of(torch_class: str, **changes: Any) -> Any:
    transformers = pytest.importorskip("transformers")
    if torch_class != "CLIPModel":
        config = transformers.CLIPVisionConfig(**VISION | changes)
    else:
        config = transformers.CLIPConfig(
            vision_config=VISION | changes,
            text_config={
                "hidden_size": 8,
                "intermediate_size": 8,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "vocab_size": 5,
                "bos_token_id": 1,
                "eos_token_id": 2,
            },
            projection_dim=7,
        )
    return randomized(getattr(transformers, torch_class)(config))


def tower(model: Any) -> Any:
    return getattr(model, "vision_model", model)


@pytest.mark.parity
@pytest.mark.parametrize(
    ("torch_class", "changes"),
    [
        ("CLIPModel", {}),
        ("CLIPVisionModel", {}),
        ("CLIPVisionModelWithProjection", {"patch_size": 16, "hidden_act": "gelu"}),
    ],
)
def test_clip_files_give_the_features_of_the_torch_model(tmp_path, torch_class, changes):
    torch = pytest.importorskip("torch")
    model = clip_of(torch_class, **changes)
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        output = tower(model)(as_torch(IMAGES))
        patches = tower(model).post_layernorm(output.last_hidden_state[:, 1:])
    encoder = load_encoder(tmp_path)
    assert isinstance(encoder, CLIP)
    assert relative_error(run(encoder, IMAGES), output.pooler_output.numpy()) < 1e-4
    found = np.asarray(jax.jit(encoder.feature_map)(jnp.asarray(IMAGES)))
    assert relative_error(found.reshape(patches.shape), patches.numpy()) < 1e-4


@pytest.mark.parity
@pytest.mark.parametrize("image_size", [24, 48])
def test_clip_takes_pictures_of_another_size_as_the_torch_model_does(tmp_path, image_size):
    torch = pytest.importorskip("torch")
    model = clip_of("CLIPVisionModel")
    model.save_pretrained(tmp_path)
    images = np.random.default_rng(2).normal(size=(1, image_size, image_size, 3))
    images = images.astype(np.float32)
    with torch.no_grad():
        output = model(as_torch(images), interpolate_pos_encoding=True)
    encoder = load_encoder(tmp_path, image_size=image_size)
    assert encoder.config.required_size == image_size
    assert relative_error(run(encoder, images), output.pooler_output.numpy()) < 1e-4


@pytest.mark.parity
@pytest.mark.parametrize(
    ("torch_class", "image_size"), [("Dinov2Model", 32), ("Dinov2ForImageClassification", 24)]
)
def test_dinov2_files_give_the_features_of_the_torch_model(tmp_path, torch_class, image_size):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config = transformers.Dinov2Config(**SHAPE, mlp_ratio=2)
    model = randomized(getattr(transformers, torch_class)(config))
    model.save_pretrained(tmp_path)
    images = IMAGES[:, :image_size, :image_size]
    with torch.no_grad():
        output = getattr(model, "dinov2", model)(as_torch(images))
    encoder = load_encoder(tmp_path, image_size=image_size)
    assert isinstance(encoder, DINOv2)
    assert relative_error(run(encoder, images), output.pooler_output.numpy()) < 1e-4


@pytest.fixture(scope="module")
def clip() -> CLIP:
    return filled(lambda rngs: CLIP(CONFIG, rngs=rngs))


@pytest.fixture
def published(tmp_path) -> Path:
    return write_clip(tmp_path, CONFIG)


def test_the_half_of_the_text_is_left_out_and_the_tower_keeps_its_bits(published, clip):
    encoder = load_encoder(published)
    assert encoder.config == CONFIG
    loaded, expected = to_tensors(encoder, CLIP.published), to_tensors(clip, CLIP.published)
    assert loaded.keys() == expected.keys()
    for name, tensor in expected.items():
        assert loaded[name].tobytes() == tensor.tobytes(), name


def test_a_tensor_that_is_missing_is_named(published):
    tensors = load_file(published / "model.safetensors")
    del tensors["vision_model.encoder.layers.1.self_attn.q_proj.bias"]
    save_file(tensors, published / "model.safetensors")
    with pytest.raises(ModelFormatError, match="missing: .*layers.1.self_attn.q_proj.bias"):
        load_encoder(published)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("num_channels", 1, "num_channels 1.*is needed"),
        ("patch_size", 7, "a multiple of patch_size = 7"),
        ("num_attention_heads", 5, "num_attention_heads|attention heads"),
        ("hidden_act", "relu", "'gelu' or 'quick_gelu' is needed"),
    ],
)
def test_another_network_is_refused(published, field, value, expected):
    vision = VISION | {field: value}
    (published / "config.json").write_text(
        json.dumps({"model_type": "clip", "vision_config": vision})
    )
    with pytest.raises(ModelFormatError, match=expected):
        load_encoder(published)


def test_bfloat16_is_close_to_float32_and_its_features_are_float32(clip):
    half = filled(
        lambda rngs: CLIP(dataclasses.replace(CONFIG, compute_dtype="bfloat16"), rngs=rngs)
    )
    features, expected = run(half, IMAGES), run(clip, IMAGES)
    assert features.dtype == np.float32
    assert 0 < relative_error(features, expected) < 0.03


def test_every_variable_belongs_to_a_stage_from_the_pixels_to_the_features(clip):
    stages = {path: clip.stage_of(path) for path, _ in nnx.to_flat_state(nnx.state(clip))}
    assert set(stages.values()) == set(range(clip.num_stages))
    assert stages["patches", "kernel"] == stages["norm_before", "scale"] == 0
    assert stages["blocks", 1, "fc1", "kernel"] == stages["norm", "scale"] == 2
    with pytest.raises(ValueError, match="no variable"):
        clip.stage_of(("head", "kernel"))


def test_features_do_not_depend_on_the_rest_of_the_batch(clip):
    others = np.concatenate([IMAGES[:1], 3 * IMAGES[1:] + 1])
    np.testing.assert_allclose(run(clip, IMAGES)[0], run(clip, others)[0], rtol=1e-4, atol=1e-5)
