"""Turns a labelled video into rows of a prepared data set, including re-encoded versions."""

import contextlib
import dataclasses
import errno
import functools
import itertools
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from dfjax.config import Config
from dfjax.data.clip_row import rows_of
from dfjax.data.sources.split import hash_fraction
from dfjax.data.sources.videos import LabelledVideo
from dfjax.errors import (
    DamagedVideoError,
    NoVideoStreamError,
    UnsupportedFormatError,
    VideoError,
    VideoLimitError,
    VideoTimeError,
)
from dfjax.faces.clips import FaceClips, crop_faces, read_face_clips
from dfjax.faces.detection import FaceDetector, Faces
from dfjax.faces.filmed import filmed_clips
from dfjax.faces.finding import FACE_BATCH, find_in_pictures
from dfjax.faces.tracks import FaceTrack, link_faces
from dfjax.video.film import film
from dfjax.video.info import VideoInfo
from dfjax.video.reading import probe, read_frames
from dfjax.video.suffixes import STILL_SUFFIXES
from dfjax.video.transcode import limit_size, transcode

NO_FACE = "no face found"
"""The reason given for a video that was read but gave no clip."""

_MESSENGER_SIZE = 480  # pixels of the shorter side, to which messengers scale videos down

_FOR_GOOD = (DamagedVideoError, NoVideoStreamError, UnsupportedFormatError, VideoLimitError)
"""What is wrong with a file itself. Another error of reading it may pass."""

_Read = TypeVar("_Read")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CodecConfig:
    """Which re-encoded versions of each video or picture are added, as further rows."""

    variants: int = 0  # re-encoded versions per video
    filmed: int = 0  # short videos made of each picture in the training split
    min_crf: int = 23  # lowest constant rate factor of H.264 that is drawn
    max_crf: int = 40  # highest one
    small: float = 0.5  # share of the re-encoded versions that are scaled down as well
    only_encoded: bool = False  # training gets no video as it is, if there are versions of it
    seed: int = 0  # for drawing them

    def __post_init__(self):
        """Checks ranges."""
        if not 0 <= self.min_crf <= self.max_crf <= 51:
            raise ValueError(
                f"CodecConfig has CRFs from {self.min_crf} to {self.max_crf}; "
                "needed: 0 <= min_crf <= max_crf <= 51."
            )
        if not 0 <= self.small <= 1:
            raise ValueError(f"CodecConfig.small is {self.small}; it is a share, from 0 to 1.")
        if self.only_encoded and self.variants == 0:
            raise ValueError(
                "CodecConfig.only_encoded leaves no training video, since variants is 0. Ask for "
                "at least one re-encoded version of each."
            )
        most = self.max_crf - self.min_crf + 1
        for name in ("variants", "filmed"):
            count = getattr(self, name)
            if not 0 <= count <= most:
                raise ValueError(
                    f"CodecConfig.{name} is {count}; there are {most} CRFs to draw from."
                )

    def crfs(self, group: str, count: int) -> list[int]:
        """Returns the CRF of each of `count` versions, all different.

        Videos of one group get the same CRFs: the strength of the compression must not give away
        which one is the fake.
        """
        crfs = range(self.min_crf, self.max_crf + 1)
        order = sorted(crfs, key=lambda crf: hash_fraction(f"{self.seed}/{group}/{crf}"))
        return order[:count]

    def shorter_side(self, group: str, crf: int) -> int | None:
        """Returns the most that the shorter side of a version has, pixels; None: any number."""
        is_small = hash_fraction(f"{self.seed}/{group}/{crf}/size") < self.small
        return _MESSENGER_SIZE if is_small else None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one video, or of one re-encoded version of it."""

    is_fake: bool
    method: str
    group: str
    clips: int = 0
    faces: int = 0  # frames that show a face of a clip
    reason: str = ""  # why there is no clip, if there is none
    may_pass: bool = False  # whether it may be read another time: a disk was away, for example


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoRows:
    """The rows of one video, or of one re-encoded version of it, and its outcome."""

    key: str
    outcome: Outcome
    rows: list[dict[str, Any]]


class RowReader:
    """Reads labelled videos, one batch after another."""

    def __init__(self, config: Config, codec: CodecConfig, scratch: Path):
        """Loads the face detector.

        Args:
          config: Its parts `video`, `faces`, `tracks` and `crops` say how clips are made.
          codec: Which re-encoded versions are made.
          scratch: Folder for re-encoded videos, each of which is removed once it has been read.
        """
        self._config = config
        self._codec = codec
        self._scratch = scratch
        self._face_detector = FaceDetector(config.faces)

    def __call__(self, batch: Sequence[LabelledVideo]) -> list[list[VideoRows]]:
        """Returns, for each video of a batch, its rows and those of its further versions.

        A file that cannot be read gives the reason instead: one bad file must not end a run.

        Args:
          batch: One of the lists that `make_batches` yields.

        Raises:
          OSError: The disk of the folder for re-encoded videos is full.
        """
        if _is_picture(batch[0]):
            return self._read_pictures(batch)
        return [list(self._read_video(video)) for video in batch]

    def _read_video(self, video: LabelledVideo) -> Iterator[VideoRows]:
        """Yields a video as it is, unless only its versions are wanted, then each of these."""
        info = None
        if self._codec.only_encoded and video.split == "train":
            info = _or_reason(lambda: probe(video.path))
        if info is None or isinstance(info, _NotRead) or info.is_still:
            found = _or_reason(lambda: self._read(video.path))
            yield _video_rows(video, found)
            if isinstance(found, _NotRead) or found.info.is_still:
                return
            info = found.info
        for crf in self._codec.crfs(video.group, self._codec.variants):
            side = self._codec.shorter_side(video.group, crf)
            name = f"{video.compression}-crf{crf}" + (f"-{side}p" if side else "")
            variant = dataclasses.replace(video, compression=name)
            read = functools.partial(self._read_encoded, video, info, crf, side)
            yield _video_rows(variant, _or_reason(read))

    def _read_pictures(self, batch: Sequence[LabelledVideo]) -> list[list[VideoRows]]:
        """Returns the rows of pictures and of their films; MTCNN gets all pictures at once."""
        opened = [_or_reason(lambda v=video: self._open(v.path)) for video in batch]
        pictures = [found.frame for found in opened if isinstance(found, _Picture)]
        faces = iter(find_in_pictures(pictures, self._face_detector))
        results = []
        for video, found in zip(batch, opened, strict=True):
            if isinstance(found, _NotRead):
                results.append([_video_rows(video, found)])
            elif found is None:
                results.append(list(self._read_video(video)))
            else:
                results.append(list(self._read_picture(video, found, next(faces))))
        return results

    def _read_picture(
        self, video: LabelledVideo, picture: "_Picture", faces: Faces
    ) -> Iterator[VideoRows]:
        """Yields a picture as it is, then, for training, each film of it."""
        tracks = link_faces([faces], np.zeros(1), self._config.tracks)
        if video.is_crop:
            tracks = sorted(tracks, key=_area)[-1:]  # whose label is it? that of the largest face
        clips = crop_faces([picture.frame], np.zeros(1), tracks, self._config, picture.info)
        yield _video_rows(video, clips)
        if video.split != "train" or not clips.clips:
            return  # evaluation uses only what others filmed
        for crf in self._codec.crfs(video.group, self._codec.filmed):
            seed = int(2**32 * hash_fraction(f"{self._codec.seed}/{video.group}/{crf}/film"))
            filmed = dataclasses.replace(video, compression=f"{video.compression}-film-crf{crf}")
            read = functools.partial(self._read_film, picture, tracks, crf, seed)
            yield _video_rows(filmed, _or_reason(read))

    def _open(self, path: Path) -> "_Picture | None":
        """Returns a picture, or None if the file is a video."""
        info = probe(path)
        if not info.is_still:
            return None
        ((_, frame),) = read_frames(path, self._config.video, info=info)
        return _Picture(info, frame)

    def _read(self, path: Path) -> FaceClips:
        return read_face_clips(path, self._config, self._face_detector)

    def _read_encoded(
        self, video: LabelledVideo, info: VideoInfo, crf: int, shorter_side: int | None
    ) -> FaceClips:
        filters = limit_size(info.width, info.height, shorter_side) if shorter_side else ()
        with self._scratch_file(video.path) as encoded:
            transcode(video.path, encoded, crf=crf, filters=filters)
            return self._read(encoded)

    def _read_film(
        self, picture: "_Picture", tracks: Sequence[FaceTrack], crf: int, seed: int
    ) -> FaceClips:
        with self._scratch_file(Path(picture.info.name)) as filmed:
            transforms = film(picture.frame, filmed, crf=crf, seed=seed)
            return filmed_clips(filmed, transforms, tracks, self._config)

    @contextlib.contextmanager
    def _scratch_file(self, path: Path) -> Iterator[Path]:
        """Gives the path of a temporary video, which is removed afterwards."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            yield Path(folder) / f"{path.stem}.mp4"


