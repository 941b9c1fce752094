"""Frozen dataclasses for everything that can be set, converted to and from `config.json`.

A config states its units, validates itself when created, and is published with the weights, so that
a loaded model samples, crops and decides exactly as it did in training.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal, Self

from dfjax.checks import Checked, require, require_within
from dfjax.encoder_config import EncoderConfig, ResNetConfig
from dfjax.head_config import DetectorConfig, HeadConfig
from dfjax.json_values import from_json_value, to_json_value

SCHEMA_VERSION = 2
"""Version of the layout of `config.json`. A loader refuses one that is newer than its own."""

MAX_CROP_BYTES = 2 * 1024**3
"""What the crops of one video may take in memory, if it is full of faces."""

MIN_DETAIL = 0.125
"""Of crops that `python -m dfjax prepare` makes unless it is told otherwise; see `CropConfig`."""

MAX_TRACKS = 64
"""The most faces that a model may ask for."""

ID2LABEL = {0: "real", 1: "fake"}
"""The one label order of dfjax: a positive logit means fake."""


# Limits on the cost of a file, which older models and prepared data sets still contain. They are
# ignored: see `dfjax.video.limits`.
_RETIRED = (
    *("max_source_pixels", "max_duration", "max_source_frames"),
    *("max_file_bytes", "max_output_bytes", "max_decode_seconds"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoConfig(Checked):
    """Which frames are read from a video, and how large.

    How much a file may cost to read is not up to the model: see `dfjax.video.limits`.
    """

    num_frames: int = 32  # frames sampled per video
    burst_frames: int = 1  # of them, how many follow each other; bursts are spread evenly over time
    max_frame_pixels: int = 1920 * 1080  # a larger frame is scaled down to this while decoding

    @classmethod
    def from_json_fields(cls, values: Mapping[str, Any]) -> "tuple[type[Checked], dict[str, Any]]":
        """Returns the fields without those that are no longer here."""
        return cls, {name: value for name, value in values.items() if name not in _RETIRED}

    def __post_init__(self):
        """Checks ranges; a model must not make unbounded demands on its user's machine."""
        super().__post_init__()
        require_within(self, "num_frames", 1, 1024)
        require_within(self, "burst_frames", 1, 1024)
        require_within(self, "max_frame_pixels", 1, 8192 * 4320)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FaceConfig(Checked):
    """How MTCNN looks for faces."""

    image_size: int = 640  # the longer side of the picture that is searched, pixels
    min_face_size: int = 24  # smallest face side looked for in that picture, pixels
    pyramid_factor: float = 0.65  # scale between neighbouring levels of the image pyramid
    thresholds: tuple[float, float, float] = (0.7, 0.7, 0.9)  # P-Net, R-Net, O-Net confidences kept

    def __post_init__(self):
        """Checks ranges."""
        super().__post_init__()
        require_within(self, "image_size", 12, 4096)
        require(
            12 <= self.min_face_size <= self.image_size,
            f"FaceConfig.min_face_size is {self.min_face_size}; "
            f"it must lie between 12 (P-Net's window) and image_size {self.image_size}.",
        )
        # Near 1 there would be levels without end, and every level costs memory.
        require_within(self, "pyramid_factor", 0.1, 0.9)
        require(
            len(self.thresholds) == 3 and all(0 < t < 1 for t in self.thresholds),
            f"FaceConfig.thresholds is {self.thresholds}; three numbers in (0, 1) are needed.",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrackConfig(Checked):
    """How detections in sampled frames are joined into face tracks."""

    min_overlap: float = 0.2  # intersection over union of two boxes that may be one face
    max_size_ratio: float = 2.0  # between the sides of two boxes that may be one face
    max_speed: float = 2.0  # face sides per second that a face may move, over at most a second
    max_gap: int = 3  # sampled frames that a face may be missing before its track ends
    min_frames: int = 3  # detections that a track needs, in a video with as many sampled frames
    min_confidence: float = 0.97  # of a face that is kept even though it has fewer detections
    max_tracks: int = 8  # how many faces are kept, the largest and longest-seen

    def __post_init__(self):
        """Checks ranges."""
        super().__post_init__()
        require(
            0 <= self.min_overlap < 1,
            f"TrackConfig.min_overlap is {self.min_overlap}; it must lie in [0, 1).",
        )
        require(
            self.max_size_ratio >= 1,
            f"TrackConfig.max_size_ratio is {self.max_size_ratio}; it must be at least 1.",
        )
        require(
            self.max_speed >= 0,
            f"TrackConfig.max_speed is {self.max_speed}; it must be at least 0 sides per second.",
        )
        require(
            0 <= self.min_confidence <= 1,
            f"TrackConfig.min_confidence is {self.min_confidence}; it must lie in [0, 1].",
        )
        require_within(self, "max_tracks", 1, MAX_TRACKS)
        for name, smallest in (("max_gap", 0), ("min_frames", 1)):
            value = getattr(self, name)
            require(
                value >= smallest, f"TrackConfig.{name} is {value}; it must be at least {smallest}."
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class CropConfig(Checked):
    """How a face track becomes a clip of face crops."""

    image_size: int = 128  # side of the face crop, pixels
    anchor: Literal["landmarks", "box"] = "landmarks"  # what says where and how large a face is
    margin: float = 1.0  # crop side over the face's side
    smoothing: float = 0.1  # standard deviation of the smoothing of a track's transform, seconds
    min_detail: float = 0.0  # of a face, if a sharper one is in view; see `detail`; 0: any

    @classmethod
    def from_json_fields(cls, values: Mapping[str, Any]) -> "tuple[type[Checked], dict[str, Any]]":
        """Returns the fields; files that name no anchor are older than the choice."""
        return cls, {"anchor": "box", **values}

    def __post_init__(self):
        """Checks ranges."""
        super().__post_init__()
        require_within(self, "image_size", 16, 1024)
        require(self.margin > 0, f"CropConfig.margin is {self.margin}; it must be positive.")
        require(
            self.smoothing >= 0,
            f"CropConfig.smoothing is {self.smoothing}; it must be at least 0 seconds.",
        )
        require(
            self.min_detail >= 0,
            f"CropConfig.min_detail is {self.min_detail}; it must be at least 0.",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class OperatingPoint(Checked):
    """A threshold for users who accept a different false alarm rate than the verdict's."""

    false_positive_rate: float  # at most, of real videos of people like those of validation
    fake_above: float  # probability_fake

    def __post_init__(self):
        """Checks ranges."""
        super().__post_init__()
        for name in ("false_positive_rate", "fake_above"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"OperatingPoint.{name} is {value}; it must lie in [0, 1].")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvidenceConfig(Checked):
    """How the logits of faces vary; see `dfjax.inference.evidence`. In units of a logit.

    Fitted on a validation split only.
    """

    real_level: float  # mean over real faces
    fake_level: float  # mean over fakes
    person_spread: float  # standard deviation of the level over faces, real or fake
    burst_noise: float  # standard deviation of a burst's mean about its face's level, typically
    noise_spread: float  # standard deviation over faces of the logarithm of that variance
    burst_share: float  # share of a burst's variance that its frames have in common
    change_share: float  # share of faces whose level changes for a stretch, though nothing is fake
    change_spread: float  # standard deviation of that change
    face_exponent: float  # of the power mean over faces
    length_exponent: float = 0.1  # of the Pareto distribution of the length of fakes
    burst_frames: int = 4  # most frames that count as one burst

    def __post_init__(self):
        """Checks ranges."""
        super().__post_init__()
        require(
            self.real_level < self.fake_level,
            f"EvidenceConfig has real_level {self.real_level} and fake_level {self.fake_level}; "
            "fakes must score higher on average.",
        )
        for name in ("person_spread", "burst_noise"):
            value = getattr(self, name)
            require(value > 0, f"EvidenceConfig.{name} is {value}; it must be positive.")
        for name in ("noise_spread", "change_spread", "length_exponent"):
            value = getattr(self, name)
            require(value >= 0, f"EvidenceConfig.{name} is {value}; it must be at least 0.")
        require_within(self, "burst_share", 0, 1)
        require(
            0 <= self.change_share < 1,
            f"EvidenceConfig.change_share is {self.change_share}; it must be in [0, 1).",
        )
        require_within(self, "face_exponent", 0.1, 1000)
        require_within(self, "burst_frames", 1, 1024)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CalibrationConfig(Checked):
    """From logits to probabilities and a verdict; fitted on a validation split only.

    `probability_fake = sigmoid(scale * logit + bias)`, where the logit is the log Bayes factor of
    the evidence if there is one, and else that of the clip.
    """

    evidence: EvidenceConfig | None = None  # None: the highest of the faces' clip logits decides
    mirror_bursts: bool = False  # whether every other burst is scored as its mirror image
    scale: float = 1.0  # of that logit; 1 / temperature
    bias: float = 0.0  # of that logit
    frame_scale: float = 1.0  # of the frame logits
    frame_bias: float = 0.0  # of the frame logits
    real_below: float = 0.5  # probability_fake under which the verdict is "real"
    fake_above: float = 0.5  # probability_fake over which the verdict is "fake"
    false_positive_rate: float | None = None  # of real videos at fake_above; None: unmeasured
    false_negative_rate: float | None = None  # of fakes at real_below; None: unmeasured
    operating_points: tuple[OperatingPoint, ...] = ()  # by rising rate; also if there is no verdict
    caveat: str | None = None  # what readers of this model's answers must know

    def __post_init__(self):
        """Checks ranges."""
        super().__post_init__()
        for name in ("scale", "frame_scale"):
            value = getattr(self, name)
            require(
                value > 0 and math.isfinite(value),
                f"CalibrationConfig.{name} is {value}; it must be positive, "
                "or the order of the scores is reversed.",
            )
        require(
            0 <= self.real_below <= self.fake_above <= 1,
            f"CalibrationConfig has real_below {self.real_below} and fake_above {self.fake_above}; "
            "needed: 0 <= real_below <= fake_above <= 1.",
        )
        rates = [point.false_positive_rate for point in self.operating_points]
        require(
            rates == sorted(set(rates)),
            f"CalibrationConfig.operating_points has the rates {rates}; each must be higher than "
            "the one before.",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(Checked):
    """All that inference needs. Published with the weights as `config.json`."""

    video: VideoConfig = VideoConfig()
    faces: FaceConfig = FaceConfig()
    tracks: TrackConfig = TrackConfig()
    crops: CropConfig = CropConfig()
    encoder: EncoderConfig = ResNetConfig()
    detector: HeadConfig = DetectorConfig()
    calibration: CalibrationConfig = CalibrationConfig()

    def __post_init__(self):
        """Checks that the encoder takes such crops, and that those of a video fit into memory."""
        super().__post_init__()
        needed = self.encoder.required_size
        require(
            needed in (None, self.crops.image_size),
            f"CropConfig.image_size is {self.crops.image_size}; the encoder "
            f"{self.encoder.type!r} takes crops of {needed} pixels.",
        )
        num_crops = self.video.num_frames * self.tracks.max_tracks
        num_bytes = 3 * num_crops * self.crops.image_size**2
        require(
            num_bytes <= MAX_CROP_BYTES,
            f"{self.video.num_frames} frames with {self.tracks.max_tracks} faces each, as crops of "
            f"{self.crops.image_size} pixels, take {num_bytes:,} bytes; at most {MAX_CROP_BYTES:,} "
            "are allowed. Lower num_frames, max_tracks or image_size.",
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as JSON values: dicts, lists, strings, numbers, booleans, None."""
        return to_json_value(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Returns the config from the output of `to_dict`.

        Missing fields take their defaults, so that an older file still loads.

        Raises:
          ValueError: A field is unknown, of another type, or out of range.
        """
        return from_json_value(cls, values, "config")
