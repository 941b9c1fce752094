"""Configs of encoders: a subclass of `EncoderConfig` for each. Without jax."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from dfjax.checks import Checked, require


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
    image_size: ClassVar[int | None] = None  # side of the crops it takes, pixels; None: any

    normalization: NormalizationConfig = NormalizationConfig()
    compute_dtype: Literal["float32", "bfloat16"] = "float32"  # of matrix products, convolutions

    def __post_init__(self):
        """Checks ranges."""
        super().__post_init__()

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
        """Checks ranges."""
        super().__post_init__()
        require(
            len(self.depths) == len(self.widths) > 0,
            f"ResNetConfig has {len(self.depths)} depths and {len(self.widths)} widths; "
            "one of each is needed per stage.",
        )
        require(
            all(width % 4 == 0 and width > 0 for width in self.widths),
            f"ResNetConfig.widths is {self.widths}; each must be a positive multiple of 4, "
            "because the bottleneck is a quarter as wide.",
        )


def subclasses(kind: type) -> list[type]:
    """Returns all classes below a class."""
    return [c for child in kind.__subclasses__() for c in (child, *subclasses(child))]
