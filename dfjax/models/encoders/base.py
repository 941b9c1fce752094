"""The base class of encoders, including what is needed to save, load and train them."""

import abc
import inspect
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
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
    published_types: ClassVar[tuple[str, ...]] = ()  # `model_type` of the files it can read

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
        """Returns the config for published files; to be overridden if `published_types` has any.

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
    def known_name(cls, name: str) -> str | None:
        """Returns the name in `published` of a tensor in published files.

        Files of one network may come with different names. None stands for a tensor that the
        encoder does not need, such as a classifier's.
        """
        return name

    @classmethod
    def resized(
        cls, config: ConfigT, tensors: dict[str, np.ndarray], image_size: int, where: str
    ) -> tuple[ConfigT, dict[str, np.ndarray]]:
        """Returns config and tensors of published files for pictures of another size.

        Only called for a config with a `required_size`.

        Args:
          config: The config of the files.
          tensors: Their tensors, by their names in `published`.
          image_size: Side of the pictures, pixels.
          where: Location of the files, for error messages.

        Raises:
          ModelFormatError: The encoder takes no other size.
        """
        del tensors
        raise ModelFormatError(
            f"{where} takes crops of {config.required_size} pixels, and these are of {image_size}. "
            f"Prepare the data with --image-size {config.required_size}."
        )

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

    def fold(self) -> None:
        """Computes once what depends on the weights alone, so that pictures are encoded faster.

        Features stay the same up to rounding. After that, the encoder is good for scoring only: it
        can be neither trained nor saved.
        """

    def __call__(self, images: jax.Array, **options: Any) -> jax.Array:
        """Returns the features of pictures, float32 [N,num_features].

        They are the means of `feature_map`, unless the encoder has features for a whole picture.

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
    return [kind for kind in subclasses(Encoder) if not inspect.isabstract(kind)]


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
