"""Files are there whole or not at all."""

import pytest

from dfjax.files import write_text_atomically


def test_a_file_is_replaced_and_its_folder_is_made(tmp_path):
    path = tmp_path / "new" / "run.json"
    for text in ("a long text: ü\n", "short"):
        write_text_atomically(path, text)
        assert path.read_text(encoding="utf-8") == text
    assert [found.name for found in path.parent.iterdir()] == ["run.json"]


def test_a_write_that_is_cut_off_leaves_the_old_text(tmp_path):
    path = tmp_path / "run.json"
    write_text_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text_atomically(path, "new" * 100_000 + "\ud800")
    assert path.read_text(encoding="utf-8") == "old"
