"""Tensor names and config in published files of ResNets such as `microsoft/resnet-50`.

Nothing here depends on the network itself.
"""

from collections.abc import Mapping
from typing import Any

from dfjax.encoder_config import ResNetConfig
from dfjax.models.encoders.published_config import read_transformers_config, require_supported
from dfjax.models.tensors import PublishedTensor, VariablePath

MODEL_TYPE = "resnet"
"""The `model_type` in their `config.json`."""

# From our names to theirs, for the variables of a ConvNorm.
_LEAVES = {
    ("kernel",): "convolution.weight",
    ("normalization", "scale"): "normalization.weight",
    ("normalization", "bias"): "normalization.bias",
    ("normalization", "mean"): "normalization.running_mean",
    ("normalization", "var"): "normalization.running_var",
}
_HWIO_TO_OIHW = (3, 2, 0, 1)

_PREFIX = "resnet."
_WITHOUT_PREFIX = ("embedder.", "encoder.")  # if it was saved without a classifier

# Not needed by an encoder: the ImageNet classifier and torch's counters.
_UNUSED_PREFIX = "classifier."
_UNUSED_SUFFIX = ".num_batches_tracked"

# Values that the published config must have for our ResNet to be the same network.
_SUPPORTED = {
    "layer_type": "bottleneck",
    "hidden_act": "relu",
    "num_channels": 3,
    "downsample_in_first_stage": False,
    "downsample_in_bottleneck": False,
}


def published_tensor(path: VariablePath) -> PublishedTensor:
    """Returns the name and layout in `microsoft/resnet-50` of the variable at `path` in `ResNet`.

    Raises:
      ValueError: A ResNet has no such variable.
    """
    match path:
        case ("embedder", *leaf):
            module = "resnet.embedder.embedder"
        case ("stages", stage, block, "layer", layer, *leaf):
            module = f"resnet.encoder.stages.{stage}.layers.{block}.layer.{layer}"
        case ("stages", stage, block, "shortcut", *leaf):
            module = f"resnet.encoder.stages.{stage}.layers.{block}.shortcut"
        case _:
            raise ValueError(f"a ResNet has no variable {path}.")
    if tuple(leaf) not in _LEAVES:
        raise ValueError(f"a ResNet has no variable {path}.")
    axes = _HWIO_TO_OIHW if leaf == ["kernel"] else None
    return PublishedTensor(f"{module}.{_LEAVES[tuple(leaf)]}", axes)


def known_name(name: str) -> str | None:
    """Returns the name in `published_tensor` of a tensor in files; None if it is not needed."""
    if name.startswith(_UNUSED_PREFIX) or name.endswith(_UNUSED_SUFFIX):
        return None
    return _PREFIX + name if name.startswith(_WITHOUT_PREFIX) else name


def read_published_config(values: Mapping[str, Any], where: str) -> ResNetConfig:
    """Returns the shape in a published `config.json`, after checking that our network matches it.

    Args:
      values: Contents of the `config.json`.
      where: Location of the file, for error messages.

    Raises:
      ModelFormatError: It is for a different network.
      ValueError: A number in it is out of range.
    """
    found = read_transformers_config("ResNetConfig", values, where)
    require_supported(found, _SUPPORTED, where, hint="microsoft/resnet-50")
    return ResNetConfig(
        embedding_size=found["embedding_size"],
        depths=tuple(found["depths"]),
        widths=tuple(found["hidden_sizes"]),
    )
