"""Scores one file: finds its faces, looks around where it is long, and runs the engine on them."""

import dataclasses
import os
from concurrent.futures import Future, ThreadPoolExecutor
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from dfjax.config import VideoConfig
from dfjax.errors import VideoError, VideoLimitError
from dfjax.faces.clips import FaceClips, OnCrops, OnProgress, read_face_clips
from dfjax.faces.detection import FaceDetector
from dfjax.faces.finding import hardly_any
from dfjax.faces.long_video import LongVideo
from dfjax.faces.sampled import SampledFrames
from dfjax.inference.begun_file import Begun, BegunFile
from dfjax.inference.engine import Engine
from dfjax.inference.evidence import most_suspicious
from dfjax.inference.face_scorer import FaceScorer, ScoredFaces
from dfjax.inference.room import Room
from dfjax.provenance import Origin, read_origin
from dfjax.video.file_facts import last_change
from dfjax.video.info import VideoInfo
from dfjax.video.limits import VideoLimits
from dfjax.video.sampling import Effort

_FILES_IN_MEMORY = 1.5
"""How many files with the largest frames may be in memory at once; of smaller ones, more fit in."""

READING_SHARE = 0.4
"""Share of the progress that is done once the faces are found; the encoder takes the rest."""


class OpenedFile(NamedTuple):
    """A file, and what was read of it before anything is scored."""

    path: str | PathLike[str]
    info: VideoInfo
    plan: VideoConfig  # which frames are looked at
    effort: Effort
    last_change: tuple[int, int] | None  # of the file, before any of it was read
    origin: Future[Origin]
    scorer: FaceScorer
    read: FaceClips | None  # None: it is to be looked at in several rounds

    @property
    def is_read(self) -> bool:
        """Whether its faces are found, so that only the engine is needed for what is left."""
        return self.read is not None

    def require_unchanged(self) -> None:
        """Checks that all that was read of the file, its digest as well, is of the same bytes.

        Raises:
          VideoError: It was changed meanwhile. One that was deleted was not.
        """
        if last_change(Path(os.fsdecode(self.path))) not in (self.last_change, None):
            raise VideoError(
                f"{self.info.name!r} was changed while it was judged. Judge it again once nothing "
                "writes to it."
            )


class FileScorer:
    """Opens files and scores them; opening takes no engine."""

    def __init__(self, engine: Engine, face_detector: FaceDetector, limits: VideoLimits):
        """Takes what the work is done with.

        Args:
          engine: Its config says how videos are sampled and cropped.
          face_detector: Made from `config.faces`.
          limits: How much a file may cost to read.
        """
        self._engine = engine
        self._config = engine.config
        self._face_detector = face_detector
        self._limits = limits
        most = _frame_bytes(self._config.video.max_frame_pixels, self._config.video)
        self._room = Room(int(_FILES_IN_MEMORY * most))

    def open(
        self,
        path: str | PathLike[str],
        effort: Effort,
        report: OnProgress,
        begun: BegunFile | None = None,
        *,
        encode: bool = False,
    ) -> OpenedFile:
        """Probes a file and, unless it is to be looked at in several rounds, finds its faces.

        Args:
          path: The file.
          effort: As for `Predictor`.
          report: Called with the progress.
          begun: One that may have been read already, by the same config and limits.
          encode: Whether the engine is free to encode the first faces while more are found.

        Raises:
          VideoError: The file cannot be read as a video.
        """
        known = begun.take(path) if begun else None
        known = known or Begun.of(path, self._config, effort, self._limits)
        info, plan, effort, changed, sampled = known
        # A file of a gigabyte takes a second to read through.
        pool = ThreadPoolExecutor(1, thread_name_prefix="origin")
        origin = pool.submit(read_origin, Path(os.fsdecode(path)), info.container)
        pool.shutdown(wait=False)
        scorer, read = FaceScorer(self._engine), None
        if plan == self._config.video:
            on_crops = scorer.encode_ahead if encode else None
            read = self._read(path, info, report, sampled, on_crops)
        return OpenedFile(path, info, plan, effort, changed, origin, scorer, read)

    def score(self, opened: OpenedFile, report: OnProgress) -> ScoredFaces:
        """Scores the faces of what was opened.

        Raises:
          VideoError: The file cannot be read any further.
        """
        read, scored = opened.read, None
        if read is None:
            scored = self._look_around(opened, report)
            read = self._search_harder(opened, scored, report)
        if read is not None:
            scored = opened.scorer(read, part_of(report, READING_SHARE, 1.0))
        assert scored is not None, "it was looked at one way or the other"
        return scored

    def _read(
        self,
        path: str | PathLike[str],
        info: VideoInfo,
        report: OnProgress,
        sampled: SampledFrames | None = None,
        on_crops: OnCrops | None = None,
    ) -> FaceClips:
        """Finds the faces in frames spread over a file, once there is room for them."""
        with self._room.taken(_frame_bytes(info.height * info.width, self._config.video)):
            return read_face_clips(
                path,
                self._config,
                self._face_detector,
                limits=self._limits,
                info=info,
                sampled=sampled,
                on_progress=part_of(report, 0.0, READING_SHARE),
                on_crops=on_crops,
            )

    def _search_harder(
        self, opened: OpenedFile, scored: ScoredFaces, report: OnProgress
    ) -> FaceClips | None:
        """Searches a video with hardly any face as a short one; None if what is known stays."""
        known = scored.read
        if not hardly_any(known.num_with_face, len(known.timestamps)):
            return None
        info = dataclasses.replace(opened.info, read_seconds=known.info.read_seconds)
        try:
            read = self._read(opened.path, info, report)
        except VideoLimitError:  # of time: much of it may be spent by now
            if scored.faces:
                return None
            raise
        return read if read.is_turned or not scored.faces else None

    def _look_around(self, opened: OpenedFile, report: OnProgress) -> ScoredFaces:
        """Looks around in a video, and more closely where it looks suspicious."""
        scorer = FaceScorer(self._engine)
        video = LongVideo(
            opened.path,
            self._config,
            self._face_detector,
            opened.plan,
            info=opened.info,
            limits=self._limits,
            on_crops=scorer.encode_ahead,
        )
        video.look_around(part_of(report, 0.0, 0.4))
        scored = scorer(video.clips(), part_of(report, 0.4, 0.7))
        if not scored.faces:
            return scored
        suspicious = most_suspicious(scored.faces, self._config.video.burst_frames)
        if not video.look_closer(suspicious, part_of(report, 0.7, 0.8)):
            return scored
        return scorer(video.clips(), part_of(report, 0.8, 1.0))


def _frame_bytes(num_pixels: int, config: VideoConfig) -> int:
    """Returns how much memory the frames of a file take, of so many pixels each."""
    return 3 * num_pixels * config.num_frames


def part_of(report: OnProgress, start: float, end: float) -> OnProgress:
    """Returns a callback for one stage of the work, which reports from `start` to `end`."""
    return lambda fraction, stage: report(start + (end - start) * fraction, stage)
