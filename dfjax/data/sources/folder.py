"""A user's own folder of videos, with `real/` and `fake/` or a `metadata.csv`."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from dfjax.data.sources.files import (
    as_spelled,
    contents,
    find_home,
    left_out,
    require_some,
)
from dfjax.data.sources.label_folders import is_sorted, labelled_files
from dfjax.data.sources.lists import read_table
from dfjax.data.sources.originals import find_originals, without_label
from dfjax.data.sources.split import SPLIT_NAMES, VALIDATION_SHARE, held_out
from dfjax.data.sources.videos import DatasetLayout, LabelledVideo, LeftOut, Source, flat_id
from dfjax.errors import DatasetError

_LIST = "metadata.csv"
_FILE_COLUMNS = ("file", "path", "file_name")
_IS_FAKE = {"real": False, "0": False, "fake": True, "1": True}


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Row:
    """What is known about a file."""

    file: PurePosixPath  # inside the folder
    is_fake: bool
    method: str
    identity: str = ""
    split: str = ""
    original: PurePosixPath | None = None  # the real video that a fake was made from, as listed
    attributes: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def video_id(self) -> str:
        """The path inside the folder, without a leading `real/` or `fake/`."""
        return flat_id(without_label(self.file))


def read_folder(
    root: Path,
    *,
    name: str = "folder",
    validation_share: float = VALIDATION_SHARE,
    unseen_methods: Sequence[str] = (),
) -> Source:
    """Lists the videos and stills of a folder, which may hold only real ones.

    Without a `metadata.csv`, the files in `real/` and its subfolders are real, and those in `fake/`
    and its subfolders are fake; `0_real` and `1_fake`, in any case, do as well. If there are no
    such folders at the top, they are looked for further down. `train/real`, `val/real` and
    `test/real` also say the split, as do `real/train`, `real/val` and `real/test`; then every file
    needs one. With a `metadata.csv`, there or up to two levels below, only the files that it lists
    count. Its columns:

    - `file` (or `path`, or `file_name`): path inside the folder
    - `label`: real or fake, or 0 or 1 (fake)
    - `identity`: who is in it; files of one identity stay in one split
    - `original`: for a fake, the file of the real video; the two stay in one split. `real/` may
      be left out before it, and its ending may be in another case; originals that are not in the
      list are counted as left out
    - `split`: train, validation or test; without it, some of the groups are held out for
      validation, by a hash of their names
    - `method`: how a fake was made, or where a real one comes from
    - any other column becomes an attribute

    Only `file` and `label` are required. Without identities and originals, each file is a separate
    group; it is then up to you to make sure that nobody is in two splits.

    Args:
      root: The folder.
      name: Name of the data set in reports and keys.
      validation_share: Of the groups for which no split is given, about as many are held out.
      unseen_methods: Methods that training must never see: every group with a fake of one of them
        is held out, so that validation says what the detector makes of manipulations that are new
        to it.

    Raises:
      DatasetError: There are neither such folders nor a list, only some of the files are in the
        folder of a split, the list contradicts itself, or none of its files is there; or no fake
        has one of the unseen methods, or a group with one is to be trained on.
    """
    if not name or "/" in name:
        raise DatasetError(f"The data set's name is {name!r}; it needs one without a slash.")
    if not 0 < validation_share < 1:
        raise DatasetError(
            f"The share for validation is {validation_share}; it must be between 0 and 1."
        )
    home = root if is_sorted(root) else find_home(root, lambda folder: (folder / _LIST).is_file())
    rows = list(_listed(home) if (home / _LIST).is_file() else _found(home))
    if not rows:
        raise DatasetError(
            f"{root} holds neither a {_LIST} with files nor videos or pictures in folders named "
            f"real and fake (or 0_real and 1_fake), there or further down. {contents(root)}"
        )
    originals = find_originals(
        (row.original for row in rows if row.original),
        (row.file for row in rows if not row.is_fake),
    )
    groups = _groups(rows, originals)
    held_methods = {method.replace("/", ":") for method in unseen_methods}
    splits = _splits(rows, groups, validation_share, held_methods)
    videos = [
        LabelledVideo(
            path=as_spelled(home / row.file),
            dataset=name,
            method=row.method,
            compression="original",
            video_id=row.video_id,
            is_fake=row.is_fake,
            split=splits[group],
            source_ids=(row.identity or group,),
            group=group,
            original_id=_original_id(row, originals),
            attributes=row.attributes,
        )
        for row, group in zip(rows, groups, strict=True)
    ]
    require_some(home, [video.path for video in videos], _LIST)
    return Source(
        name="folder",
        options={
            "name": name,
            "validation_share": validation_share,
            "unseen_methods": sorted(held_methods),
        },
        videos=tuple(video for video in videos if video.path.is_file()),
        missing=tuple(video.key for video in videos if not video.path.is_file()),
        left_out=left_out(root, (video.path for video in videos)) | _unlisted(rows, originals),
    )


def _found(home: Path) -> Iterator[_Row]:
    for file, label, _, split in labelled_files(home):
        yield _Row(file=file, is_fake=_IS_FAKE[label], method=label, split=split)


def _listed(home: Path) -> Iterator[_Row]:
    columns, rows, lines = read_table(home / _LIST)
    file_column = next((name for name in _FILE_COLUMNS if name in columns), None)
    if file_column is None or "label" not in columns:
        raise DatasetError(
            f"{home / _LIST} has the columns {', '.join(columns) or '(none)'}; it needs `file` and "
            "`label`."
        )
    for line, values in zip(lines, rows, strict=True):
        yield _row(values, file_column, f"Line {line} of {home / _LIST}")


def _row(values: dict[str, str], file_column: str, where: str) -> _Row:
    """Returns a line of the list; `where` names it in errors."""
    file = PurePosixPath(values.pop(file_column))
    label, split = values.pop("label").lower(), values.pop("split", "").lower()
    if not file.parts or file.is_absolute() or ".." in file.parts:
        raise DatasetError(f"{where} names the file {str(file)!r}; it must be inside the folder.")
    if label not in _IS_FAKE:
        raise DatasetError(f"{where} has the label {label!r}; it must be real or fake, or 0 or 1.")
    if split and split not in SPLIT_NAMES:
        raise DatasetError(f"{where} has the split {split!r}; use train, validation or test.")
    method = values.pop("method", "") or ("fake" if _IS_FAKE[label] else "real")
    return _Row(
        file=file,
        is_fake=_IS_FAKE[label],
        method=method.replace("/", ":"),  # a slash separates the fields of a key
        identity=values.pop("identity", ""),
        split=SPLIT_NAMES.get(split, ""),
        original=PurePosixPath(original) if (original := values.pop("original", "")) else None,
        attributes={name: value for name, value in values.items() if value},
    )


def _original_id(row: _Row, originals: Mapping[PurePosixPath, PurePosixPath]) -> str:
    if row.original is None:
        return ""
    return flat_id(without_label(originals.get(row.original, row.original)))


def _unlisted(
    rows: list[_Row], originals: Mapping[PurePosixPath, PurePosixPath]
) -> dict[str, LeftOut]:
    """Returns the originals that no real line of the list is about, with the reason."""
    named = {row.original for row in rows if row.original}
    if not (unlisted := sorted(map(str, named - originals.keys()))):
        return {}
    reason = f"fakes name them as their original, but {_LIST} lists no such real file"
    return {reason: LeftOut.of(unlisted)}


def _groups(rows: list[_Row], originals: Mapping[PurePosixPath, PurePosixPath]) -> list[str]:
    """Returns the group of each row: rows that share an identity or an original are grouped.

    Args:
      rows: The files.
      originals: From `find_originals`.
    """
    files = {row.file for row in rows}
    parents: dict[tuple[str, str], tuple[str, str]] = {}

    def find(link: tuple[str, str]) -> tuple[str, str]:
        while parents.setdefault(link, link) != link:
            link = parents[link]
        return link

    for row in rows:
        links = [("file", str(row.file))]
        if row.original:
            original = originals.get(row.original, row.original)
            links.append(("file", str(original)))
            if row.original in files:  # maybe a fake: then the two have its people in common too
                links.append(("file", str(row.original)))
        links += [("a person", row.identity)] if row.identity else []
        # The first in sorted order represents the group, so that the order of rows does not matter.
        first, *others = sorted({find(link) for link in links})
        for other in others:
            parents[other] = first
    return [flat_id(PurePosixPath(find(("file", str(row.file)))[1])) for row in rows]


def _splits(
    rows: list[_Row], groups: list[str], validation_share: float, unseen_methods: set[str]
) -> dict[str, str]:
    """Returns the split of each group: the one its rows give, else by a hash of its name."""
    splits: dict[str, str] = {}
    for row, group in zip(rows, groups, strict=True):
        if row.split and splits.setdefault(group, row.split) != row.split:
            raise DatasetError(
                f"The group {group!r} (one identity, or an original with its fakes) is in the "
                f"splits {splits[group]} and {row.split}, the latter with {row.file}. Put all of "
                "its files into one split."
            )
    of_fakes = {row.method for row in rows if row.is_fake}
    if unknown := sorted(unseen_methods - of_fakes):
        raise DatasetError(
            f"No fake was made with {', '.join(unknown)}, to be held out; the methods are "
            f"{', '.join(sorted(of_fakes)) or '(none)'}."
        )
    unseen = {
        group
        for row, group in zip(rows, groups, strict=True)
        if row.is_fake and row.method in unseen_methods
    }
    if trained := sorted(group for group in unseen if splits.get(group) == "train"):
        raise DatasetError(
            f"The group {trained[0]!r} has a fake by a method that training must not see, but "
            f"{_LIST} puts it into the split train."
        )
    validation = held_out(set(groups) - set(splits) - unseen, validation_share) | unseen
    return {
        group: splits.get(group) or ("validation" if group in validation else "train")
        for group in groups
    }


FOLDER = DatasetLayout(
    name="folder",
    read=read_folder,
    summary=(
        "your own folder, with real/ and fake/ (one of them is enough), or with a "
        "metadata.csv with the columns file and label, plus identity, split, original and "
        "method where you know them."
    ),
)
