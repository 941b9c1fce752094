"""What dfjax says about a video: plain values, and their conversion to the contract's JSON."""

import dataclasses
from typing import Any, Literal

import numpy as np

from dfjax.config import CalibrationConfig
from dfjax.json_values import to_json_value
from dfjax.provenance import Provenance
from dfjax.video.sampling import Effort

SCHEMA_VERSION = 1
"""Version of the JSON below. It is raised only when a change would break readers of the old one."""

NOT_IN_JSON = ("clips", "clock_start")
"""Fields of `Prediction` that are for display, and in no JSON or table."""

Label = Literal["real", "fake", "uncertain", "no_face"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decision:
    """The thresholds for turning a probability into a verdict."""

    real_below: float  # probability_fake below which the verdict is "real"
    fake_above: float  # probability_fake above which the verdict is "fake"
    false_positive_rate: float | None  # of real videos at fake_above; None: not measured
    false_negative_rate: float | None = None  # of fakes at real_below; None: not measured

    @classmethod
    def from_calibration(cls, calibration: CalibrationConfig) -> "Decision":
        """Returns the thresholds with which a model was published."""
        return cls(
            real_below=calibration.real_below,
            fake_above=calibration.fake_above,
            false_positive_rate=calibration.false_positive_rate,
            false_negative_rate=calibration.false_negative_rate,
        )

    @property
    def is_withheld(self) -> bool:
        """Whether the model never gives a verdict: no probability is below 0 or above 1."""
        return self.real_below <= 0 and self.fake_above >= 1

    def label(self, probability_fake: float) -> Label:
        """Returns the verdict on a video with a face, given its calibrated probability."""
        if probability_fake > self.fake_above:
            return "fake"
        if probability_fake < self.real_below:
            return "real"
        return "uncertain"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameScore:
    """One sampled time at which a face was scored: the highest probability of the faces then."""

    timestamp: float  # seconds
    probability_fake: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrackFrameScore:
    """One face in one sampled frame."""

    timestamp: float  # seconds
    probability_fake: float
    box_xyxy: tuple[int, int, int, int]  # pixels of the displayed video, max exclusive


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrackScore:
    """One face, tracked through the video."""

    id: int
    probability_fake: float  # if it were the only face
    start: float  # seconds, time of the first sampled frame that shows the face
    end: float  # seconds, time of the last one
    frames: tuple[TrackFrameScore, ...]
    left_out: Literal["short", "small"] | None = None  # why it has no say in the verdict, if so


@dataclasses.dataclass(frozen=True, kw_only=True)
class Segment:
    """A stretch of time in which a face that has a say is more likely fake than not.

    Its probability is not one that would be called real.
    """

    track: int  # `TrackScore.id`
    start: float  # seconds, halfway to the frame before the stretch
    end: float  # seconds, halfway to the frame after it
    probability_fake: float  # that the face is manipulated in about this stretch


@dataclasses.dataclass(frozen=True, kw_only=True)
class Coverage:
    """How much of a video was looked at."""

    effort: Effort
    frames_sampled: int  # with or without a face
    looks: int  # runs of frames at most half a second apart; one for a still picture
    longest_gap: float  # seconds, the longest part of the video that was not looked at


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoSummary:
    """The file that was scored."""

    name: str
    duration: float  # seconds; 0.0 for a still picture
    fps: float  # frames per second, on average; 0.0 for a still picture
    width: int  # pixels, as displayed
    height: int  # pixels, as displayed
    frames_scored: int  # sampled frames in which at least one face was scored
    sha256: str | None = None  # of the file's bytes, 64 hex digits; None: frames in memory
    size_bytes: int | None = None  # of the file; None: frames in memory
    codec: str | None = None  # as ffmpeg calls it ("h264"), or a picture's format; None: frames
    container: str | None = None  # as ffmpeg calls it ("mov" is also MP4), or a picture's format


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelSummary:
    """The model that scored it."""

    id: str  # folder name or Hub repository
    revision: str | None  # on the Hub, as it was named
    version: str  # of dfjax
    digest: str | None = None
    """16 hex digits of the SHA-256 over weights and config: `fingerprint` in the `report.json` of
    the model, whatever the runtime. None: not known."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seconds:
    """Wall-clock time of each stage, seconds."""

    decode: float
    faces: float
    score: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prediction:
    """The result for one video. `to_dict` is the JSON of the API, the command line and the report.

    `clips` holds the face crops that were scored, by track id: uint8 [n, S, S, 3] RGB, one row per
    entry of the track's `frames`. `clock_start` is what the file's own clock shows at the time 0,
    in seconds: some players count by it. Both are for display, and not part of the JSON.

    Example:
      >>> import json
      >>> from dfjax import Predictor
      >>> report = Predictor.from_pretrained("checkpoint")("clip.mp4").to_dict()
      >>> sorted(json.loads(json.dumps(report)))[:4]
      ['checked_at', 'coverage', 'decision', 'frames']
    """

    label: Label
    probability_fake: float | None  # calibrated; None when label is "no_face"
    decision: Decision
    frames: tuple[FrameScore, ...] = dataclasses.field(repr=False)
    tracks: tuple[TrackScore, ...] = dataclasses.field(repr=False)
    segments: tuple[Segment, ...] = ()  # by time; none if the model has no `calibration.evidence`
    video: VideoSummary
    coverage: Coverage
    model: ModelSummary
    checked_at: str  # when the check ended: UTC, ISO 8601, as "2026-11-28T17:10:55Z"
    provenance: Provenance | None = None  # what the file says of its origin; None: frames in memory
    warnings: tuple[str, ...]
    seconds: Seconds
    clips: dict[int, np.ndarray] = dataclasses.field(default_factory=dict, repr=False)
    clock_start: float = dataclasses.field(default=0.0, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Returns the contract's JSON object as dicts, lists, strings, numbers and None."""
        fields = {
            field.name: to_json_value(getattr(self, field.name))
            for field in dataclasses.fields(self)
            if field.name not in NOT_IN_JSON
        }
        return {"schema_version": SCHEMA_VERSION, **fields}


def failure_report(name: str, error: str) -> dict[str, Any]:
    """Returns the JSON object of a file without a verdict, where there is a list of files.

    Args:
      name: Of the file.
      error: Why it cannot be judged, in words.
    """
    return {"schema_version": SCHEMA_VERSION, "video": {"name": name}, "error": error}