class _Picture(NamedTuple):
    """A still picture that was opened."""

    info: VideoInfo
    frame: np.ndarray  # uint8 [H, W, 3] RGB


def _is_picture(video: LabelledVideo) -> bool:
    """Whether a file looks like a still picture."""
    return video.path.suffix.lower() in STILL_SUFFIXES


def _area(track: FaceTrack) -> float:
    left, top, right, bottom = track.boxes_xyxy[0]
    return float((right - left) * (bottom - top))


def make_batches(videos: Iterable[LabelledVideo]) -> Iterator[list[LabelledVideo]]:
    """Yields videos in order, in lists that `RowReader` reads at once.

    Pictures are batched, since MTCNN takes as long for one as for a few; a video has enough frames
    to be a batch by itself.
    """
    for is_picture, members in itertools.groupby(videos, key=_is_picture):
        while batch := list(itertools.islice(members, FACE_BATCH if is_picture else 1)):
            yield batch


@dataclasses.dataclass(frozen=True)
class _NotRead:
    """Why a file could not be read."""

    reason: str
    may_pass: bool


def _or_reason(read: Callable[[], _Read]) -> _Read | _NotRead:
    """Returns the result of `read`, or the reason why there is none."""
    try:
        return read()
    except VideoTimeError as error:
        return _NotRead(str(error), may_pass=True)
    except _FOR_GOOD as error:
        return _NotRead(str(error), may_pass=False)
    except VideoError as error:
        return _NotRead(str(error), may_pass=True)
    except Exception as error:  # a decoder failed on this file; its message may contain a path
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise  # as it would for every file to come
        may_pass = isinstance(error, OSError | MemoryError | subprocess.SubprocessError)
        return _NotRead(f"reading it raised {type(error).__name__}", may_pass)


def _video_rows(video: LabelledVideo, found: FaceClips | _NotRead) -> VideoRows:
    not_read = found if isinstance(found, _NotRead) else None
    clips = () if isinstance(found, _NotRead) else found.clips
    outcome = Outcome(
        is_fake=video.is_fake,
        method=video.method,
        group=video.group,
        clips=len(clips),
        faces=sum(len(clip.frames) for clip in clips),
        reason=not_read.reason if not_read else "" if clips else NO_FACE,
        may_pass=not_read is not None and not_read.may_pass,
    )
    rows = [] if isinstance(found, _NotRead) else [row.to_file() for row in rows_of(video, found)]
    return VideoRows(key=video.key, outcome=outcome, rows=rows)
