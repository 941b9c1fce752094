"""From a file to a `Prediction`: the whole road of a video, with one model held ready."""

import math
import os
import time
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Self

import jax
import numpy as np
from flax import nnx

from dfjax.config import Config
from dfjax.errors import ModelFormatError
from dfjax.faces.clips import FaceClip, FaceClips, OnProgress, read_face_clips
from dfjax.faces.detection import FaceDetector
from dfjax.models.detector import Detector
from dfjax.prediction import (
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
from dfjax.version import __version__

ENCODER_BATCH = 8
"""Face crops that go through the encoder together. One shape, whatever is uploaded."""

_EMBEDDED_MODEL = Path(__file__).resolve().parent.parent / "checkpoint"
"""The default model, which stands beside app.py in the project and in the Space."""

_SMALL_FACE = 64
"""Pixels: a face box smaller than this is enlarged so much that little evidence is left."""

_READING_SHARE = 0.4
"""Share of the progress that is done when the faces are found; the encoder takes the rest."""


class Predictor:
    """Scores videos with one detector. Holds its weights and its compiled functions.

    Two shapes of the model are compiled, at the first call or by `warm_up`: a batch of crops
    through the encoder, and one face through the temporal part. Not to be called from two threads
    at once.
    """

    def __init__(
        self,
        detector: Detector,
        *,
        model_id: str = "unnamed",
        revision: str | None = None,
        face_detector: FaceDetector | None = None,
    ):
        """Takes a loaded detector.

        Args:
          detector: The model; its config says how videos are sampled, cropped and decided.
          model_id: What the report names as the model: a folder's name or a Hub repository.
          revision: The Hub revision that it was loaded from, if it was.
          face_detector: Shared between predictors, if given; else made from the config.
        """
        self.config: Config = detector.config
        self.model = ModelSummary(id=model_id, revision=revision, version=__version__)
        self.face_detector = face_detector or FaceDetector(self.config.faces)
        graph, state = nnx.split(detector)
        self._state = jax.device_put(state)
        self._encode = jax.jit(lambda state, images: nnx.merge(graph, state).encode(images))
        self._score = jax.jit(
            lambda state, features, mask: nnx.merge(graph, state).score_features(features, mask)
        )

    @classmethod
    def from_pretrained(
        cls, folder_or_repo_id: str | PathLike[str], *, revision: str | None = None
    ) -> Self:
        """Returns a predictor with the weights of a folder or of a Hub repository.

        Raises:
          ModelFormatError: What is there is not a model of dfjax.
          HubError: The Hub did not hand it out.
        """
        detector = Detector.from_pretrained(folder_or_repo_id, revision=revision)
        folder = Path(folder_or_repo_id)
        # A report goes to strangers: name a local folder, but not the path that leads to it.
        model_id = folder.resolve().name if folder.is_dir() else str(folder_or_repo_id)
        return cls(detector, model_id=model_id, revision=revision)

    def warm_up(self) -> None:
        """Compiles all that any video can need, so that no visitor waits for it."""
        self.face_detector.warm_up()
        size = self.config.crops.image_size
        features = self._encode_crops(np.zeros((1, size, size, 3), np.uint8), _ignore_progress)
        self._score_clip(features, np.zeros(1, np.int64))

    def __call__(
        self, path: str | PathLike[str], *, on_progress: OnProgress | None = None
    ) -> Prediction:
        """Scores one video or still picture.

        Args:
          path: The file.
          on_progress: Told the fraction done, 0 to 1, and a few words for the stage.

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
            on_progress=lambda fraction, stage: report(_READING_SHARE * fraction, stage),
        )
        started = time.perf_counter()
        tracks = self._score_clips(read, report)
        score_seconds = time.perf_counter() - started

        decision = Decision.from_calibration(self.config.calibration)
        probability = max((track.probability_fake for track in tracks), default=None)
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
            video=VideoSummary(
                name=info.name,
                duration=info.duration,
                fps=info.fps,
                width=info.width,
                height=info.height,
                frames_scored=len(frames),
            ),
            model=self.model,
            warnings=_warnings(read, len(frames), self.config),
            seconds=Seconds(
                decode=read.decode_seconds, faces=read.face_seconds, score=score_seconds
            ),
            clips={clip.track_id: clip.frames for clip in read.clips},
        )

    def _score_clips(self, read: FaceClips, report: OnProgress) -> tuple[TrackScore, ...]:
        """Scores every face; the crops of all of them share the encoder's batches."""
        if not read.clips:
            return ()
        crops = np.concatenate([clip.frames for clip in read.clips])
        features = self._encode_crops(crops, report)
        ends = np.cumsum([len(clip.frames) for clip in read.clips])
        per_clip = np.split(features, ends[:-1])
        return tuple(
            self._track_score(clip, rows, read.timestamps)
            for clip, rows in zip(read.clips, per_clip, strict=True)
        )

    def _track_score(
        self, clip: FaceClip, features: np.ndarray, timestamps: np.ndarray
    ) -> TrackScore:
        """Returns the calibrated scores of one face from its float32 [n, C] features."""
        frame_logits, clip_logit = self._score_clip(features, clip.frame_indices)
        calibration = self.config.calibration
        frame_probabilities = _sigmoid(
            calibration.frame_scale * frame_logits + calibration.frame_bias
        )
        probability = _sigmoid(calibration.scale * clip_logit + calibration.bias)
        times = timestamps[clip.frame_indices].tolist()
        rows = zip(times, frame_probabilities.tolist(), clip.boxes_xyxy.tolist(), strict=True)
        return TrackScore(
            id=clip.track_id,
            probability_fake=float(probability),
            start=times[0],
            end=times[-1],
            frames=tuple(
                TrackFrameScore(timestamp=time, probability_fake=probability, box_xyxy=tuple(box))
                for time, probability, box in rows
            ),
        )

    def _encode_crops(self, crops: np.ndarray, report: OnProgress) -> np.ndarray:
        """Returns float32 [n, C] features of uint8 [n, S, S, 3] crops, in batches of one shape."""
        features = []
        for start in range(0, len(crops), ENCODER_BATCH):
            batch = crops[start : start + ENCODER_BATCH]
            padding = [(0, ENCODER_BATCH - len(batch)), (0, 0), (0, 0), (0, 0)]
            encoded = self._encode(self._state, np.pad(batch, padding))
            features.append(np.asarray(encoded)[: len(batch)])
            done = (start + len(batch)) / len(crops)
            report(_READING_SHARE + (1 - _READING_SHARE) * done, "Scoring faces")
        return np.concatenate(features)

    def _score_clip(self, features: np.ndarray, indices: np.ndarray) -> tuple[np.ndarray, float]:
        """Returns the frame logits, float32 [n], and the clip logit of one face."""
        num_frames = self.config.video.num_frames
        padded = np.zeros((1, num_frames, features.shape[1]), np.float32)
        frame_mask = np.zeros((1, num_frames), bool)
        padded[0, indices] = features
        frame_mask[0, indices] = True
        output = self._score(self._state, padded, frame_mask)
        return np.asarray(output.frame_logits)[0, indices], float(output.clip_logits[0])


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
            "No model was named, and there is no checkpoint/ beside the app. "
            "Give --model, or set DFJAX_MODEL, to a folder or a Hub repository."
        )
    return str(_EMBEDDED_MODEL)


