"""Begins to read a file while the model that is to score it is still being loaded."""

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from os import PathLike
from pathlib import Path
from typing import NamedTuple, get_args

from dfjax.config import Config, VideoConfig
from dfjax.errors import AbandonedError
from dfjax.faces.long_video import most_frames
from dfjax.faces.sampled import SampledFrames, sample_frames
from dfjax.video.file_facts import last_change
from dfjax.video.info import VideoInfo
from dfjax.video.limits import VideoLimits
from dfjax.video.reading import probe
from dfjax.video.sampling import Effort, plan_looks


class Begun(NamedTuple):
    """What of a file can be known without a model."""

    info: VideoInfo
    plan: VideoConfig  # which frames are looked at
    effort: Effort
    last_change: tuple[int, int] | None  # of the file, before any of it was read
    sampled: SampledFrames | None = None  # None: not read yet

    @classmethod
    def of(
        cls, path: str | PathLike[str], config: Config, effort: Effort, limits: VideoLimits
    ) -> "Begun":
        """Probes a file.

        Raises:
          VideoError: The file cannot be read as a video.
          ValueError: There is no such effort.
        """
        if effort not in get_args(Effort):
            known = ", ".join(map(repr, get_args(Effort)))
            raise ValueError(f"effort is {effort!r}; it must be one of {known}.")
        if config.calibration.evidence is None:
            effort = "quick"
        changed = last_change(Path(os.fsdecode(path)))
        info = probe(path, limits)
        plan = plan_looks(info.duration, config.video, effort, most_frames=most_frames(config))
        return cls(info, plan, effort, changed)


class BegunFile:
    """A file that is probed and, if it is looked at once, decoded in a thread, until `close`."""

    def __init__(
        self,
        path: str | PathLike[str],
        config: Config,
        effort: Effort,
        limits: VideoLimits = VideoLimits(),
    ):
        """Begins.

        Args:
          path: The file.
          config: That of the model that will score it.
          effort: As for `Predictor`.
          limits: How much the file may cost to read.
        """
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self._path = os.fsdecode(path)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="read first file")
        self._begun: Future[Begun] | None = self._pool.submit(self._begin, config, effort, limits)

    def close(self) -> None:
        """Ends the reading at its next frame."""
        self._is_over.set()
        self._pool.shutdown()

    def take(self, path: str | PathLike[str]) -> Begun | None:
        """Returns what was read, once, if it is of this file; else None.

        Raises:
          VideoError: The file cannot be read as a video.
        """
        with self._lock:
            if self._begun is None or os.fsdecode(path) != self._path:
                return None
            begun, self._begun = self._begun, None
        return begun.result()

    def _begin(self, config: Config, effort: Effort, limits: VideoLimits) -> Begun:
        begun = Begun.of(self._path, config, effort, limits)
        if begun.plan != config.video:
            return begun
        sampled = SampledFrames()
        for frame in sample_frames(self._path, begun.plan, limits, begun.info, sampled.findings):
            if self._is_over.is_set():
                raise AbandonedError("Nobody waits for this file any more.")
            sampled.frames.append(frame)
        return begun._replace(sampled=sampled)
