"""A detector of a few thousand weights, for tests of what happens around the network."""

import dataclasses

from dfjax.config import CalibrationConfig, Config, CropConfig, DetectorConfig, VideoConfig
from dfjax.encoder_config import ResNetConfig
from dfjax.models.detector import Detector
from tests.models.tiny import filled

TINY_RESNET = ResNetConfig(embedding_size=8, depths=(1, 1), widths=(16, 32))
TINY_CONFIG = Config(
    video=VideoConfig(num_frames=8),
    crops=CropConfig(image_size=32),
    encoder=TINY_RESNET,
    detector=DetectorConfig(projection_size=16, hidden_size=8),
)


def tiny_detector(
    *,
    real_below: float = 0.5,
    fake_above: float = 0.5,
    false_positive_rate: float | None = None,
    seed: int = 0,
) -> Detector:
    """Returns an untrained detector with the given thresholds."""
    calibration = CalibrationConfig(
        real_below=real_below, fake_above=fake_above, false_positive_rate=false_positive_rate
    )
    config = dataclasses.replace(TINY_CONFIG, calibration=calibration)
    return filled(lambda rngs: Detector(config, rngs=rngs), seed=seed)
