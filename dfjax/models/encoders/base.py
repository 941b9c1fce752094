"""What every encoder does, and what it says of itself to those who save, load and train it."""

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx

from dfjax.encoder_config import EncoderConfig
from dfjax.models.tensors import PublishedTensor, VariablePath

Array = Any  # of jax or of numpy

ConfigT = TypeVar("ConfigT", bound=EncoderConfig)


class Encoder(nnx.Module, abc.ABC, Generic[ConfigT]):
    """From pictures of faces to features.

    Its variables are sorted into stages, from the one that sees the pixels (0) to the one that
    gives the features (`num_stages` - 1), so that training can freeze the first ones.
    """

    config_class: ClassVar[type[EncoderConfig]]
    published_type: ClassVar[str | None] = None  # `model_type` of the files it can read; None: none

    config: ConfigT

    @abc.abstractmethod
    def __init__(self, config: ConfigT, *, rngs: nnx.Rngs): ...

    @property
    @abc.abstractmethod
    def num_features(self) -> int:
        """How many features a picture gets."""

    @property
    @abc.abstractmethod
    def num_stages(self) -> int:
        """How many stages there are; one that only reads pixels in (a stem) counts too."""

    @abc.abstractmethod
    def stage_of(self, path: VariablePath) -> int:
        """Returns which stage the variable at `path` of this module belongs to.

        Raises:
          ValueError: There is no such variable.
        """

    @classmethod
    @abc.abstractmethod
    def published(cls, path: VariablePath) -> PublishedTensor:
        """Returns the name and layout that the variable at `path` has in files.

        Raises:
          ValueError: There is no such variable.
        """

    @classmethod
    def config_of_files(cls, values: Mapping[str, Any], where: str) -> EncoderConfig:
        """Returns the config of published files; needed where `published_type` is set.

        Args:
          values: Their `config.json`.
          where: Names the place of the files in errors.

        Raises:
          ModelFormatError: They hold another network than this encoder.
        """
        raise NotImplementedError(f"{cls.__name__} has a published_type, so it must read configs.")

    @classmethod
    def is_unused(cls, name: str) -> bool:
        """Whether a tensor of published files is of no use to an encoder, such as a classifier."""
        del name
        return False

    @abc.abstractmethod
    def feature_map(
        self,
        images: jax.Array,
        *,
        use_running_average: bool = True,
        image_mask: jax.Array | None = None,
        frozen_stages: int = 0,
    ) -> jax.Array:
        """Returns the features of places in the pictures, [N,h,w,num_features].

        Args:
          images: float [N,S,S,3], RGB, as `normalize` gives them.
          use_running_average: False: norms that keep statistics use those of this batch, and update
            the running ones. It means nothing to an encoder without such norms.
          image_mask: bool [N], pictures that count in the batch's statistics; None: all. At least
            one must count.
          frozen_stages: So many stages use the running statistics even where
            `use_running_average` is False.
        """

    def __call__(self, images: jax.Array, **options: Any) -> jax.Array:
        """Returns the features of pictures, float32 [N,num_features]: the mean of `feature_map`.

        Args:
          images: As for `feature_map`.
          **options: As for `feature_map`.
        """
        return jnp.mean(self.feature_map(images, **options), axis=(1, 2), dtype=jnp.float32)

    def normalize(self, images: Array) -> jax.Array:
        """Returns pictures, [N,S,S,3], uint8 or float in [0, 255], with the pretraining's scale."""
        statistics = self.config.normalization
        mean = jnp.asarray(statistics.mean, jnp.float32).reshape(1, 1, 1, 3)
        std = jnp.asarray(statistics.std, jnp.float32).reshape(1, 1, 1, 3)
        return (jnp.asarray(images, jnp.float32) / 255 - mean) / std


def encoder_classes() -> list[type[Encoder]]:
    """Returns all encoders that were imported."""

    def below(kind: type[Encoder]) -> list[type[Encoder]]:
        return [c for child in kind.__subclasses__() for c in (child, *below(child))]

    return below(Encoder)


def encoder_class(config: EncoderConfig) -> type[Encoder]:
    """Returns the encoder that a config is for.

    Raises:
      ValueError: None that was imported.
    """
    for kind in encoder_classes():
        if kind.config_class is type(config):
            return kind
    raise ValueError(
        f"no encoder has the config {type(config).__name__}. Import the module that defines it."
    )


def make_encoder(config: EncoderConfig, *, rngs: nnx.Rngs) -> Encoder:
    """Returns an encoder with fresh weights.

    Raises:
      ValueError: As for `encoder_class`.
    """
    return encoder_class(config)(config, rngs=rngs)
