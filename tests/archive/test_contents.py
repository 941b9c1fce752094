import hashlib
import os

import fsspec
import pytest

from dfjax.archive.contents import Hashed, hash_file, on_this_machine


@pytest.fixture
def bucket() -> str:
    address = "memory://videos-bucket"
    fsspec.filesystem("memory").pipe_file(f"{address}/in/a.mp4", b"bytes")
    return address


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


def test_a_file_in_a_bucket_is_hashed_and_fetched(bucket):
    path = f"{bucket}/in/a.mp4"
    assert hash_file(path, {}).sha256 == hashlib.sha256(b"bytes").hexdigest()
    with on_this_machine(path) as copy:
        assert copy.name == "a.mp4" and copy.read_bytes() == b"bytes"
    assert not copy.exists()


@pytest.mark.parametrize("address", ["memory://videos-bucket/none.mp4", "no-such-thing://a/b.mp4"])
def test_what_is_not_there_is_a_reason_and_no_error(address):
    assert hash_file(address, {})._replace(error="") == Hashed(address, None, None, "")
    assert hash_file(address, {}).error


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "not a plain file" in (hash_file(str(tmp_path / "pipe.mp4"), {}).error or "")
