"""The base class of encoders, including what is needed to save, load and train them."""

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx

from dfjax.encoder_config import EncoderConfig, subclasses
from dfjax.errors import ModelFormatError
from dfjax.models.tensors import PublishedTensor, VariablePath

Array = Any  # from jax or numpy

ConfigT = TypeVar("ConfigT", bound=EncoderConfig)


class Encoder(nnx.Module, abc.ABC, Generic[ConfigT]):
    """Turns pictures of faces into features.

    Its variables are divided into stages, from the one that sees the pixels (0) to the one that
    outputs the features (`num_stages` - 1), so that training can freeze the first ones.
    """

    config_class: ClassVar[type[EncoderConfig]]
    published_type: ClassVar[str | None] = None  # `model_type` of files it can read; None: no files

    config: ConfigT

    @abc.abstractmethod
    def __init__(self, config: ConfigT, *, rngs: nnx.Rngs): ...

    @property
    @abc.abstractmethod
    def num_features(self) -> int:
        """Number of features per picture."""

    @property
    @abc.abstractmethod
    def num_stages(self) -> int:
        """Number of stages, including a stem, which only reads the pixels in."""

    @abc.abstractmethod
    def stage_of(self, path: VariablePath) -> int:
        """Returns the stage of the variable at `path` in this module.

        Raises:
          ValueError: There is no such variable.
        """

    @classmethod
    @abc.abstractmethod
    def published(cls, path: VariablePath) -> PublishedTensor:
        """Returns the name and layout of the variable at `path` in files.

        Raises:
          ValueError: There is no such variable.
        """

    @classmethod
    def config_of_files(cls, values: Mapping[str, Any], where: str) -> EncoderConfig:
        """Returns the config for published files; to be overridden where `published_type` is set.

        Args:
          values: Contents of their `config.json`.
          where: Location of the files, for error messages.

        Raises:
          ModelFormatError: The files are for a different network, or the encoder reads none.
        """
        raise ModelFormatError(
            f"{where} cannot be loaded: {cls.__name__} reads no published files."
        )

    @classmethod
    def is_unused(cls, name: str) -> bool:
        """Whether the encoder does not need a tensor in published files, such as a classifier's."""
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
        """Returns the spatial features of pictures, [N,h,w,num_features].

        Args:
          images: float [N,S,S,3], RGB, as returned by `normalize`.
          use_running_average: If False, norms that keep statistics use those of this batch and
            update the running ones. Has no effect on an encoder without such norms.
          image_mask: bool [N], pictures to include in the batch's statistics, at least one; None:
            all.
          frozen_stages: Number of stages, from the first, that use the running statistics even if
            `use_running_average` is False.
        """

    def __call__(self, images: jax.Array, **options: Any) -> jax.Array:
        """Returns the features of pictures, float32 [N,num_features]: the means of `feature_map`.

        Args:
          images: As for `feature_map`.
          **options: As for `feature_map`.
        """
        return jnp.mean(self.feature_map(images, **options), axis=(1, 2), dtype=jnp.float32)

    def normalize(self, images: Array) -> jax.Array:
        """Scales pictures, [N,S,S,3], uint8 or float in [0, 255], as they were in pretraining."""
        statistics = self.config.normalization
        mean = jnp.asarray(statistics.mean, jnp.float32).reshape(1, 1, 1, 3)
        std = jnp.asarray(statistics.std, jnp.float32).reshape(1, 1, 1, 3)
        return (jnp.asarray(images, jnp.float32) / 255 - mean) / std


def encoder_classes() -> list[type[Encoder]]:
    """Returns all encoders that have been imported."""
    return subclasses(Encoder)


def encoder_class(config: EncoderConfig) -> type[Encoder]:
    """Returns the encoder class for a config.

    Raises:
      ValueError: No imported encoder has this config.
    """
    for kind in encoder_classes():
        if kind.config_class is type(config):
            return kind
    raise ValueError(
        f"no encoder has the config {type(config).__name__}. Import the module that defines it."
    )


def make_encoder(config: EncoderConfig, *, rngs: nnx.Rngs) -> Encoder:
    """Returns an encoder with newly initialised weights.

    Raises:
      ValueError: As for `encoder_class`.
    """
    return encoder_class(config)(config, rngs=rngs)
