"""What reading a source gives: labelled videos, and what is missing or was left out."""

import collections
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, Self

from dfjax.errors import DatasetError

_NUM_EXAMPLES = 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelledVideo:
    """One video or still of a data set, identified by (dataset, method, compression, video_id)."""

    path: Path
    dataset: str
    method: str  # how it was manipulated, or where a real one comes from
    compression: str
    video_id: str  # without a slash
    is_fake: bool
    split: str  # "train" | "validation" | "test"; "" before `split_by_identity`
    source_ids: tuple[str, ...]  # the people in it: the target, and in a fake also the source
    group: str  # videos of a group share identities; bootstrap and splits keep them together
    original_id: str = ""  # video_id of the real video that a fake was made from, if known
    is_crop: bool = False  # a picture of one face: the label is that of the largest one
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # JSON values

    @property
    def key(self) -> str:
        """A name that is unique across data sets and methods: `000_003` exists once per method."""
        return "/".join((self.dataset, self.method, self.compression, self.video_id))


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Files of a data set, in its folder or its list, that were not taken for the same reason."""

    count: int
    examples: tuple[str, ...]  # paths inside the folder, of the first 20

    @classmethod
    def of(cls, files: Sequence[str]) -> Self:
        """Returns the count of `files` and the first of them."""
        return cls(count=len(files), examples=tuple(files[:_NUM_EXAMPLES]))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """The part of a data set that a folder holds.

    Raises:
      DatasetError: Two videos have the same file or the same key.
    """

    name: str  # of the reader
    options: Mapping[str, Any]  # of the reader, as JSON values, never a path
    videos: tuple[LabelledVideo, ...]
    missing: tuple[str, ...] = ()  # keys of videos that are in a list but not in the folder
    dropped: Mapping[str, str] = dataclasses.field(default_factory=dict)  # keys, with the reason
    left_out: Mapping[str, LeftOut] = dataclasses.field(default_factory=dict)  # files, by reason

    def __post_init__(self):
        """Checks that no file counts twice, and that keys are unique: they name rows and groups."""
        key_of: dict[Path, str] = {}
        for video in self.videos:
            if video.path in key_of:  # with another label, perhaps
                raise DatasetError(
                    f"{video.path} is listed twice, as {key_of[video.path]} and as {video.key}. "
                    "List it once, as what it is."
                )
            key_of[video.path] = video.key
        counts = collections.Counter(video.key for video in self.videos)
        repeated = [key for key, count in counts.items() if count > 1]
        if repeated:
            first, second = [v.path for v in self.videos if v.key == repeated[0]][:2]
            raise DatasetError(
                f"{first} and {second} both get the name {repeated[0]}; {len(repeated)} names are "
                "repeated in all. Rename all but one of each."
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetLayout:
    """A data set in its published folder layout: how to read it, and how to describe it."""

    name: str  # used by `prepare` and in prepared data sets
    read: Callable[..., Source]  # lists the videos of a folder; its options are keyword arguments
    summary: str  # for the help of `prepare`: what it is, in a sentence
    title: str | None = None  # its usual name; None: the owner names it
    citation: str | None = None  # for model cards, with what was used of it


def flat_id(path: PurePath) -> str:
    """Returns a path inside a data set as a `video_id`, which has no slash."""
    return ":".join(path.parts)
