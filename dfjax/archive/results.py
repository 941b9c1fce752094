"""The folder that a scan writes: its table, and what makes it possible to go on with a scan.

What is known is kept in parquet files that are written once and never changed. Each is there whole
or not at all, and their names are never the same, so any number of processes may write to a folder
at once, and any of them may be killed at any time.
"""

import collections
import io
import re
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from dfjax.archive.contents import CHANGED, Hashed, file_name, from_anywhere, open_filesystem
from dfjax.archive.schema import HASHED_SCHEMA, SCORED_SCHEMA, TABLE_SCHEMA
from dfjax.errors import DfjaxError
from dfjax.files import require_writable, shown_path, write_bytes_atomically

_KEPT = "_kept"  # readers of parquet folders pass over what begins so
_TABLE = re.compile(r"results(?:-\d+-of-(\d+))?\.parquet")
_FILES_PER_GROUP = 1024
_READ_AT_ONCE = 16


class Counts(NamedTuple):
    """What a table holds."""

    files: int
    failures: int
    labels: dict[str, int]  # files of each label


class Results:
    """A scan's folder, on this machine or in a bucket."""

    def __init__(self, out: str, key: str):
        """Names the folder. It is made when something is written.

        Args:
          out: The folder, or its address.
          key: That of the settings; scores of other settings are not seen.

        Raises:
          DfjaxError: It is a file, may not be written to, or cannot be reached.
        """
        self._filesystem, self._root = open_filesystem(out)
        if isinstance(self._filesystem, LocalFileSystem):
            require_writable(Path(self._root))
        try:
            self._filesystem.exists(self._root)
        except Exception as error:  # each kind of bucket has its own
            raise DfjaxError(
                f"{out} cannot be reached: {type(error).__name__}: {error}. Check the address, and "
                "your access to it."
            ) from error
        self._scored, self._hashed = f"{_KEPT}/scores-{key}", f"{_KEPT}/hashes"

    def keep_scores(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keeps what came of some contents, as rows of `SCORED_SCHEMA`."""
        self._keep(self._scored, rows, SCORED_SCHEMA)

    def keep_hashes(self, files: Sequence[Hashed]) -> None:
        """Keeps the digests of some files, except those that could not be read."""
        rows = [
            {"path": shown_path(file.path), "facts": file.facts, "sha256": file.sha256}
            for file in files
            if file.sha256 is not None
        ]
        if rows:
            self._keep(self._hashed, rows, HASHED_SCHEMA)

    def known_hashes(self) -> dict[str, tuple[str, str]]:
        """Returns facts and digests of the files that were hashed, by path."""
        columns = self._kept(self._hashed, HASHED_SCHEMA).to_pydict()
        facts = zip(columns["facts"], columns["sha256"], strict=True)
        return dict(zip(columns["path"], facts, strict=True))

    def known_contents(self) -> set[str]:
        """Returns the digests of the contents that need not be scored again."""
        known = self._kept(self._scored, SCORED_SCHEMA, columns=["sha256", "again"])
        again = known["again"].to_numpy(zero_copy_only=False).astype(bool)
        return set(known.filter(pa.array(~again))["sha256"].to_pylist())

    def write_table(self, files: Sequence[Hashed], name: str) -> Counts:
        """Writes the table of files whose contents have been scored.

        Tables of a scan in another number of parts are deleted: who reads all tables of the folder
        would count files twice. All that is in them is kept.

        Args:
          files: The files, in the order of the rows.
          name: Of the file to write, in the folder; as `Shard.table`.

        Raises:
          DfjaxError: A table cannot be deleted.
        """
        scored = self._kept(self._scored, SCORED_SCHEMA)
        digests = scored["sha256"].to_numpy(zero_copy_only=False)
        again = scored["again"].to_numpy(zero_copy_only=False).astype(bool)
        # Of several rows, the last counts; but an answer is not given up for a failure to get it.
        order = np.argsort(~again, kind="stable")
        row_of = dict(zip(digests[order].tolist(), order.tolist(), strict=True))
        kept = scored.to_batches()
        labels = collections.Counter[str]()

        def groups() -> Iterator[pa.Table]:
            # All rows at once would take several times the memory of what is kept.
            for start in range(0, len(files), _FILES_PER_GROUP):
                group = files[start : start + _FILES_PER_GROUP]
                rows = _rows(kept, [row_of.get(file.sha256) for file in group])
                labels.update(rows["label"].drop_null().to_pylist())
                yield _of_files(group, rows)

        self._write(name, groups(), TABLE_SCHEMA)
        self._delete_tables_unlike(name)
        return Counts(len(files), len(files) - labels.total(), dict(labels))

    def _delete_tables_unlike(self, name: str) -> None:
        """Deletes the tables of a scan in another number of parts than that of this table."""
        root = self._root.rstrip("/")
        self._filesystem.invalidate_cache(root)
        for path in self._filesystem.ls(root, detail=False):
            other = path.rstrip("/").rpartition("/")[2]
            if not _TABLE.fullmatch(other) or _num_parts(other) == _num_parts(name):
                continue
            try:
                self._filesystem.rm_file(path)
            except FileNotFoundError:  # another shard was sooner
                continue
            except Exception as error:  # each kind of bucket has its own
                raise DfjaxError(
                    f"{path} is of a scan with another --shard and cannot be deleted: "
                    f"{type(error).__name__}: {error}. Delete it: files that are in it and in "
                    f"{name} would be counted twice."
                ) from error

    def _keep(self, folder: str, rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> None:
        # Sorted by name, the last file is the newest.
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex}.parquet"
        table = pa.Table.from_pylist(list(rows), schema=schema)
        self._write(f"{folder}/{name}", [table], schema)

    def _write(self, name: str, groups: Iterable[pa.Table], schema: pa.Schema) -> None:
        buffer = io.BytesIO()
        with pq.ParquetWriter(
            buffer, schema, compression="zstd", write_page_checksum=True
        ) as writer:
            for table in groups:
                writer.write_table(table, row_group_size=_FILES_PER_GROUP)
        place = f"{self._root.rstrip('/')}/{name}"
        if isinstance(self._filesystem, LocalFileSystem):
            write_bytes_atomically(Path(place), buffer.getvalue())
        else:
            self._filesystem.pipe_file(place, buffer.getvalue())

    def _kept(
        self, folder: str, schema: pa.Schema, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Returns the rows of all files in a folder, the oldest first."""
        place = f"{self._root.rstrip('/')}/{folder}"
        # Other processes may have written to it since it was listed.
        self._filesystem.invalidate_cache(place)
        names = sorted(self._filesystem.find(place)) if self._filesystem.exists(place) else []
        wanted = pa.schema([schema.field(name) for name in columns or schema.names])

        def read(name: str) -> pa.Table:
            try:
                with self._filesystem.open(name, "rb") as file:
                    return pq.read_table(
                        file, columns=wanted.names, page_checksum_verification=True
                    ).cast(wanted)
            except (pa.ArrowException, OSError, KeyError) as error:
                # Those of a disk or a bucket have a number or a class; pyarrow's own have none.
                if isinstance(error, OSError) and (error.errno or type(error) is not OSError):
                    raise
                cause = str(error).partition("\n")[0]
                raise DfjaxError(
                    f"{name} is damaged: {cause}. Delete it, and run the same command again."
                ) from error

        # Others were left unfinished by a process that was killed.
        names = [name for name in names if name.endswith(".parquet")]
        with ThreadPoolExecutor(_READ_AT_ONCE) as pool:  # those in a bucket take a while each
            return pa.concat_tables([wanted.empty_table(), *pool.map(read, names)])


def is_result(path: str, out: str) -> bool:
    """Returns whether a file is one that a scan writes to its folder.

    Args:
      path: The file, or its address.
      out: The folder, or its address.
    """
    path, folder = from_anywhere(path), from_anywhere(out).rstrip("/")
    inside = path.removeprefix(f"{folder}/")
    return inside != path and (inside.startswith(f"{_KEPT}/") or bool(_TABLE.fullmatch(inside)))


def _rows(kept: Sequence[pa.RecordBatch], places: Sequence[int | None]) -> pa.Table:
    """Returns some rows of what is kept, in one piece; all is null where there is no place.

    Only the batches that have such rows are touched: `pa.Table.take` first copies all of them.
    """
    starts = np.cumsum([0, *map(len, kept)])
    wanted = np.unique(np.array([place for place in places if place is not None], np.int64))
    batch_of = np.searchsorted(starts, wanted, "right") - 1
    parts = [
        kept[number].take(pa.array(wanted[batch_of == number] - starts[number]))
        for number in np.unique(batch_of)
    ]
    found = dict(zip(wanted.tolist(), range(len(wanted)), strict=True))
    indices = [None if place is None else found[place] for place in places]
    rows = pa.Table.from_batches(parts, SCORED_SCHEMA).combine_chunks()
    return rows.take(pa.array(indices, pa.int64()))


def _of_files(files: Sequence[Hashed], rows: pa.Table) -> pa.Table:
    """Returns the rows of a scan's table.

    Args:
      files: Some files.
      rows: What came of the bytes of each; null where nothing is known.
    """
    names = [file_name(file.path) for file in files]
    columns = {name: rows[name].combine_chunks() for name in TABLE_SCHEMA.names[2:]}
    columns["path"] = pa.array([shown_path(file.path) for file in files], pa.string())
    columns["sha256"] = pa.array([file.sha256 for file in files], pa.string())
    columns["video"] = _renamed(columns["video"], names)
    errors = []
    for file, own, error, read in zip(
        *(files, names, columns["error"].to_pylist(), rows["name"].to_pylist()), strict=True
    ):
        if error is not None:  # of a file with the same bytes
            error = error.replace(repr(read), repr(own))
        elif read is None:
            error = file.error or CHANGED.format(own)
        errors.append(error)
    columns["error"] = pa.array(errors, pa.string())
    return pa.table([columns[name] for name in TABLE_SCHEMA.names], schema=TABLE_SCHEMA)


def _num_parts(table: str) -> int:
    """Returns in how many parts the scan is that wrote a table of this name."""
    match = _TABLE.fullmatch(table)
    return int(match[1]) if match and match[1] else 1


def _renamed(video: pa.StructArray, names: Sequence[str]) -> pa.StructArray:
    """Returns the column `video` with each file's own name."""
    fields = dict(zip((field.name for field in video.type), video.flatten(), strict=True))
    fields["name"] = pa.array(names, pa.string(), mask=video.is_null().to_numpy(False))
    return pa.StructArray.from_arrays(
        list(fields.values()), fields=list(video.type), mask=video.is_null()
    )
