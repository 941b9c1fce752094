"""dfjax: a deepfake-video detector in JAX, as a Gradio app, a command line and a library.

The names below are imported when they are first asked for, so that `dfjax.config` and
`dfjax.video` can be used without starting jax.
"""

import importlib
from typing import TYPE_CHECKING, Any

from dfjax.version import __version__

if TYPE_CHECKING:
    from dfjax.errors import DfjaxError, VideoError
    from dfjax.models.detector import Detector
    from dfjax.prediction import Prediction
    from dfjax.predictor import Predictor

__all__ = ["Detector", "DfjaxError", "Prediction", "Predictor", "VideoError", "__version__"]

_HOMES = {
    "Detector": "dfjax.models.detector",
    "DfjaxError": "dfjax.errors",
    "Prediction": "dfjax.prediction",
    "Predictor": "dfjax.predictor",
    "VideoError": "dfjax.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dfjax' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
