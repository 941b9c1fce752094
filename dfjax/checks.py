"""What all configs share: checks of their values, and how they appear in JSON."""

import dataclasses
import functools
import math
import typing
from collections.abc import Mapping
from typing import Any, Literal


def require(condition: bool, message: str) -> None:
    """Raises ValueError with the message if the condition does not hold."""
    if not condition:
        raise ValueError(message)


def require_within(config: Any, name: str, low: float, high: float) -> None:
    """Raises ValueError if a field of a config is not in [low, high]."""
    value = getattr(config, name)
    require(
        low <= value <= high,
        f"{type(config).__name__}.{name} is {value:,}; it must lie between {low:,} and {high:,}.",
    )


@functools.cache
def field_types(kind: Any) -> dict[str, Any]:
    """Returns the types of a dataclass's fields, in their order."""
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


class Checked:
    """A config that rejects non-finite numbers, and words that are not among the choices."""

    @classmethod
    def from_json_fields(cls, values: Mapping[str, Any]) -> "tuple[type[Checked], dict[str, Any]]":
        """Returns the class to make of a JSON object, and the fields that it is made of."""
        return cls, dict(values)

    def extra_json_fields(self) -> dict[str, Any]:
        """Returns what a JSON object has in addition to the fields."""
        return {}

    def __post_init__(self):
        """Checks all fields."""
        for name, kind in field_types(type(self)).items():
            value = getattr(self, name)
            where = f"{type(self).__name__}.{name}"
            require(_is_finite(value), f"{where} is {value}; finite numbers are needed.")
            if typing.get_origin(kind) is Literal:
                words = " or ".join(map(repr, typing.get_args(kind)))
                require(value in typing.get_args(kind), f"{where} is {value!r}; {words} is needed.")


def _is_finite(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)
