"""What an exported file says about itself."""

import json
from collections.abc import Mapping

from flax import nnx

from dfjax.config import ID2LABEL, Config
from dfjax.faces.crops import crop_rule
from dfjax.inference.evidence import level_calibration
from dfjax.models.detector import Detector
from dfjax.models.fingerprint import fingerprint
from dfjax.version import __version__

_LABEL_RULE = (
    "probability_fake is the probability of {1!r}, and 1 less it that of {0!r}. A positive logit "
    "means {1!r}."
)


def description(detector: Detector, model_id: str) -> dict[str, str]:
    """Returns the metadata of an exported detector.

    Args:
      detector: The model.
      model_id: A folder's name or a Hub repository.
    """
    config = detector.config
    return {
        "model": model_id,
        "digest": fingerprint(nnx.state(detector), config),
        "dfjax_version": __version__,
        "id2label": json.dumps(ID2LABEL),
        "label_rule": _LABEL_RULE.format(*ID2LABEL.values()),
        "crop_rule": crop_rule(config.crops),
        "mirror_rule": mirror_rule(config),
        "config": json.dumps(config.to_dict()),
    }


def mirror_rule(config: Config) -> str:
    """Returns which way round a model is shown faces; see `dfjax.inference.mirroring`."""
    if not config.calibration.mirror_bursts:
        return "Crops are shown as they are."
    burst = config.video.burst_frames
    return (
        f"Frames are taken in bursts of {burst}, and the crops of every other burst are mirrored "
        "left to right. If there is a single burst, as of a picture, it is scored twice, as it is "
        "and mirrored, and the logits are averaged."
    )


def calibrations(detector: Detector) -> Mapping[str, tuple[float, float]]:
    """Returns scale and bias of the logits of clips and of frames, by these words."""
    calibration = detector.config.calibration
    return {
        "clips": level_calibration(calibration),
        "frames": (calibration.frame_scale, calibration.frame_bias),
    }
