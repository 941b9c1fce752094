"""CLIP's vision tower as an encoder.

Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
ICML 2021.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from flax import nnx

from dfjax.encoder_config import CLIPConfig, EncoderConfig
from dfjax.models.encoders import clip_files
from dfjax.models.encoders.vit import VisionTransformer
from dfjax.models.tensors import PublishedTensor, VariablePath


class CLIP(VisionTransformer[CLIPConfig]):
    """The vision tower of CLIP, without the projection to the space that pictures share with text.

    The token of the picture is normalised once more after the last layer.
    """

    config_class: ClassVar[type[EncoderConfig]] = CLIPConfig
    published_types: ClassVar[tuple[str, ...]] = clip_files.MODEL_TYPES

    def __init__(self, config: CLIPConfig, *, rngs: nnx.Rngs):
        super().__init__(config, patch_bias=False, norm_before=True, scaled=False, rngs=rngs)

    @classmethod
    def published(cls, path: VariablePath) -> PublishedTensor:
        """Returns the name and layout of the variable in `openai/clip-vit-large-patch14`."""
        return clip_files.published_tensor(path)

    @classmethod
    def known_name(cls, name: str) -> str | None:
        """Returns the name in `openai/clip-vit-large-patch14`; None for the text's half."""
        return clip_files.known_name(name)

    @classmethod
    def config_of_files(cls, values: Mapping[str, Any], where: str) -> EncoderConfig:
        """Returns the config for files in transformers' format, of both halves or of this one."""
        return clip_files.read_published_config(values, where)
