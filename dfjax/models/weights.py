"""Tensors of files to variables of modules and back, and the published ResNet files."""

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import numpy as np
from flax import nnx

from dfjax.config import ResNetConfig
from dfjax.errors import ModelFormatError
from dfjax.models import pretrained
from dfjax.models.encoders.resnet import ResNet
from dfjax.models.locate import find_folder

VariablePath = tuple[Any, ...]
"""Where in a module a variable is: attribute names and list indices."""

_ModuleT = TypeVar("_ModuleT", bound=nnx.Module)

# The one table between our names and those of `microsoft/resnet-50`, for what a ConvNorm holds.
_CONVOLUTION = "convolution.weight"
_PUBLISHED_LEAVES = {
    ("kernel",): _CONVOLUTION,
    ("normalization", "scale"): "normalization.weight",
    ("normalization", "bias"): "normalization.bias",
    ("normalization", "mean"): "normalization.running_mean",
    ("normalization", "var"): "normalization.running_var",
}
_OIHW_TO_HWIO = (2, 3, 1, 0)
_HWIO_TO_OIHW = (3, 2, 0, 1)
_FLOATS = ("float16", "bfloat16", "float32", "float64")

# In the published file, but of no use to an encoder: the ImageNet classifier, and torch's counters.
_UNUSED_PREFIX = "classifier."
_UNUSED_SUFFIX = ".num_batches_tracked"

# What the published config must say for our ResNet to be the same network.
_SUPPORTED = {
    "model_type": "resnet",
    "layer_type": "bottleneck",
    "hidden_act": "relu",
    "num_channels": 3,
    "downsample_in_first_stage": False,
    "downsample_in_bottleneck": False,
}


def published_name(path: VariablePath) -> str:
    """Returns the name in `microsoft/resnet-50` of the variable at `path` of our `ResNet`."""
    match path:
        case ("embedder", *leaf):
            module = "resnet.embedder.embedder"
        case ("stages", stage, block, "layer", layer, *leaf):
            module = f"resnet.encoder.stages.{stage}.layers.{block}.layer.{layer}"
        case ("stages", stage, block, "shortcut", *leaf):
            module = f"resnet.encoder.stages.{stage}.layers.{block}.shortcut"
        case _:
            raise KeyError(path)
    return f"{module}.{_PUBLISHED_LEAVES[tuple(leaf)]}"


def load_resnet(
    folder_or_repo_id: str | os.PathLike[str],
    *,
    revision: str | None = None,
    compute_dtype: str = "float32",
) -> ResNet:
    """Returns the encoder that files in the layout of `microsoft/resnet-50` hold.

    Args:
      folder_or_repo_id: A folder with `config.json` and `model.safetensors` as transformers writes
        them, or "owner/name" on the Hugging Face Hub.
      revision: Branch, tag or commit on the Hub; None: its main branch.
      compute_dtype: "float32" or "bfloat16", of the convolutions. Parameters are float32.

    Raises:
      ModelFormatError: The files hold another kind of network, or their tensors do not fit it;
        every name that does not match is in the message.
      HubError: The Hub does not have it, does not give it, or cannot be reached.
    """
    folder = find_folder(folder_or_repo_id, revision=revision)
    values = pretrained.read_json(folder, "config.json")
    where = str(folder_or_repo_id)
    published = _read_published_config(values, where)
    try:
        config = ResNetConfig(
            embedding_size=published["embedding_size"],
            depths=tuple(published["depths"]),
            widths=tuple(published["hidden_sizes"]),
            compute_dtype=compute_dtype,
        )
    except ValueError as error:
        raise ModelFormatError(f"{where} has a config.json that cannot be used: {error}") from error
    tensors = {
        name: tensor
        for name, tensor in pretrained.read_tensors(folder).items()
        if not name.startswith(_UNUSED_PREFIX) and not name.endswith(_UNUSED_SUFFIX)
    }
    return build(lambda rngs: ResNet(config, rngs=rngs), tensors, published_name, where=where)


