import hashlib
import os
import time

import pytest

from dfjax.page.limits import PageLimits
from dfjax.page.refusal import Refusal
from dfjax.page.upload_folder import UploadFolder
from dfjax.video.file_facts import last_change

MIB = 1024**2

LIMITS = PageLimits(max_upload_bytes=4 * MIB, max_disk_bytes=20 * MIB, max_client_bytes=10 * MIB)


class Clock:
    """Stands for the module `time`, some seconds later."""

    def __init__(self):
        self.later = 0.0

    def time(self):
        return time.time() + self.later


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("dfjax.page.upload_folder.time", clock)
    return clock


@pytest.fixture
def folder(tmp_path):
    return UploadFolder(tmp_path, LIMITS, lambda: set())


def upload(folder, client, name, num_bytes=4 * MIB):
    """Stores a file as Gradio does: in a folder that is called after its content."""
    place = folder.folder / hashlib.sha256(name.encode()).hexdigest()
    with folder.receive(client, num_bytes) as arrival:
        partial = folder.folder / f"tmp{name}"
        partial.write_bytes(bytes(num_bytes))
        arrival.count(num_bytes)
        place.mkdir(exist_ok=True)
        os.rename(partial, place / name)
        arrival.paths = (str(place / name),)
    return place / name


def test_a_client_has_a_quota_and_another_one_has_its_own(folder):
    upload(folder, "a", "1")
    upload(folder, "a", "2")
    with pytest.raises(Refusal, match="Your uploads") as refused:
        upload(folder, "a", "3")
    assert refused.value.status == 429
    upload(folder, "b", "4")


def test_a_client_s_own_old_files_make_room_for_its_new_ones(folder, clock):
    first, second = upload(folder, "a", "1"), upload(folder, "a", "2")
    clock.later = 200
    third = upload(folder, "a", "3")
    assert not first.exists() and second.exists() and third.exists()


def test_a_file_that_a_check_waits_for_stays(tmp_path, clock):
    waiting = set()
    folder = UploadFolder(tmp_path, LIMITS, lambda: waiting)
    first, second = upload(folder, "a", "1"), upload(folder, "a", "2")
    waiting.add(str(first))
    clock.later = 200
    upload(folder, "a", "3")
    assert first.exists() and not second.exists()


def test_a_file_that_two_clients_sent_is_not_one_s_to_lose(folder, clock):
    shared = upload(folder, "a", "same")
    upload(folder, "b", "same")
    second = upload(folder, "a", "2")
    clock.later = 200
    upload(folder, "a", "3")
    assert shared.exists() and not second.exists()


def test_who_takes_most_room_gives_way_when_all_together_take_too_much(folder):
    files = [upload(folder, client, f"{n}") for n, client in enumerate("aabbc")]
    latest = upload(folder, "d", "new")
    assert latest.exists()
    assert [file.exists() for file in files] == [False, True, True, True, True]
    assert folder.usage()[0] <= LIMITS.max_disk_bytes


def test_the_biggest_client_cannot_push_out_the_others(folder):
    limits = PageLimits(max_upload_bytes=4 * MIB, max_disk_bytes=9 * MIB, max_client_bytes=9 * MIB)
    folder = UploadFolder(folder.folder, limits)
    small = upload(folder, "small", "1")
    upload(folder, "big", "2")
    with pytest.raises(Refusal) as refused:
        upload(folder, "big", "3")
    assert refused.value.status == 507
    assert small.exists()


def test_uploads_on_their_way_count_as_if_they_were_whole(folder):
    with folder.receive("a", 4 * MIB), pytest.raises(Refusal, match="at the same time"):
        upload(folder, "a", "1")
    upload(folder, "a", "1")


def test_tiny_files_count_for_the_room_that_they_take(tmp_path):
    limits = PageLimits(max_upload_bytes=MIB, max_disk_bytes=MIB, max_client_bytes=MIB)
    folder = UploadFolder(tmp_path, limits)
    with pytest.raises(Refusal):
        for n in range(100):
            upload(folder, "a", str(n), num_bytes=1)
    assert folder.usage()[1] < 100


def test_an_upload_that_broke_off_is_gone_at_once_when_no_other_is_on_its_way(folder):
    with folder.receive("a", MIB) as arrival:
        (folder.folder / "tmphalf").write_bytes(bytes(1000))
        arrival.count(1000)
    assert folder.usage() == (0, 0)
    assert folder._held() == {}


def test_an_upload_that_broke_off_beside_others_is_gone_within_a_minute(folder, clock):
    with folder.receive("other", MIB):
        with folder.receive("a", MIB) as arrival:
            (folder.folder / "tmphalf").write_bytes(bytes(1000))
            arrival.count(1000)
        assert folder._held()["a"] == 1000
        clock.later = 50
        folder.sweep(1800)
        assert folder.usage() == (0, 0) and "a" not in folder._held()


def test_old_files_are_swept_with_their_folders_and_young_ones_stay(folder, clock):
    file = upload(folder, "a", "1")
    folder.sweep(max_age=60)
    assert file.exists()
    clock.later = 100
    folder.sweep(max_age=60)
    assert not file.exists()
    clock.later = 200
    folder.sweep(max_age=60)
    assert list(folder.folder.iterdir()) == []
    assert folder._held() == {}


def test_however_old_a_file_is_it_stays_while_a_check_waits_for_it(tmp_path, clock):
    waiting = set()
    folder = UploadFolder(tmp_path, LIMITS, lambda: waiting)
    first, second = upload(folder, "a", "1"), upload(folder, "a", "2")
    waiting.add(str(first))
    before, known = first.stat().st_ctime_ns, last_change(first)
    clock.later = 100
    folder.sweep(max_age=60)
    assert first.exists() and not second.exists()
    assert first.stat().st_ctime_ns > before  # Gradio's own deleter goes by this alone
    assert last_change(first) == known  # else the check would be refused
    waiting.clear()
    folder.sweep(max_age=60)
    assert not first.exists()


def test_who_uploads_the_file_that_another_s_check_reads_does_not_change_it(folder):
    """Else whoever has the same file could have every check of it refused, by accident too."""
    file = upload(folder, "a", "1")
    known, before = last_change(file), file.stat().st_ctime_ns
    time.sleep(0.02)  # a file system's clock may go by hundredths of a second
    assert upload(folder, "b", "1") == file
    assert last_change(file) == known
    assert file.stat().st_ctime_ns > before  # it is kept as long as one that is new


def test_quotas_that_no_file_fits_into_are_refused():
    with pytest.raises(ValueError, match="--max-disk-megabytes"):
        PageLimits(max_upload_bytes=10, max_disk_bytes=9)