def _ignore_progress(fraction: float, stage: str) -> None:
    del fraction, stage


def _sigmoid(logits: np.ndarray | float) -> np.ndarray:
    # Written with tanh, which does not overflow for large logits as exp does.
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(logits, np.float64)))


def _highest_per_time(tracks: Sequence[TrackScore]) -> tuple[FrameScore, ...]:
    """Returns one row per time at which a face was scored: the highest over the faces."""
    highest: dict[float, float] = {}
    for track in tracks:
        for frame in track.frames:
            known = highest.get(frame.timestamp, 0.0)
            highest[frame.timestamp] = max(known, frame.probability_fake)
    return tuple(FrameScore(timestamp=t, probability_fake=p) for t, p in sorted(highest.items()))


def _warnings(read: FaceClips, frames_scored: int, config: Config) -> tuple[str, ...]:
    """Returns the sentences that a reader needs beside the verdict."""
    warnings = []
    if read.info.is_still:
        warnings.append("This is a single picture: nothing that shows only in motion was checked.")
    if not read.clips:
        longer_side = max(read.info.width, read.info.height)
        smallest = math.ceil(config.faces.min_face_size * longer_side / config.faces.image_size)
        warnings.append(
            "No face was found, so nothing was judged. This says nothing about the video's origin. "
            f"Faces under {smallest} pixels are not looked for in a video of this size."
        )
        return tuple(warnings)
    if config.calibration.caveat is not None:
        warnings.append(config.calibration.caveat)
    num_frames = len(read.timestamps)
    if frames_scored < num_frames / 2:
        warnings.append(
            f"A face was found in only {frames_scored} of {num_frames} frames; "
            "the rest was not judged."
        )
    boxes = np.concatenate([clip.boxes_xyxy for clip in read.clips])
    if np.median(boxes[:, 3] - boxes[:, 1]) < _SMALL_FACE:
        warnings.append(
            f"The faces are small (half of them under {_SMALL_FACE} pixels high): "
            "little detail is left to judge."
        )
    if read.num_blurred:
        warnings.append(
            f"Faces that are too blurred to judge were left out: {read.num_blurred}. "
            "The verdict rests on the others."
        )
    if len(read.clips) + read.num_blurred >= config.tracks.max_tracks:
        warnings.append(
            f"There are many faces; the {config.tracks.max_tracks} most prominent were judged."
        )
    return tuple(warnings)
