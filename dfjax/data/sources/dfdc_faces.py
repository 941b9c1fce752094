"""Face crops from the DFDC, one per video, in the layout of Kaggle's "deepfake-faces"."""

import csv
from pathlib import Path

from dfjax.data.sources.split import held_out
from dfjax.data.sources.videos import DatasetLayout, LabelledVideo, Source
from dfjax.errors import DatasetError

_HELD_OUT = "val_sources.txt"


def read_dfdc_faces(root: Path) -> Source:
    """Lists face crops that somebody else cut out of the DFDC's training videos.

    The originals that `val_sources.txt` names, one per line, are held out for validation together
    with their fakes; without that file, it is a tenth of them, chosen by a hash of their names. As
    with the DFDC itself, **this split is not by identity**: the same actor is in several originals.

    Args:
      root: The folder with `metadata.csv` (columns videoname, original_width, original_height,
        label, original) and `faces_224`.

    Raises:
      DatasetError: The layout is a different one.
    """
    try:
        with (root / "metadata.csv").open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        originals = {row["videoname"]: row["original"] or row["videoname"] for row in rows}
        labels = {row["videoname"]: {"REAL": False, "FAKE": True}[row["label"]] for row in rows}
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise DatasetError(
            f"{root / 'metadata.csv'} is not the list of deepfake-faces; it needs the columns "
            f"videoname, original_width, original_height, label and original: {error!r}."
        ) from error
    if (root / _HELD_OUT).is_file():
        validation = frozenset((root / _HELD_OUT).read_text(encoding="utf-8").split())
    else:
        validation = held_out(set(originals.values()))
    videos = [
        LabelledVideo(
            path=(root / "faces_224" / row["videoname"]).with_suffix(".jpg"),
            dataset="dfdc-faces",
            method="fake" if labels[row["videoname"]] else "real",
            compression="jpeg",
            video_id=Path(row["videoname"]).stem,
            is_fake=labels[row["videoname"]],
            split="validation" if originals[row["videoname"]] in validation else "train",
            source_ids=(Path(originals[row["videoname"]]).stem,),
            group=Path(originals[row["videoname"]]).stem,
            original_id=Path(row["original"]).stem if labels[row["videoname"]] else "",
            is_crop=True,
            attributes={
                name: row[name] for name in ("original_width", "original_height") if row.get(name)
            },
        )
        for row in rows
    ]
    found = tuple(video for video in videos if video.path.is_file())
    if not found:
        raise DatasetError(
            f"{root} holds none of the pictures in its metadata.csv. Expected files such as "
            f"faces_224/{Path(next(iter(originals), 'abc')).stem}.jpg."
        )
    return Source(
        name="dfdc-faces",
        options={},
        videos=found,
        missing=tuple(video.key for video in videos if not video.path.is_file()),
    )


DFDC_FACES = DatasetLayout(
    name="dfdc-faces",
    read=read_dfdc_faces,
    summary="face crops from the DFDC, in the layout of Kaggle's deepfake-faces.",
    title="DFDC face crops",
    citation=(
        "B. Dolhansky et al., The DeepFake Detection Challenge (DFDC) Dataset, 2020: pictures."
    ),
)
