"""Reads and writes the files of a published model.

`config.json` has all the settings that inference needs, and is their only source. The tensors are
in `model.safetensors` or its shards. `preprocessor_config.json` repeats the image size and pixel
statistics in transformers' format, for people who prepare face crops with their own tools.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import ml_dtypes
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from dfjax.config import ID2LABEL, SCHEMA_VERSION, Config
from dfjax.encoder_config import ResNetConfig
from dfjax.errors import ModelFormatError
from dfjax.json_values import dumps
from dfjax.version import __version__

CONFIG_NAME = "config.json"
PREPROCESSOR_NAME = "preprocessor_config.json"
WEIGHTS_NAME = "model.safetensors"
INDEX_NAME = "model.safetensors.index.json"

SaveDtype = Literal["auto", "float32", "float16", "bfloat16"]
"""How kernels are stored; see `write_model`."""

MODEL_TYPE = "dfjax"
_SAVING = ".saving-"  # what the folder of files that are being written is called first
_WEIGHTS_PATTERN = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors")


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Returns the object in a JSON file of a model folder.

    Raises:
      ModelFormatError: The file is missing, or is not a JSON object.
    """
    try:
        values = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelFormatError(
            f"{folder} has no {name}. A complete folder written by Detector.save_pretrained is "
            "needed."
        ) from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ModelFormatError(
            f"{folder / name} is not valid JSON: {error}. Download the file again."
        ) from error
    if not isinstance(values, dict):
        raise ModelFormatError(
            f"{folder / name} contains a {type(values).__name__}, not an object."
        )
    return values


def read_config(folder: Path) -> Config:
    """Returns the config in a detector's folder.

    Raises:
      ModelFormatError: It is for another kind of model, has a newer schema or another label order,
        or has fields that are unknown or out of range.
    """
    values = read_json(folder, CONFIG_NAME)
    where = folder / CONFIG_NAME
    model_type = values.pop("model_type", None)
    if model_type != MODEL_TYPE:
        raise ModelFormatError(
            f"{where} has model_type {model_type!r}; {MODEL_TYPE!r} is needed, "
            "as written by Detector.save_pretrained."
        )
    schema_version = values.pop("schema_version", None)
    written_by = values.pop("dfjax_version", "an unknown version")
    if type(schema_version) is not int or not 1 <= schema_version <= SCHEMA_VERSION:
        raise ModelFormatError(
            f"{where} has schema_version {schema_version!r}, written by dfjax {written_by}; "
            f"this is dfjax {__version__}, which reads 1 to {SCHEMA_VERSION}. Upgrade dfjax, or "
            "use an older revision of the model."
        )
    for name, needed in _labels().items():
        found = values.pop(name, None)
        if found != needed:
            raise ModelFormatError(
                f"{where} has {name} {found}; {needed} is needed, because a positive logit means "
                "fake in dfjax. Do not just edit it: a model trained with the other order would "
                "call real videos fake."
            )
    values.pop("architectures", None)
    if schema_version == 1:
        values = _from_schema_1(values)
    try:
        return Config.from_dict(values)
    except ValueError as error:
        raise ModelFormatError(f"{where} cannot be used: {error}") from error


def _from_schema_1(values: Mapping[str, Any]) -> dict[str, Any]:
    """Converts the fields of schema 1 to the current schema.

    Schema 1 had only one type of encoder, and stored its pixel statistics outside it.
    """
    upgraded = {name: value for name, value in values.items() if name != "normalization"}
    encoder = values.get("encoder", {})
    if isinstance(encoder, Mapping):
        moved = {name: values[name] for name in ("normalization",) if name in values}
        upgraded["encoder"] = {"type": ResNetConfig.type, **encoder, **moved}
    return upgraded


def read_tensors(folder: Path) -> dict[str, np.ndarray]:
    """Returns the tensors in a model folder by name, in the types they are stored in.

    Raises:
      ModelFormatError: A file is missing or damaged, or the index does not match the files.
    """
    single, index = folder / WEIGHTS_NAME, folder / INDEX_NAME
    if single.exists() and index.exists():
        raise ModelFormatError(
            f"{folder} has both {WEIGHTS_NAME} and {INDEX_NAME}; one is left over from another "
            "model. Delete that one."
        )
    if not index.exists():
        return _load(single)
    places = read_json(folder, INDEX_NAME).get("weight_map")
    if not isinstance(places, dict):
        raise ModelFormatError(f"{index} has no weight_map. Download the file again.")
    tensors: dict[str, np.ndarray] = {}
    for name in sorted({str(place) for place in places.values()}):
        # Plain names only: an index must not point outside its folder.
        if not _WEIGHTS_PATTERN.fullmatch(name):
            raise ModelFormatError(
                f"{index} names {name!r}; files like model-00001-of-00002.safetensors are needed."
            )
        shard = _load(folder / name)
        promised = {tensor for tensor, place in places.items() if place == name}
        if shard.keys() != promised:
            differing = ", ".join(sorted(shard.keys() ^ promised))
            raise ModelFormatError(
                f"{folder / name} does not match {INDEX_NAME}; they differ in: {differing}. "
                "Download the files again, all from one revision."
            )
        tensors |= shard
    return tensors


