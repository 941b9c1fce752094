"""Converts tensors in files to variables of modules, and back."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
from flax import nnx

from dfjax.models.tensor_table import TensorTable

VariablePath = tuple[Any, ...]
"""The path to a variable in a module: attribute names and list indices."""

_ModuleT = TypeVar("_ModuleT", bound=nnx.Module)


class PublishedTensor(NamedTuple):
    """The name of a variable in a file, and the order of its axes there."""

    name: str
    axes: tuple[int, ...] | None = None  # our axes, in the file's order; None: the same order

    def to_file(self, array: np.ndarray) -> np.ndarray:
        """Converts an array from our layout to the file's."""
        return array if self.axes is None else array.transpose(self.axes)

    def from_file(self, array: np.ndarray) -> np.ndarray:
        """Converts an array from the file's layout to ours."""
        return array if self.axes is None else array.transpose(np.argsort(self.axes))

    def file_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Converts a shape from our layout to the file's."""
        return shape if self.axes is None else tuple(shape[axis] for axis in self.axes)


Published = Callable[[VariablePath], PublishedTensor]
"""Maps a variable's path to its tensor in a file."""


def to_tensors(module: nnx.Module, published: Published) -> dict[str, np.ndarray]:
    """Returns the variables of a module as tensors for a file, float32.

    Args:
      module: A module with only parameters and batch statistics.
      published: Maps the path of each variable to its tensor in the file.
    """
    tensors = {}
    for path, variable in nnx.to_flat_state(nnx.state(module)):
        tensor = published(path)
        tensors[tensor.name] = np.ascontiguousarray(tensor.to_file(np.asarray(variable[...])))
    return tensors


class _OneKey(nnx.Rngs):
    """Returns the same key for every draw.

    Only shapes are needed here, so any key will do; nnx's own streams count their draws in a traced
    variable, which takes a second for fifty layers.
    """

    def params(self) -> jax.Array:
        return self["default"].key[...]


def build(
    make: Callable[[nnx.Rngs], _ModuleT],
    tensors: Mapping[str, np.ndarray],
    published: Published,
    *,
    where: str,
) -> _ModuleT:
    """Returns a module whose variables are the tensors of a file, as float32.

    Nothing is initialised: `make` is only traced to get the shapes.

    Args:
      make: Makes the module, given its source of random keys.
      tensors: float16, bfloat16, float32 or float64, by name.
      published: As in `to_tensors`.
      where: Location of the file, for error messages.

    Raises:
      ModelFormatError: Tensors are missing, unknown, of the wrong shape or type, or not finite; the
        message lists them all.
    """
    graph, state = nnx.split(nnx.eval_shape(lambda: make(_OneKey(0))))
    flat = nnx.to_flat_state(state)
    table = TensorTable(tensors, where=where)
    arrays = []
    for path, variable in flat:
        tensor = published(path)
        stored = table.take(tensor.name, tensor.file_shape(variable.shape))
        arrays.append(np.ascontiguousarray(tensor.from_file(stored), np.float32))
    table.finish()
    values = jax.device_put(arrays)
    filled = [
        (path, variable.replace(value))
        for (path, variable), value in zip(flat, values, strict=True)
    ]
    return nnx.merge(graph, nnx.from_flat_state(filled))
