"""Turns a file or frames into a `Prediction`, with one model kept ready."""

import dataclasses
import os
import time
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Self

import numpy as np

from dfjax.config import Config
from dfjax.errors import ModelFormatError
from dfjax.faces.clips import (
    FaceClip,
    FaceClips,
    OnProgress,
    describe_frames,
    face_clips,
    read_face_clips,
)
from dfjax.faces.detection import FaceDetector
from dfjax.inference.engine import Engine, score_faces
from dfjax.inference.evidence import FaceFrames, evidence_of, video_logit
from dfjax.inference.jax_engine import JaxEngine
from dfjax.inference.probabilities import calibrated_frame_logits, probabilities
from dfjax.models.detector import Detector
from dfjax.prediction import (
    Decision,
    FrameScore,
    Label,
    ModelSummary,
    Prediction,
    Seconds,
    Segment,
    TrackFrameScore,
    TrackScore,
    VideoSummary,
)
from dfjax.prediction_warnings import prediction_warnings
from dfjax.version import __version__
from dfjax.video.limits import VideoLimits
from dfjax.video.reading import Effort, choose_frames

_EMBEDDED_MODEL = Path(__file__).resolve().parent.parent / "checkpoint"
"""The default model, which is next to app.py in the project and in the Space."""

_READING_SHARE = 0.4
"""Share of the progress that is done once the faces are found; the encoder takes the rest."""


