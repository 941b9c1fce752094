"""Lists of data sets, as people's programs save them."""

import pytest

from dfjax.data.sources.lists import read_json, read_table, read_text
from dfjax.errors import DatasetError

TABLE = "file,label,place\na.mp4,real,Zürich\n"
ROWS = [{"file": "a.mp4", "label": "real", "place": "Zürich"}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_table_is_the_same_however_it_was_saved(tmp_path, encoding, delimiter, line_end):
    text = TABLE.replace(",", delimiter).replace("\n", line_end)
    (tmp_path / "list.csv").write_bytes(text.encode(encoding))
    assert read_table(tmp_path / "list.csv") == (["file", "label", "place"], ROWS, [2])


def test_other_encodings_are_refused_with_the_line_and_what_to_choose(tmp_path):
    (tmp_path / "list.csv").write_bytes(TABLE.encode("cp1252"))
    with pytest.raises(DatasetError, match=r"Line 2 of .*list\.csv.*UTF-8"):
        read_table(tmp_path / "list.csv")
    (tmp_path / "list.csv").write_bytes(TABLE.encode("utf-16-le"))  # without a byte-order mark
    with pytest.raises(DatasetError, match=r"list\.csv.*UTF-8"):
        read_table(tmp_path / "list.csv")


def test_cells_too_few_or_empty_ones_too_many_do_not_shift_the_others(tmp_path):
    (tmp_path / "list.csv").write_text("file, label ,place\na.mp4,real\nb.mp4 ,fake,here,, \n")
    columns, rows, _ = read_table(tmp_path / "list.csv")
    assert columns == ["file", "label", "place"]
    assert rows == [
        {"file": "a.mp4", "label": "real", "place": ""},
        {"file": "b.mp4", "label": "fake", "place": "here"},
    ]


def test_a_comma_that_shifts_cells_is_refused_with_its_line(tmp_path):
    text = "file,label,notes,identity\na.mp4,real,indoors,anna\nb.mp4,real,indoors, dark,anna\n"
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DatasetError, match=r"Line 3 of .*list\.csv has more .* double quotes"):
        read_table(tmp_path / "list.csv")


def test_a_cell_that_csv_refuses_is_an_error_with_the_line_before(tmp_path):
    (tmp_path / "list.csv").write_text(f"file,label\na.mp4,real\n{'x' * 200_000},real\n")
    with pytest.raises(DatasetError, match=r"list\.csv is not a table, after line 2"):
        read_table(tmp_path / "list.csv")


def test_a_file_that_cannot_be_read_is_an_error_with_the_reason(tmp_path):
    with pytest.raises(DatasetError, match=r"absent\.txt cannot be read: No such file"):
        read_text(tmp_path / "absent.txt")
    with pytest.raises(DatasetError, match="cannot be read: Is a directory"):
        read_text(tmp_path)


@pytest.mark.parametrize("text", ["", '{"a.mp4": {"la', "[" * 100_000])
def test_json_that_was_cut_off_is_an_error(tmp_path, text):
    (tmp_path / "list.json").write_text(text)
    with pytest.raises(DatasetError, match=r"list\.json is not complete JSON"):
        read_json(tmp_path / "list.json")


def test_json_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "list.json").write_text('{"é": 1}', encoding="utf-8-sig")
    assert read_json(tmp_path / "list.json") == {"é": 1}
