"""The fingerprint of a model, by which a report can be told to be about exactly this one.

It is a hash over the variables of `Detector`, so that it does not depend on how they are stored.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from dfjax.config import Config
from dfjax.encoder_config import ResNetConfig
from dfjax.json_values import dumps


def fingerprint(state: Any, config: Config) -> str:
    """Returns a hash of the weights and the config, 16 hex digits.

    Args:
      state: All variables of a detector, in the form of `nnx.state`.
      config: The detector's.
    """
    from flax import nnx

    flat = nnx.to_flat_state(state)
    return fingerprint_of({path: np.asarray(variable[...]) for path, variable in flat}, config)


def fingerprint_of(variables: Mapping[tuple[Any, ...], np.ndarray], config: Config) -> str:
    """Returns the same from the variables by their paths, without jax.

    Args:
      variables: Attribute names and list indices as in `Detector`; floating point.
      config: The detector's.
    """
    digest = hashlib.sha256(dumps(_as_first_published(config)).encode())
    for path in sorted(variables):
        # As jax writes paths, which published reports rely on.
        digest.update(("".join(f"[{part!r}]" for part in path) + ".value").encode())
        digest.update(np.ascontiguousarray(variables[path], np.float32).data)
    return digest.hexdigest()[:16]


# These were part of the config before `VideoLimits`; every published model had these values.
_FIRST_LIMITS = {
    "max_source_pixels": 8192 * 4320,
    "max_duration": 4 * 3600.0,
    "max_source_frames": 2_000_000,
    "max_file_bytes": 2 * 1024**3,
    "max_output_bytes": 1024**3,
    "max_decode_seconds": 120.0,
}


def _as_first_published(config: Config) -> dict[str, Any]:
    """Returns the config in the first layout of `config.json`, if it can be expressed in it.

    This keeps the fingerprints in published reports valid as the layout grows.
    """
    values = config.to_dict()
    values["video"] |= _FIRST_LIMITS
    later = {
        "video": {"burst_frames": 1},
        "crops": {"min_detail": 0, "anchor": "box"},
        "calibration": {"false_negative_rate": None, "evidence": None, "mirror_bursts": False},
    }
    for part, fields in later.items():
        for name, neutral in fields.items():
            if values[part][name] == neutral:
                del values[part][name]
    if isinstance(config.encoder, ResNetConfig):
        encoder = values["encoder"]
        shape = ("embedding_size", "depths", "widths", "compute_dtype")
        values["encoder"] = {name: encoder[name] for name in shape}
        calibration = values.pop("calibration")
        values |= {"normalization": encoder["normalization"], "calibration": calibration}
    return values
