"""The Deepfake Detection Challenge (DFDC): all of it, or its sample of 400 videos."""

import collections
from collections.abc import Mapping, Sequence
from pathlib import Path

from dfjax.data.sources.files import (
    as_spelled,
    contents,
    is_hidden,
    left_out,
    require_some,
    walk,
)
from dfjax.data.sources.lists import read_json, read_table, require_columns
from dfjax.data.sources.split import held_out
from dfjax.data.sources.videos import DatasetLayout, LabelledVideo, Source
from dfjax.errors import DatasetError

_METADATA = "metadata.json"
_LABELS = "labels.csv"
_IS_FAKE = {"REAL": False, "FAKE": True, "0": False, "1": True}


def read_dfdc(root: Path) -> Source:
    """Lists the videos of the DFDC as its archives unpack, at any depth.

    Folders with a `metadata.json` (`dfdc_train_part_0` and so on, or `train_sample_videos`) are for
    training. A tenth of their originals, chosen by a hash of their names, is held out for
    validation together with all their fakes, even if the original itself is not in the folder. A
    folder with a `labels.csv` is the test set; nothing is known about the people in it, so each
    video is a separate group. A list's videos are in its own folder, or in one below.

    The originals do not say who is in them, and the same actor appears in several: **this split is
    not by identity**. Nor is it known how a fake was made: the methods are "real" and "fake".

    Args:
      root: A folder above those folders, or one of them.

    Raises:
      DatasetError: The layout is a different one, a list is damaged, or none of its videos is
        there.

    Source: Dolhansky et al., The DeepFake Detection Challenge (DFDC) Dataset, 2020.
    """
    files = [path for path in walk(root) if not is_hidden(path, root)]
    by_name: dict[str, list[Path]] = collections.defaultdict(list)
    for path in files:
        by_name[path.name].append(path)
    folders = sorted({path.parent for name in (_METADATA, _LABELS) for path in by_name[name]})
    rows: dict[str, tuple[Path, bool, str]] = {}  # name: path, is_fake, name of the original or ""
    tested: list[LabelledVideo] = []
    for folder in folders:
        if (folder / _LABELS).is_file():
            tested += [
                _video(_locate(folder, name, by_name), is_fake, "test", "")
                for name, is_fake in _read_labels(folder / _LABELS)
            ]
            continue
        for name, is_fake, original in _read_metadata(folder / _METADATA):
            # The sample repeats videos from the parts.
            if name not in rows or not rows[name][0].is_file():
                rows[name] = (_locate(folder, name, by_name), is_fake, original)
    validation = held_out({original or name for name, (_, _, original) in rows.items()})
    videos = [
        _video(
            path,
            is_fake,
            "validation" if (original or name) in validation else "train",
            original,
        )
        for name, (path, is_fake, original) in rows.items()
    ]
    videos += tested
    if not videos:
        raise DatasetError(
            f"{root} holds no DFDC videos. Expected folders such as dfdc_train_part_0 or "
            "train_sample_videos with a metadata.json, or a test set with a labels.csv, at any "
            f"depth. {contents(root)}"
        )
    require_some(root, [video.path for video in videos], f"its {_METADATA} or {_LABELS}")
    return Source(
        name="dfdc",
        options={},
        videos=tuple(video for video in videos if video.path.is_file()),
        missing=tuple(video.key for video in videos if not video.path.is_file()),
        left_out=left_out(root, (video.path for video in videos)),
    )


def _locate(folder: Path, name: str, by_name: Mapping[str, Sequence[Path]]) -> Path:
    """Returns the file that a folder's list names: in that folder, else the first one below it."""
    listed = as_spelled(folder / name)
    if listed.is_file():
        return listed
    return next((path for path in by_name.get(name, ()) if folder in path.parents), listed)


def _video(path: Path, is_fake: bool, split: str, original: str) -> LabelledVideo:
    group = Path(original).stem if original else path.stem
    return LabelledVideo(
        path=path,
        dataset="dfdc",
        method="fake" if is_fake else "real",
        compression="original",
        video_id=path.stem,
        is_fake=is_fake,
        split=split,
        source_ids=(group,),
        group=group,
        original_id=Path(original).stem,
    )


def _read_metadata(file: Path) -> list[tuple[str, bool, str]]:
    """Returns for each video its file name, whether it is fake, and its original's name or ""."""
    metadata = read_json(file)
    try:
        rows = [
            (name, _IS_FAKE[row["label"]], row.get("original") or "")
            for name, row in metadata.items()
        ]
        if odd := [original for *_, original in rows if not isinstance(original, str)]:
            raise TypeError(f"{odd[0]!r} is not the name of an original")
        return rows
    except (TypeError, AttributeError, KeyError) as error:
        raise DatasetError(
            f"{file} is not a list of DFDC videos, such as "
            '{"a.mp4": {"label": "FAKE", "original": "b.mp4"}, …}: '
            f"{error!r}."
        ) from error


def _read_labels(file: Path) -> list[tuple[str, bool]]:
    """Returns for each video of the test set its file name and whether it is fake."""
    columns, rows, _ = read_table(file)
    require_columns(file, columns, ("filename", "label"))
    try:
        return [(row["filename"], _IS_FAKE[row["label"]]) for row in rows]
    except KeyError as error:
        raise DatasetError(
            f"{file} has the label {error}; 0 for real or 1 for fake is needed."
        ) from error


DFDC = DatasetLayout(
    name="dfdc",
    read=read_dfdc,
    summary="the DFDC or its sample, as its archives unpack.",
    title="DFDC",
    citation="B. Dolhansky et al., The DeepFake Detection Challenge (DFDC) Dataset, 2020: clips.",
)
