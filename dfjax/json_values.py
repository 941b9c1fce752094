"""Dataclasses to JSON values and back, with every type checked."""

import dataclasses
import json
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from dfjax.checks import Checked, field_types, require


def dumps(values: Mapping[str, Any] | Sequence[Any]) -> str:
    """Returns `values` as the JSON text of a file: indented, with a final newline, no NaN."""
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_json_value(value: Any) -> Any:
    """Returns a value made of dataclasses and tuples as one made of dicts and lists."""
    if dataclasses.is_dataclass(value):
        extra = value.extra_json_fields() if isinstance(value, Checked) else {}
        fields = dataclasses.fields(value)
        return extra | {f.name: to_json_value(getattr(value, f.name)) for f in fields}
    if isinstance(value, tuple):
        return [to_json_value(item) for item in value]
    return value


def from_json_value(kind: Any, value: Any, where: str) -> Any:
    """Returns JSON values as the annotated type `kind`.

    Args:
      kind: A dataclass, or the type of one of its fields.
      value: As `to_json_value` gives it. Absent fields of a dataclass take their defaults, if any.
      where: Names the value in errors.

    Raises:
      ValueError: A field is unknown, of another type, or out of range, or one is missing.
    """
    if dataclasses.is_dataclass(kind):
        require(isinstance(value, Mapping), f"{where} is {value!r}; an object was expected.")
        if isinstance(kind, type) and issubclass(kind, Checked):
            kind, value = kind.from_json_fields(value)
        hints = field_types(kind)
        unknown = sorted(set(value) - set(hints))
        require(
            not unknown,
            f"{where} has unknown fields {', '.join(unknown)}; known are {', '.join(hints)}. "
            "Was it written by a newer dfjax?",
        )
        missing = sorted(
            field.name
            for field in dataclasses.fields(kind)
            if field.name not in value
            and field.default is field.default_factory is dataclasses.MISSING
        )
        require(not missing, f"{where} lacks {', '.join(missing)}. Is it complete?")
        fields = {
            name: from_json_value(hints[name], item, f"{where}.{name}")
            for name, item in value.items()
        }
        return typing.cast(Any, kind)(**fields)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        if value is None and type(None) in arguments:
            return None
        (kind,) = (a for a in arguments if a is not type(None))
        return from_json_value(kind, value, where)
    if origin is tuple:
        require(isinstance(value, list | tuple), f"{where} is {value!r}; a list was expected.")
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        require(
            len(kinds) == len(value),
            f"{where} has {len(value)} entries; {len(kinds)} were expected.",
        )
        return tuple(
            from_json_value(k, v, f"{where}[{i}]")
            for i, (k, v) in enumerate(zip(kinds, value, strict=True))
        )
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"{where} is too large a number.") from None
    if origin is Literal:
        words = " or ".join(map(repr, arguments))
        require(value in arguments, f"{where} is {value!r}; {words} was expected.")
        return value
    require(
        isinstance(value, kind) and not (kind is int and isinstance(value, bool)),
        f"{where} is {value!r}; {kind.__name__} was expected.",
    )
    return value
