"""FaceForensics++, and DeepFakeDetection, which comes with it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dfjax.data.sources.files import contents, find_home, left_out, videos_in
from dfjax.data.sources.lists import read_json
from dfjax.data.sources.videos import DatasetLayout, LabelledVideo, Source
from dfjax.errors import DatasetError

FFPP_METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
"""Manipulations of the YouTube videos, which are the ones that the official split files cover."""

DFD = "DeepFakeDetection"
"""Google's manipulations of videos of paid actors."""

FFPP_COMPRESSIONS = ("raw", "c23", "c40")

_YOUTUBE, _ACTORS = "youtube", "actors"

_PLACES = {  # where the originals are: as published, and in copies that leave levels out
    _YOUTUBE: ("original_sequences/youtube", "youtube", "original", "original_sequences"),
    _ACTORS: ("original_sequences/actors", "actors"),
}
_SPLIT_PLACES = ("splits", ".", "dataset/splits")

_SPLITS = {"train": "train", "val": "validation", "test": "test"}


def read_ffpp(
    root: Path,
    *,
    compressions: Sequence[str] = ("c23",),
    methods: Sequence[str] = FFPP_METHODS,
) -> Source:
    """Lists the videos of FaceForensics++, published or flattened.

    A pair [a, b] in a split file stands for the originals a and b and the fakes a_b and b_a of
    every method, so no identity is in two splits. Missing split files and methods without a folder
    are skipped; missing videos are listed in `missing`. The fake a_b shows b's face in the video a.

    The published layout is `original_sequences/youtube/c23/videos/000.mp4`. In Kaggle's mirror of
    one compression, the folders are named after the methods: `original/000.mp4` and
    `Deepfakes/000_003.mp4`. It says nowhere which compression that is; the one asked for counts.

    The split files do not cover DeepFakeDetection, and its fakes link its few actors with one
    another, so no part of it can be held out from the rest. All of it is for testing, with one
    group for each actor whose videos were manipulated.

    Args:
      root: The folder with `original_sequences`, `manipulated_sequences` and `splits`, or with the
        folders of Kaggle's mirror; or one up to two levels above.
      compressions: Any of "raw", "c23", "c40".
      methods: Names of the manipulations' folders. "DeepFakeDetection" also brings in the original
        videos of its actors.

    Raises:
      DatasetError: The layout is a different one, there is nothing of a method of another name than
        the published ones, no compression is named, a split file is not a list of pairs of ids, or
        two name the same id.

    Source: Rössler et al., FaceForensics++, ICCV 2019. DeepfakeBench also tests on the whole of
    DeepFakeDetection.
    """
    if not compressions:
        raise DatasetError(
            f"--compressions is empty. Name at least one of {', '.join(FFPP_COMPRESSIONS)}."
        )
    home = find_home(root, _is_home)
    videos: list[LabelledVideo] = []
    for compression in compressions:
        folders = _folders(home, compression, methods, is_only=len(compressions) == 1)
        if set(methods) != {DFD}:
            videos += _youtube_videos(home, compression, folders)
        if DFD in methods:
            videos += _actor_videos(compression, folders)
    listed = videos
    missing = tuple(video.key for video in videos if not video.path.is_file())
    videos = [video for video in videos if video.path.is_file()]
    if not videos:
        raise DatasetError(
            f"{home} holds no FaceForensics++ videos at {', '.join(compressions)} that its split "
            f"files name. Expected files such as original_sequences/youtube/{compressions[0]}/"
            f"videos/000.mp4, or original/000.mp4 as in Kaggle's mirror. {contents(home)}"
        )
    _require_methods(home, methods, videos)
    options = {"compressions": list(compressions), "methods": list(methods)}
    return Source(
        name="ffpp",
        options=options,
        videos=tuple(videos),
        missing=missing,
        left_out=left_out(root, (video.path for video in listed)),
    )


def _is_home(folder: Path) -> bool:
    return any((folder / name).is_dir() for names in _PLACES.values() for name in names)


