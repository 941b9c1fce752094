import hashlib
import io
import os
import threading
from pathlib import Path
from typing import Any

import fsspec
import pytest

from dfjax.archive import contents
from dfjax.archive.contents import Hashed, file_name, hash_file, on_this_machine
from dfjax.archive.results import Results
from dfjax.archive.scan import is_new
from dfjax.errors import VideoLimitError
from dfjax.video.limits import VideoLimits

ADDRESS = "https://host/in/a.mp4?X-Amz-Signature=" + 300 * "a"


@pytest.fixture
def bucket() -> str:
    address = "memory://videos-bucket"
    fsspec.filesystem("memory").pipe_file(f"{address}/in/a.mp4", b"bytes")
    return address


class Web(fsspec.AbstractFileSystem):
    """A file on the web: what it is, and what its server says of it."""

    cachable = False
    headers: dict[str, str] = {}
    data = b"one"

    def ukey(self, path: str) -> str:
        return path  # as fsspec's file system for the web has it

    def info(self, path: str, **kwargs) -> dict:
        return {"name": path, "size": len(self.data), "type": "file"} | self.headers

    def open(self, path: str, mode: str = "rb", *args, **kwargs) -> Any:
        return io.BytesIO(self.data)

    def get_file(self, rpath: str, lpath: str, *args, **kwargs) -> None:
        Path(lpath).write_bytes(self.data)


@pytest.fixture
def web(monkeypatch) -> Web:
    web = Web()
    monkeypatch.setattr(contents, "open_filesystem", lambda path: (web, path))
    return web


def known(file: Hashed) -> dict[str, tuple[str, str]]:
    assert file.facts is not None
    return {file.path: (file.facts, "digest of before")}


def test_a_file_is_read_again_only_if_it_has_changed(tmp_path):
    path = tmp_path / "a::b.mp4"  # no address, whatever its name looks like
    path.write_bytes(b"one")
    first = hash_file(str(path), {})
    assert first.sha256 == hashlib.sha256(b"one").hexdigest() and first.error is None
    assert hash_file(str(path), known(first)).sha256 == "digest of before"
    path.write_bytes(b"two")  # as long as it was
    assert hash_file(str(path), known(first)).sha256 == hashlib.sha256(b"two").hexdigest()


def test_a_file_in_a_bucket_is_hashed_and_fetched(bucket, tmp_path):
    path = f"{bucket}/in/a.mp4"
    assert hash_file(path, {}).sha256 == hashlib.sha256(b"bytes").hexdigest()
    with on_this_machine(path, str(tmp_path)) as copy:
        assert tmp_path in copy.parents
        assert copy.name == "a.mp4" and copy.read_bytes() == b"bytes"
    assert not copy.exists()


@pytest.mark.parametrize("header", ["ETag", "Last-Modified"])
def test_a_file_on_the_web_is_read_again_only_if_its_server_says_that_it_has_changed(web, header):
    web.headers = {header: "before"}
    first = hash_file(ADDRESS, {})
    assert first.sha256 == hashlib.sha256(b"one").hexdigest() and is_new(first, {})
    assert hash_file(ADDRESS, known(first)).sha256 == "digest of before"
    web.headers, web.data = {header: "after"}, b"two"
    assert hash_file(ADDRESS, known(first)).sha256 == hashlib.sha256(b"two").hexdigest()


def test_a_file_of_which_the_web_says_nothing_is_always_read(web):
    first = hash_file(ADDRESS, {})
    assert first.facts is None and not is_new(first, {})
    web.data = b"two"  # as long as it was
    before = {ADDRESS: ("facts", "digest of before")}
    assert hash_file(ADDRESS, before).sha256 == hashlib.sha256(b"two").hexdigest()


def test_a_signed_address_is_fetched_under_the_name_of_its_file(web, tmp_path):
    with on_this_machine(ADDRESS, str(tmp_path)) as copy:
        assert copy.name == file_name(ADDRESS) == "a.mp4" and copy.read_bytes() == b"one"
    with on_this_machine(f"s3://bucket/{300 * 'ä'}.mp4", str(tmp_path)) as copy:
        assert copy.name == 100 * "ä"
    assert file_name("in/what?.mp4") == file_name("s3://bucket/what?.mp4") == "what?.mp4"


def test_a_file_elsewhere_that_is_too_large_is_neither_read_nor_fetched(web, tmp_path, monkeypatch):
    limits = VideoLimits(max_file_bytes=2)
    message = "'a.mp4' has 3 bytes; the limit is 2."
    web.headers = {"ETag": "before"}
    before = known(hash_file(ADDRESS, {}))

    def fail(*args, **kwargs):
        raise AssertionError("It was read.")

    monkeypatch.setattr(Web, "open", fail)
    monkeypatch.setattr(Web, "get_file", fail)
    for facts in ({}, before):
        file = hash_file(ADDRESS, facts, limits=limits)
        assert file.sha256 is None and (file.error or "").startswith(message)
    with pytest.raises(VideoLimitError, match=message):
        with on_this_machine(ADDRESS, str(tmp_path), limits):
            pass
    assert not list(tmp_path.iterdir())


def test_a_file_elsewhere_of_unknown_size_is_fetched(web, tmp_path):
    web.headers = {"size": None}  # pyright: ignore[reportAttributeAccessIssue]
    limits = VideoLimits(max_file_bytes=3)
    assert hash_file(ADDRESS, {}, limits=limits).sha256 is not None
    with on_this_machine(ADDRESS, str(tmp_path), limits) as copy:
        assert copy.read_bytes() == b"one"


@pytest.mark.parametrize("address", ["memory://videos-bucket/none.mp4", "no-such-thing://a/b.mp4"])
def test_what_is_not_there_is_a_reason_and_no_error(address):
    assert hash_file(address, {})._replace(error="") == Hashed(address, None, None, "")
    assert hash_file(address, {}).error


def test_a_file_for_which_nobody_waits_is_not_read_to_its_end(bucket, tmp_path):
    is_over = threading.Event()
    is_over.set()
    (tmp_path / "a.mp4").write_bytes(b"one")
    for path in (str(tmp_path / "a.mp4"), f"{bucket}/in/a.mp4"):
        assert "Nobody waits" in (hash_file(path, {}, is_over).error or "")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "not a plain file" in (hash_file(str(tmp_path / "pipe.mp4"), {}).error or "")


def test_why_an_address_that_is_no_text_cannot_be_opened_fits_into_a_table(tmp_path):
    hashed = hash_file(os.fsdecode(b"nowhere://\xff.mp4"), {})
    results = Results(str(tmp_path), "key")
    assert results.write_table([hashed], "results.parquet").failures == 1
    assert hashed.error is not None and "nowhere://\N{REPLACEMENT CHARACTER}.mp4" in hashed.error
