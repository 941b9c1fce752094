"""The detector: turns the face crops of a clip into a logit per frame and one for the clip."""

import os
from collections.abc import Callable
from typing import Self

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from dfjax.config import Config
from dfjax.head_config import DetectorConfig, HeadConfig, LinearHeadConfig
from dfjax.models import pretrained, tensors
from dfjax.models.encoders import Encoder, make_encoder
from dfjax.models.encoders.base import encoder_class
from dfjax.models.linear_head import LinearHead
from dfjax.models.locate import find_folder
from dfjax.models.output import DetectorOutput
from dfjax.models.temporal import LSTMState, TemporalModel
from dfjax.models.tensors import PublishedTensor, VariablePath

Array = jax.Array | np.ndarray


class Detector(nnx.Module):
    """An encoder per frame, then an LSTM over the frames of a clip, or a linear layer on each.

    `encode` and `score_features` are the two halves of `__call__`. With a frozen encoder, `encode`
    can be run once for a data set, and the rest trained on the resulting features.

    Example:
      >>> import numpy as np
      >>> from dfjax import Detector
      >>> detector = Detector.from_pretrained("checkpoint")
      >>> size = detector.config.crops.image_size
      >>> crops = np.zeros((2, size, size, 3), np.uint8)  # face crops, RGB
      >>> detector.encode(crops).shape
      (2, 2048)
    """

    def __init__(self, config: Config, *, rngs: nnx.Rngs, encoder: Encoder | None = None):
        """Makes a detector with newly initialised weights.

        Args:
          config: Everything that is published with the weights.
          rngs: Source of randomness for the initial weights.
          encoder: A pretrained encoder, as from `load_encoder`; None: a newly initialised one.

        Raises:
          ValueError: The config of `encoder` is not `config.encoder`.
        """
        if encoder is None:
            encoder = make_encoder(config.encoder, rngs=rngs)
        elif encoder.config != config.encoder:
            raise ValueError(
                f"the encoder's config is {encoder.config}, but the detector's config has "
                f"{config.encoder}. Set Config.encoder to the encoder's own `config`."
            )
        self.config = config
        self.encoder = encoder
        self.temporal = _make_head(encoder.num_features, config.detector, rngs)

    def encode(
        self,
        images: Array,
        *,
        use_running_average: bool = True,
        image_mask: Array | None = None,
        frozen_stages: int = 0,
    ) -> jax.Array:
        """Returns the features of face crops, float32 [N,C].

        Args:
          images: [N,S,S,3], RGB, uint8 or float in [0, 255]; S is `config.crops.image_size`.
          use_running_average: As in `Encoder.feature_map`.
          image_mask: As in `Encoder.feature_map`.
          frozen_stages: As in `Encoder.feature_map`.

        Raises:
          ValueError: `images` has the wrong shape.
        """
        return self.encoder(
            self._normalized(images),
            use_running_average=use_running_average,
            image_mask=None if image_mask is None else jnp.asarray(image_mask),
            frozen_stages=frozen_stages,
        )

    def feature_map(self, images: Array) -> jax.Array:
        """Returns the spatial features of face crops, [N,h,w,C], in the encoder's compute dtype.

        Args:
          images: As for `encode`.

        Raises:
          ValueError: As for `encode`.
        """
        return self.encoder.feature_map(self._normalized(images))

    def _normalized(self, images: Array) -> jax.Array:
        size = self.config.crops.image_size
        if images.shape[1:] != (size, size, 3):
            raise ValueError(
                f"images has shape {images.shape}; [N,{size},{size},3] is needed, "
                "as in the model's config.crops.image_size."
            )
        return self.encoder.normalize(images)

    def score_features(
        self,
        features: Array,
        frame_mask: Array,
        *,
        key: jax.Array | None = None,
        past: LSTMState | None = None,
    ) -> DetectorOutput:
        """Returns the logits of clips from the features of their frames.

        Absent frames have no effect, wherever they are in the clip. A clip without any present
        frame gets a finite but meaningless logit, which the caller must ignore.

        Args:
          features: float [B,T,C], from `encode`.
          frame_mask: bool [B,T], True where the frame is present.
          key: Random key for the dropout, in training. None: no dropout.
          past: What `remember` returned of the frames before these; None: there are none.

        Raises:
          ValueError: The shapes do not match, or the mask is not boolean.
        """
        self._check_features(features, frame_mask)
        return self.temporal(jnp.asarray(features), jnp.asarray(frame_mask), key=key, past=past)

    def remember(
        self, features: Array, frame_mask: Array, past: LSTMState | None = None
    ) -> LSTMState | None:
        """Returns the state of the LSTM that reads forward, after frames; None if there is none.

        It depends on these and earlier frames only. So a stream can be read in parts of any length,
        down to single frames, and gives the states that all of it would give at once.

        Args:
          features: float [B,T,C], from `encode`.
          frame_mask: bool [B,T], True where the frame is present.
          past: The state before them; None: nothing was before.

        Raises:
          ValueError: As for `score_features`.
        """
        self._check_features(features, frame_mask)
        return self.temporal.remember(jnp.asarray(features), jnp.asarray(frame_mask), past)

    def _check_features(self, features: Array, frame_mask: Array) -> None:
        num_features = self.encoder.num_features
        if features.ndim != 3 or features.shape[2] != num_features:
            raise ValueError(
                f"features has shape {features.shape}; [B,T,{num_features}] is needed."
            )
        _check_mask(frame_mask, features.shape[:2])

    def __call__(
        self,
        clips: Array,
        frame_mask: Array,
        *,
        use_running_average: bool = True,
        key: jax.Array | None = None,
    ) -> DetectorOutput:
        """Returns the logits of clips of face crops.

        Args:
          clips: [B,T,S,S,3], RGB, uint8 or float in [0, 255]; S is `config.crops.image_size`.
          frame_mask: bool [B,T], True where the frame is present.
          use_running_average: False: the encoder uses the batch's own statistics, over the frames
            that are present; see `Encoder.feature_map`.
          key: As in `score_features`.

        Raises:
          ValueError: The shapes do not match, or the mask is not boolean.
        """
        if clips.ndim != 5:
            raise ValueError(f"clips has shape {clips.shape}; [B,T,S,S,3] is needed.")
        _check_mask(frame_mask, clips.shape[:2])
        features = self.encode(
            clips.reshape(-1, *clips.shape[2:]),
            use_running_average=use_running_average,
            image_mask=None if use_running_average else frame_mask.reshape(-1),
        )
        return self.score_features(features.reshape(*clips.shape[:2], -1), frame_mask, key=key)

    def save_pretrained(
        self,
        folder: str | os.PathLike[str],
        *,
        dtype: pretrained.SaveDtype = "auto",
        max_shard_size: int | str = "16MB",
    ) -> None:
        """Writes the model to a folder that can be read by `from_pretrained` or put on the Hub.

        The files are `config.json`, `preprocessor_config.json` and `model.safetensors`, or several
        shards of it with an index. Other files in the folder are left alone.

        Args:
          folder: The folder, created if it does not exist. Any model in it is replaced.
          dtype: How kernels are stored; vectors (norms, biases) are always float32. "auto" is
            lossless: float16 if it can represent every value of a tensor exactly, else float32.
          max_shard_size: Largest size of one file, in bytes or as text such as "16MB".

        Raises:
          ValueError: A value is not finite, or too large for `dtype`.
        """
        pretrained.write_model(
            folder,
            tensors.to_tensors(self, _published_by(type(self.encoder))),
            self.config,
            dtype=dtype,
            max_shard_size=max_shard_size,
        )

    @classmethod
    def from_pretrained(
        cls, folder_or_repo_id: str | os.PathLike[str], *, revision: str | None = None
    ) -> Self:
        """Loads a detector from a folder or a repository on the Hugging Face Hub.

        Args:
          folder_or_repo_id: A folder written by `save_pretrained`, or "owner/name" on the Hub; or a
            published GenD model; see `dfjax.models.gend`.
          revision: Branch, tag or commit on the Hub; None: its main branch.

        Raises:
          ModelFormatError: It is not a model that this version of dfjax can load.
          HubError: The Hub does not have it, denies access to it, or cannot be reached.
        """
        folder = find_folder(folder_or_repo_id, revision=revision)
        config = pretrained.read_config(folder)
        return tensors.build(
            lambda rngs: cls(config, rngs=rngs),
            pretrained.read_detector_tensors(folder),
            _published_by(encoder_class(config.encoder)),
            where=str(folder_or_repo_id),
        )