def _folders(
    home: Path, compression: str, methods: Sequence[str], *, is_only: bool
) -> dict[str, Path]:
    """Returns the folder of each method's videos, originals included, where there is one.

    Args:
      home: The folder of the data set.
      compression: Such as "c23".
      methods: As for `read_ffpp`.
      is_only: Whether no other compression is asked for: then folders that do not name one count.
    """
    insides = [f"{compression}/videos", compression, *(["videos", ""] if is_only else [])]
    found = {}
    for method in (*_PLACES, *methods):
        places = _PLACES.get(method, (f"manipulated_sequences/{method}", method))
        folders = [home / place / inside for place in places for inside in insides]
        published = folders[0]  # counts even if it is empty: then its videos are missing
        chosen = next((f for f in folders if f == published and f.is_dir() or videos_in(f)), None)
        if chosen is not None:
            found[method] = chosen
    return found


def _require_methods(home: Path, methods: Sequence[str], videos: Sequence[LabelledVideo]) -> None:
    """Checks that a method of an unknown name is there: it may be mistyped."""
    absent = set(methods) - {video.method for video in videos} - {*FFPP_METHODS, DFD}
    for method in sorted(absent):
        raise DatasetError(
            f"{home} holds no videos of {method} that its split files name. Expected them in "
            f"manipulated_sequences/{method}, or in {method} as in Kaggle's mirror. The published "
            f"methods are {', '.join((*FFPP_METHODS, DFD))}."
        )


def _youtube_videos(
    home: Path, compression: str, folders: Mapping[str, Path]
) -> Iterator[LabelledVideo]:
    """Yields the videos that the split files name, for the methods that have a folder."""
    splits: dict[str, Path] = {}
    for name, split in _SPLITS.items():
        for file in (home / place / f"{name}.json" for place in _SPLIT_PLACES):
            if file.is_file():
                splits.setdefault(split, file)
    if not splits:
        raise DatasetError(
            f"{home} has no splits/train.json, val.json or test.json. Put FaceForensics++'s split "
            "files there, from dataset/splits of github.com/ondyari/FaceForensics: without them, "
            "the same person could be in both training and validation."
        )
    videos = {method: videos_in(f) for method, f in folders.items() if method not in (_ACTORS, DFD)}
    file_of: dict[str, Path] = {}  # of each id
    for split, file in splits.items():
        for first, second in _read_pairs(file):
            for video_id in (first, second):
                if file_of.setdefault(video_id, file) != file:
                    raise DatasetError(
                        f"{file_of[video_id]} and {file} both name {video_id}: the same person "
                        "would be in two splits. Take it out of one of them."
                    )
            for method, by_name in videos.items():
                is_fake = method != _YOUTUBE
                ids = [f"{first}_{second}", f"{second}_{first}"] if is_fake else [first, second]
                for video_id in ids:
                    yield LabelledVideo(
                        path=by_name.get(video_id, folders[method] / f"{video_id}.mp4"),
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


def _actor_videos(compression: str, folders: Mapping[str, Path]) -> Iterator[LabelledVideo]:
    """Yields the actors' videos, as `01__scene`, and their fakes, as `01_02__scene__ABCDEFGH`."""
    for method in (_ACTORS, DFD):
        is_fake = method == DFD
        found = videos_in(folders[method]) if method in folders else {}
        for name, path in found.items():
            people, *scene = name.split("__")
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
                video_id=name,
                is_fake=is_fake,
                split="test",
                source_ids=actors,
                group=actors[0],
                original_id=f"{people.split('_')[0]}__{scene[0]}" if is_fake else "",
            )


def _read_pairs(file: Path) -> list[tuple[str, str]]:
    pairs = read_json(file)
    try:
        return [(str(first), str(second)) for first, second in pairs]
    except (ValueError, TypeError) as error:
        raise DatasetError(
            f"{file} is not a list of pairs of ids, such as [['000', '003'], …]: {error}."
        ) from error


FFPP = DatasetLayout(
    name="ffpp",
    read=read_ffpp,
    summary="FaceForensics++, in its published layout or flattened as in Kaggle's mirror.",
    title="FaceForensics++",
    citation=(
        "A. Rössler et al., FaceForensics++: Learning to Detect Manipulated Facial Images, "
        "ICCV 2019: clips."
    ),
)
