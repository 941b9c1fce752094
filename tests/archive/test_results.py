import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from dfjax.archive import results as results_module
from dfjax.archive.contents import Hashed
from dfjax.archive.results import Results, is_result
from dfjax.archive.schema import SCORED_SCHEMA, TABLE_SCHEMA
from dfjax.errors import DfjaxError
from tests.page.samples import sample_prediction

A, B = "a" * 64, "b" * 64


def scored(sha256: str = A, name: str = "first.mp4") -> dict:
    known = {"sha256": sha256, "name": name, "again": False}
    return sample_prediction("fake", name=name).to_dict() | known


def failed(sha256: str = A, name: str = "first.mp4", *, again: bool = False) -> dict:
    return {"sha256": sha256, "name": name, "again": again, "error": f"{name!r} is broken."}


class ListedOnce(MemoryFileSystem):
    """A bucket that remembers what it listed, as those on the network do."""

    cachable = False

    def __init__(self):
        super().__init__()
        self.listed: dict[str, list[str]] = {}

    def find(self, path: str, *args, **kwargs) -> list[str]:
        if path not in self.listed:
            self.listed[path] = list(super().find(path, *args, **kwargs))
        return self.listed[path]

    def invalidate_cache(self, path: str | None = None) -> None:
        assert path is not None, "What it knows of the archive would be asked for once more."
        self.listed.pop(path, None)


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def table(results: Results, folder, *files: Hashed) -> list[dict]:
    results.write_table(files, "results.parquet")
    return pq.read_table(folder / "results.parquet").to_pylist()


def test_a_row_holds_the_whole_prediction(tmp_path):
    results = Results(str(tmp_path), "key")
    results.keep_scores([scored()])
    (row,) = table(results, tmp_path, Hashed("in/first.mp4", "facts", A, None))
    expected = sample_prediction("fake", name="first.mp4").to_dict()
    assert expected.pop("schema_version") == 1
    # Whatever the prediction holds is in the row, and arrives as it was.
    assert row == {"path": "in/first.mp4", "sha256": A, "error": None} | expected


def test_files_with_the_same_bytes_share_their_scores_and_keep_their_names(tmp_path):
    results = Results(str(tmp_path), "key")
    results.keep_scores([scored(A), failed(B, "it's.mp4")])
    rows = table(
        *(results, tmp_path),
        Hashed("in/first.mp4", "facts", A, None),
        Hashed("in/copy.mp4", "facts", A, None),
        Hashed("in/it's.mp4", "facts", B, None),
        Hashed("in/broken.mp4", "facts", B, None),
    )
    assert [row["video"] and row["video"]["name"] for row in rows] == [
        *("first.mp4", "copy.mp4", None, None)
    ]
    assert rows[0]["tracks"] and rows[0]["tracks"] == rows[1]["tracks"]
    assert rows[3]["error"] == "'broken.mp4' is broken."


def test_files_that_were_not_hashed_or_changed_since_are_rows_with_the_reason(tmp_path):
    results = Results(str(tmp_path), "key")
    rows = table(
        *(results, tmp_path),
        Hashed("gone.mp4", None, None, "There is no file named 'gone.mp4'."),
        Hashed("changed.mp4", "facts", B, None),
        Hashed("copy.mp4", "facts", B, None),
    )
    assert rows[0]["error"] == "There is no file named 'gone.mp4'."
    for row, name in zip(rows[1:], ("changed.mp4", "copy.mp4"), strict=True):
        assert f"'{name}' was not judged: it, or a file with the same" in row["error"]
    assert rows[0]["label"] is None and rows[1]["probability_fake"] is None


def test_rows_find_their_files_whatever_the_order_and_however_many(tmp_path, monkeypatch):
    monkeypatch.setattr(results_module, "_FILES_PER_GROUP", 3)
    results = Results(str(tmp_path), "key")
    for numbers in (range(4), range(4, 5), range(5, 9)):
        results.keep_scores([scored(f"{n:064}", f"{n}.mp4") for n in numbers])
    numbers = [8, 0, 4, 4, 99, 3, 7, 0, 5, 1]
    files = [Hashed(f"in/{n}.mp4", "facts", f"{n:064}", None) for n in numbers]
    assert results.write_table(files, "results.parquet") == (10, 1, {"fake": 9})
    rows = pq.read_table(tmp_path / "results.parquet").to_pylist()
    names = [row["video"] and row["video"]["name"] for row in rows]
    assert names == [None if n == 99 else f"{n}.mp4" for n in numbers]
    assert [row["sha256"] for row in rows] == [file.sha256 for file in files]
    assert [row["error"] is not None for row in rows] == [n == 99 for n in numbers]


def test_a_table_takes_little_more_memory_than_what_is_kept(tmp_path):
    results = Results(str(tmp_path), "key")
    digests = [f"{number:064}" for number in range(8192)]
    long = {"again": False, "name": "a.mp4", "warnings": [2000 * "a"]}
    for start in range(0, 8192, 2048):
        results.keep_scores([long | {"sha256": digest} for digest in digests[start:][:2048]])
    kept = results._kept(results._scored, SCORED_SCHEMA).nbytes
    usual, counted = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    pa.set_memory_pool(counted)
    try:
        files = [Hashed(f"in/{digest}.mp4", "facts", digest, None) for digest in digests]
        results.write_table(files, "results.parquet")
    finally:
        pa.set_memory_pool(usual)
    assert kept < counted.max_memory() < 2 * kept