def write_model(
    folder: str | os.PathLike[str],
    tensors: Mapping[str, np.ndarray],
    config: Config,
    *,
    dtype: SaveDtype,
    max_shard_size: int | str,
) -> None:
    """Writes all files of a model; `Detector.save_pretrained` describes the arguments.

    The files are first written in full under another name. Then `config.json`, without which
    nothing loads, is removed first and replaced last, so a crash never leaves a folder that loads
    as half of one model and half of another.

    Raises:
      ValueError: `dtype` is unknown; or a value is not finite, or too large for it.
    """
    # Imported here because it takes long, and reading a model does not need it.
    from huggingface_hub import split_state_dict_into_shards_factory

    if dtype not in get_args(SaveDtype):
        raise ValueError(f"dtype is {dtype!r}; one of {', '.join(get_args(SaveDtype))} is needed.")
    stored = {name: _stored(name, tensor, dtype) for name, tensor in tensors.items()}
    shards = split_state_dict_into_shards_factory(
        stored,
        get_storage_size=lambda tensor: tensor.nbytes,
        filename_pattern="model{suffix}.safetensors",
        max_shard_size=max_shard_size,
    )
    texts = {
        PREPROCESSOR_NAME: dumps(_preprocessor(config)),
        CONFIG_NAME: dumps(_published(config)),
    }
    if shards.is_sharded:
        index = {"metadata": shards.metadata, "weight_map": shards.tensor_to_filename}
        texts = {INDEX_NAME: dumps(index), **texts}

    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob(f"{_SAVING}*"):  # of a process that was killed here
        shutil.rmtree(stale, ignore_errors=True)
    # Inside the folder, so that it is on the same disk and files can be renamed into place.
    with tempfile.TemporaryDirectory(prefix=_SAVING, dir=folder) as saving:
        for name, members in shards.filename_to_tensors.items():
            part = {member: stored[member] for member in members}
            # Not `save_file`: it creates files that only their owner can read.
            Path(saving, name).write_bytes(save(part, metadata={"format": "np"}))
        for name, text in texts.items():
            Path(saving, name).write_text(text, encoding="utf-8")
        (folder / CONFIG_NAME).unlink(missing_ok=True)
        for old in folder.iterdir():
            if old.name == INDEX_NAME or _WEIGHTS_PATTERN.fullmatch(old.name):
                old.unlink()
        for name in (*shards.filename_to_tensors, *texts):
            Path(saving, name).replace(folder / name)


def _load(file: Path) -> dict[str, np.ndarray]:
    try:
        return load_file(file)
    except FileNotFoundError as error:
        raise ModelFormatError(
            f"{file.parent} has no {file.name}. Download the whole folder again."
        ) from error
    except SafetensorError as error:
        raise ModelFormatError(
            f"{file} is damaged or not a safetensors file: {error}. Download the file again."
        ) from error


def _stored(name: str, tensor: np.ndarray, dtype: SaveDtype) -> np.ndarray:
    """Returns a float32 tensor in the type in which it is stored."""
    if not np.isfinite(tensor).all():
        raise ValueError(
            f"{name} has values that are not finite. Did training diverge? Save an earlier state."
        )
    if dtype == "float32" or tensor.ndim < 2:
        return tensor
    with np.errstate(over="ignore"):  # overflow is checked for below
        cast = tensor.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else np.float16)
    if dtype == "auto":
        return cast if np.array_equal(cast.astype(np.float32), tensor) else tensor
    if not np.isfinite(cast).all():
        raise ValueError(
            f"{name} has a value of magnitude {np.abs(tensor).max():g}, too large for {dtype}. "
            'Save with dtype="float32" or "auto".'
        )
    return cast


def _labels() -> dict[str, Any]:
    return {
        "id2label": {str(index): label for index, label in ID2LABEL.items()},
        "label2id": {label: index for index, label in ID2LABEL.items()},
    }


def _published(config: Config) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "dfjax_version": __version__,
        "architectures": ["dfjax.Detector"],
        "model_type": MODEL_TYPE,
        **_labels(),
        **config.to_dict(),
    }


def _preprocessor(config: Config) -> dict[str, Any]:
    size = config.crops.image_size
    return {
        # The simplest of transformers' processors: resize to a square, scale, normalise.
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "size": {"height": size, "width": size},
        "resample": 2,  # PIL's number for bilinear
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(config.encoder.normalization.mean),
        "image_std": list(config.encoder.normalization.std),
    }
