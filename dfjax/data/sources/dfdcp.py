"""The preview of the Deepfake Detection Challenge."""

from pathlib import Path, PurePosixPath

from dfjax.data.sources.files import as_spelled, find_home, left_out, require_some
from dfjax.data.sources.lists import read_json
from dfjax.data.sources.split import split_by_identity
from dfjax.data.sources.videos import DatasetLayout, LabelledVideo, Source, flat_id
from dfjax.errors import DatasetError

_LIST = "dataset.json"


def read_dfdcp(root: Path) -> Source:
    """Lists the videos of the DFDC preview in its published layout.

    The test split is the official one; a tenth of the other people is held out for validation
    (`split_by_identity`). The group of a video is the person in whose video a face was swapped;
    which of that person's videos it was is not known. `augmentations` of test videos are kept as an
    attribute.

    Args:
      root: The folder with `dataset.json` and the folders that it names, or one up to two levels
        above.

    Raises:
      DatasetError: There is no such file, or it is not the list of the DFDC preview.

    Source: Dolhansky et al., The Deepfake Detection Challenge (DFDC) Preview Dataset, 2019.
    """
    home = find_home(root, lambda folder: (folder / _LIST).is_file())
    rows = read_json(home / _LIST)
    try:
        listed = [_video(home, name, row) for name, row in rows.items()]
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise DatasetError(
            f"{home / _LIST} is not the list of the DFDC preview, such as "
            '{"method_A/1/1_A_001.mp4": {"label": "fake", "set": "train", "target_id": 1, '
            f'"swapped_id": 2, "augmentations": []}}, …}}: {error!r}.'
        ) from error
    videos, dropped = split_by_identity([video for video in listed if video.path.is_file()])
    require_some(home, [video.path for video in listed], _LIST)
    return Source(
        name="dfdcp",
        options={},
        videos=videos,
        missing=tuple(video.key for video in listed if not video.path.is_file()),
        dropped=dropped,
        left_out=left_out(root, (video.path for video in listed)),
    )


def _video(home: Path, name: str, row: dict) -> LabelledVideo:
    """Returns the video of a list entry; its split is "test", or "" if still to be decided."""
    path = PurePosixPath(name)
    method, *rest = path.with_suffix("").parts
    target, swapped = row.get("target_id"), row.get("swapped_id")
    if target is None:  # a folder is named after the person in its videos
        target = path.parent.name
    people = tuple(str(number) for number in (target, swapped) if number is not None)
    return LabelledVideo(
        path=as_spelled(home / path),
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
