"""Loads an encoder from published files in a folder or on the Hugging Face Hub."""

import dataclasses
import os
from typing import Literal

from dfjax.errors import ModelFormatError
from dfjax.models.encoders.base import Encoder, encoder_classes
from dfjax.models.locate import find_folder
from dfjax.models.model_files import read_json, read_tensors
from dfjax.models.pretrained import CONFIG_NAME
from dfjax.models.tensors import build


def load_encoder(
    folder_or_repo_id: str | os.PathLike[str],
    *,
    revision: str | None = None,
    image_size: int | None = None,
    compute_dtype: Literal["float32", "bfloat16"] = "float32",
) -> Encoder:
    """Loads an encoder from published files, such as those of `microsoft/resnet-50`.

    Args:
      folder_or_repo_id: A folder with `config.json` and `model.safetensors` in transformers'
        format, or "owner/name" on the Hugging Face Hub.
      revision: Branch, tag or commit on the Hub; None: its main branch.
      image_size: Side of the pictures that it is to take, pixels; None: as published.
      compute_dtype: Type for matrix products and convolutions. Parameters are float32.

    Raises:
      ModelFormatError: The files are for another kind of network or size, or their tensors do not
        fit it; the message lists all names that do not match.
      HubError: The Hub does not have it, denies access to it, or cannot be reached.
    """
    folder = find_folder(folder_or_repo_id, revision=revision)
    where = str(folder_or_repo_id)
    values = read_json(folder, CONFIG_NAME)
    kind = _kind_of_files(values.get("model_type"), where)
    found = {kind.known_name(name): array for name, array in read_tensors(folder).items()}
    found = {name: array for name, array in found.items() if name is not None}
    try:
        config = kind.config_of_files(values, where)
        if image_size is not None and config.required_size not in (None, image_size):
            config, found = kind.resized(config, found, image_size, where)
        config = dataclasses.replace(config, compute_dtype=compute_dtype)
    except ValueError as error:
        raise ModelFormatError(f"{where} has a config.json that cannot be used: {error}") from error
    return build(lambda rngs: kind(config, rngs=rngs), found, kind.published, where=where)


def _kind_of_files(model_type: object, where: str) -> type[Encoder]:
    known = {name: kind for kind in encoder_classes() for name in kind.published_types}
    if not isinstance(model_type, str) or model_type not in known:
        names = " or ".join(repr(name) for name in sorted(known))
        raise ModelFormatError(
            f"{where} has model_type {model_type!r} in its config.json; {names} is needed. "
            "Use an encoder such as microsoft/resnet-50."
        )
    return known[model_type]
