"""What published files of vision transformers have in common: leaves, layouts, other resolutions.

Nothing here depends on the network itself.
"""

from collections.abc import Mapping

import numpy as np

from dfjax.models.tensors import PublishedTensor, VariablePath

_HWIO_TO_OIHW = (3, 2, 0, 1)
_IN_OUT_TO_OUT_IN = (1, 0)
_CUBIC = -0.75  # torch's parameter of the bicubic kernel

Names = Mapping[VariablePath, str]
"""From our names to those in files: of variables, or of modules without the leaf."""


def published_by(
    path: VariablePath, names: Names, block: str, in_block: Names, *, network: str
) -> PublishedTensor:
    """Returns the name and layout in files of the variable at `path` in a vision transformer.

    Args:
      path: The variable.
      names: Those outside the layers.
      block: Of a layer, with its number to be filled in.
      in_block: Those in a layer.
      network: What it is called in an error.

    Raises:
      ValueError: There is no such variable.
    """
    match path:
        case ("blocks", int(number), *rest):
            found = _named(tuple(rest), in_block)
            prefix = f"{block.format(number)}."
        case _:
            found, prefix = _named(path, names), ""
    if found is None:
        raise ValueError(f"{network} has no variable {path}.")
    return found._replace(name=prefix + found.name)


def _named(path: VariablePath, names: Names) -> PublishedTensor | None:
    if path == ("patches", "kernel"):
        return PublishedTensor(names[path], _HWIO_TO_OIHW)
    if path in names:
        return PublishedTensor(names[path])
    if not path or path[:-1] not in names:
        return None
    match path[-1]:
        case "kernel":
            return PublishedTensor(f"{names[path[:-1]]}.weight", _IN_OUT_TO_OUT_IN)
        case "scale":  # of a norm
            return PublishedTensor(f"{names[path[:-1]]}.weight")
        case "bias":
            return PublishedTensor(f"{names[path[:-1]]}.bias")
    return None


def resampled_positions(positions: np.ndarray, grid_size: int) -> np.ndarray:
    """Returns the positions of a transformer for pictures of another size.

    That of the class token stays; those of the patches are resampled as transformers does it, with
    torch's bicubic kernel at the scale of the finer grid.

    Args:
      positions: float [..., 1 + g * g, C].
      grid_size: Patches along a side of the other pictures.

    Returns:
      float32 [..., 1 + grid_size * grid_size, C].
    """
    positions = np.asarray(positions, np.float32)
    shape = positions.shape
    old = round((shape[-2] - 1) ** 0.5)
    table = positions.reshape(shape[-2:])
    kernel = _cubic_matrix(old, grid_size)
    grid = table[1:].reshape(old, old, -1)
    resampled = np.einsum("yh,xw,hwc->yxc", kernel, kernel, grid, optimize=True)
    table = np.concatenate([table[:1], resampled.reshape(grid_size**2, -1)])
    return table.reshape(*shape[:-2], *table.shape).astype(np.float32)


def _cubic_matrix(old: int, new: int) -> np.ndarray:
    """Returns the weights of bicubic resampling along an axis, float64 [new, old]."""
    middles = (np.arange(new) + 0.5) * old / new - 0.5
    matrix = np.zeros((new, old))
    for tap in range(-1, 3):
        places = np.floor(middles).astype(int) + tap
        away = np.abs(middles - places)
        near = ((_CUBIC + 2) * away - (_CUBIC + 3)) * away**2 + 1
        far = ((away - 5) * away + 8) * away - 4
        weights = np.where(away <= 1, near, _CUBIC * far)
        np.add.at(matrix, (np.arange(new), np.clip(places, 0, old - 1)), weights)
    return matrix