class Predictor:
    """Scores videos with one detector, kept ready by an engine.

    Not to be called from two threads at once.

    Example:
      >>> from dfjax import Predictor
      >>> predictor = Predictor.from_pretrained("checkpoint")
      >>> prediction = predictor("clip.mp4")
      >>> prediction.label in ("real", "fake", "uncertain")
      True
      >>> [frame.probability_fake for frame in prediction.frames][:1]
      [0...]
    """

    def __init__(
        self,
        detector: Detector | Engine,
        *,
        model_id: str = "unnamed",
        revision: str | None = None,
        face_detector: FaceDetector | None = None,
        limits: VideoLimits = VideoLimits(),
    ):
        """Takes a loaded detector.

        Args:
          detector: The model, or an engine that runs it; its config says how videos are sampled,
            cropped and decided.
          model_id: What the report names as the model: a folder's name or a Hub repository.
          revision: The Hub revision that it was loaded from, if it was.
          face_detector: Shared between predictors, if given; else made from the config.
          limits: How much a file may cost to read; this is up to you, not to the model.
        """
        self.engine: Engine = JaxEngine(detector) if isinstance(detector, Detector) else detector
        self.config: Config = self.engine.config
        self.limits = limits
        self.model = ModelSummary(id=model_id, revision=revision, version=__version__)
        self.face_detector = face_detector or FaceDetector(self.config.faces)

    @classmethod
    def from_pretrained(
        cls,
        folder_or_repo_id: str | PathLike[str],
        *,
        revision: str | None = None,
        limits: VideoLimits = VideoLimits(),
    ) -> Self:
        """Returns a predictor with the weights of a folder or of a Hub repository.

        Args:
          folder_or_repo_id: A folder that `Detector.save_pretrained` wrote, or "owner/name".
          revision: Branch, tag or commit on the Hub; None: its main branch.
          limits: How much a file may cost to read.

        Raises:
          ModelFormatError: What is there is not a model of dfjax.
          HubError: It could not be downloaded from the Hub.
        """
        detector = Detector.from_pretrained(folder_or_repo_id, revision=revision)
        folder = Path(folder_or_repo_id)
        # A report may go to strangers: name a local folder, but not the path to it.
        model_id = folder.resolve().name if folder.is_dir() else str(folder_or_repo_id)
        return cls(detector, model_id=model_id, revision=revision, limits=limits)

    def warm_up(self) -> None:
        """Compiles everything that a video may need, so that no visitor waits for it."""
        self.face_detector.warm_up()
        size = self.config.crops.image_size
        features = self.engine.encode(np.zeros((1, size, size, 3), np.uint8))
        score_faces(self.engine, [features], [np.zeros(1, np.int64)])

    def __call__(
        self,
        path: str | PathLike[str],
        *,
        effort: Effort = "standard",
        on_progress: OnProgress | None = None,
    ) -> Prediction:
        """Scores one video or still picture.

        Args:
          path: The file.
          effort: How much of a long video is looked at: "quick" looks at as many frames as of a
            short one, "standard" at up to 128, "thorough" at up to 1,024, so that bursts of frames
            are at most three seconds apart. Models without `calibration.evidence` are not made for
            it, and always look quickly.
          on_progress: Called with the fraction done, 0 to 1, and a few words that name the stage.

        Returns:
          The prediction. A file without a face gets the label "no_face" and no probability.

        Raises:
          VideoError: The file cannot be read as a video; the message says why and what to do.
        """
        report = on_progress or _ignore_progress
        read = read_face_clips(
            path,
            self.config,
            self.face_detector,
            limits=self.limits,
            effort=effort if self.config.calibration.evidence is not None else "quick",
            on_progress=lambda fraction, stage: report(_READING_SHARE * fraction, stage),
        )
        return self._predict(read, report)

    def score_frames(
        self,
        frames: Sequence[np.ndarray],
        timestamps: np.ndarray,
        *,
        name: str = "frames",
        on_progress: OnProgress | None = None,
    ) -> Prediction:
        """Scores frames that are in memory, from a camera or decoded by other means.

        If there are more than `config.video.num_frames`, that many are used, spread evenly over
        time as for a file. So all frames of a video give the same result as its file.

        Args:
          frames: T frames, uint8 [H, W, 3] RGB, all of the same size, as a viewer sees them:
            upright, with square pixels.
          timestamps: float [T], seconds, increasing.
          name: What the report calls them.
          on_progress: As for `__call__`.

        Returns:
          The prediction. Boxes are in pixels of the frames; one frame counts as a still picture.

        Raises:
          ValueError: There are no frames, they differ in size or are not pictures, or the times do
            not match them.

        Example:
          >>> import numpy as np
          >>> from dfjax import Predictor
          >>> predictor = Predictor.from_pretrained("checkpoint")
          >>> grey = np.full((4, 120, 160, 3), 128, np.uint8)
          >>> predictor.score_frames(grey, np.arange(4) / 25).label
          'no_face'
        """
        report = on_progress or _ignore_progress
        info = describe_frames(frames, timestamps, name=name)
        times = np.asarray(timestamps, np.float64)
        if len(frames) > self.config.video.num_frames:
            chosen = choose_frames(times, self.config.video)
            frames, times = [frames[index] for index in chosen], times[chosen]
        read = face_clips(
            frames,
            times,
            self.config,
            self.face_detector,
            info=info,
            on_progress=lambda fraction, stage: report(_READING_SHARE * fraction, stage),
        )
        return self._predict(read, report)

    def _predict(self, read: FaceClips, report: OnProgress) -> Prediction:
        """Scores the faces that were found, and decides."""
        started = time.perf_counter()
        # From here on, times are those that a player shows.
        read = dataclasses.replace(read, timestamps=read.timestamps + read.info.delay)
        faces = self._score_clips(read, report)
        tracks = tuple(map(self._track_score, read.clips, faces))
        score_seconds = time.perf_counter() - started

        decision = Decision.from_calibration(self.config.calibration)
        probability = self._video_probability(faces) if faces else None
        label: Label = "no_face" if probability is None else decision.label(probability)
        frames = _highest_per_time(tracks)
        report(1.0, "Done")
        info = read.info
        return Prediction(
            label=label,
            probability_fake=probability,
            decision=decision,
            frames=frames,
            tracks=tracks,
            segments=self._segments(read.clips, faces),
            video=VideoSummary(
                name=info.name,
                duration=info.delay + info.duration,
                fps=info.fps,
                width=info.width,
                height=info.height,
                frames_scored=len(frames),
            ),
            model=self.model,
            warnings=prediction_warnings(read, len(frames), self.config),
            seconds=Seconds(
                decode=read.decode_seconds, faces=read.face_seconds, score=score_seconds
            ),
            clips={clip.track_id: clip.frames for clip in read.clips},
        )

    def _score_clips(self, read: FaceClips, report: OnProgress) -> list[FaceFrames]:
        """Scores every face; the crops of all of them share the encoder's batches."""
        if not read.clips:
            return []
        features = self._encode(np.concatenate([clip.frames for clip in read.clips]), report)
        ends = np.cumsum([len(clip.frames) for clip in read.clips])
        scored = score_faces(
            self.engine,
            np.split(features, ends[:-1]),
            [clip.frame_indices for clip in read.clips],
        )
        return [
            FaceFrames(*logits, read.timestamps[clip.frame_indices])
            for clip, logits in zip(read.clips, scored, strict=True)
        ]

    def _video_probability(self, faces: Sequence[FaceFrames]) -> float:
        return float(probabilities(video_logit(faces, self.config.calibration)))

    def _encode(self, crops: np.ndarray, report: OnProgress) -> np.ndarray:
        """Returns float32 [n, C] features of uint8 [n, S, S, 3] crops."""
        features = []
        for start in range(0, len(crops), self.engine.crops_per_batch):
            batch = crops[start : start + self.engine.crops_per_batch]
            features.append(self.engine.encode(batch))
            done = (start + len(batch)) / len(crops)
            report(_READING_SHARE + (1 - _READING_SHARE) * done, "Scoring faces")
        return np.concatenate(features)

    def _track_score(self, clip: FaceClip, face: FaceFrames) -> TrackScore:
        """Returns the calibrated scores of one face."""
        calibration = self.config.calibration
        of_frames = probabilities(calibrated_frame_logits(face.frame_logits, calibration))
        times = face.timestamps.tolist()
        rows = zip(times, of_frames.tolist(), clip.boxes_xyxy.tolist(), strict=True)
        return TrackScore(
            id=clip.track_id,
            probability_fake=self._video_probability([face]),
            start=times[0],
            end=times[-1],
            frames=tuple(
                TrackFrameScore(timestamp=time, probability_fake=probability, box_xyxy=tuple(box))
                for time, probability, box in rows
            ),
        )

    def _segments(
        self, clips: Sequence[FaceClip], faces: Sequence[FaceFrames]
    ) -> tuple[Segment, ...]:
        """Returns the stretches in which a face is more likely fake than not, by time."""
        config = self.config.calibration.evidence
        if config is None:
            return ()
        segments = []
        for clip, face in zip(clips, faces, strict=True):
            stretch = evidence_of(face, config).stretch
            if stretch is None or stretch.probability <= 0.5:
                continue
            start, end = stretch.between(face.timestamps)
            segments.append(
                Segment(
                    track=clip.track_id,
                    start=start,
                    end=end,
                    probability_fake=stretch.probability,
                )
            )
        return tuple(sorted(segments, key=lambda segment: (segment.start, segment.track)))


def model_source(argument: str | None = None) -> str:
    """Returns where the model is: the argument, else `DFJAX_MODEL`, else `checkpoint/`.

    Raises:
      ModelFormatError: None of the three is there.
    """
    named = argument or os.environ.get("DFJAX_MODEL")
    if named:
        return named
    if not _EMBEDDED_MODEL.is_dir():
        raise ModelFormatError(
            "No model was named, and there is no checkpoint/ next to the app. "
            "Give --model, or set DFJAX_MODEL, to a folder or a Hub repository."
        )
    return str(_EMBEDDED_MODEL)


def _ignore_progress(fraction: float, stage: str) -> None:
    del fraction, stage


def _highest_per_time(tracks: Sequence[TrackScore]) -> tuple[FrameScore, ...]:
    """Returns one row per time at which a face was scored: the highest over the faces."""
    highest: dict[float, float] = {}
    for track in tracks:
        for frame in track.frames:
            known = highest.get(frame.timestamp, 0.0)
            highest[frame.timestamp] = max(known, frame.probability_fake)
    return tuple(FrameScore(timestamp=t, probability_fake=p) for t, p in sorted(highest.items()))
