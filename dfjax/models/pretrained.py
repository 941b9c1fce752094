"""Reads and writes the files of a published model.

`config.json` has all the settings that inference needs. The calibration in it is overruled by
`calibration.json`, if `python -m dfjax calibrate` wrote one beside it. The tensors are in
`model.safetensors` or its shards. `preprocessor_config.json` repeats the image size and pixel
statistics in transformers' format, for people who prepare face crops with their own tools.

GenD's files are read as well; see `dfjax.models.gend`.
"""

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import ml_dtypes
import numpy as np
from safetensors.numpy import save

from dfjax.config import ID2LABEL, SCHEMA_VERSION, CalibrationConfig, Config
from dfjax.encoder_config import ResNetConfig
from dfjax.errors import ModelFormatError
from dfjax.files import write_text_atomically
from dfjax.json_values import dumps, from_json_value, to_json_value
from dfjax.models import gend
from dfjax.models.model_files import (
    INDEX_NAME,
    WEIGHTS_PATTERN,
    read_json,
    read_shapes,
    read_tensors,
)
from dfjax.version import __version__

CONFIG_NAME = "config.json"
PREPROCESSOR_NAME = "preprocessor_config.json"
CALIBRATION_NAME = "calibration.json"

SaveDtype = Literal["auto", "float32", "float16", "bfloat16"]
"""How kernels are stored; see `write_model`."""

MODEL_TYPE = "dfjax"
DETECTOR_TYPES = (MODEL_TYPE, gend.MODEL_TYPE)
"""The `model_type` of files that hold a whole detector, not only an encoder."""

_SAVING = ".saving-"  # what the folder of files that are being written is called first


def read_config(folder: Path) -> Config:
    """Returns the config in a detector's folder, with the calibration that is valid.

    Raises:
      ModelFormatError: It is for another kind of model, has a newer schema or another label order,
        or has fields that are unknown or out of range.
    """
    values = read_json(folder, CONFIG_NAME)
    if values.get("model_type") == gend.MODEL_TYPE:
        try:
            config = gend.config_of(values, read_shapes(folder), str(folder))
        except ValueError as error:
            raise ModelFormatError(f"{folder} has unusable tensors: {error}") from error
    else:
        config = _config_of(values, folder / CONFIG_NAME)
    calibration = read_calibration(folder)
    return config if calibration is None else dataclasses.replace(config, calibration=calibration)


def read_calibration(folder: Path) -> CalibrationConfig | None:
    """Returns the calibration that was fitted after a model was published; None if there is none.

    Raises:
      ModelFormatError: It has a newer schema, or fields that are unknown or out of range.
    """
    if not (folder / CALIBRATION_NAME).exists():
        return None
    values, where = read_json(folder, CALIBRATION_NAME), folder / CALIBRATION_NAME
    _check_schema(values.get("schema_version"), values.get("dfjax_version"), where)
    try:
        return from_json_value(CalibrationConfig, values.get("calibration"), "calibration")
    except ValueError as error:
        raise ModelFormatError(f"{where} cannot be used: {error}") from error


def read_calibrated_on(folder: Path) -> dict[str, Any] | None:
    """Returns what `calibration.json` was fitted on; None if there is no such file.

    Raises:
      ModelFormatError: It is not a JSON object.
    """
    if not (folder / CALIBRATION_NAME).exists():
        return None
    found = read_json(folder, CALIBRATION_NAME).get("calibrated_on")
    return found if isinstance(found, dict) else {}


def write_calibration(
    folder: Path, calibration: CalibrationConfig, calibrated_on: Mapping[str, Any]
) -> None:
    """Writes the calibration that is valid from now on for the model in a folder.

    Args:
      folder: The model's folder.
      calibration: The calibration.
      calibrated_on: What it was fitted on, as JSON values, for readers.
    """
    values = {
        "schema_version": SCHEMA_VERSION,
        "dfjax_version": __version__,
        "calibrated_on": calibrated_on,
        "calibration": to_json_value(calibration),
    }
    write_text_atomically(folder / CALIBRATION_NAME, dumps(values))


def _config_of(values: dict[str, Any], where: Path) -> Config:
    """Returns the config in the contents of a `config.json`."""
    model_type = values.pop("model_type", None)
    if model_type != MODEL_TYPE:
        raise ModelFormatError(
            f"{where} has model_type {model_type!r}; {MODEL_TYPE!r} is needed, "
            f"as written by Detector.save_pretrained, or {gend.MODEL_TYPE!r}."
        )
    schema_version = values.pop("schema_version", None)
    _check_schema(schema_version, values.pop("dfjax_version", None), where)
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


def _check_schema(version: Any, written_by: Any, where: Path) -> None:
    if type(version) is not int or not 1 <= version <= SCHEMA_VERSION:
        raise ModelFormatError(
            f"{where} has schema_version {version!r}, written by dfjax "
            f"{written_by or 'an unknown version'}; this is dfjax {__version__}, which reads 1 to "
            f"{SCHEMA_VERSION}. Upgrade dfjax, or use an older revision of the model."
        )


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


def read_detector_tensors(folder: Path) -> dict[str, np.ndarray]:
    """Returns the tensors of a detector by the names that `Detector.save_pretrained` gives them.

    Raises:
      ModelFormatError: As for `read_tensors`.
    """
    tensors = read_tensors(folder)
    if read_json(folder, CONFIG_NAME).get("model_type") == gend.MODEL_TYPE:
        return gend.detector_tensors(tensors)
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
        PREPROCESSOR_NAME: dumps(preprocessor_values(config)),
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
        (folder / CALIBRATION_NAME).unlink(missing_ok=True)  # of the model that is replaced
        for old in folder.iterdir():
            if old.name == INDEX_NAME or WEIGHTS_PATTERN.fullmatch(old.name):
                old.unlink()
        for name in (*shards.filename_to_tensors, *texts):
            Path(saving, name).replace(folder / name)


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


def preprocessor_values(config: Config) -> dict[str, Any]:
    """Returns the contents of `preprocessor_config.json`."""
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
