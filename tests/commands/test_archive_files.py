import http.server
import os
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dfjax.archive import contents
from dfjax.archive.contents import hash_file, on_this_machine
from dfjax.commands.archive_files import _address, find_archive
from dfjax.commands.video_files import LeftOut
from dfjax.errors import DfjaxError


def test_an_archive_is_folders_patterns_and_lists_of_paths(folder):
    (folder / "list.txt").write_text("in/notes.txt\r\n\n one.mp4\n")
    pq.write_table(pa.table({"path": ["x.mp4", None], "other": [1, 2]}), folder / "list.parquet")
    assert find_archive(["in"]) == ["in/a.jpg", "in/b.MP4", "in/deep/c.mov"]
    assert find_archive(["in/**/*.mov", "in/*.MP4"]) == ["in/deep/c.mov", "in/b.MP4"]
    assert find_archive(["i?/**/**/*", "*/.cache/*"]) == [
        *("in/a.jpg", "in/b.MP4", "in/deep/c.mov", "in/notes.txt", "in/.cache/d.mp4")
    ]
    assert find_archive(["list.txt", "list.parquet"]) == ["in/notes.txt", " one.mp4", "x.mp4"]


def test_a_list_that_was_saved_on_windows_names_its_first_file(folder):
    (folder / "list.txt").write_text("ä.mp4\nb.mp4\n", encoding="utf-8-sig", newline="\r\n")
    assert find_archive(["list.txt"]) == ["ä.mp4", "b.mp4"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_list_that_powershell_saved_names_its_files(folder, encoding):
    (folder / "list.txt").write_bytes("\ufeffä.mp4\r\nb.mp4\r\n".encode(encoding))
    assert find_archive(["list.txt"]) == ["ä.mp4", "b.mp4"]


def test_a_file_with_the_letters_of_a_pattern_is_that_file(folder):
    (folder / "[red].mp4").touch()
    assert find_archive(["[red].mp4"]) == ["[red].mp4"]


def test_an_archive_can_be_in_a_bucket(folder):
    for name in ("a.mp4", "deep/b.mp4", "notes.txt", "deep/.hidden.mp4"):
        fsspec.filesystem("memory").pipe_file(f"memory://archive-bucket/{name}", b"bytes")
    inside = ["memory://archive-bucket/a.mp4", "memory://archive-bucket/deep/b.mp4"]
    left_out = LeftOut()
    assert find_archive(["memory://archive-bucket"], left_out) == inside
    assert left_out.first == ["memory://archive-bucket/notes.txt"]
    assert find_archive(["memory://archive-bucket/*.mp4"]) == inside[:1]
    assert find_archive(["memory://archive-bucket/a.mp4"]) == inside[:1]


SIGNED = "X-Amz-Credential=AK%2F2026%2Fs3&X-Amz-Signature=a*b/c?d%2B%3D"


class Web(http.server.SimpleHTTPRequestHandler):
    """A folder on the web; what is in `signed` is for those who have the signature."""

    folder = ""
    fetched: list[str] = []

    def __init__(self, *args):
        super().__init__(*args, directory=self.folder)

    def do_GET(self):
        self.fetched.append(self.path)
        super().do_GET()

    def send_head(self):
        path, _, query = self.path.partition("?")
        if "/signed/" in path and parse_qs(query) != parse_qs(SIGNED):
            self.send_error(403)
            return None
        return super().send_head()

    def log_message(self, format, *args):
        pass


@pytest.fixture
def web(folder, monkeypatch) -> Iterator[str]:
    """The address of a host on loopback with two folders."""
    monkeypatch.setattr(Web, "folder", str(folder))
    monkeypatch.setattr(Web, "fetched", [])
    for name in ("in/deep/c.mov", "signed/a.mp4", "signed/download"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(name.encode())
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    fsspec.filesystem("http").invalidate_cache()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(timeout=30)


@pytest.mark.parametrize(
    "name", ["in/deep/c.mov", f"signed/a.mp4?{SIGNED}", f"signed/download?{SIGNED}"]
)
def test_a_file_on_the_web_is_found_without_being_fetched_and_then_read(web, tmp_path, name):
    address = f"{web}/{name}"
    assert find_archive([address]) == [address]
    assert not Web.fetched
    assert hash_file(address, {}).sha256 is not None
    with on_this_machine(address, str(tmp_path)) as copy:
        assert copy.read_text() == name.partition("?")[0]


def test_a_folder_on_the_web_is_walked(web, folder):
    (folder / "in" / "deep" / "notes.txt").touch()
    left_out = LeftOut()
    for place in ("in/deep", "in/deep/", "in/*/*.mov"):
        assert find_archive([f"{web}/{place}"], left_out) == [f"{web}/in/deep/c.mov"]
    assert left_out.first == 2 * [f"{web}/in/deep/notes.txt"]
    with pytest.raises(DfjaxError, match=r"No file is called http://.*/in/\*\.webm\. Check"):
        find_archive([f"{web}/in/*.webm?secret"])
    (folder / "list.txt").write_text("x.mp4")
    assert find_archive([f"{web}/list.txt?secret"]) == ["x.mp4"]


@pytest.mark.parametrize("name", ["signed/folder?secret", "signed/none.txt?secret"])
def test_what_is_said_of_an_address_has_no_signature(web, name):
    with pytest.raises(DfjaxError, match="cannot be") as told:
        find_archive([f"{web}/{name}"])
    assert "signed" in str(told.value) and "secret" not in str(told.value)
    assert "secret" not in (hash_file(f"{web}/{name}", {}).error or "secret")


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


@pytest.mark.parametrize("pattern", ["", "/**/*.mp4"])
@pytest.mark.parametrize("locked", ["/in", "/in/deep"])
def test_a_folder_on_a_host_that_cannot_be_read_is_named(remote, locked, pattern):
    remote.locked = locked
    with pytest.raises(DfjaxError, match=f"The folder {locked} cannot be read: Permission denied"):
        find_archive([f"remote://host/in{pattern}"])


@pytest.mark.parametrize("place", ["", "file://{folder}/"])
@pytest.mark.parametrize("named", ["in", "in/**/*.mp4", "in/*/c.mov"])
def test_a_folder_that_cannot_be_read_is_named(folder, monkeypatch, place, named):
    def scandir(path, scan=os.scandir):
        if str(path).endswith("deep"):  # root, as whom tests may run, can read all
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DfjaxError, match="The folder .*in/deep cannot be read: Permission denied"):
        find_archive([place.format(folder=folder) + named])
    assert find_archive(["in/*.jpg"])  # for which nobody looks there


@pytest.mark.parametrize(
    "name, message",
    [
        ("in/*.webm", "No file is called"),
        ("gone", "There is no file or folder gone"),
        ("in/a.jpg/b.mp4", "There is no file or folder in/a.jpg/b.mp4"),
        ("gone.txt", "cannot be read as a list"),
        ("empty.txt", "empty.txt names no file"),
        ("list.parquet", "cannot be read as a list: .*column `path`"),
        ("bytes.parquet", "its column `path` is not text"),
        ("zeros.txt", "zeros.txt cannot be read as a list: it holds zeros.*UTF-8"),
        ("memory://empty-bucket", "has no file"),
        ("memory://empty-bucket/*.txz", "No file is called memory://empty-bucket/.*the pattern"),
        ("no-such-thing://bucket", "cannot be opened"),
    ],
)
def test_an_archive_without_files_is_told(folder, name, message):
    (folder / "empty.txt").write_text("\n")
    (folder / "zeros.txt").write_text("a.mp4\n", encoding="utf-16-le")
    pq.write_table(pa.table({"name": ["x.mp4"]}), folder / "list.parquet")
    pq.write_table(pa.table({"path": [b"x.mp4"]}), folder / "bytes.parquet")
    with pytest.raises(DfjaxError, match=message):
        find_archive([name])


def test_a_list_without_access_is_told_whatever_error_its_bucket_raises(monkeypatch):
    def refuse(path):
        raise RuntimeError("Unable to locate credentials")

    monkeypatch.setattr(contents, "open_file", refuse)
    with pytest.raises(DfjaxError, match="list.txt cannot be read as a list: Unable to locate"):
        find_archive(["s3://bucket/list.txt"])


def test_a_file_that_may_not_be_looked_at_ends_nothing(folder, locked):
    assert len(find_archive([locked, "x" * 300 + ".mp4", "in/a.jpg"])) == 3


@pytest.mark.parametrize("place", ["", "file://{folder}/"])
def test_links_to_folders_are_followed_where_a_pattern_names_them_alone(folder, place):
    (folder / "in" / "linked").symlink_to(folder / "in" / "deep")
    place = place.format(folder=folder)
    deep, linked = (f"{place}in/{name}/c.mov" for name in ("deep", "linked"))
    for named in ("in/**/*.mov", "in/**/c.mov"):
        assert find_archive([place + named]) == [deep]
    assert find_archive([place + "in/*/c.mov"]) == [deep, linked]
    assert find_archive([place + "in/linked/*"]) == [linked]
