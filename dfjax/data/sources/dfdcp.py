"""The preview of the Deepfake Detection Challenge."""

import json
from pathlib import Path, PurePosixPath

from dfjax.data.sources.split import split_by_identity
from dfjax.data.sources.videos import DatasetLayout, LabelledVideo, Source, flat_id
from dfjax.errors import DatasetError


def read_dfdcp(root: Path) -> Source:
    """Lists the videos of the DFDC preview in its published layout.

    The test split is the official one; a tenth of the other people is held out for validation
    (`split_by_identity`). The group of a video is the person in whose video a face was swapped;
    which of that person's videos it was is not known. `augmentations` of test videos are kept as an
    attribute.

    Args:
      root: The folder with `dataset.json` and the folders that it names.

    Raises:
      DatasetError: There is no such file, or it is not the list of the DFDC preview.

    Source: Dolhansky et al., The Deepfake Detection Challenge (DFDC) Preview Dataset, 2019.
    """
    try:
        rows = json.loads((root / "dataset.json").read_text(encoding="utf-8"))
        listed = [_video(root, name, row) for name, row in rows.items()]
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise DatasetError(
            f"{root / 'dataset.json'} is not the list of the DFDC preview, such as "
            '{"method_A/1/1_A_001.mp4": {"label": "fake", "set": "train", "target_id": 1, '
            f'"swapped_id": 2, "augmentations": []}}, …}}: {error!r}.'
        ) from error
    videos, dropped = split_by_identity([video for video in listed if video.path.is_file()])
    if not videos:
        raise DatasetError(f"{root} holds none of the videos in its dataset.json.")
    return Source(
        name="dfdcp",
        options={},
        videos=videos,
        missing=tuple(video.key for video in listed if not video.path.is_file()),
        dropped=dropped,
    )


def _video(root: Path, name: str, row: dict) -> LabelledVideo:
    """Returns the video of a list entry; its split is "test", or "" if still to be decided."""
    path = PurePosixPath(name)
    method, *rest = path.with_suffix("").parts
    target, swapped = row.get("target_id"), row.get("swapped_id")
    if target is None:  # a folder is named after the person in its videos
        target = path.parent.name
    people = tuple(str(number) for number in (target, swapped) if number is not None)
    return LabelledVideo(
        path=root / path,
        dataset="dfdcp",
        method=method,
        compression="original",
        video_id=flat_id(PurePosixPath(*rest)),
        is_fake={"real": False, "fake": True}[row["label"]],
        split={"test": "test", "train": ""}[row["set"]],
        source_ids=people,
        group=people[0],
        attributes={"augmentations": row["augmentations"]} if row.get("augmentations") else {},
    )


DFDCP = DatasetLayout(
    name="dfdcp",
    read=read_dfdcp,
    summary="the DFDC preview, in its published layout.",
    title="DFDC preview",
    citation=(
        "B. Dolhansky et al., The Deepfake Detection Challenge (DFDC) Preview Dataset, 2019: clips."
    ),
)
