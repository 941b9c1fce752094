import hashlib
import struct

import pytest

from dfjax.errors import VideoError
from dfjax.video import file_facts
from dfjax.video.cut_off import is_cut_off
from dfjax.video.file_facts import read_file_facts
from dfjax.video.formats import identify
from dfjax.video.limits import VideoLimits
from tests.videos import FAILS_TO_READ


def test_the_digest_is_the_one_of_the_whole_file(tmp_path):
    content = bytes(range(256)) * 8192 + b"the end"
    (tmp_path / "file").write_bytes(content)
    facts = read_file_facts(tmp_path / "file")
    assert facts == (hashlib.sha256(content).hexdigest(), len(content), False)


@pytest.mark.parametrize("place", [0, 13, 14, 15, 16, 17, 40])
def test_a_mark_of_credentials_is_found_wherever_pieces_of_the_file_begin(
    tmp_path, monkeypatch, place
):
    monkeypatch.setattr(file_facts, "_CHUNK_BYTES", 16)
    mark = file_facts._CREDENTIAL_MARKS[0]
    (tmp_path / "file").write_bytes(b"x" * place + mark + b"x" * 50)
    assert read_file_facts(tmp_path / "file").may_have_credentials


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


@pytest.mark.parametrize("chunk_bytes", [50, 1 << 20])
def test_in_a_video_of_boxes_marks_are_looked_for_beside_the_pictures(
    tmp_path, monkeypatch, chunk_bytes
):
    monkeypatch.setattr(file_facts, "_CHUNK_BYTES", chunk_bytes)
    mark, path = file_facts._CREDENTIAL_MARKS[1], tmp_path / "clip.mp4"
    start, large = _box(b"ftyp", b"isom" * 4), struct.pack(">I4sQ", 1, b"mdat", 16 + 300)
    for media in (_box(b"mdat", bytes(300)), large + bytes(300)):
        for place in range(3):
            parts = [start, media, media]
            parts.insert(place + 1, _box(b"uuid", b"x" * 20 + mark))
            path.write_bytes(b"".join(parts))
            assert read_file_facts(path, "mov").may_have_credentials
            assert read_file_facts(path, "mov") == read_file_facts(path)
    path.write_bytes(start + struct.pack(">I4s", 0, b"mdat") + bytes(100) + mark)
    is_small = chunk_bytes < 1 << 20  # else it is in one piece with what stands before
    assert read_file_facts(path, "mov").may_have_credentials != is_small
    assert read_file_facts(path).may_have_credentials  # what it is was not said
    assert read_file_facts(path, "matroska").may_have_credentials


@pytest.mark.parametrize("kind", [b"mdat", b"free"])
@pytest.mark.parametrize("size", [1 << 40, 1 << 62, 1 << 63, (1 << 64) - 1])
def test_a_box_that_claims_more_than_any_disk_holds_stops_nobody(tmp_path, kind, size):
    path = tmp_path / "clip.mp4"
    large = struct.pack(">I4sQ", 1, kind, size) + bytes(300)
    path.write_bytes(_box(b"ftyp", b"isom" * 4) + large)
    assert read_file_facts(path, "mov").size_bytes == path.stat().st_size
    assert is_cut_off(path, "mov")


def test_a_file_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(VideoError, match="no file named"):
        read_file_facts(tmp_path / "missing.mp4")


@pytest.mark.skipif(not FAILS_TO_READ.exists(), reason="no plain file here fails to be read")
@pytest.mark.parametrize(
    "read",
    [
        read_file_facts,
        lambda path: identify(path, VideoLimits()),
        lambda path: is_cut_off(path, "avi"),
    ],
    ids=["facts", "identify", "cut off"],
)
def test_a_disk_that_fails_while_a_file_is_read_is_told_with_the_files_name(tmp_path, read):
    (tmp_path / "mine.mp4").symlink_to(FAILS_TO_READ)
    with pytest.raises(VideoError, match="'mine.mp4' cannot be read: Input/output error"):
        read(tmp_path / "mine.mp4")


@pytest.mark.parametrize("mark", file_facts._CREDENTIAL_MARKS)
@pytest.mark.parametrize("place", range(40, 64))
def test_each_mark_is_found_across_the_border_of_two_pieces(tmp_path, monkeypatch, mark, place):
    monkeypatch.setattr(file_facts, "_CHUNK_BYTES", 64)
    (tmp_path / "file").write_bytes(b"x" * place + mark + b"x" * 50)
    assert read_file_facts(tmp_path / "file").may_have_credentials
