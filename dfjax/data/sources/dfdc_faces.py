"""Face crops from the DFDC, one per video, in the layout of Kaggle's "deepfake-faces"."""

from collections.abc import Mapping
from pathlib import Path

from dfjax.data.sources.files import as_spelled, find_home, left_out, require_some
from dfjax.data.sources.lists import read_table, read_text, require_columns
from dfjax.data.sources.split import held_out
from dfjax.data.sources.videos import DatasetLayout, LabelledVideo, LeftOut, Source
from dfjax.errors import DatasetError

_LIST = "metadata.csv"
_PICTURES = "faces_224"
_HELD_OUT = "val_sources.txt"


def read_dfdc_faces(root: Path) -> Source:
    """Lists face crops that somebody else cut out of the DFDC's training videos.

    The originals that `val_sources.txt` names, one per line, are held out for validation together
    with their fakes; without that file, it is a tenth of them, chosen by a hash of their names. As
    with the DFDC itself, **this split is not by identity**: the same actor is in several originals.

    Args:
      root: The folder with `metadata.csv` (columns videoname, original_width, original_height,
        label, original) and `faces_224`, or one up to two levels above.

    Raises:
      DatasetError: The layout is a different one, or `val_sources.txt` is about another list.
    """
    home = find_home(root, lambda folder: (folder / _LIST).is_file())
    columns, rows, _ = read_table(home / _LIST)
    require_columns(home / _LIST, columns, ("videoname", "label", "original"))
    try:
        labels = {row["videoname"]: {"REAL": False, "FAKE": True}[row["label"]] for row in rows}
    except KeyError as error:
        raise DatasetError(
            f"{home / _LIST} has the label {error}; REAL or FAKE is needed."
        ) from error
    originals = {row["videoname"]: row["original"] or row["videoname"] for row in rows}
    unknown: dict[str, LeftOut] = {}
    if (home / _HELD_OUT).is_file():
        validation = frozenset(read_text(home / _HELD_OUT).split())
        unknown = _unlisted(home, validation, originals)
    else:
        validation = held_out(set(originals.values()))
    videos = [
        LabelledVideo(
            path=as_spelled((home / _PICTURES / row["videoname"]).with_suffix(".jpg")),
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
    require_some(home, [video.path for video in videos], _LIST)
    return Source(
        name="dfdc-faces",
        options={},
        videos=tuple(video for video in videos if video.path.is_file()),
        missing=tuple(video.key for video in videos if not video.path.is_file()),
        left_out=left_out(root, (video.path for video in videos)) | unknown,
    )


def _unlisted(
    home: Path, validation: frozenset[str], originals: Mapping[str, str]
) -> dict[str, LeftOut]:
    """Returns the names to be held out that are no original in the list, with the reason.

    Raises:
      DatasetError: None of them is one.
    """
    unknown = sorted(validation - set(originals.values()))
    if unknown and len(unknown) == len(validation):
        raise DatasetError(
            f"{home / _HELD_OUT} names no original of {_LIST}: the first is {unknown[0]!r}, and an "
            f"original of the list is {min(originals.values(), default='')!r}. Write them alike."
        )
    reason = f"{_HELD_OUT} names them, but they are no originals in {_LIST}"
    return {reason: LeftOut.of(unknown)} if unknown else {}


DFDC_FACES = DatasetLayout(
    name="dfdc-faces",
    read=read_dfdc_faces,
    summary="face crops from the DFDC, in the layout of Kaggle's deepfake-faces.",
    title="DFDC face crops",
    citation=(
        "B. Dolhansky et al., The DeepFake Detection Challenge (DFDC) Dataset, 2020: pictures."
    ),
)
