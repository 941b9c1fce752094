"""Scores a stream of frames as it comes, such as a camera's: a score over the last seconds.

The encoder sees each frame once. For each face, the features of the last frames are kept and scored
as one clip. The LSTM that reads forward goes on from what it remembers of the frames before; one
that reads backward needs the future, and so starts from the newest frame each time. As long as all
frames of a face are in the window, the logits are those of a clip of these frames. None is
mirrored, also not by models that see every other burst of a file so.
"""

import collections
import dataclasses
from typing import Any, Literal

import numpy as np

from dfjax.faces.crops import crop_latest
from dfjax.faces.detection import FaceDetector, Faces, check_frame
from dfjax.faces.shots import colours, shots_of, views
from dfjax.faces.tracks import FaceTrack, FaceTracker
from dfjax.faces.voting import SMALLEST
from dfjax.inference.engine import Engine, FaceLogits, StreamingEngine, score_faces
from dfjax.inference.evidence import FaceFrames, evidence_of, video_logit
from dfjax.inference.probabilities import calibrated_frame_logits, probabilities

WINDOW_SECONDS, _WINDOW_FRAMES = 8.0, 32
"""The score is over the last seconds, but over no more frames than this, or than a clip of the
model has if that is more."""

_BURST_FRAMES = 4
"""At least so many frames in a row count as one burst, also for a model whose bursts are shorter.
The noise of bursts is taken to be independent, but in a stream they follow each other at once: the
shorter they are, the more a score swings with every turn of the head."""

ENOUGH_SECONDS, ENOUGH_FRAMES = 2.0, 8
"""A face has to be seen for so long, in so many frames, to have a score; or fill the window. Where
frames come so slowly that fewer fit into its seconds, half of them are enough."""

_SEARCH_EVERY, _SEARCH_SECONDS = 8, 1.0
"""After so many frames or seconds the whole picture is searched; in between, faces are looked for
only where they were. If nobody is found, it is searched for small faces as seldom."""

_SEARCH_SIZE = 320  # pixels, longer side of the picture that is searched; their places are refined
_CAMERA_WIDTH, _CAMERA_HEIGHTS = 640, (480, 360)  # shapes that are compiled beforehand
_MAX_FACES = 2  # that are encoded, the largest; each costs as much as all the rest
_MAX_GAP, _MAX_AWAY = 8, 1.0  # frames and seconds for which a face may be away

_NO_BOXES = np.zeros((0, 4), np.float32)