def _read_published_config(values: dict[str, Any], where: str) -> dict[str, Any]:
    """Returns the published config with what it leaves out filled in, checked to be our network.

    The file of `microsoft/resnet-50` is older than some of the fields, so what is absent means what
    transformers says it means.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import (
        ResNetConfig as PublishedConfig,
    )  # takes seconds, and only training does

    found = {"model_type": values.get("model_type")}
    if found["model_type"] == _SUPPORTED["model_type"]:
        try:
            found = PublishedConfig.from_dict(values).to_dict()
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
            "Use a ResNet of the kind of microsoft/resnet-50."
        )
    return found


def to_tensors(module: nnx.Module, name_of: Callable[[VariablePath], str]) -> dict[str, np.ndarray]:
    """Returns the variables of a module as the tensors of a file, float32.

    Args:
      module: Holds parameters and batch statistics only.
      name_of: From a variable's path to its tensor's name. A name that ends in
        "convolution.weight" has the published layout, OIHW.
    """
    tensors = {}
    for path, variable in nnx.to_flat_state(nnx.state(module)):
        name, tensor = name_of(path), np.asarray(variable[...])
        if name.endswith(_CONVOLUTION):
            tensor = tensor.transpose(_HWIO_TO_OIHW)
        tensors[name] = np.ascontiguousarray(tensor)
    return tensors


class _OneKey(nnx.Rngs):
    """Gives the same key at every draw.

    For shapes any key will do, and nnx's own streams count their draws in a traced variable, which
    takes a second for fifty layers.
    """

    def params(self) -> jax.Array:
        return self["default"].key[...]


def build(
    make: Callable[[nnx.Rngs], _ModuleT],
    tensors: Mapping[str, np.ndarray],
    name_of: Callable[[VariablePath], str],
    *,
    where: str,
) -> _ModuleT:
    """Returns a module with the tensors of a file as its variables, float32.

    Nothing is initialised: `make` is only traced, for the shapes.

    Args:
      make: Makes the module, given its source of keys.
      tensors: float16, bfloat16, float32 or float64, by name.
      name_of: As in `to_tensors`.
      where: Names the file's place in errors.

    Raises:
      ModelFormatError: Tensors are missing, unknown, of the wrong shape or kind, or not finite;
        all of their names are in the message.
    """
    graph, state = nnx.split(nnx.eval_shape(lambda: make(_OneKey(0))))
    flat = [(path, name_of(path), variable) for path, variable in nnx.to_flat_state(state)]
    unknown = tensors.keys() - {name for _, name, _ in flat}
    problems = {"missing": [], "unknown": sorted(unknown), "of the wrong shape": []}
    problems |= {"not of floating point": [], "not finite": []}
    arrays = []
    for _, name, variable in flat:
        if name not in tensors:
            problems["missing"].append(name)
            continue
        tensor = tensors[name]
        if tensor.dtype.name not in _FLOATS:
            problems["not of floating point"].append(f"{name} ({tensor.dtype})")
            continue
        if name.endswith(_CONVOLUTION) and tensor.ndim == 4:
            tensor = tensor.transpose(_OIHW_TO_HWIO)
        if tensor.shape != variable.shape:
            needed = _file_shape(name, variable.shape)
            problems["of the wrong shape"].append(
                f"{name} (found {list(tensors[name].shape)}, needed {list(needed)})"
            )
            continue
        array = np.ascontiguousarray(tensor, np.float32)
        if not np.isfinite(array).all():
            problems["not finite"].append(name)
        arrays.append(array)
    found = [f"{kind}: {', '.join(names)}" for kind, names in problems.items() if names]
    if found:
        raise ModelFormatError(
            f"{where} does not hold the tensors that its config.json needs. {'; '.join(found)}. "
            "Take the weights and the config from the same model, and load them with the version "
            "of dfjax that wrote them."
        )
    values = jax.device_put(arrays)
    filled = [
        (path, variable.replace(value))
        for (path, _, variable), value in zip(flat, values, strict=True)
    ]
    return nnx.merge(graph, nnx.from_flat_state(filled))


def _file_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the shape in the file of a variable of this shape of ours."""
    if name.endswith(_CONVOLUTION):
        return tuple(shape[axis] for axis in _HWIO_TO_OIHW)
    return shape
