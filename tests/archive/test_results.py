import fsspec
import pyarrow.parquet as pq
import pytest

from dfjax.archive.contents import Hashed
from dfjax.archive.results import Results
from dfjax.archive.schema import TABLE_SCHEMA
from dfjax.errors import DfjaxError
from tests.page.samples import sample_prediction

A, B = "a" * 64, "b" * 64


def scored(sha256: str = A, name: str = "first.mp4") -> dict:
    known = {"sha256": sha256, "name": name, "again": False}
    return sample_prediction("fake", name=name).to_dict() | known


def failed(sha256: str = A, name: str = "first.mp4", *, again: bool = False) -> dict:
    return {"sha256": sha256, "name": name, "again": again, "error": f"{name!r} is broken."}


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
    )
    assert rows[0]["error"] == "There is no file named 'gone.mp4'."
    assert "'changed.mp4' was changed while the archive was scanned" in rows[1]["error"]
    assert rows[0]["label"] is None and rows[1]["probability_fake"] is None


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


def test_what_was_left_unfinished_is_not_read(tmp_path):
    results = Results(str(tmp_path), "key")
    results.keep_scores([scored()])
    (kept,) = (tmp_path / "_kept" / "scores-key").iterdir()
    kept.with_name(kept.name + ".unfinished").write_bytes(kept.read_bytes()[:100])
    assert results.known_contents() == {A}


def test_a_damaged_file_is_named(tmp_path):
    results = Results(str(tmp_path), "key")
    results.keep_scores([scored()])
    (kept,) = (tmp_path / "_kept" / "scores-key").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    with pytest.raises(DfjaxError, match=f"{kept.name} is damaged.*Delete it"):
        results.known_contents()


def test_results_can_be_in_a_bucket():
    address = "memory://results-bucket/scan"
    results = Results(address, "key")
    results.keep_hashes([Hashed("in/a.mp4", "facts", A, None), Hashed("b", None, None, "no")])
    assert results.known_hashes() == {"in/a.mp4": ("facts", A)}
    results.write_table([], "results.parquet")
    with fsspec.open(f"{address}/results.parquet", "rb") as file:
        assert pq.read_schema(file).equals(TABLE_SCHEMA)
