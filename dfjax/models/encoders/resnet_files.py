"""Tensor names and config in published files of ResNets such as `microsoft/resnet-50`.

Nothing here depends on the network itself.
"""

from collections.abc import Mapping
from typing import Any

from dfjax.encoder_config import ResNetConfig
from dfjax.errors import ModelFormatError
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


def is_unused(name: str) -> bool:
    """Whether an encoder does not need a tensor in the files."""
    return name.startswith(_UNUSED_PREFIX) or name.endswith(_UNUSED_SUFFIX)


def read_published_config(values: Mapping[str, Any], where: str) -> ResNetConfig:
    """Returns the shape in a published `config.json`, after checking that our network matches it.

    The file of `microsoft/resnet-50` is older than some of the fields, so missing fields get
    transformers' defaults.

    Args:
      values: Contents of the `config.json`.
      where: Location of the file, for error messages.

    Raises:
      ModelFormatError: It is for a different network.
      ValueError: A number in it is out of range.
    """
    from huggingface_hub.errors import StrictDataclassError

    # Imported here because it takes seconds and only training needs it.
    from transformers import ResNetConfig as PublishedConfig

    try:
        found = PublishedConfig.from_dict(dict(values)).to_dict()
    except (StrictDataclassError, TypeError, ValueError) as error:
        raise ModelFormatError(
            f"{where} has a config.json that transformers cannot read: {error}"
        ) from error
    others = {name: value for name, value in found.items() if _SUPPORTED.get(name, value) != value}
    if others:
        has = ", ".join(f"{name} {value!r}" for name, value in others.items())
        needed = ", ".join(f"{name} {_SUPPORTED[name]!r}" for name in others)
        raise ModelFormatError(
            f"{where} has {has} in its config.json; {needed} is needed. "
            "Use a ResNet such as microsoft/resnet-50."
        )
    return ResNetConfig(
        embedding_size=found["embedding_size"],
        depths=tuple(found["depths"]),
        widths=tuple(found["hidden_sizes"]),
    )
