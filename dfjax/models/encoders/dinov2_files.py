"""Tensor names and config in published files of DINOv2, such as `facebook/dinov2-base`.

Nothing here depends on the network itself.
"""

from collections.abc import Mapping
from typing import Any

from dfjax.encoder_config import DINOv2Config
from dfjax.models.encoders.published_config import read_transformers_config, require_supported
from dfjax.models.encoders.vit_files import published_by
from dfjax.models.tensors import PublishedTensor, VariablePath

MODEL_TYPE = "dinov2"
"""The `model_type` in their `config.json`."""

_NAMES = {
    ("patches",): "embeddings.patch_embeddings.projection",
    ("patches", "kernel"): "embeddings.patch_embeddings.projection.weight",
    ("class_token",): "embeddings.cls_token",
    ("positions",): "embeddings.position_embeddings",
    ("norm",): "layernorm",
}
_BLOCK = "encoder.layer.{}"
_IN_BLOCK = {
    ("norm1",): "norm1",
    ("norm2",): "norm2",
    ("attention", "query"): "attention.attention.query",
    ("attention", "key"): "attention.attention.key",
    ("attention", "value"): "attention.attention.value",
    ("attention", "out"): "attention.output.dense",
    ("scale1",): "layer_scale1.lambda1",
    ("scale2",): "layer_scale2.lambda1",
    ("fc1",): "mlp.fc1",
    ("fc2",): "mlp.fc2",
}

_PREFIX = "dinov2."  # if there is a classifier beside it
_UNUSED = ("embeddings.mask_token", "classifier.")

_SUPPORTED = {"num_channels": 3, "qkv_bias": True, "use_swiglu_ffn": False}


def published_tensor(path: VariablePath) -> PublishedTensor:
    """Returns the name and layout in the files of the variable at `path` in `DINOv2`.

    Raises:
      ValueError: DINOv2 has no such variable.
    """
    return published_by(path, _NAMES, _BLOCK, _IN_BLOCK, network="a DINOv2")


def known_name(name: str) -> str | None:
    """Returns the name in `published_tensor` of a tensor in files; None if it is not needed."""
    name = name.removeprefix(_PREFIX)
    return None if name.startswith(_UNUSED) else name


def read_published_config(values: Mapping[str, Any], where: str) -> DINOv2Config:
    """Returns the shape in a published `config.json`, at the size that it was published for.

    Args:
      values: Contents of the `config.json`.
      where: Location of the file, for error messages.

    Raises:
      ModelFormatError: It is for a different network.
      ValueError: A number in it is out of range.
    """
    found = read_transformers_config("Dinov2Config", values, where)
    require_supported(found, _SUPPORTED, where, hint="facebook/dinov2-base")
    return DINOv2Config(
        image_size=found["image_size"],
        patch_size=found["patch_size"],
        hidden_size=found["hidden_size"],
        num_layers=found["num_hidden_layers"],
        num_heads=found["num_attention_heads"],
        mlp_size=int(found["hidden_size"] * found["mlp_ratio"]),
        norm_epsilon=found["layer_norm_eps"],
        activation=found["hidden_act"],
    )
