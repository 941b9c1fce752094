"""Files are there whole or not at all."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from dfjax.errors import DfjaxError
from dfjax.files import require_writable, write_text_atomically


def test_a_file_is_replaced_and_its_folder_is_made(tmp_path):
    path = tmp_path / "new" / "run.json"
    for text in ("a long text: ü\n", "short"):
        write_text_atomically(path, text)
        assert path.read_text(encoding="utf-8") == text
    assert [found.name for found in path.parent.iterdir()] == ["run.json"]


def test_a_file_that_is_its_owners_alone_stays_so(tmp_path):
    path = tmp_path / "answers.json"
    write_text_atomically(path, "old")
    path.chmod(0o600)
    write_text_atomically(path, "new")
    assert path.read_text() == "new" and path.stat().st_mode & 0o777 == 0o600


def test_a_write_that_is_cut_off_leaves_the_old_text(tmp_path):
    path = tmp_path / "run.json"
    write_text_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text_atomically(path, "new" * 100_000 + "\ud800")
    assert path.read_text(encoding="utf-8") == "old"


def test_a_write_that_fails_leaves_nothing_behind(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError, match=r"'.*/a'$"):  # not the name that it has at first
        write_text_atomically(tmp_path / "a", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_two_that_write_a_file_at_once_leave_a_whole_one(tmp_path):
    path, texts = tmp_path / "table", [4096 * "a", 4096 * "b"]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda n: write_text_atomically(path, texts[n % 2]), range(200)))
    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]


def test_whether_a_folder_can_be_written_is_known_before_and_changes_nothing(tmp_path, monkeypatch):
    require_writable(tmp_path / "new" / "deep")
    assert not any(tmp_path.iterdir())
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DfjaxError, match="file is a file; a folder is needed"):
            require_writable(place)
    monkeypatch.setattr("dfjax.files.os.access", lambda path, mode: path != tmp_path)
    with pytest.raises(DfjaxError, match="may not be written to"):
        require_writable(tmp_path / "new")
