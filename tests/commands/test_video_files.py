import os

import pytest

from dfjax.commands.video_files import LeftOut, VideoFile, find_videos
from dfjax.errors import DfjaxError


def test_a_folder_stands_for_the_videos_and_pictures_in_it(folder):
    found = find_videos(["one.xyz", "in"], recursive=False)
    assert found == [
        VideoFile("one.xyz", "one.xyz"),
        VideoFile("in/a.jpg", "in/a.jpg"),
        VideoFile("in/b.MP4", "in/b.MP4"),
    ]


def test_folders_in_a_folder_are_looked_into_when_asked(folder):
    found = [video.path for video in find_videos(["in"], recursive=True)]
    assert found == ["in/a.jpg", "in/b.MP4", "in/deep/c.mov"]


def test_a_file_that_may_not_be_looked_at_or_is_not_there_ends_nothing(folder, locked):
    named = [locked, "x" * 300 + ".mp4", "gone.mp4", "in/a.jpg"]
    assert len(find_videos(named, recursive=False)) == 4


def test_a_folder_without_videos_is_told(folder):
    (folder / "empty").mkdir()
    with pytest.raises(DfjaxError, match="empty has no file that ends.*--recursive"):
        find_videos(["empty"], recursive=False)


def test_a_link_to_a_folder_above_is_no_endless_way(folder):
    (folder / "in" / "deep" / "up").symlink_to(folder / "in")
    assert len(find_videos(["in"], recursive=True)) == 3


def test_a_name_that_is_no_text_is_shown_as_text(folder):
    path = os.fsdecode(b"in/x\xff.mp4")
    (folder / path).touch()
    assert VideoFile(path, "x\N{REPLACEMENT CHARACTER}.mp4") in find_videos([path], recursive=True)
    found = {video.path: video.name for video in find_videos(["in"], recursive=True)}
    assert found[path] == "in/x\N{REPLACEMENT CHARACTER}.mp4"


def test_files_of_the_same_name_are_told_apart_by_their_folders(folder):
    found = find_videos(["in/a.jpg", "other/a.jpg", "in/b.MP4"], recursive=False)
    assert [video.name for video in found] == ["in/a.jpg", "other/a.jpg", "b.MP4"]


def test_a_name_commands_no_terminal(folder):
    (video,) = find_videos(["in/\x1b[31mred.mp4"], recursive=False)
    assert video.name == "\N{REPLACEMENT CHARACTER}[31mred.mp4"


def test_what_a_folder_leaves_out_is_counted_and_named(folder, capsys):
    for number in range(4):
        (folder / "in" / f"{number}.dat").touch()
    left_out = LeftOut()
    find_videos(["in", "one.xyz"], recursive=True, left_out=left_out)
    left_out.show()
    said = capsys.readouterr().err
    assert said.startswith("5 files were left out") and "hidden" not in said
    assert "(in/0.dat, in/1.dat, in/2.dat, …)" in said


def test_an_address_is_told_to_be_one(folder):
    with pytest.raises(DfjaxError, match="https://example.com/v.mp4 is an address.*scan"):
        find_videos(["in", "https://example.com/v.mp4?signature=secret"], recursive=False)
