"""Frozen dataclasses for everything about training that can be set.

Unlike `dfjax.config` they are not published in `config.json`: inference does not need them. A run
folder and the model's `training.json` record them. Imports neither jax nor anything heavy, so that
`train.py --help` answers at once.
"""

import dataclasses
from typing import Any, Literal

from dfjax.checks import Checked, require


@dataclasses.dataclass(frozen=True, kw_only=True)
class BlendConfig(Checked):
    """How a self-blended fake is made of a real clip, and which frames of a partial fake are fake.

    Of a clip two versions are made, a source and a target; where a mask over the face or a part of
    it says so, the source replaces the target. One of the two has other colours and sharpness, the
    source is also moved and bent. Ranges are symmetric about no change unless a pair is given.
    """

    drifting: float = 0.5  # share of clips in which the source moves and bends over the frames
    transform_target: float = 0.5  # share in which the target gets the colours, not the source
    colour_probability: float = 0.5  # of each change: tint, hue and saturation, light and contrast
    max_tint: float = 0.08  # natural logarithm of the gain of one channel
    max_hue: float = 8.0  # degrees
    max_saturation: float = 0.2  # natural logarithm of the gain
    max_light: float = 0.1  # natural logarithm of the gain of all channels
    max_contrast: float = 0.15  # natural logarithm of the gain about the clip's mean
    min_resolution: float = 0.25  # of a source or target of low resolution; 1 is that of the clip
    max_sharpening: float = 0.8  # share of the detail that is added where it is not lowered
    max_shift: float = 0.03  # of the source across, as a share of the crop's side; down: half
    max_scale: float = 0.05  # natural logarithm of the source's zoom
    max_rotation: float = 2.0  # of the source, degrees
    max_bend: float = 0.012  # of the source, elastically, as a share of the crop's side
    ratios: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)  # of source in the mask
    max_erosion: float = 0.25  # of the mask, as a share of its depth
    softness: tuple[float, float] = (0.005, 0.035)  # of the mask's edge, share of the crop's side
    min_change: float = 4.0  # that a fake shows in its mask on average, grey levels
    partial_share: tuple[float, float] = (0.2, 0.8)  # of the frames of a partial fake that are fake
    two_segments: float = 0.4  # share of partial fakes that are fake in two stretches, not one

    def __post_init__(self):
        """Checks ranges."""
        super().__post_init__()
        _check_shares(self, "drifting", "transform_target", "colour_probability", "two_segments")
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
            f"BlendConfig.min_resolution is {self.min_resolution}; it must lie in (0, 1].",
        )
        require(
            self.max_erosion < 1,
            f"BlendConfig.max_erosion is {self.max_erosion}; it must be under 1, "
            "or nothing is left of the mask.",
        )
        require(
            len(self.ratios) > 0 and all(0 < ratio <= 1 for ratio in self.ratios),
            f"BlendConfig.ratios is {self.ratios}; at least one number is needed, all in (0, 1].",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class AugmentConfig(Checked):
    """What codec and camera do to a clip; one draw for a real clip and its fake.

    Each change happens to a share of the clips, then to all frames of the clip alike. With all
    shares at 0 clips stay as they are. Ranges are symmetric about no change unless a pair is given.
    """

    flip: float = 0.5  # share that is mirrored left to right
    zoom: float = 0.5  # share that is zoomed into, moved and turned
    max_zoom: float = 1.4  # largest zoom; from a crop of margin 1.3 to one of 0.93
    max_shift: float = 0.04  # of a zoomed clip, share of the crop's side, as far as there is margin
    max_rotation: float = 5.0  # of a zoomed clip, degrees, as far as there is margin
    colour: float = 0.5  # share with other colours
    max_light: float = 0.25  # natural logarithm of the gain of all channels
    max_contrast: float = 0.2  # natural logarithm of the gain about middle grey
    max_gamma: float = 0.25  # natural logarithm of the exponent
    max_saturation: float = 0.3  # natural logarithm of the gain
    max_tint: float = 0.08  # natural logarithm of the gain of one channel
    darken: float = 0.08  # share that is filmed in too little light
    darkness: tuple[float, float] = (0.2, 0.5)  # light that is left
    retouch: float = 0.08  # share whose skin is smoothed, as by a beauty filter
    sharpen: float = 0.08  # share that is sharpened, as by a camera
    max_sharpening: float = 1.0  # share of the detail that is added
    blur: float = 0.2  # share that is out of focus
    max_blur: float = 0.009  # standard deviation of the blur, as a share of the crop's side
    reduce: float = 0.5  # share that went through a lower resolution
    min_resolution: float = 0.35  # lowest resolution; 1 is that of the clip
    noise: float = 0.3  # share with noise of the sensor
    max_noise: float = 10.0  # standard deviation at middle grey, grey levels
    jpeg: float = 0.6  # share that was JPEG, at its lower resolution
    jpeg_quality: tuple[float, float] = (35.0, 95.0)  # as Pillow counts it

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
        require(
            self.retouch >= 0 and self.sharpen >= 0 and self.retouch + self.sharpen <= 1,
            f"AugmentConfig has retouch {self.retouch} and sharpen {self.sharpen}; no clip gets "
            "both, so they must be at least 0 and their sum at most 1.",
        )
        require(
            self.max_zoom >= 1,
            f"AugmentConfig.max_zoom is {self.max_zoom}; it must be at least 1.",
        )
        require(
            0 < self.min_resolution <= 1,
            f"AugmentConfig.min_resolution is {self.min_resolution}; it must lie in (0, 1].",
        )


def _check_shares(config: Any, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        where = f"{type(config).__name__}.{name}"
        require(0 <= value <= 1, f"{where} is {value}; it is a share and must lie in [0, 1].")


def _check_limits(config: Any, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        where = f"{type(config).__name__}.{name}"
        require(value >= 0, f"{where} is {value}; it must be at least 0.")


def _check_pair(config: Any, name: str, low: float, high: float) -> None:
    value = getattr(config, name)
    require(
        len(value) == 2 and low <= value[0] <= value[1] <= high,
        f"{type(config).__name__}.{name} is {value}; a lower and an upper limit are needed, "
        f"in this order and from {low} to {high}.",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig(Checked):
    """How a detector is trained."""

    steps: int = 2000  # updates of the weights
    pairs: int = 8  # per step over all devices: real clips, each with a fake
    still_pairs: int = 0  # the same, of still pictures
    clip_frames: int = 8  # frames of a training clip, taken from those of its video
    max_stride: int = 4  # between those frames, in sampled frames; drawn per pair
    drop_frames: float = 0.1  # chance that a frame is missing
    repeat_frames: float = 0.1  # chance that a frame repeats the one before it
    accumulation: int = 1  # parts into which a step's pairs are split, to save memory

    self_blended: float = 0.5  # share of pairs whose fake is the real clip blended with itself
    partial_fakes: float = 0.25  # chance that only some frames of a fake are manipulated
    blend: BlendConfig = BlendConfig()
    augmented: float = 0.9  # share of pairs distorted as by codec and camera; see `augment`
    augment_ramp: int = 0  # steps over which that share grows linearly from 0
    augment: AugmentConfig = AugmentConfig()

    trained_stages: int = 2  # of the encoder, from the last; 0: frozen; 5: all of a ResNet
    batch_statistics: bool = False  # norms of trained stages use batch statistics
    compute_dtype: Literal["float32", "bfloat16"] = "float32"  # of the convolutions

    learning_rate: float = 3e-4  # peak rate of AdamW, for everything after the encoder
    layer_decay: float = 0.5  # learning rate of an encoder stage relative to the next stage
    warmup_steps: int = 100  # steps over which the learning rate grows to its peak
    weight_decay: float = 0.05  # decoupled, per step and unit of learning rate; of kernels only
    clip_norm: float = 1.0  # largest global norm of the gradients
    ema_decay: float = 0.998  # decay of the moving average of the weights, which is published
    label_smoothing: float = 0.05  # labels are half of this and 1 minus half of this
    frame_loss_weight: float = 1.0  # weight of the per-frame BCE relative to the clip BCE

    validate_every: int = 200  # steps between validations
    publish: Literal["last", "best"] = "last"  # step whose weights are published: last, or best AUC
    max_false_positive_rate: float = 0.05  # share of real validation videos that may be called fake
    seed: int = 0  # of the weights, the order of the clips, the augmentation and the dropout

    def __post_init__(self):
        """Checks ranges."""
        super().__post_init__()
        for name in ("steps", "clip_frames", "max_stride", "accumulation", "validate_every"):
            value = getattr(self, name)
            require(value >= 1, f"TrainConfig.{name} is {value}; it must be at least 1.")
        at_least_0 = ("pairs", "still_pairs", "warmup_steps", "augment_ramp", "trained_stages")
        for name in (*at_least_0, "weight_decay", "frame_loss_weight"):
            value = getattr(self, name)
            require(value >= 0, f"TrainConfig.{name} is {value}; it must be at least 0.")
        for name in ("learning_rate", "clip_norm", "layer_decay", "max_false_positive_rate"):
            value = getattr(self, name)
            require(value > 0, f"TrainConfig.{name} is {value}; it must be positive.")
        for name in ("self_blended", "partial_fakes", "augmented"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"TrainConfig.{name} is {value}; it must lie in [0, 1].")
        for name in ("drop_frames", "repeat_frames", "ema_decay", "label_smoothing"):
            value = getattr(self, name)
            require(0 <= value < 1, f"TrainConfig.{name} is {value}; it must lie in [0, 1).")
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
