"""Files of data sets are found wherever they are, and those that are not taken are counted."""

import errno
import os
from pathlib import Path

import pytest

from dfjax.data.sources import read_source
from dfjax.data.sources.files import as_spelled, find_home, left_out, videos_in, walk
from dfjax.data.sources.videos import LeftOut
from dfjax.errors import DatasetError
from tests.data.trees import touch


def test_links_to_folders_are_followed_and_nothing_is_found_twice(tmp_path):
    touch(tmp_path, "elsewhere/deep/b.mp4", "set/a.mp4")
    (tmp_path / "set" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "round").symlink_to(tmp_path / "set")
    found = [path.relative_to(tmp_path / "set").as_posix() for path in walk(tmp_path / "set")]
    assert found == ["a.mp4", "more/deep/b.mp4"]


def test_a_folder_that_may_not_be_listed_is_an_error(tmp_path, monkeypatch):
    touch(tmp_path, "closed/a.mp4")
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DatasetError, match="closed cannot be listed: Permission denied"):
        list(walk(tmp_path))


def test_a_name_that_is_not_utf_8_is_refused_in_words(tmp_path):
    (tmp_path / "real").mkdir()
    open(os.fsencode(tmp_path) + b"/real/caf\xe9.mp4", "w").close()
    with pytest.raises(DatasetError, match="caf\N{REPLACEMENT CHARACTER}.mp4 is not UTF-8. Rename"):
        read_source("folder", tmp_path)


def test_a_link_that_leads_nowhere_is_no_video(tmp_path):
    (tmp_path / "a.mp4").symlink_to(tmp_path / "nothing.mp4")
    assert videos_in(tmp_path) == {}


def test_of_one_name_with_two_endings_the_mp4_counts(tmp_path):
    touch(tmp_path, "b.avi", "b.MP4", "b.mpg", "a.M4V", "._a.mp4", "notes.txt", "d.mp4/c.mp4")
    (tmp_path / "d.mp4").rename(tmp_path / "d")
    assert {name: path.name for name, path in videos_in(tmp_path).items()} == {
        "a": "a.M4V",
        "b": "b.MP4",
    }


def test_only_the_case_of_a_listed_ending_may_differ(tmp_path):
    touch(tmp_path, "a.MP4")
    assert as_spelled(tmp_path / "a.mp4") == tmp_path / "a.MP4"
    assert as_spelled(tmp_path / "A.mp4") == tmp_path / "A.mp4"


def test_a_data_set_is_found_two_levels_below_unless_there_are_several(tmp_path):
    def has_list(folder: Path) -> bool:
        return (folder / "list").is_file()

    assert find_home(tmp_path, has_list) == tmp_path
    touch(tmp_path, "a/b/c/list")
    assert find_home(tmp_path, has_list) == tmp_path
    touch(tmp_path, "a/b/list")
    assert find_home(tmp_path, has_list) == tmp_path / "a" / "b"
    touch(tmp_path, "x/y/list")
    with pytest.raises(DatasetError, match="several data sets: .*a/b, .*x/y"):
        find_home(tmp_path, has_list)
    touch(tmp_path, "list")
    assert find_home(tmp_path, has_list) == tmp_path


def test_every_file_that_was_not_taken_is_counted_with_the_reason(tmp_path):
    touch(tmp_path, "real/a.mp4", "real/b.M4V", "real/c.3gp", "real/d.ts", "real/e.mpg")
    touch(tmp_path, "real/f.xyz", "real/g.XYZ", "real/h", "real/._a.mp4", "real/.DS_Store")
    touch(tmp_path, "more.zip", "other/i.mp4", "README.md", "labels.csv")
    source = read_source("folder", tmp_path)
    assert [video.path.name for video in source.videos] == [
        *("a.mp4", "b.M4V", "c.3gp", "d.ts", "e.mpg")
    ]
    assert {reason: files.examples for reason, files in source.left_out.items()} == {
        "their ending is .xyz, not that of a video or picture": ("real/f.xyz", "real/g.XYZ"),
        "their names have no ending": ("real/h",),
        "they are hidden": ("real/._a.mp4",),
        "they are archives (.zip); unpack them": ("more.zip",),
        "they are outside the folders and lists that were read": ("other/i.mp4",),
    }


def test_of_many_files_the_first_are_named_and_all_are_counted(tmp_path):
    touch(tmp_path, *(f"{n:03}.mp4" for n in range(50)))
    ((reason, files),) = left_out(tmp_path, [tmp_path / "000.mp4"]).items()
    assert "outside the folders and lists" in reason
    assert files == LeftOut(count=49, examples=tuple(f"{n:03}.mp4" for n in range(1, 21)))


def test_a_file_that_was_read_through_a_link_is_not_left_out(tmp_path):
    touch(tmp_path, "store/a.mp4")
    (tmp_path / "b.mp4").symlink_to(tmp_path / "store" / "a.mp4")
    assert left_out(tmp_path, [tmp_path / "b.mp4"]) == {}
