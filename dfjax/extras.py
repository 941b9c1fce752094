"""The parts of dfjax that need more packages than judging videos does."""

import importlib.util
from typing import Literal

from dfjax.errors import MissingExtraError

MODULES = {
    "app": ("gradio", "skimage"),
    "train": (
        *("datasets", "matplotlib", "optax", "orbax", "sklearn", "tensorboardX"),
        *("transformers", "yaml"),
    ),
    "onnx": ("onnx", "onnxruntime"),
    "openvino": ("onnx", "openvino"),
    "stablehlo": ("flatbuffers",),
    "scan": ("fsspec", "pyarrow"),
    "ray": ("ray",),
    "torch": ("torch",),
}
"""What each extra of pyproject.toml installs, by the names under which it is imported."""


Extra = Literal["app", "train", "onnx", "openvino", "stablehlo", "scan", "ray", "torch"]


def require_extra(extra: Extra, user: str) -> None:
    """Checks that the packages of an extra are installed, before any work is done.

    Args:
      extra: The extra, as in `pip install '.[train]'`.
      user: What needs it, as the user knows it; begins the error's sentence.

    Raises:
      MissingExtraError: A package of the extra is not installed.
    """
    missing = [name for name in MODULES[extra] if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"{user} needs {', '.join(missing)}, not installed here: install dfjax again with its "
            f"extra {extra}, in a checkout with pip install '.[{extra}]'."
        )
