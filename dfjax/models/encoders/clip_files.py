"""Tensor names and config in published files of CLIP, such as `openai/clip-vit-large-patch14`.

Nothing here depends on the network itself.
"""

from collections.abc import Mapping
from typing import Any

from dfjax.encoder_config import CLIPConfig
from dfjax.models.encoders.published_config import read_transformers_config, require_supported
from dfjax.models.encoders.vit_files import published_by
from dfjax.models.tensors import PublishedTensor, VariablePath

MODEL_TYPES = ("clip", "clip_vision_model")
"""The `model_type` in their `config.json`: of both halves, and of the vision tower alone."""

TOWER = "vision_model."
"""The prefix of the tensors of the vision tower."""

_NAMES = {
    ("patches", "kernel"): "vision_model.embeddings.patch_embedding.weight",
    ("class_token",): "vision_model.embeddings.class_embedding",
    ("positions",): "vision_model.embeddings.position_embedding.weight",
    ("norm_before",): "vision_model.pre_layrnorm",  # sic
    ("norm",): "vision_model.post_layernorm",
}
_BLOCK = "vision_model.encoder.layers.{}"
_IN_BLOCK = {
    ("norm1",): "layer_norm1",
    ("norm2",): "layer_norm2",
    ("attention", "query"): "self_attn.q_proj",
    ("attention", "key"): "self_attn.k_proj",
    ("attention", "value"): "self_attn.v_proj",
    ("attention", "out"): "self_attn.out_proj",
    ("fc1",): "mlp.fc1",
    ("fc2",): "mlp.fc2",
}

# Of the tower, if it was saved on its own by transformers 5.
_WITHOUT_PREFIX = ("embeddings.", "encoder.", "pre_layrnorm.", "post_layernorm.")
_UNUSED = ("text_model.", "text_projection.", "visual_projection.", "logit_scale", "classifier.")
_POSITION_IDS = "embeddings.position_ids"  # a counter that older files have

_SUPPORTED = {"num_channels": 3}


def published_tensor(path: VariablePath) -> PublishedTensor:
    """Returns the name and layout in the files of the variable at `path` in `CLIP`.

    Raises:
      ValueError: CLIP has no such variable.
    """
    return published_by(path, _NAMES, _BLOCK, _IN_BLOCK, network="a CLIP vision tower")


def known_name(name: str) -> str | None:
    """Returns the name in `published_tensor` of a tensor in files; None if it is not needed."""
    if name.startswith(_UNUSED) or name.endswith(_POSITION_IDS):
        return None
    return TOWER + name if name.startswith(_WITHOUT_PREFIX) else name


def read_published_config(values: Mapping[str, Any], where: str) -> CLIPConfig:
    """Returns the shape in a published `config.json`.

    Args:
      values: Contents of the `config.json`, of both halves of CLIP or of the vision tower alone.
      where: Location of the file, for error messages.

    Raises:
      ModelFormatError: It is for a different network.
      ValueError: A number in it is out of range.
    """
    both = values.get("model_type") == "clip"
    name = "CLIPConfig" if both else "CLIPVisionConfig"
    found = read_transformers_config(name, values, where)
    found = found["vision_config"] if both else found
    require_supported(found, _SUPPORTED, where, hint="openai/clip-vit-large-patch14")
    return CLIPConfig(
        image_size=found["image_size"],
        patch_size=found["patch_size"],
        hidden_size=found["hidden_size"],
        num_layers=found["num_hidden_layers"],
        num_heads=found["num_attention_heads"],
        mlp_size=found["intermediate_size"],
        norm_epsilon=found["layer_norm_eps"],
        activation=found["hidden_act"],
    )
