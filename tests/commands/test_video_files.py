import pytest

from dfjax.commands.video_files import VideoFile, find_videos
from dfjax.errors import DfjaxError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("in/b.MP4", "in/a.jpg", "in/notes.txt", "in/.hidden.mp4", "in/deep/c.mov"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "in" / ".cache").mkdir()
    (tmp_path / "in" / ".cache" / "d.mp4").touch()
    return tmp_path


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


def test_a_folder_without_videos_is_told(folder):
    (folder / "empty").mkdir()
    with pytest.raises(DfjaxError, match="empty has no file that ends.*--recursive"):
        find_videos(["empty"], recursive=False)


def test_a_link_to_a_folder_above_is_no_endless_way(folder):
    (folder / "in" / "deep" / "up").symlink_to(folder / "in")
    assert len(find_videos(["in"], recursive=True)) == 3
