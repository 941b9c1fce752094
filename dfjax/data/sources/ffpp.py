"""FaceForensics++, and DeepFakeDetection, which comes with it."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from dfjax.data.sources.videos import DatasetLayout, LabelledVideo, Source
from dfjax.errors import DatasetError

FFPP_METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
"""Manipulations of the YouTube videos, which are the ones that the official split files cover."""

DFD = "DeepFakeDetection"
"""Google's manipulations of videos of paid actors."""

FFPP_COMPRESSIONS = ("raw", "c23", "c40")

_SPLITS = {"train": "train", "val": "validation", "test": "test"}


def read_ffpp(
    root: Path,
    *,
    compressions: Sequence[str] = ("c23",),
    methods: Sequence[str] = FFPP_METHODS,
) -> Source:
    """Lists the videos of FaceForensics++ in its published layout.

    A pair [a, b] in a split file stands for the originals a and b and the fakes a_b and b_a of
    every method, so no identity is in two splits. Missing split files and methods without a folder
    are skipped; missing videos are listed in `missing`. The fake a_b shows b's face in the video a.

    The split files do not cover DeepFakeDetection, and its fakes link its few actors with one
    another, so no part of it can be held out from the rest. All of it is for testing, with one
    group for each actor whose videos were manipulated.

    Args:
      root: The folder with `original_sequences`, `manipulated_sequences` and `splits`.
      compressions: Any of "raw", "c23", "c40".
      methods: Names of folders in `manipulated_sequences`. "DeepFakeDetection" also brings in the
        original videos of its actors.

    Raises:
      DatasetError: The layout is a different one, or a split file is not a list of pairs of ids.

    Source: Rössler et al., FaceForensics++, ICCV 2019. DeepfakeBench also tests on the whole of
    DeepFakeDetection.
    """
    videos: list[LabelledVideo] = []
    for compression in compressions:
        if set(methods) != {DFD}:
            videos += _youtube_videos(root, compression, [m for m in methods if m != DFD])
        if DFD in methods:
            videos += _actor_videos(root, compression)
    missing = tuple(video.key for video in videos if not video.path.is_file())
    videos = [video for video in videos if video.path.is_file()]
    if not videos:
        raise DatasetError(
            f"{root} holds no FaceForensics++ videos at {', '.join(compressions)}. Expected "
            f"files such as original_sequences/youtube/{compressions[0]}/videos/000.mp4."
        )
    options = {"compressions": list(compressions), "methods": list(methods)}
    return Source(name="ffpp", options=options, videos=tuple(videos), missing=missing)


def _youtube_videos(
    root: Path, compression: str, methods: Sequence[str]
) -> Iterator[LabelledVideo]:
    """Yields the videos that the split files name, for the methods that have a folder."""
    splits = {
        name: root / "splits" / f"{file}.json"
        for file, name in _SPLITS.items()
        if (root / "splits" / f"{file}.json").is_file()
    }
    if not splits:
        raise DatasetError(
            f"{root} has no splits/train.json, val.json or test.json. Put FaceForensics++'s split "
            "files there: without them, the same person could be in both training and validation."
        )
    folders = {"youtube": root / "original_sequences" / "youtube"}
    folders |= {method: root / "manipulated_sequences" / method for method in methods}
    for split, file in splits.items():
        for first, second in _read_pairs(file):
            for method, folder in folders.items():
                if not (folder / compression / "videos").is_dir():
                    continue
                is_fake = method != "youtube"
                ids = [f"{first}_{second}", f"{second}_{first}"] if is_fake else [first, second]
                for video_id in ids:
                    yield LabelledVideo(
                        path=folder / compression / "videos" / f"{video_id}.mp4",
                        dataset="ffpp",
                        method=method,
                        compression=compression,
                        video_id=video_id,
                        is_fake=is_fake,
                        split=split,
                        source_ids=tuple(video_id.split("_")),
                        group="_".join(sorted((first, second))),
                        original_id=video_id.split("_")[0] if is_fake else "",
                    )


def _actor_videos(root: Path, compression: str) -> Iterator[LabelledVideo]:
    """Yields the actors' videos, as `01__scene`, and their fakes, as `01_02__scene__ABCDEFGH`."""
    for method, folder in {"actors": "original_sequences", DFD: "manipulated_sequences"}.items():
        is_fake = method == DFD
        for path in sorted((root / folder / method / compression / "videos").glob("*.mp4")):
            people, *scene = path.stem.split("__")
            actors = tuple(f"actor{number}" for number in people.split("_"))
            if len(actors) != 1 + is_fake or len(scene) != 1 + is_fake:
                raise DatasetError(
                    f"{path} is not named like a video of {method}, such as "
                    f"{'01_02__hugging_happy__YVGY8LOK.mp4' if is_fake else '01__kitchen_pan.mp4'}."
                )
            yield LabelledVideo(
                path=path,
                dataset="ffpp",
                method=method,
                compression=compression,
                video_id=path.stem,
                is_fake=is_fake,
                split="test",
                source_ids=actors,
                group=actors[0],
                original_id=f"{people.split('_')[0]}__{scene[0]}" if is_fake else "",
            )


def _read_pairs(file: Path) -> list[tuple[str, str]]:
    try:
        pairs = json.loads(file.read_text(encoding="utf-8"))
        return [(str(first), str(second)) for first, second in pairs]
    except (ValueError, TypeError) as error:
        raise DatasetError(
            f"{file} is not a list of pairs of ids, such as [['000', '003'], …]: {error}."
        ) from error


FFPP = DatasetLayout(
    name="ffpp",
    read=read_ffpp,
    summary="FaceForensics++, in its published layout.",
    title="FaceForensics++",
    citation=(
        "A. Rössler et al., FaceForensics++: Learning to Detect Manipulated Facial Images, "
        "ICCV 2019: clips."
    ),
)
