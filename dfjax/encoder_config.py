"""Configs of encoders: a subclass of `EncoderConfig` for each. Without jax."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from dfjax.checks import Checked, require, require_within

_MAX_FEATURES = 65_536
_MAX_BLOCKS = 200  # of a ResNet; ResNet-200 has 66


@dataclasses.dataclass(frozen=True, kw_only=True)
class NormalizationConfig(Checked):
    """Pixel statistics of the encoder's pretraining, for values in [0, 1], in RGB order."""

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # ImageNet
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)  # ImageNet

    def __post_init__(self):
        """Checks that no channel is divided by zero."""
        super().__post_init__()
        require(
            all(s > 0 for s in self.std),
            f"NormalizationConfig.std is {self.std}; each channel needs a positive number.",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderConfig(Checked):
    """The config shared by all encoders. Each encoder has a subclass, which sets its type.

    `config.json` holds the fields together with `type`, which identifies the subclass on loading.
    """

    type: ClassVar[str]

    normalization: NormalizationConfig = NormalizationConfig()
    compute_dtype: Literal["float32", "bfloat16"] = "float32"  # of matrix products, convolutions

    def __post_init__(self):
        """Checks ranges."""
        super().__post_init__()

    @property
    def required_size(self) -> int | None:
        """Side of the only crops that the encoder takes, pixels; None: any."""
        return None

    @classmethod
    def from_json_fields(cls, values: Mapping[str, Any]) -> "tuple[type[Checked], dict[str, Any]]":
        """Returns the subclass that `type` names, and the other fields."""
        fields = dict(values)
        return cls.of_type(fields.pop("type", None)), fields

    def extra_json_fields(self) -> dict[str, Any]:
        """Returns the type, by which the subclass is found again."""
        return {"type": self.type}

    @classmethod
    def of_type(cls, name: Any) -> "type[EncoderConfig]":
        """Returns the config class for a type of encoder.

        Raises:
          ValueError: Neither this version of dfjax nor any imported module defines it.
        """
        known = {config.type: config for config in subclasses(cls) if hasattr(config, "type")}
        require(
            isinstance(name, str) and name in known,
            f"the encoder's type is {name!r}; known are {', '.join(sorted(known))}. "
            "Was it written by a newer dfjax, or with an encoder that has to be imported first?",
        )
        return known[name]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResNetConfig(EncoderConfig):
    """Shape of a ResNet. The defaults are ResNet-50 v1.5, as in `microsoft/resnet-50`."""

    type: ClassVar[str] = "resnet"

    embedding_size: int = 64  # channels of the stem
    depths: tuple[int, ...] = (3, 4, 6, 3)  # bottleneck blocks per stage
    widths: tuple[int, ...] = (256, 512, 1024, 2048)  # output channels per stage

    def __post_init__(self):
        """Checks ranges; a model must not make unbounded demands on its user's machine."""
        super().__post_init__()
        require_within(self, "embedding_size", 1, _MAX_FEATURES)
        require(
            len(self.depths) == len(self.widths) > 0,
            f"ResNetConfig has {len(self.depths)} depths and {len(self.widths)} widths; "
            "one of each is needed per stage.",
        )
        require(
            all(depth >= 1 for depth in self.depths) and sum(self.depths) <= _MAX_BLOCKS,
            f"ResNetConfig.depths is {self.depths}; each must be at least 1, and their sum at most "
            f"{_MAX_BLOCKS}.",
        )
        require(
            all(width % 4 == 0 and 0 < width <= _MAX_FEATURES for width in self.widths),
            f"ResNetConfig.widths is {self.widths}; each must be a positive multiple of 4, "
            f"because the bottleneck is a quarter as wide, and at most {_MAX_FEATURES:,}.",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ViTConfig(EncoderConfig):
    """Shape of a vision transformer. Its kinds are subclasses."""

    image_size: int = 224  # side of the crops, pixels
    patch_size: int = 16  # side of a patch, pixels; each patch becomes a token
    hidden_size: int = 768  # features per token
    num_layers: int = 12
    num_heads: int = 12  # of the attention, per layer
    mlp_size: int = 3072  # features between the two matrices of a layer's perceptron
    norm_epsilon: float = 1e-5  # added to the variance in the norms
    activation: Literal["gelu", "quick_gelu"] = "gelu"

    def __post_init__(self):
        """Checks ranges; a model must not make unbounded demands on its user's machine."""
        super().__post_init__()
        require_within(self, "num_layers", 1, 100)
        for name in ("image_size", "patch_size"):
            require_within(self, name, 1, 4096)
        for name in ("hidden_size", "num_heads", "mlp_size"):
            require_within(self, name, 1, _MAX_FEATURES)
        for whole, part in (("image_size", "patch_size"), ("hidden_size", "num_heads")):
            size, divisor = getattr(self, whole), getattr(self, part)
            require(
                size % divisor == 0,
                f"{type(self).__name__}.{whole} is {size}; a multiple of {part} = {divisor} "
                "is needed.",
            )
        require(
            self.norm_epsilon > 0,
            f"{type(self).__name__}.norm_epsilon is {self.norm_epsilon}; it must be positive.",
        )

    @property
    def required_size(self) -> int | None:
        """Returns `image_size`: there is one position per patch."""
        return self.image_size

    @property
    def grid_size(self) -> int:
        """Number of patches along a side of the crop."""
        return self.image_size // self.patch_size


@dataclasses.dataclass(frozen=True, kw_only=True)
class CLIPConfig(ViTConfig):
    """Shape of CLIP's vision tower. The defaults are `openai/clip-vit-base-patch16`."""

    type: ClassVar[str] = "clip"

    normalization: NormalizationConfig = NormalizationConfig(
        mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711)
    )
    activation: Literal["gelu", "quick_gelu"] = "quick_gelu"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DINOv2Config(ViTConfig):
    """Shape of a DINOv2 transformer. The defaults are `facebook/dinov2-base`, at 224 pixels."""

    type: ClassVar[str] = "dinov2"

    patch_size: int = 14  # side of a patch, pixels
    norm_epsilon: float = 1e-6  # added to the variance in the norms


def subclasses(kind: type) -> list[type]:
    """Returns all classes below a class."""
    return [c for child in kind.__subclasses__() for c in (child, *subclasses(child))]
