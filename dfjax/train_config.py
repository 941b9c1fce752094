"""Frozen dataclasses with all training settings.

Unlike those of `dfjax.config`, they are not published in `config.json`, because inference does not
need them. They are recorded in the run folder and in the model's `training.json`. This module
imports neither jax nor anything heavy, so that `train.py --help` responds at once.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from dfjax.checks import Checked, require


@dataclasses.dataclass(frozen=True, kw_only=True)
class BlendConfig(Checked):
    """How self-blended fakes are made from real clips, and which frames of partial fakes are fake.

    Two versions of a clip are made, a source and a target; a mask over all or part of the face
    determines where the source replaces the target. One of the two gets different colours and
    sharpness, and the source is also moved and bent. Ranges are symmetric about no change, except
    those given as a pair.
    """

    generated: float = 0.25  # share of clips with a generator's traces instead of a blend
    swapped: float = 0.0  # share of blends whose source is another person's face
    drifting: float = 0.5  # share of clips in which the source's movement varies over the frames
    transform_target: float = 0.5  # share in which the target is recoloured, not the source
    colour_probability: float = 0.5  # of each change: tint, hue and saturation, light and contrast
    max_tint: float = 0.08  # natural logarithm of the gain of one channel
    max_hue: float = 8.0  # degrees
    max_saturation: float = 0.2  # natural logarithm of the gain
    max_light: float = 0.1  # natural logarithm of the gain of all channels
    max_contrast: float = 0.15  # natural logarithm of the gain about the clip's mean
    min_resolution: float = 0.25  # of a low-resolution source or target; 1 is that of the clip
    max_sharpening: float = 0.8  # share of the detail that is added when sharpening
    max_shift: float = 0.03  # of the source, share of the crop's side; vertically half of this
    max_scale: float = 0.05  # natural logarithm of the source's zoom
    max_rotation: float = 2.0  # of the source, degrees
    max_bend: float = 0.012  # elastic deformation of the source, as a share of the crop's side
    ratios: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)  # choices of the source's weight
    max_erosion: float = 0.25  # of the mask, as a share of its depth
    softness: tuple[float, float] = (0.005, 0.035)  # of the mask's edge, share of the crop's side
    min_change: float = 4.0  # smallest mean change to aim for within a fake's mask, grey levels
    partial_share: tuple[float, float] = (0.2, 0.8)  # share of fake frames in a partial fake
    two_segments: float = 0.4  # share of partial fakes with two fake segments instead of one

    def __post_init__(self):
        """Checks ranges."""
        super().__post_init__()
        _check_shares(
            self,
            "generated",
            "swapped",
            "drifting",
            "transform_target",
            "colour_probability",
            "two_segments",
        )
        _check_limits(
            self,
            "max_tint",
            "max_hue",
            "max_saturation",
            "max_light",
            "max_contrast",
            "max_sharpening",
            "max_shift",
            "max_scale",
            "max_rotation",
            "max_bend",
            "max_erosion",
            "min_change",
        )
        _check_pair(self, "softness", 0.0, 1.0)
        _check_pair(self, "partial_share", 0.0, 1.0)
        require(
            0 < self.min_resolution <= 1,
            f"BlendConfig.min_resolution is {self.min_resolution}; it must be in (0, 1].",
        )
        require(
            self.max_erosion < 1,
            f"BlendConfig.max_erosion is {self.max_erosion}; it must be less than 1, "
            "or nothing is left of the mask.",
        )
        require(
            len(self.ratios) > 0 and all(0 < ratio <= 1 for ratio in self.ratios),
            f"BlendConfig.ratios is {self.ratios}; it needs at least one number, all in (0, 1].",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class AugmentConfig(Checked):
    """Camera and codec effects on a clip, drawn once for a real clip and its fake.

    Each effect applies to a share of the clips, and in the same way to all frames of a clip. With
    all shares at 0, clips are unchanged. Ranges are symmetric about no change, except those given
    as a pair.
    """

    flip: float = 0.5  # share that is mirrored left to right
    zoom: float = 0.7  # share that is brought nearer or moved away, shifted and rotated
    min_zoom: float = 0.87  # of the furthest; what lies beyond the edges of the crop is black
    max_zoom: float = 1.15  # of the nearest
    max_shift: float = 0.04  # of a moved clip, share of the crop's side
    max_rotation: float = 5.0  # of a moved clip, degrees
    colour: float = 0.5  # share with changed colours
    max_light: float = 0.25  # natural logarithm of the gain of all channels
    max_contrast: float = 0.2  # natural logarithm of the gain about middle grey
    max_gamma: float = 0.25  # natural logarithm of the exponent
    max_saturation: float = 0.3  # natural logarithm of the gain
    max_tint: float = 0.08  # natural logarithm of the gain of one channel
    darken: float = 0.08  # share that is underexposed
    darkness: tuple[float, float] = (0.2, 0.5)  # brightness of those, as a share
    retouch: float = 0.08  # share with smoothed skin, as by a beauty filter
    sharpen: float = 0.08  # share that is sharpened, as by a camera
    max_sharpening: float = 1.0  # share of the detail that is added
    blur: float = 0.2  # share that is out of focus
    max_blur: float = 0.009  # standard deviation of the blur, as a share of the crop's side
    reduce: float = 0.5  # share that is reduced to a lower resolution
    min_resolution: float = 0.35  # lowest resolution; 1 is that of the clip
    noise: float = 0.3  # share with sensor noise
    max_noise: float = 10.0  # standard deviation at middle grey, grey levels
    jpeg: float = 0.6  # share compressed as JPEG, at the lower resolution if reduced
    jpeg_quality: tuple[float, float] = (35.0, 95.0)  # on Pillow's scale
    occlude: float = 0.0  # share with a part covered by one colour; see `occlusion`
    occluder: tuple[float, float] = (0.2, 0.6)  # its sides, as a share of the crop's

    def __post_init__(self):
        """Checks ranges."""
        super().__post_init__()
        _check_shares(
            self,
            "flip",
            "zoom",
            "colour",
            "darken",
            "blur",
            "reduce",
            "noise",
            "jpeg",
            "occlude",
        )
        _check_limits(
            self,
            "max_shift",
            "max_rotation",
            "max_light",
            "max_contrast",
            "max_gamma",
            "max_saturation",
            "max_tint",
            "max_sharpening",
            "max_blur",
            "max_noise",
        )
        _check_pair(self, "darkness", 0.0, 1.0)
        _check_pair(self, "jpeg_quality", 1.0, 100.0)
        _check_pair(self, "occluder", 0.0, 1.0)
        require(
            self.retouch >= 0 and self.sharpen >= 0 and self.retouch + self.sharpen <= 1,
            f"AugmentConfig has retouch {self.retouch} and sharpen {self.sharpen}; no clip gets "
            "both, so they must be at least 0 and add up to at most 1.",
        )
        require(
            0 < self.min_zoom <= self.max_zoom,
            f"AugmentConfig has min_zoom {self.min_zoom} and max_zoom {self.max_zoom}; "
            "needed: 0 < min_zoom <= max_zoom.",
        )
        require(
            0 < self.min_resolution <= 1,
            f"AugmentConfig.min_resolution is {self.min_resolution}; it must be in (0, 1].",
        )


def _check_shares(config: Any, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        where = f"{type(config).__name__}.{name}"
        require(0 <= value <= 1, f"{where} is {value}; it is a share and must be in [0, 1].")


def _check_limits(config: Any, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        where = f"{type(config).__name__}.{name}"
        require(value >= 0, f"{where} is {value}; it must be at least 0.")


def _check_pair(config: Any, name: str, low: float, high: float) -> None:
    value = getattr(config, name)
    require(
        len(value) == 2 and low <= value[0] <= value[1] <= high,
        f"{type(config).__name__}.{name} is {value}; it needs a lower and an upper limit, "
        f"in this order, both from {low} to {high}.",
    )


EncoderName = Literal["resnet-50", "clip-b16", "clip-l14", "dinov2-b14", "dinov2-l14"]
"""The encoders that training knows by a short name."""

PUBLISHED_ENCODERS: Mapping[EncoderName, str] = {
    "resnet-50": "microsoft/resnet-50",
    "clip-b16": "openai/clip-vit-base-patch16",
    "clip-l14": "openai/clip-vit-large-patch14",
    "dinov2-b14": "facebook/dinov2-base",
    "dinov2-l14": "facebook/dinov2-large",
}
"""Their repositories on the Hugging Face Hub."""


_OF_ONE_KIND = {
    "stages": ("trained_stages", "layer_decay", "frame_loss_weight"),
    "norms": ("alignment_weight", "uniformity_weight"),
}
"""Settings that have an effect with one value of `train` alone."""

_WITH_TORCH = {"train": "stages", "batch_statistics": False, "accumulation": 1}
"""What `encoder_backend` at "torch" needs."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig(Checked):
    """How to train a detector.

    With `train` at "norms", only the scales and offsets of the encoder's norms are trained, and a
    linear layer on features with an L2 norm of 1 in the place of the LSTM and its heads. All norms
    have the same learning rate. The loss is the BCE of the frames, with alignment and uniformity.

    Source: Yermakov et al., "Deepfake Detection that Generalizes Across Benchmarks", WACV 2026.
    """

    steps: int = 2000  # updates of the weights
    pairs: int = 8  # pairs of a real clip and a fake, per step over all devices
    still_pairs: int = 0  # the same for single pictures
    clip_frames: int = 8  # frames of a training clip, chosen from those sampled from its video
    max_stride: int = 4  # largest step between those frames, in sampled frames; drawn per pair
    drop_frames: float = 0.1  # chance that a frame is missing
    repeat_frames: float = 0.1  # chance that a frame repeats the one before it
    accumulation: int = 1  # parts into which a step's pairs are split, to save memory

    self_blended: float = 0.5  # share of pairs whose fake is the real clip blended with itself
    still_self_blended: float | None = None  # the same for single pictures; None: as for clips
    partial_fakes: float = 0.25  # chance that only some frames of a fake are manipulated
    blend: BlendConfig = BlendConfig()
    # share of pairs distorted as by codec and camera; see `augment`. The others are only moved and
    # mirrored; if it is 0, nothing is.
    augmented: float = 0.9
    augment_ramp: int = 0  # steps over which that share grows linearly from 0
    augment: AugmentConfig = AugmentConfig()

    train: Literal["stages", "norms"] = "stages"  # of the encoder: its last stages, or its norms
    trained_stages: int = 2  # how many stages; 0: the encoder is frozen; 5: all of a ResNet
    batch_statistics: bool = False  # norms of trained stages use batch statistics
    compute_dtype: Literal["float32", "bfloat16"] = "float32"  # of the convolutions
    # What computes a ResNet; torch is for a CPU with matrix units (AMX), in bfloat16.
    encoder_backend: Literal["jax", "torch"] = "jax"

    learning_rate: float = 3e-4  # peak rate of AdamW, for everything after the encoder
    layer_decay: float = 0.5  # learning rate of an encoder stage relative to the next stage
    warmup_steps: int = 100  # steps over which the learning rate grows to its peak
    weight_decay: float = 0.05  # decoupled, per step and unit of learning rate; kernels only
    clip_norm: float = 1.0  # largest global norm of the gradients
    ema_decay: float = 0.998  # decay of the moving average of the weights, which is published
    label_smoothing: float = 0.05  # labels are half of this and 1 minus half of this
    # Of the per-frame BCE relative to the clip BCE, which trains the LSTM alone: without the first,
    # the encoder learns nothing.
    frame_loss_weight: float = 1.0

    # The weights are those of a third party's training, on the card of Ant-One/GenD_CLIP_L_14_FF.
    alignment_weight: float = 0.1  # with "norms": of frames of one class having alike features
    uniformity_weight: float = 0.5  # with "norms": of features being spread over the sphere

    validate_every: int = 200  # steps between validations
    publish: Literal["last", "best"] = "last"  # step whose weights are published: last, or best AUC
    max_false_positive_rate: float = 0.05  # share of new people's real videos called fake, at most
    max_false_negative_rate: float = 0.2  # share of new fakes called real, at most
    weigh_evidence: bool = True  # whether a model of evidence decides; see `inference.evidence`
    mirror_bursts: bool = True  # whether some frames are mirrored; see `inference.mirroring`
    seed: int = 0  # for the weights, the order of the clips, the augmentation and the dropout

    def __post_init__(self):
        """Checks ranges."""
        super().__post_init__()
        for name in ("steps", "clip_frames", "max_stride", "accumulation", "validate_every"):
            value = getattr(self, name)
            require(value >= 1, f"TrainConfig.{name} is {value}; it must be at least 1.")
        at_least_0 = (
            "pairs",
            "still_pairs",
            "warmup_steps",
            "augment_ramp",
            "trained_stages",
            "seed",
        )
        weights = ("frame_loss_weight", "alignment_weight", "uniformity_weight")
        for name in (*at_least_0, "weight_decay", *weights):
            value = getattr(self, name)
            require(value >= 0, f"TrainConfig.{name} is {value}; it must be at least 0.")
        for name in ("learning_rate", "clip_norm", "layer_decay"):
            value = getattr(self, name)
            require(value > 0, f"TrainConfig.{name} is {value}; it must be positive.")
        for name in ("max_false_positive_rate", "max_false_negative_rate"):
            value = getattr(self, name)
            require(
                0 < value < 1,
                f"TrainConfig.{name} is {value}; it is a share and must be in (0, 1).",
            )
        for name in ("self_blended", "partial_fakes", "augmented"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"TrainConfig.{name} is {value}; it must be in [0, 1].")
        require(
            0 <= self.share_blended(stills=True) <= 1,
            f"TrainConfig.still_self_blended is {self.still_self_blended}; it must be in [0, 1].",
        )
        for name in ("drop_frames", "repeat_frames", "ema_decay", "label_smoothing"):
            value = getattr(self, name)
            require(0 <= value < 1, f"TrainConfig.{name} is {value}; it must be in [0, 1).")
        require(
            self.pairs + self.still_pairs > 0,
            "TrainConfig.pairs and still_pairs are both 0; a step needs something to learn from.",
        )
        for name in ("pairs", "still_pairs"):
            value = getattr(self, name)
            require(
                value % self.accumulation == 0,
                f"TrainConfig.{name} is {value}, which cannot be split into accumulation = "
                f"{self.accumulation} parts. Use a multiple of {self.accumulation}.",
            )

        if self.encoder_backend == "torch":
            for name, needed in _WITH_TORCH.items():
                value = getattr(self, name)
                require(
                    value == needed,
                    f'TrainConfig.{name} is {value!r}, and encoder_backend is "torch", which needs '
                    f"{needed!r} there. Set one of them otherwise.",
                )

        for train, names in _OF_ONE_KIND.items():
            for name in names if train != self.train else ():
                value = getattr(self, name)
                require(
                    value == type(self).__dataclass_fields__[name].default,
                    f"TrainConfig.{name} is {value}, which does nothing where train is "
                    f'"{self.train}". Leave it out, or train "{train}".',
                )

    def share_blended(self, *, stills: bool) -> float:
        """Returns the share of pairs whose fake is the real clip, or picture, blended with itself.

        Args:
          stills: Whether of single pictures.
        """
        if stills and self.still_self_blended is not None:
            return self.still_self_blended
        return self.self_blended
