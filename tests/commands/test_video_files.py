import os

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dfjax.archive import contents
from dfjax.commands.video_files import VideoFile, _address, find_archive, find_videos
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


@pytest.mark.parametrize("find", [lambda named: find_videos(named, recursive=False), find_archive])
def test_a_file_that_may_not_be_looked_at_is_named_and_ends_nothing(folder, monkeypatch, find):
    def stat(path, *args, look=os.stat, **options):
        if path == "locked/a.mp4" or os.fspath(path) == "locked/a.mp4":
            raise PermissionError(13, "Permission denied", path)  # root may look everywhere
        return look(path, *args, **options)

    monkeypatch.setattr(os, "stat", stat)
    long = "x" * 300 + ".mp4"
    assert len(find(["locked/a.mp4", long, "in/a.jpg"])) == 3


def test_a_folder_without_videos_is_told(folder):
    (folder / "empty").mkdir()
    with pytest.raises(DfjaxError, match="empty has no file that ends.*--recursive"):
        find_videos(["empty"], recursive=False)


def test_a_link_to_a_folder_above_is_no_endless_way(folder):
    (folder / "in" / "deep" / "up").symlink_to(folder / "in")
    assert len(find_videos(["in"], recursive=True)) == 3


def test_an_archive_is_folders_patterns_and_lists_of_paths(folder):
    (folder / "list.txt").write_text("in/notes.txt\r\n\n one.mp4\n")
    pq.write_table(pa.table({"path": ["x.mp4", None], "other": [1, 2]}), folder / "list.parquet")
    assert find_archive(["in"]) == ["in/a.jpg", "in/b.MP4", "in/deep/c.mov"]
    assert find_archive(["in/**/*.mov", "in/*.MP4"]) == ["in/deep/c.mov", "in/b.MP4"]
    assert find_archive(["list.txt", "list.parquet"]) == ["in/notes.txt", " one.mp4", "x.mp4"]


def test_a_list_that_was_saved_on_windows_names_its_first_file(folder):
    (folder / "list.txt").write_text("ä.mp4\nb.mp4\n", encoding="utf-8-sig", newline="\r\n")
    assert find_archive(["list.txt"]) == ["ä.mp4", "b.mp4"]


def test_a_name_that_is_no_text_is_shown_as_text(folder):
    path = os.fsdecode(b"in/x\xff.mp4")
    (folder / path).touch()
    assert VideoFile(path, "x\N{REPLACEMENT CHARACTER}.mp4") in find_videos([path], recursive=True)
    found = {video.path: video.name for video in find_videos(["in"], recursive=True)}
    assert found[path] == "in/x\N{REPLACEMENT CHARACTER}.mp4"


def test_a_file_with_the_letters_of_a_pattern_is_that_file(folder):
    (folder / "[red].mp4").touch()
    assert find_archive(["[red].mp4"]) == ["[red].mp4"]


def test_an_archive_can_be_in_a_bucket(folder):
    for name in ("a.mp4", "deep/b.mp4", "notes.txt", "deep/.hidden.mp4"):
        fsspec.filesystem("memory").pipe_file(f"memory://archive-bucket/{name}", b"bytes")
    inside = ["memory://archive-bucket/a.mp4", "memory://archive-bucket/deep/b.mp4"]
    assert find_archive(["memory://archive-bucket"]) == inside
    assert find_archive(["memory://archive-bucket/*.mp4"]) == inside[:1]
    assert find_archive(["memory://archive-bucket/a.mp4"]) == inside[:1]


class Remote(fsspec.AbstractFileSystem):
    """A host with three videos, in a folder that may be locked."""

    protocol = "remote"
    cachable = False
    locked: str | None = None

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.split("://", 1)[-1].partition("/")[2] if "://" in path else path

    def ls(self, path: str, detail: bool = True, **kwargs) -> list[dict]:
        path = path.rstrip("/")
        if path == self.locked:
            raise PermissionError(13, "Permission denied")
        inside = {"": ["in/"], "/in": ["a.mp4", "deep/"], "/in/deep": ["b.mp4", "c.mov"]}
        if path not in inside:
            raise FileNotFoundError(path)
        return [
            {
                "name": f"{path}/{name}".rstrip("/"),
                "type": "directory" if name[-1] == "/" else "file",
            }
            for name in inside[path]
        ]


@pytest.fixture
def remote(monkeypatch) -> Remote:
    remote = Remote()
    monkeypatch.setattr(
        contents, "open_filesystem", lambda name: (remote, remote._strip_protocol(name))
    )
    return remote


@pytest.mark.parametrize(
    "name", ["remote://me@host:21/in", "remote://me@host:21/in/", "remote://me@host:21/"]
)
def test_files_on_a_host_keep_its_name(remote, name):
    inside = [f"remote://me@host:21/in/{path}" for path in ("a.mp4", "deep/b.mp4", "deep/c.mov")]
    assert find_archive([name]) == inside
    assert find_archive(["remote://me@host:21/in/deep/*.mp4"]) == inside[1:2]


def test_an_address_without_a_path_keeps_its_host():
    files = fsspec.filesystem("memory")
    for place, path in (("", "v/a.mp4"), ("v", "v/a.mp4"), ("/", "/v/a.mp4")):
        name = f"github://org:repo@main/{place.strip('/')}"
        assert _address(files, name, place, path) == "github://org:repo@main/v/a.mp4"
    # Where the path is written otherwise than in the address, its file system has to know.
    assert _address(files, "abfs://box@account/v", "box/v", "box/v/a") == "memory://box/v/a"


@pytest.mark.parametrize("locked", ["/in", "/in/deep"])
def test_a_folder_on_a_host_that_cannot_be_read_is_named(remote, locked):
    remote.locked = locked
    with pytest.raises(DfjaxError, match=f"The folder {locked} cannot be read: Permission denied"):
        find_archive(["remote://host/in"])


@pytest.mark.parametrize("named", ["in", "file://{folder}/in"])
def test_a_folder_that_cannot_be_read_is_named(folder, monkeypatch, named):
    def scandir(path, scan=os.scandir):
        if str(path).endswith("deep"):  # root, as whom tests may run, can read all
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DfjaxError, match="The folder .*in/deep cannot be read: Permission denied"):
        find_archive([named.format(folder=folder)])
    assert find_videos(["in"], recursive=False)  # which does not look there


@pytest.mark.parametrize(
    "name, message",
    [
        ("in/*.webm", "No file is called"),
        ("gone.txt", "cannot be read as a list"),
        ("list.parquet", "cannot be read as a list: .*column `path`"),
        ("memory://empty-bucket", "has no file"),
        ("no-such-thing://bucket", "cannot be opened"),
    ],
)
def test_an_archive_without_files_is_told(folder, name, message):
    pq.write_table(pa.table({"name": ["x.mp4"]}), folder / "list.parquet")
    with pytest.raises(DfjaxError, match=message):
        find_archive([name])
