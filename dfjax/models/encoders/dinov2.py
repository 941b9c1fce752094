"""DINOv2 as an encoder.

Source: Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision", TMLR 2024.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from flax import nnx

from dfjax.encoder_config import DINOv2Config, EncoderConfig
from dfjax.models.encoders import dinov2_files
from dfjax.models.encoders.vit import VisionTransformer
from dfjax.models.tensors import PublishedTensor, VariablePath


class DINOv2(VisionTransformer[DINOv2Config]):
    """A DINOv2 transformer, without registers."""

    config_class: ClassVar[type[EncoderConfig]] = DINOv2Config
    published_types: ClassVar[tuple[str, ...]] = (dinov2_files.MODEL_TYPE,)
    embeds_batches: ClassVar[bool] = True

    def __init__(self, config: DINOv2Config, *, rngs: nnx.Rngs):
        super().__init__(config, patch_bias=True, norm_before=False, scaled=True, rngs=rngs)

    @classmethod
    def published(cls, path: VariablePath) -> PublishedTensor:
        """Returns the name and layout of the variable in `facebook/dinov2-base`."""
        return dinov2_files.published_tensor(path)

    @classmethod
    def known_name(cls, name: str) -> str | None:
        """Returns the name in `facebook/dinov2-base`; None for what only its training needs."""
        return dinov2_files.known_name(name)

    @classmethod
    def config_of_files(cls, values: Mapping[str, Any], where: str) -> EncoderConfig:
        """Returns the config for files in transformers' format."""
        return dinov2_files.read_published_config(values, where)
