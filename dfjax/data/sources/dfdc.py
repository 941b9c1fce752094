"""The Deepfake Detection Challenge (DFDC): all of it, or its sample of 400 videos."""

import csv
import json
from pathlib import Path

from dfjax.data.sources.split import held_out
from dfjax.data.sources.videos import DatasetLayout, LabelledVideo, Source
from dfjax.errors import DatasetError

_IS_FAKE = {"REAL": False, "FAKE": True, "0": False, "1": True}


def read_dfdc(root: Path) -> Source:
    """Lists the videos of the DFDC in its published layout.

    Folders with a `metadata.json` (`dfdc_train_part_0` and so on, or `train_sample_videos`) are for
    training. A tenth of their originals, chosen by a hash of their names, is held out for
    validation together with all their fakes, even if the original itself is not in the folder. A
    folder with a `labels.csv` is the test set; nothing is known about the people in it, so each
    video is a separate group.

    The originals do not say who is in them, and the same actor appears in several: **this split is
    not by identity**. Nor is it known how a fake was made: the methods are "real" and "fake".

    Args:
      root: The folder that holds those folders, or one of them.

    Raises:
      DatasetError: The layout is a different one, or a list is damaged.

    Source: Dolhansky et al., The DeepFake Detection Challenge (DFDC) Dataset, 2020.
    """
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    rows: dict[str, tuple[Path, bool, str]] = {}  # name: path, is_fake, name of the original or ""
    for folder in folders:
        if (folder / "metadata.json").is_file():
            for name, is_fake, original in _read_metadata(folder / "metadata.json"):
                # The sample repeats videos from the parts.
                rows.setdefault(name, (folder / name, is_fake, original))
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
    for folder in folders:
        if (folder / "labels.csv").is_file():
            videos += _test_videos(folder)
    if not videos:
        raise DatasetError(
            f"{root} holds no DFDC videos. Expected folders such as dfdc_train_part_0 or "
            "train_sample_videos with a metadata.json, or a test set with a labels.csv."
        )
    return Source(
        name="dfdc",
        options={},
        videos=tuple(video for video in videos if video.path.is_file()),
        missing=tuple(video.key for video in videos if not video.path.is_file()),
    )


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
    try:
        metadata = json.loads(file.read_text(encoding="utf-8"))
        return [
            (name, _IS_FAKE[row["label"]], row.get("original") or "")
            for name, row in metadata.items()
        ]
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise DatasetError(
            f"{file} is not a list of DFDC videos, such as "
            '{"a.mp4": {"label": "FAKE", "original": "b.mp4"}, …}: '
            f"{error!r}."
        ) from error


def _test_videos(folder: Path) -> list[LabelledVideo]:
    """Returns the videos that a labels.csv lists, from its own folder or one directly below."""
    try:
        with (folder / "labels.csv").open(encoding="utf-8-sig", newline="") as file:
            rows = [(row["filename"], _IS_FAKE[row["label"]]) for row in csv.DictReader(file)]
    except (ValueError, KeyError, csv.Error) as error:
        raise DatasetError(
            f"{folder / 'labels.csv'} is not a list of DFDC videos; it needs the columns filename "
            f"and label, with 0 for real and 1 for fake: {error!r}."
        ) from error
    places = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    return [
        _video(
            next((place / name for place in places if (place / name).is_file()), folder / name),
            is_fake,
            "test",
            "",
        )
        for name, is_fake in rows
    ]


DFDC = DatasetLayout(
    name="dfdc",
    read=read_dfdc,
    summary="the DFDC or its sample, in its published layout.",
    title="DFDC",
    citation="B. Dolhansky et al., The DeepFake Detection Challenge (DFDC) Dataset, 2020: clips.",
)
