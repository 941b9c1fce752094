"""The tensors of a model's files, checked as they are taken. Does not import jax."""

import math
from collections.abc import Mapping

import numpy as np

from dfjax.errors import ModelFormatError

_FLOATS = ("float16", "bfloat16", "float32", "float64")

_VARIANCE = "running_var"
"""How the names of variances end. With a negative one, what comes out depends on the runtime."""

_MAX_ZEROS = 2**28  # a config may ask for tensors of any size, and they must not fill the memory


class TensorTable:
    """Hands out tensors by name, and notes all those that do not fit."""

    def __init__(self, tensors: Mapping[str, np.ndarray], *, where: str):
        """Takes the tensors of a model.

        Args:
          tensors: float16, bfloat16, float32 or float64, by name.
          where: Location of the files, for the error message.
        """
        self._tensors = tensors
        self._where = where
        self._taken: set[str] = set()
        self._num_zeros = 0  # handed out in place of tensors
        kinds = ("missing", "unknown", "of the wrong shape", "not of floating point", "not finite")
        self._problems: dict[str, list[str]] = {kind: [] for kind in (*kinds, "negative")}

    def take(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Returns a tensor as it is stored, or zeros in its place if it does not fit.

        Args:
          name: Its name in the files.
          shape: The shape that it must have there.

        Raises:
          ModelFormatError: So much does not fit that it is not worth going on.
        """
        self._taken.add(name)
        if name not in self._tensors:
            self._problems["missing"].append(name)
        elif (stored := self._tensors[name]).dtype.name not in _FLOATS:
            self._problems["not of floating point"].append(f"{name} ({stored.dtype})")
        elif stored.shape != shape:
            self._problems["of the wrong shape"].append(
                f"{name} (found {list(stored.shape)}, needed {list(shape)})"
            )
        else:
            if stored.dtype == np.float64:
                stored = stored.astype(np.float32)
            if not np.isfinite(stored).all():
                self._problems["not finite"].append(name)
            elif name.endswith(_VARIANCE) and (stored < 0).any():
                self._problems["negative"].append(name)
            return stored
        self._num_zeros += math.prod(shape)
        if self._num_zeros > _MAX_ZEROS:
            self._refuse()
        return np.zeros(shape, np.float32)

    def finish(self) -> None:
        """Checks that every tensor was taken, and that every one fitted.

        Raises:
          ModelFormatError: Tensors are missing, unknown, of the wrong shape or type, not finite, or
            negative where they cannot be; the message lists them all.
        """
        self._problems["unknown"] = sorted(self._tensors.keys() - self._taken)
        self._refuse()

    def _refuse(self) -> None:
        """Raises ModelFormatError with the problems that were found, if there are any."""
        found = [f"{kind}: {', '.join(names)}" for kind, names in self._problems.items() if names]
        if found:
            raise ModelFormatError(
                f"{self._where} does not have the tensors that its config.json requires. "
                f"{'; '.join(found)}. Use the weights and the config of the same model, and load "
                "them with the version of dfjax that wrote them."
            )
