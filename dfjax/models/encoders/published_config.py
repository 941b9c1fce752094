"""Reads the `config.json` of published encoders with transformers, which knows its defaults."""

from collections.abc import Mapping
from typing import Any

from dfjax.errors import ModelFormatError


def read_transformers_config(name: str, values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Returns the fields of a published `config.json`; those it leaves out have their defaults.

    Published files are often older than some of the fields.

    Args:
      name: Of transformers' config class.
      values: Contents of the `config.json`.
      where: Location of the file, for error messages.

    Raises:
      ModelFormatError: transformers cannot read it.
    """
    # Imported here because it takes seconds and only training needs it.
    import transformers
    from huggingface_hub.errors import StrictDataclassError

    try:
        return getattr(transformers, name).from_dict(dict(values)).to_dict()
    except (StrictDataclassError, TypeError, ValueError) as error:
        raise ModelFormatError(
            f"{where} has a config.json that transformers cannot read: {error}"
        ) from error


def require_supported(
    found: Mapping[str, Any], supported: Mapping[str, Any], where: str, *, hint: str
) -> None:
    """Checks the values that a config must have for our network to be the same.

    Args:
      found: The fields of the config.
      supported: The only values that we can compute with, by name.
      where: Location of the file, for error messages.
      hint: A model that can be used instead.

    Raises:
      ModelFormatError: Some have other values; the message names them all.
    """
    others = {name: value for name, value in found.items() if supported.get(name, value) != value}
    if others:
        has = ", ".join(f"{name} {value!r}" for name, value in others.items())
        needed = ", ".join(f"{name} {supported[name]!r}" for name in others)
        raise ModelFormatError(
            f"{where} has {has} in its config.json; {needed} is needed. Use a model such as {hint}."
        )
