"""Reads the files in a model's folder: JSON, and tensors in safetensors or its shards."""

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file

from dfjax.errors import ModelFormatError

WEIGHTS_NAME = "model.safetensors"
INDEX_NAME = "model.safetensors.index.json"
WEIGHTS_PATTERN = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors")
"""Matches the names of files with tensors."""


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
    except OSError as error:
        raise _unreadable(folder / name, error) from error
    except (ValueError, RecursionError) as error:  # ValueError: also for an endless number
        raise ModelFormatError(
            f"{folder / name} is not valid JSON: {error}. Download the file again."
        ) from error
    if not isinstance(values, dict):
        raise ModelFormatError(
            f"{folder / name} contains a {type(values).__name__}, not an object."
        )
    return values


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
        if not WEIGHTS_PATTERN.fullmatch(name):
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


def read_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of the tensors in a model folder by name, without reading the tensors."""
    shapes = {}
    for file in sorted(folder.iterdir()):
        if WEIGHTS_PATTERN.fullmatch(file.name):
            with _readable(file), safe_open(file, framework="numpy") as tensors:
                shapes |= {n: tuple(tensors.get_slice(n).get_shape()) for n in tensors.keys()}
    return shapes


def _load(file: Path) -> dict[str, np.ndarray]:
    with _readable(file):
        return load_file(file)


@contextlib.contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Says what is wrong with a file of tensors that cannot be read."""
    try:
        yield
    except OSError as error:  # safetensors finds no file where it may not read one
        if os.path.lexists(file):
            raise _unreadable(file, error) from error
        raise ModelFormatError(
            f"{file.parent} has no {file.name}. Download the whole folder again."
        ) from error
    except (AttributeError, KeyError) as error:  # of safetensors, which looks for the type in numpy
        raise ModelFormatError(
            f"{file} has tensors of a type that numpy lacks ({error}). Weights in float32, float16 "
            "or bfloat16 are needed."
        ) from error
    except SafetensorError as error:
        raise ModelFormatError(
            f"{file} is damaged or not a safetensors file: {error}. Download the file again."
        ) from error


def _unreadable(file: Path, error: OSError) -> ModelFormatError:
    reason = "it is a folder" if file.is_dir() else error.strerror or str(error)
    if not file.is_dir() and not os.access(file, os.R_OK):
        reason = "the user that runs this may not read it"
    return ModelFormatError(f"{file} cannot be read: {reason}. A readable file is needed there.")
