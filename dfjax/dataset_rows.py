"""Judges the files in the rows of a data set, as the package `datasets` hands them over."""

import contextlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dfjax.errors import DatasetError, DfjaxError, VideoError
from dfjax.files import without_queries, without_query
from dfjax.prediction import Prediction

_LONGEST_NAME = 200  # bytes; file systems take 255
_AT_ONCE = 1 << 20  # bytes


def judge_rows(
    batch: Mapping[str, Sequence[Any]],
    column: str,
    judge: Callable[[str | os.PathLike[str]], Prediction],
    *,
    max_bytes: int,
) -> dict[str, list[Any]]:
    """Returns new columns for a batch of rows; see `dfjax.Predictor.batched`.

    Args:
      batch: The rows by column.
      column: Which holds the files: paths, addresses, bytes, or dicts of `path` and `bytes`.
      judge: Judges a file on this machine.
      max_bytes: No more than this and one byte is fetched of a file at an address, which is enough
        for `judge` to refuse it.

    Raises:
      DatasetError: There is no such column, it holds something else, or a column is in the way.
    """
    if column not in batch:
        raise DatasetError(
            f"There is no column {column!r}, but {', '.join(map(repr, batch))}. Name the one with "
            'the files: dataset.map(..., fn_kwargs={"column": NAME}).'
        )
    if in_the_way := [name for name in _Row._fields if name in batch]:
        name = in_the_way[0]
        raise DatasetError(
            f"The rows already have {', '.join(map(repr, in_the_way))}, which would be overwritten."
            f' Rename it first: dataset.rename_column("{name}", "known_{name}").'
        )
    files = [_file_of(cell, column) for cell in batch[column]]
    rows = [_judged(file, judge, max_bytes) for file in files]
    return {name: [getattr(row, name) for row in rows] for name in _Row._fields}


class _Row(NamedTuple):
    """What is added to a row.

    No value is None: `datasets` would take a column for one of nothing else if it begins with many
    of them, and then refuse the rest.
    """

    label: str = ""
    probability_fake: float = math.nan
    prediction: str = ""
    error: str = ""


class _File(NamedTuple):
    """A file in a row; neither is there if the row has none."""

    path: str | None
    content: bytes | None


def _judged(
    file: _File, judge: Callable[[str | os.PathLike[str]], Prediction], max_bytes: int
) -> _Row:
    try:
        with _on_disk(file, max_bytes) as path:
            prediction = judge(path)
    except (DfjaxError, OSError) as error:
        return _Row(error=str(error))
    probability = prediction.probability_fake
    return _Row(
        label=prediction.label,
        probability_fake=math.nan if probability is None else probability,
        prediction=json.dumps(prediction.to_dict(), ensure_ascii=False),
    )


def _file_of(cell: Any, column: str) -> _File:
    """Returns the file that a cell stands for."""
    if isinstance(cell, Mapping) and cell.keys() & {"path", "bytes"}:
        path, content = cell.get("path"), cell.get("bytes")
        return _File(None if path is None else os.fspath(path), content)
    if cell is None or isinstance(cell, bytes):
        return _File(None, cell)
    if isinstance(cell, str | os.PathLike):
        return _File(os.fspath(cell), None)
    raise DatasetError(
        f"The column {column!r} holds {type(cell).__name__}; paths or the bytes of files are "
        f"needed. Videos of datasets must not be decoded: "
        f'dataset.cast_column("{column}", datasets.Video(decode=False)).'
    )


@contextlib.contextmanager
def _on_disk(file: _File, max_bytes: int) -> Iterator[str | os.PathLike[str]]:
    """Gives a path to a file, which is removed afterwards if it was not on disk before."""
    if file.content is None and file.path is None:
        raise VideoError("There is no file in this row. Fill it in, or leave the row out.")
    if file.content is None and file.path is not None and "://" not in file.path:
        yield file.path
        return
    with tempfile.TemporaryDirectory(prefix="dfjax-") as folder:
        copy = Path(folder, _name(file.path))
        if file.content is not None:
            copy.write_bytes(file.content)
        elif file.path is not None:
            _fetch(file.path, copy, max_bytes)
        yield copy


def _fetch(address: str, copy: Path, max_bytes: int) -> None:
    """Copies a file from an address, such as "hf://..." or "zip://clip.mp4::https://..."."""
    import fsspec  # comes with datasets

    left = max_bytes + 1
    try:
        opened: Any = fsspec.open(address, "rb")
        with opened as source, copy.open("wb") as target:
            while left > 0 and (part := source.read(min(left, _AT_ONCE))):
                target.write(part)
                left -= len(part)
    except Exception as error:  # every file system has errors of its own
        shown = "::".join(map(without_query, address.split("::")))
        # A signed address may be written in another way here, but has no query either.
        reason = without_queries(str(error).replace(address, shown)) or type(error).__name__
        if isinstance(error, FileNotFoundError):  # fsspec takes the "?" of a query for a pattern
            reason = "nothing is there"
        raise VideoError(
            f"{shown} could not be fetched: {reason}. Check that it is there and that you may read "
            "it."
        ) from error


def _name(path: str | None) -> str:
    """Returns what to call a file in reports, from its path or address."""
    first = without_query((path or "").partition("::")[0])
    name = first.replace("\\", "/").rpartition("/")[2].replace("\0", "")
    end = name.encode("utf-8", "ignore")[-_LONGEST_NAME:]  # has the file's ending
    name = end.decode("utf-8", "ignore")  # the cut may have split a character
    return "video" if name in ("", ".", "..") else name
