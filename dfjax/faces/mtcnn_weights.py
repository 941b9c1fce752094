"""The published weights of MTCNN. Does not import jax.

They come with the PyPI package `mtcnn` 1.0. The package itself is never imported, because that
would need TensorFlow.
"""

import hashlib
import importlib.metadata
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dfjax.errors import ModelFormatError

REMEDY = "Install it with `pip install --force-reinstall mtcnn==1.0.0`."

_SHA256 = {
    "pnet.lz4": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet.lz4": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet.lz4": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}


def read_weights() -> Iterator[Sequence[np.ndarray]]:
    """Yields the arrays of P-Net, R-Net and O-Net: kernel and bias, or slopes, layer by layer.

    Kernels are HWIO, or [in, out]; slopes have leading axes of size one. The files are pickles, so
    each is loaded only if its SHA-256 matches. That also ensures that face boxes, and so the crops
    that a model is trained on, cannot change unnoticed.

    Raises:
      ModelFormatError: The package is not installed, or one of its files is missing or differs.
    """
    yield from map(_read_arrays, _SHA256)


def _read_arrays(file_name: str) -> list[np.ndarray]:
    import joblib  # here, because it takes a tenth of a second

    try:
        distribution = importlib.metadata.distribution("mtcnn")
    except importlib.metadata.PackageNotFoundError:
        raise ModelFormatError(
            f"The package mtcnn, whose weights find the faces, is not installed. {REMEDY}"
        ) from None
    path = Path(str(distribution.locate_file(f"mtcnn/assets/weights/{file_name}")))
    if not path.is_file():
        raise ModelFormatError(
            f"mtcnn {distribution.version} is installed without its weights {file_name}. {REMEDY}"
        )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != _SHA256[file_name]:
        raise ModelFormatError(
            f"{file_name} of mtcnn {distribution.version} is not the file from mtcnn 1.0.0; "
            f"face boxes would differ from those in training. {REMEDY}"
        )
    return joblib.load(io.BytesIO(content))
