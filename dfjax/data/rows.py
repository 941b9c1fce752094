"""Turns a labelled video into rows of a prepared data set, including re-encoded versions."""

import contextlib
import dataclasses
import functools
import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from dfjax.config import Config
from dfjax.data.clip_row import rows_of
from dfjax.data.sources.split import hash_fraction
from dfjax.data.sources.videos import LabelledVideo
from dfjax.errors import VideoError
from dfjax.faces.clips import FaceClips, read_face_clips
from dfjax.faces.detection import FaceDetector
from dfjax.faces.precropped import crop_clips, detect_in_crops, filmed_clips, open_crop
from dfjax.video.film import film
from dfjax.video.reading import read_frames
from dfjax.video.transcode import transcode

NO_FACE = "no face found"
"""The reason given for a video that was read but gave no clip."""

_CROPS_PER_BATCH = 8

_Read = TypeVar("_Read")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CodecConfig:
    """Which re-encoded versions of each video or picture are added, as further rows."""

    variants: int = 0  # re-encoded versions per video
    filmed: int = 0  # short videos made of each picture in the training split
    min_crf: int = 23  # lowest constant rate factor of H.264 that is drawn
    max_crf: int = 40  # highest one
    seed: int = 0  # for drawing them

    def __post_init__(self):
        """Checks ranges."""
        if not 0 <= self.min_crf <= self.max_crf <= 51:
            raise ValueError(
                f"CodecConfig has CRFs from {self.min_crf} to {self.max_crf}; "
                "needed: 0 <= min_crf <= max_crf <= 51."
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one video, or of one re-encoded version of it."""

    is_fake: bool
    method: str
    group: str
    clips: int = 0
    faces: int = 0  # frames that show a face of a clip
    reason: str = ""  # why there is no clip, if there is none


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
        """Returns, for each video of a batch, its rows and those of its re-encoded versions.

        A file that cannot be read gives the reason instead: one bad file must not end a run.

        Args:
          batch: One of the lists that `make_batches` yields.
        """
        if batch[0].is_crop:
            return self._read_crops(batch)
        return [list(self._read_versions(video)) for video in batch]

    def _read_versions(self, video: LabelledVideo) -> Iterator[VideoRows]:
        """Yields a video as it is, then each re-encoded version; for a still, each film of it."""
        found = _or_reason(lambda: self._read(video.path))
        yield _video_rows(video, found)
        if isinstance(found, str):
            return
        if found.info.is_still:
            if found.clips:
                yield from self._films(video, lambda *film: self._read_film(video.path, *film))
            return
        for crf in self._codec.crfs(video.group, self._codec.variants):
            variant = dataclasses.replace(video, compression=f"{video.compression}-crf{crf}")
            yield _video_rows(variant, _or_reason(lambda crf=crf: self._read_encoded(video, crf)))

    def _films(
        self, video: LabelledVideo, read: Callable[[int, int], FaceClips]
    ) -> Iterator[VideoRows]:
        """Yields what `read` returns for the CRF and the seed of each film of a picture."""
        if video.split != "train":
            return  # evaluation uses only what others filmed
        for crf in self._codec.crfs(video.group, self._codec.filmed):
            seed = int(2**32 * hash_fraction(f"{self._codec.seed}/{video.group}/{crf}/film"))
            filmed = dataclasses.replace(video, compression=f"{video.compression}-film-crf{crf}")
            found = _or_reason(lambda crf=crf, seed=seed: read(crf, seed))
            yield _video_rows(filmed, found)

    def _read(self, path: Path) -> FaceClips:
        return read_face_clips(path, self._config, self._face_detector)

    def _read_encoded(self, video: LabelledVideo, crf: int) -> FaceClips:
        with self._scratch_file(video.path) as encoded:
            transcode(video.path, encoded, crf=crf)
            return self._read(encoded)

    def _read_film(self, path: Path, crf: int, seed: int) -> FaceClips:
        ((_, picture),) = read_frames(path, self._config.video)
        with self._scratch_file(path) as filmed:
            film(picture, filmed, crf=crf, seed=seed)
            return self._read(filmed)

    def _read_film_of_crop(
        self, path: Path, picture: np.ndarray, clips: FaceClips, crf: int, seed: int
    ) -> FaceClips:
        with self._scratch_file(path) as filmed:
            transforms = film(picture, filmed, crf=crf, seed=seed)
            return filmed_clips(filmed, transforms, picture, clips, self._config)

    @contextlib.contextmanager
    def _scratch_file(self, path: Path) -> Iterator[Path]:
        """Gives the path of a temporary video, which is removed afterwards."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            yield Path(folder) / f"{path.stem}.mp4"

    def _read_crops(self, batch: Sequence[LabelledVideo]) -> list[list[VideoRows]]:
        """Returns the rows of pictures that are face crops; MTCNN gets them all at once."""
        opened = [_or_reason(lambda v=video: open_crop(v.path, self._config)) for video in batch]
        pictures = [found[1] for found in opened if not isinstance(found, str)]
        faces = iter(detect_in_crops(pictures, self._face_detector))
        results = []
        for video, found in zip(batch, opened, strict=True):
            if isinstance(found, str):
                results.append([_video_rows(video, found)])
                continue
            info, picture = found
            clips = crop_clips(info, picture, next(faces), self._config)
            versions = [_video_rows(video, clips)]
            if clips.clips:
                read = functools.partial(self._read_film_of_crop, video.path, picture, clips)
                versions += self._films(video, read)
            results.append(versions)
        return results


def make_batches(videos: Iterable[LabelledVideo]) -> Iterator[list[LabelledVideo]]:
    """Yields videos in order, in lists that `RowReader` reads at once.

    Face crops are batched, since MTCNN takes as long for one picture as for a few; a video has
    enough frames to be a batch by itself.
    """
    for is_crop, members in itertools.groupby(videos, key=lambda video: video.is_crop):
        while batch := list(itertools.islice(members, _CROPS_PER_BATCH if is_crop else 1)):
            yield batch


def _or_reason(read: Callable[[], _Read]) -> _Read | str:
    """Returns the result of `read`, or the reason why there is none."""
    try:
        return read()
    except VideoError as error:
        return str(error)
    except Exception as error:  # a decoder failed on this file; its message may contain a path
        return f"reading it raised {type(error).__name__}"


def _video_rows(video: LabelledVideo, found: FaceClips | str) -> VideoRows:
    clips = () if isinstance(found, str) else found.clips
    outcome = Outcome(
        is_fake=video.is_fake,
        method=video.method,
        group=video.group,
        clips=len(clips),
        faces=sum(len(clip.frames) for clip in clips),
        reason=found if isinstance(found, str) else "" if clips else NO_FACE,
    )
    rows = [] if isinstance(found, str) else [row.to_file() for row in rows_of(video, found)]
    return VideoRows(key=video.key, outcome=outcome, rows=rows)
