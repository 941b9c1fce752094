"""Made-up predictions, and a predictor that gives them, for the tests of the page."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dfjax.config import Config
from dfjax.errors import DamagedVideoError
from dfjax.inference.live import LiveFace, LiveScore
from dfjax.prediction import (
    Coverage,
    Decision,
    FrameScore,
    Label,
    ModelSummary,
    Prediction,
    Seconds,
    TrackFrameScore,
    TrackScore,
    VideoSummary,
)
from dfjax.provenance import Provenance
from dfjax.video.limits import VideoLimits
from dfjax.video.sampling import Effort

DECISION = Decision(real_below=0.3, fake_above=0.7, false_positive_rate=0.05)

MODEL = ModelSummary(id="sample-model", revision=None, version="0.1.0", digest="1416642f085b3d93")

_LEVELS: dict[Label, tuple[float, ...]] = {
    "fake": (0.93, 0.18),
    "real": (0.06,),
    "uncertain": (0.52,),
    "no_face": (),
}


def sample_prediction(
    label: Label = "fake",
    *,
    name: str = "clip.mp4",
    num_frames: int = 32,
    duration: float = 9.6,
    decision: Decision = DECISION,
    levels: tuple[float, ...] | None = None,
    warnings: tuple[str, ...] = (),
) -> Prediction:
    """Returns a prediction with one track per level, whose scores wave about that level."""
    levels = _LEVELS[label] if levels is None else levels
    times = (np.arange(num_frames) + 0.5) * duration / num_frames
    tracks = []
    for track_id, level in enumerate(levels):
        # Later faces come and go: seen from the second frame on, with a gap in the middle.
        seen = [
            n
            for n in range(num_frames)
            if track_id == 0 or (n > 1 and not num_frames // 3 <= n < num_frames // 2)
        ]
        spread = min(level, 1 - level) * 0.8
        frames = tuple(
            TrackFrameScore(
                timestamp=float(times[n]),
                probability_fake=float(level + spread * np.sin(0.9 * n + track_id)),
                box_xyxy=(10, 20, 110, 120),
            )
            for n in seen
        )
        tracks.append(
            TrackScore(
                id=track_id,
                probability_fake=level,
                start=frames[0].timestamp,
                end=frames[-1].timestamp,
                frames=frames,
            )
        )
    highest: dict[float, float] = {}
    for track in tracks:
        for frame in track.frames:
            highest[frame.timestamp] = max(
                highest.get(frame.timestamp, 0.0), frame.probability_fake
            )
    return Prediction(
        label=label,
        probability_fake=max(levels, default=None),
        decision=decision,
        frames=tuple(FrameScore(timestamp=t, probability_fake=p) for t, p in highest.items()),
        tracks=tuple(tracks),
        video=VideoSummary(
            name=name,
            duration=duration,
            fps=29.97 if duration else 0.0,
            width=1280,
            height=720,
            frames_scored=len(highest),
            sha256="0123456789abcdef" * 4,
            size_bytes=1_234_567,
            codec="h264",
            container="mov",
        ),
        coverage=Coverage(
            effort="standard",
            frames_sampled=num_frames,
            looks=num_frames // 4,
            longest_gap=4 * duration / num_frames,
        ),
        model=MODEL,
        checked_at="2026-11-28T17:10:55Z",
        provenance=Provenance(status="absent"),
        warnings=warnings,
        seconds=Seconds(decode=0.4, faces=0.6, score=1.1),
        clips={track.id: _crops(len(track.frames), track.id) for track in tracks},
    )


def _crops(count: int, seed: int) -> np.ndarray:
    """Returns uint8 [count, 64, 64, 3] pictures of no one."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(40, 220, (count, 1, 1, 3))
    return np.broadcast_to(colours, (count, 64, 64, 3)).astype(np.uint8)


class SamplePredictor:
    """Reads no video: the file's name says which verdict it gets.

    A name with "broken" raises a `DfjaxError`, one with "bug" an error that nobody foresaw.
    """

    def __init__(self, seconds: float = 0.0):
        self.model = MODEL
        self.config = Config()
        self.limits = VideoLimits()
        self.evaluation = None
        self.efforts: list[Effort] = []  # of the checks so far
        self._seconds = seconds  # that a check takes

    def warm_up(self) -> None:
        """Does nothing: there is nothing to compile."""

    def __call__(
        self,
        path: str,
        *,
        effort: Effort = "standard",
        on_progress: Callable[[float, str], None] | None = None,
    ) -> Prediction:
        self.efforts.append(effort)
        name = Path(path).name
        for n in range(4):
            if on_progress:
                on_progress(n / 4, "Scoring faces")
            time.sleep(self._seconds / 4)
        if "broken" in name:
            raise DamagedVideoError(f"{name} has no frame that can be decoded. Send it again.")
        if "bug" in name:
            raise RuntimeError("an inner secret")
        labels: tuple[Label, ...] = ("fake", "real", "uncertain", "no_face")
        named: list[Label] = [label for label in labels if label in name]
        return sample_prediction(*named[:1], name=name)


class SampleLive:
    """Scores a camera without looking at it."""

    on_frame: Callable[[np.ndarray, float], LiveScore] | None = None

    def warm_up(self) -> None:
        """Has nothing to compile."""

    def __call__(self, frame: np.ndarray, timestamp: float) -> LiveScore:
        """Returns one face, or what `on_frame` returns."""
        if self.on_frame is not None:
            return self.on_frame(frame, timestamp)
        face = LiveFace(
            id=0,
            box_xyxy=(8, 8, 40, 40),
            frame_probability=0.3,
            probability_fake=0.25,
            seconds=3.0,
        )
        return LiveScore(timestamp=timestamp, probability_fake=0.25, faces=(face,))
