"""Encoders: turn each picture of a face into a feature vector.

An encoder is one module here, a subclass of `Encoder`, and its config, a subclass of
`EncoderConfig` in `dfjax.encoder_config`. It describes itself, so no other code names it. Import it
below, so that it is found by the type that `config.json` names.
"""

from dfjax.models.encoders.base import Encoder, make_encoder
from dfjax.models.encoders.clip import CLIP
from dfjax.models.encoders.dinov2 import DINOv2
from dfjax.models.encoders.files import load_encoder
from dfjax.models.encoders.resnet import ResNet

__all__ = ["CLIP", "DINOv2", "Encoder", "ResNet", "load_encoder", "make_encoder"]