def _make_head(num_features: int, config: HeadConfig, rngs: nnx.Rngs) -> TemporalModel | LinearHead:
    """Returns what follows the encoder."""
    if isinstance(config, LinearHeadConfig):
        return LinearHead(num_features, config, rngs=rngs)
    assert isinstance(config, DetectorConfig)
    return TemporalModel(num_features, config, rngs=rngs)


def _check_mask(frame_mask: Array, shape: tuple[int, ...]) -> None:
    if frame_mask.shape != shape or frame_mask.dtype != jnp.bool_:
        raise ValueError(
            f"frame_mask is {frame_mask.dtype} {frame_mask.shape}; bool {shape} is needed, "
            "True where the frame is present."
        )


def _published_by(encoder: type[Encoder]) -> Callable[[VariablePath], PublishedTensor]:
    """Returns the function that maps a detector's variables to the tensors in its files.

    The encoder keeps the names and layout of its own published files, with the prefix "encoder.":
    so a frozen encoder stays byte for byte identical to its source, and torch can read it.
    """

    def published(path: VariablePath) -> PublishedTensor:
        if path[0] == "encoder":
            tensor = encoder.published(path[1:])
            return tensor._replace(name=f"encoder.{tensor.name}")
        return PublishedTensor(".".join(map(str, path)))

    return published