def test_scores_of_other_settings_are_not_seen(tmp_path):
    Results(str(tmp_path), "one").keep_scores([scored()])
    assert Results(str(tmp_path), "one").known_contents() == {A}
    assert Results(str(tmp_path), "other").known_contents() == set()


def test_an_answer_is_not_given_up_for_a_later_failure_to_get_it(tmp_path):
    results = Results(str(tmp_path), "key")
    results.keep_scores([failed(again=True)])
    assert results.known_contents() == set()
    results.keep_scores([scored()])
    results.keep_scores([failed(again=True)])
    assert results.known_contents() == {A}
    (row,) = table(results, tmp_path, Hashed("first.mp4", "facts", A, None))
    assert row["label"] == "fake" and row["error"] is None


@pytest.mark.parametrize("bucket", [False, True])
def test_tables_of_another_number_of_parts_are_deleted_and_no_others(tmp_path, bucket):
    address = f"memory://parts{tmp_path}" if bucket else str(tmp_path)
    results = Results(address, "key")
    results.keep_scores([scored()])
    files, place = results._filesystem, results._root

    def tables() -> list[str]:
        return sorted(name for name in map(_name, files.ls(place, detail=False)) if name[0] != "_")

    files.pipe_file(f"{place}/results-of-mine.parquet", b"not ours")
    first, second = (f"results-0000{number}-of-00002.parquet" for number in (1, 2))
    for name in ("results.parquet", "results-00003-of-00003.parquet", first, second):
        results.write_table([Hashed("first.mp4", "facts", A, None)], name)
    assert tables() == [first, second, "results-of-mine.parquet"]
    results.write_table([], "results.parquet")
    assert tables() == ["results-of-mine.parquet", "results.parquet"]
    assert results.known_contents() == {A}


def test_a_table_that_cannot_be_deleted_is_named(tmp_path, monkeypatch):
    results = Results(str(tmp_path), "key")
    results.write_table([], "results.parquet")

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(results._filesystem, "rm_file", refuse)
    with pytest.raises(DfjaxError, match="results.parquet is of a scan with another --shard.*"):
        results.write_table([], "results-00001-of-00002.parquet")


def test_what_was_left_unfinished_is_not_read(tmp_path):
    results = Results(str(tmp_path), "key")
    results.keep_scores([scored()])
    (kept,) = (tmp_path / "_kept" / "scores-key").iterdir()
    kept.with_name(kept.name + ".unfinished").write_bytes(kept.read_bytes()[:100])
    assert results.known_contents() == {A}


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:100],
        lambda data: data[:4] + bytes(64) + data[68:],
        lambda data: data.replace(b"a\x01\x00", b"b\x01\x00", 1),  # 64 times a, compressed
    ],
)
def test_a_damaged_file_is_named(tmp_path, damage):
    results = Results(str(tmp_path), "key")
    results.keep_scores([scored()])
    (kept,) = (tmp_path / "_kept" / "scores-key").iterdir()
    before = kept.read_bytes()
    kept.write_bytes(damage(before))
    assert kept.read_bytes() != before
    with pytest.raises(DfjaxError, match=f"{kept.name} is damaged.*Delete it"):
        results.known_contents()


def test_a_bucket_that_does_not_answer_damages_no_file(tmp_path, monkeypatch):
    results = Results(str(tmp_path), "key")
    results.keep_scores([scored()])

    def wait(*args, **options):
        raise TimeoutError("The bucket does not answer.")

    monkeypatch.setattr(pq, "read_table", wait)
    with pytest.raises(TimeoutError):
        results.known_contents()


def test_what_others_have_kept_meanwhile_is_seen_though_the_bucket_was_listed_before():
    address = "memory://listed-bucket/scan"
    ours, theirs = Results(address, "key"), Results(address, "key")
    bucket = ours._filesystem = ListedOnce()
    theirs.keep_scores([failed(A)])
    assert ours.known_contents() == {A}
    theirs.keep_scores([scored(B)])
    assert ours.known_contents() == {A, B}
    assert bucket.listed  # so that there was something to forget


def test_results_can_be_in_a_bucket():
    address = "memory://results-bucket/scan"
    results = Results(address, "key")
    results.keep_hashes([Hashed("in/a.mp4", "facts", A, None), Hashed("b", None, None, "no")])
    assert results.known_hashes() == {"in/a.mp4": ("facts", A)}
    results.write_table([], "results.parquet")
    with fsspec.open(f"{address}/results.parquet", "rb") as file:
        assert pq.read_schema(file).equals(TABLE_SCHEMA)


@pytest.mark.parametrize(
    "path, out, is_own",
    [
        ("in/out/_kept/hashes/1.parquet", "in/out/", True),
        ("./in/out/results.parquet", "in/out", True),
        ("results-00001-of-00002.parquet", ".", True),
        ("s3://bucket/in/_kept/hashes/1.parquet", "s3://bucket/in", True),
        ("in/outer/results.parquet", "in/out", False),
        ("in/results.txt", "in", False),
        ("in/deep/results.parquet", "in", False),
    ],
)
def test_what_a_scan_writes_is_known_by_its_place_and_its_name(path, out, is_own):
    assert is_result(path, out) == is_own
