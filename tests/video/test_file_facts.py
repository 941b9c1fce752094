import hashlib

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
