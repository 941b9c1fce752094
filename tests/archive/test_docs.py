"""docs/archives.md describes the table that a scan writes, and its programs run."""

import re
from pathlib import Path

import pyarrow as pa
import pytest

from dfjax.archive.results import Results
from dfjax.archive.schema import TABLE_SCHEMA
from dfjax.prediction import NOT_IN_JSON, Prediction
from tests.archive.test_results import A, Hashed, scored

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "archives.md").read_text(encoding="utf-8")


def test_every_column_is_described_with_its_type():
    described = re.findall(r"^\| `(\w+)` \| (\w+) \|", DOCS, re.M)
    kinds = {pa.types.is_struct: "struct", pa.types.is_list: "list"}
    columns = []
    for field in TABLE_SCHEMA:
        named = [name for is_kind, name in kinds.items() if is_kind(field.type)]
        columns.append((field.name, named[0] if named else str(field.type)))
    assert described == columns
    assert set(Prediction.__dataclass_fields__) - {*NOT_IN_JSON} <= set(TABLE_SCHEMA.names)


@pytest.mark.parametrize("number, expected", [(0, "in/first.mp4 0 0."), (1, "in/gone.mp4 No ")])
def test_the_programs(number, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    results = Results("results", "key")
    results.keep_scores([scored(A)])
    files = [
        Hashed("in/first.mp4", "facts", A, None),
        Hashed("in/gone.mp4", None, None, "No file."),
    ]
    results.write_table(files, "results.parquet")
    programs = re.findall(r"^```python\n(.*?)^```", DOCS, re.S | re.M)
    exec(programs[number], {})
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(expected) and all(line.startswith("in/") for line in said)
