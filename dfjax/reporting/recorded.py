"""Checked reading of what training or an evaluation recorded, for the model card."""

import math
from collections.abc import Mapping
from typing import Any

from dfjax.errors import ModelFormatError


class Recorded:
    """A part of a recorded file whose values are checked as they are read."""

    def __init__(self, values: Any, where: tuple[str, ...] = (), *, file: str = "training.json"):
        self._values, self._where, self._file = values, where, file

    def at(self, *keys: str) -> "Recorded":
        """Returns the object under `keys`."""
        value = self._get(keys)
        if not isinstance(value, Mapping):
            raise self._unusable(keys, value, "an object")
        return Recorded(value, (*self._where, *keys), file=self._file)

    def rows(self, *keys: str) -> "list[Recorded]":
        """Returns the objects of the list under `keys`."""
        rows = self.values(*keys)
        return [
            Recorded(row, (*self._where, *keys, str(n)), file=self._file)
            for n, row in enumerate(rows)
        ]

    def values(self, *keys: str) -> list[Any]:
        """Returns the list under `keys`."""
        value = self._get(keys)
        if not isinstance(value, list):
            raise self._unusable(keys, value, "a list")
        return value

    def text(self, *keys: str) -> str:
        """Returns the text under `keys`."""
        value = self._get(keys)
        if not isinstance(value, str):
            raise self._unusable(keys, value, "text")
        return value

    def flag(self, *keys: str) -> bool:
        """Returns the truth value under `keys`."""
        value = self._get(keys)
        if not isinstance(value, bool):
            raise self._unusable(keys, value, "true or false")
        return value

    def number(self, *keys: str) -> float:
        """Returns the finite number under `keys`."""
        value = self._get(keys)
        if not _is_finite(value):
            raise self._unusable(keys, value, "a finite number")
        return value

    def count(self, *keys: str) -> int:
        """Returns the whole number under `keys`."""
        value = self._get(keys)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self._unusable(keys, value, "a whole number")
        return value

    def figure(self, *keys: str) -> dict[str, Any]:
        """Returns a figure as in `figures.report`: `value`, `interval` and `reason`."""
        figure = self.at(*keys)
        reason = figure._values.get("reason")
        value, interval = figure._values.get("value"), figure._values.get("interval")
        if value is not None or reason is None:
            value = figure.number("value")
        if interval is not None or reason is None:
            interval = figure.values("interval")
            if len(interval) != 2 or not all(map(_is_finite, interval)):
                raise figure._unusable(("interval",), interval, "two finite numbers, [low, high]")
        return {"value": value, "interval": interval, "reason": reason}

    def flat(self) -> dict[str, Any]:
        """Returns all values, those of nested objects under dotted names."""
        flat = {}
        for key, value in self._values.items():
            if isinstance(value, Mapping):
                inner = Recorded(value, (*self._where, key), file=self._file).flat()
                flat |= {f"{key}.{name}": item for name, item in inner.items()}
            else:
                flat[key] = value
        return flat

    def _get(self, keys: tuple[str, ...]) -> Any:
        value, where = self._values, self._where
        for key in keys:
            where = (*where, key)
            if not isinstance(value, Mapping) or value.get(key) is None:
                raise ModelFormatError(
                    f"{self._file} has no `{'.'.join(where)}`, which the model card states. "
                    "Create it again with this version of dfjax."
                )
            value = value[key]
        return value

    def _unusable(self, keys: tuple[str, ...], value: Any, needed: str) -> ModelFormatError:
        return ModelFormatError(
            f"`{'.'.join((*self._where, *keys))}` in {self._file} is {value!r}; the model card "
            f"needs {needed}."
        )


def _is_finite(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)