Reason = Literal["waiting", "small", "many"]
"""Why a face has no score: not seen for long enough, too small, or others are larger."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LiveFace:
    """One face in the newest frame."""

    id: int  # the same for as long as the face is followed
    box_xyxy: tuple[int, int, int, int]  # pixels of the frame, max exclusive
    frame_probability: float | None  # of this frame alone; None: it was not looked at
    probability_fake: float | None  # over the window; None: `reason` says why
    seconds: float  # for which the face has been judged, within the window; 0.0: it is not
    reason: Reason | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class LiveScore:
    """What is known after a frame. Not a verdict: nobody has measured thresholds for live video."""

    timestamp: float  # seconds, of the newest frame
    probability_fake: float | None  # over the window and its faces; None: no face has a score
    faces: tuple[LiveFace, ...]  # in the newest frame, by id


class LiveScorer:
    """Scores the frames of one stream, one after the other. Keeps no frame; memory is bounded.

    Not to be called from two threads at once. Several can share an engine and a face detector.

    Example:
      >>> import numpy as np
      >>> from dfjax import Predictor
      >>> scorer = Predictor.from_pretrained("checkpoint").live()
      >>> grey = np.full((120, 160, 3), 128, np.uint8)
      >>> [scorer(grey, n / 8).probability_fake for n in range(2)]  # no face is never "real"
      [None, None]
    """

    def __init__(
        self,
        engine: Engine,
        face_detector: FaceDetector,
        *,
        searcher: FaceDetector | None = None,
    ):
        """Takes what scores and what finds faces.

        Args:
          engine: Best with a `crops_per_batch` of 1. One that is a `StreamingEngine` remembers what
            came before the window; others score each window for itself.
          face_detector: Made from `engine.config.faces`.
          searcher: Finds the places of faces in whole frames; None: a faster one that sees less
            detail. A face smaller than a thirteenth of the frame's longer side is found only if no
            other is in view.
        """
        self._engine = engine
        self._face_detector = face_detector
        self._searcher = searcher or live_searcher(face_detector)
        gap = max(engine.config.tracks.max_gap, _MAX_GAP)
        tracks = dataclasses.replace(engine.config.tracks, max_gap=gap)
        self._tracker = FaceTracker(tracks, most_seconds=_MAX_AWAY)
        self._windows: dict[int, _Window] = {}
        self._boxes = _NO_BOXES  # of the faces in the last frame
        self._size: tuple[int, int] | None = None  # of the last frame: height and width, pixels
        self._frames_since_search = _SEARCH_EVERY
        self._last_search = self._last_close_search = -np.inf
        self._colours: np.ndarray | None = None
        self._shot = 0
        self._last = -np.inf

    def warm_up(self) -> None:
        """Compiles what a camera needs, once `face_detector` has been warmed up."""
        config = self._engine.config
        for height in _CAMERA_HEIGHTS:
            self._searcher.detect([np.zeros((height, _CAMERA_WIDTH, 3), np.uint8)])
        size = config.crops.image_size
        (features,) = self._engine.encode(np.zeros((1, size, size, 3), np.uint8))
        window = _Window(self._engine)
        for n in range(window.size + 2):
            window.add(features, n / 100)
            if n in (0, window.size):  # without a past, and with one
                window.logits()

    def __call__(self, frame: np.ndarray, timestamp: float) -> LiveScore:
        """Scores the next frame.

        Args:
          frame: uint8 [H,W,3] RGB, upright. Frames may be left out; the more come, the better the
            faces can be followed, and about 8 a second are enough.
          timestamp: When it was taken, seconds; later than that of the frame before.

        Raises:
          ValueError: The frame is no picture, or its time is not later.
        """
        if not (np.isfinite(timestamp) and timestamp > self._last):
            raise ValueError(
                f"The frame is of {timestamp} s, but the one before of {self._last} s. Give frames "
                "in the order in which they were taken, or start a new LiveScorer."
            )
        check_frame(frame, 0)
        self._fit(frame.shape[:2])
        faces = self._find(frame, timestamp)
        self._last = timestamp
        now = colours(frame)
        if self._colours is not None:
            self._shot += int(shots_of([self._colours, now])[1])
        self._colours = now
        tracks = self._tracker.update(faces, timestamp, self._shot)
        self._windows = {
            number: window
            for number, window in self._windows.items()
            if timestamp - window.timestamps[-1] <= WINDOW_SECONDS
        }
        return self._score(frame, timestamp, tracks)

    def _fit(self, size: tuple[int, int]) -> None:
        """Moves what is known to where it is in frames of another size, as calls have them."""
        before, self._size = self._size or size, size
        if size == before:
            return
        if views([before, size])[1]:  # turned or cut off: nobody is where they were
            self._shot += 1
            self._boxes = _NO_BOXES
        else:
            self._boxes = self._boxes * np.float32(size[1] / before[1])
            self._tracker.scale(size[1] / before[1])

    def _find(self, frame: np.ndarray, timestamp: float) -> Faces:
        """Returns the faces of a frame; all of it is searched now and then, or if none is known."""
        places = self._boxes
        self._frames_since_search += 1
        is_time = timestamp - self._last_search >= _SEARCH_SECONDS
        searched = self._frames_since_search >= _SEARCH_EVERY or is_time or not len(places)
        if searched:
            self._frames_since_search, self._last_search = 0, timestamp
            (found,) = self._searcher.detect([frame])
            places = np.concatenate([places, found.boxes_xyxy])
        if not len(places) and timestamp - self._last_close_search >= _SEARCH_SECONDS:
            self._last_close_search = timestamp
            places = self._face_detector.detect([frame])[0].boxes_xyxy
        (faces,) = self._face_detector.refine([frame], [places])
        if len(faces.boxes_xyxy) < len(self._boxes) and not searched:
            self._frames_since_search = _SEARCH_EVERY  # one got lost: search the next frame
        self._boxes = faces.boxes_xyxy
        return faces

    def _score(
        self, frame: np.ndarray, timestamp: float, tracks: list[tuple[FaceTrack, np.ndarray]]
    ) -> LiveScore:
        """Returns the score after a frame with these faces."""
        calibration = self._engine.config.calibration
        heights = {track.id: _height(track) for track, _ in tracks}
        large = [each for each in tracks if heights[each[0].id] >= SMALLEST]
        large.sort(key=lambda each: -heights[each[0].id])
        judged = {track.id: track for track, _ in large[:_MAX_FACES]}
        self._encode(frame, timestamp, large[:_MAX_FACES])
        faces, heard = [], []
        for track, _ in tracks:
            reason: Reason | None = "small" if heights[track.id] < SMALLEST else "many"
            seconds, frame_probability, probability = 0.0, None, None
            if track.id in judged:
                window = self._windows[track.id]
                logits, seconds = window.logits(), window.seconds
                last = calibrated_frame_logits(float(logits.frame_logits[-1]), calibration)
                frame_probability, reason = float(probabilities(last)), "waiting"
                if window.is_enough:
                    face = FaceFrames(*logits, window.timestamps)
                    heard.append(evidence_of(face, calibration, least_burst=_BURST_FRAMES))
                    probability = float(probabilities(video_logit(heard[-1:], calibration)))
                    reason = None
            faces.append(
                LiveFace(
                    id=track.id,
                    box_xyxy=_whole_box(track.boxes_xyxy[-1], frame.shape),
                    frame_probability=frame_probability,
                    probability_fake=probability,
                    seconds=seconds,
                    reason=reason,
                )
            )
        together = float(probabilities(video_logit(heard, calibration))) if heard else None
        return LiveScore(timestamp=timestamp, probability_fake=together, faces=tuple(faces))

    def _encode(
        self, frame: np.ndarray, timestamp: float, tracks: list[tuple[FaceTrack, np.ndarray]]
    ) -> None:
        """Adds a frame to the windows of faces."""
        if not tracks:
            return
        crops = [crop_latest(frame, *each, self._engine.config.crops) for each in tracks]
        features = self._engine.encode(np.stack(crops))
        for (track, _), row in zip(tracks, features, strict=True):
            window = self._windows.setdefault(track.id, _Window(self._engine))
            window.add(row, timestamp)


class _Window:
    """The last frames of one face, and what was remembered of those before."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._features: collections.deque[np.ndarray] = collections.deque()
        self._times: collections.deque[float] = collections.deque()
        self._past: Any = None
        self._is_past_window = False
        self.size = max(_WINDOW_FRAMES, engine.config.video.num_frames)

    @property
    def timestamps(self) -> np.ndarray:
        """When its frames were taken: float64 [n], seconds."""
        return np.array(self._times, np.float64)

    @property
    def seconds(self) -> float:
        """From its first frame to its last."""
        return self._times[-1] - self._times[0]

    @property
    def is_enough(self) -> bool:
        """Whether it is long enough to be scored, or as long as it can be."""
        is_full = len(self._times) == self.size
        enough = ENOUGH_FRAMES // 2 if self._is_past_window else ENOUGH_FRAMES
        return is_full or (self.seconds >= ENOUGH_SECONDS and len(self._times) >= enough)

    def add(self, features: np.ndarray, timestamp: float) -> None:
        """Adds a frame, and drops those that the window is too short for."""
        self._features.append(features)
        self._times.append(timestamp)
        while self.seconds > WINDOW_SECONDS or len(self._times) > self.size:
            self._is_past_window = True
            self._times.popleft()
            dropped = self._features.popleft()
            if isinstance(self._engine, StreamingEngine):
                self._past = self._engine.remember(dropped[None], self._past)

    def logits(self) -> FaceLogits:
        """Returns the logits of its frames."""
        features = np.stack(self._features)
        if not isinstance(self._engine, StreamingEngine):
            return score_faces(self._engine, [features], [np.arange(len(features))])[0]
        # Padded, so that only one shape is compiled.
        padded = np.zeros((self.size, features.shape[1]), np.float32)
        padded[: len(features)] = features
        return self._engine.score_after(self._past, padded, np.arange(self.size) < len(features))


def live_searcher(face_detector: FaceDetector) -> FaceDetector:
    """Returns a detector that finds the places of faces in a quarter of the time."""
    return face_detector.at_size(min(face_detector.config.image_size, _SEARCH_SIZE))


def _height(track: FaceTrack) -> float:
    """Returns the height of a track's face in its last frame, pixels."""
    return float(track.boxes_xyxy[-1, 3] - track.boxes_xyxy[-1, 1])


def _whole_box(box: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Returns a box in whole pixels, inside the frame."""
    limits = [shape[1], shape[0]] * 2
    left, top, right, bottom = np.clip(np.round(box), 0, limits).astype(int).tolist()
    return left, top, right, bottom
