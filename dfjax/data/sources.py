"""Published data sets, in the folders that people have them in, as lists of labelled videos."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from dfjax.errors import DatasetError

TITLES = {"ffpp": "FaceForensics++"}
"""Names of data sets as people know them."""

FFPP_REAL = {"youtube": "original_sequences/youtube"}
FFPP_FAKE = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
FFPP_COMPRESSIONS = ("raw", "c23", "c40")

_FFPP_SPLITS = {"train": "train", "val": "validation", "test": "test"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelledVideo:
    """One video of a data set. (dataset, method, compression, video_id) names it uniquely."""

    path: Path
    dataset: str
    method: str  # how it was manipulated, or where a real one is from
    compression: str
    video_id: str
    is_fake: bool
    split: str  # "train" | "validation" | "test"
    source_ids: tuple[str, ...]  # of the people in it: the target, and in a fake the source too
    group: str  # videos of one group share identities; bootstrap and splits never part them

    @property
    def key(self) -> str:
        """A name that is unique over data sets and methods: `000_003` exists once per method."""
        return "/".join((self.dataset, self.method, self.compression, self.video_id))


@dataclasses.dataclass(frozen=True)
class Source:
    """What a folder holds of a data set."""

    videos: tuple[LabelledVideo, ...]
    missing: tuple[str, ...]  # keys that the splits name and the folder lacks


def read_ffpp(
    root: Path,
    *,
    compressions: Sequence[str] = ("c23",),
    methods: Sequence[str] = FFPP_FAKE,
) -> Source:
    """Lists the videos of FaceForensics++ in its published layout.

    A pair [a, b] of a split file owns the originals a and b and the fakes a_b and b_a of every
    method, so no identity is in two splits. Split files that are absent are left out, and so are
    methods without a folder; single files that are absent are named in `missing`.

    Args:
      root: The folder with `original_sequences`, `manipulated_sequences` and `splits`.
      compressions: Any of "raw", "c23", "c40".
      methods: Names of folders of `manipulated_sequences`.

    Raises:
      DatasetError: The layout is another one, or a split file is not a list of pairs of ids.

    Source: Rössler et al., FaceForensics++, ICCV 2019.
    """
    splits = {
        name: root / "splits" / f"{file}.json"
        for file, name in _FFPP_SPLITS.items()
        if (root / "splits" / f"{file}.json").is_file()
    }
    if not splits:
        raise DatasetError(
            f"{root} has no splits/train.json, val.json or test.json. Put FaceForensics++'s split "
            "files there: without them, one person's videos would be in training and validation."
        )
    folders = [(name, root / folder, False) for name, folder in FFPP_REAL.items()]
    folders += [(name, root / "manipulated_sequences" / name, True) for name in methods]
    videos, missing = [], []
    for split, file in splits.items():
        for first, second in _read_pairs(file):
            for method, folder, is_fake in folders:
                ids = [f"{first}_{second}", f"{second}_{first}"] if is_fake else [first, second]
                for compression in compressions:
                    videos_folder = folder / compression / "videos"
                    if not videos_folder.is_dir():
                        continue
                    for video_id in ids:
                        video = LabelledVideo(
                            path=videos_folder / f"{video_id}.mp4",
                            dataset="ffpp",
                            method=method,
                            compression=compression,
                            video_id=video_id,
                            is_fake=is_fake,
                            split=split,
                            source_ids=tuple(video_id.split("_")),
                            group="_".join(sorted((first, second))),
                        )
                        if video.path.is_file():
                            videos.append(video)
                        else:
                            missing.append(video.key)
    if not videos:
        wanted = ", ".join(compressions)
        raise DatasetError(
            f"{root} holds no video of FaceForensics++ at {wanted}. Expected files such as "
            f"original_sequences/youtube/{compressions[0]}/videos/000.mp4."
        )
    return Source(tuple(videos), tuple(missing))


def _read_pairs(file: Path) -> list[tuple[str, str]]:
    try:
        pairs = json.loads(file.read_text(encoding="utf-8"))
        return [(str(first), str(second)) for first, second in pairs]
    except (ValueError, TypeError) as error:
        raise DatasetError(
            f"{file} is not a list of pairs of ids, such as [['000', '003'], …]: {error}."
        ) from error
