from pathlib import Path

import pytest

from dfjax.data.sources.celebdf import read_celebdf
from dfjax.errors import DatasetError
from tests.data.trees import assert_nobody_is_in_two_splits, touch

PEOPLE = [f"id{n}" for n in range(20)]
TEST_LIST = """\
1 Celeb-real/id0_0000.mp4
1 YouTube-real/00007.mp4
0 Celeb-synthesis/id0_id1_0000.mp4
"""


@pytest.fixture
def celebdf(tmp_path: Path) -> Path:
    """Celeb-DF-v2 in its published layout, with empty files."""
    touch(tmp_path, *(f"Celeb-real/{a}_000{n}.mp4" for a in PEOPLE for n in range(2)))
    touch(
        tmp_path,
        *(f"Celeb-synthesis/id{n}_id{(n + by) % 20}_0000.mp4" for n in range(20) for by in (1, 7)),
    )
    touch(tmp_path, *(f"YouTube-real/{n:05d}.mp4" for n in range(40)))
    (tmp_path / "List_of_testing_videos.txt").write_text(TEST_LIST)
    return tmp_path


def test_one_means_real_in_the_list_and_fake_is_what_was_synthesised(celebdf):
    tested = {v.video_id: v.is_fake for v in read_celebdf(celebdf).videos if v.split == "test"}
    assert tested == {"id0_0000": False, "00007": False, "id0_id1_0000": True}


def test_a_list_that_calls_a_synthesised_video_real_is_not_believed(celebdf):
    (celebdf / "List_of_testing_videos.txt").write_text("1 Celeb-synthesis/id0_id1_0000.mp4\n")
    with pytest.raises(DatasetError, match="Line 1 .*1 means real"):
        read_celebdf(celebdf)


def test_nobody_is_in_two_splits_and_what_was_left_out_for_that_is_told(celebdf):
    source = read_celebdf(celebdf)
    assert_nobody_is_in_two_splits(source.videos)
    assert {v.split for v in source.videos} == {"train", "validation", "test"}
    assert {v.is_fake for v in source.videos if v.split == "train"} == {False, True}
    # id0 and id1 are in the test list
    tested = "shows a person from the test split"
    assert source.dropped["celebdf/Celeb-real/original/id0_0001"] == tested
    assert source.dropped["celebdf/Celeb-synthesis/original/id14_id1_0000"] == tested
    assert len(source.videos) + len(source.dropped) == 20 * 2 + 20 * 2 + 40


def test_the_original_of_a_fake_is_the_video_whose_face_was_replaced(celebdf):
    fakes = [v for v in read_celebdf(celebdf).videos if v.is_fake]
    for fake in fakes:
        target, source, number = fake.video_id.split("_")
        assert fake.original_id == f"{target}_{number}"
        assert (fake.source_ids, fake.group) == ((target, source), target)
    originals = {v.video_id for v in read_celebdf(celebdf).videos if not v.is_fake}
    assert {fake.original_id for fake in fakes if fake.split != "test"} <= originals


def test_version_one_spells_a_folder_otherwise(celebdf):
    (celebdf / "YouTube-real").rename(celebdf / "Youtube-real")
    source = read_celebdf(celebdf)
    tested = [v for v in source.videos if v.split == "test" and v.method == "Youtube-real"]
    assert [v.video_id for v in tested] == ["00007"]
    assert not source.missing


def test_a_listed_video_that_is_absent_is_named_and_not_fatal(celebdf):
    (celebdf / "Celeb-synthesis" / "id0_id1_0000.mp4").unlink()
    source = read_celebdf(celebdf)
    assert source.missing == ("celebdf/celeb-synthesis/original/id0_id1_0000",)


def test_a_file_that_is_named_otherwise_is_left_out_and_told(celebdf):
    touch(celebdf, "Celeb-real/copy of id0_0000.mp4")
    assert "celebdf/Celeb-real/original/copy of id0_0000" in read_celebdf(celebdf).dropped


@pytest.mark.parametrize(
    "line", ["2 Celeb-real/id0_0000.mp4", "Celeb-real/id0_0000.mp4", "1 a/b.mp4"]
)
def test_a_damaged_list_is_named_with_the_line(celebdf, line):
    (celebdf / "List_of_testing_videos.txt").write_text(f"1 Celeb-real/id0_0000.mp4\n{line}\n")
    with pytest.raises(DatasetError, match="Line 2 of .*List_of_testing_videos"):
        read_celebdf(celebdf)


def test_a_folder_without_the_list_or_without_videos_is_refused(celebdf, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(DatasetError, match="List_of_testing_videos.txt"):
        read_celebdf(empty)
    (empty / "List_of_testing_videos.txt").write_text(TEST_LIST)
    with pytest.raises(DatasetError, match="Celeb-real/id0_0000.mp4"):
        read_celebdf(empty)


def test_a_folder_named_videos_may_be_inside_and_all_of_it_one_level_down(celebdf):
    expected = read_celebdf(celebdf)
    inner = celebdf / "Celeb-DF-v2"
    for kind in ("Celeb-real", "Celeb-synthesis", "YouTube-real"):
        (inner / kind).mkdir(parents=True)
        (celebdf / kind).rename(inner / kind / "videos")
    (celebdf / "List_of_testing_videos.txt").rename(inner / "List_of_testing_videos.txt")
    found = read_celebdf(celebdf)
    assert [v.key for v in found.videos] == [v.key for v in expected.videos]
    assert [v.split for v in found.videos] == [v.split for v in expected.videos]
    assert (found.missing, found.dropped) == (expected.missing, expected.dropped)


def test_endings_may_be_in_capitals_and_only_what_no_folder_has_is_left_out(celebdf):
    expected = [v.key for v in read_celebdf(celebdf).videos]
    assert read_celebdf(celebdf).left_out == {}
    for path in list(celebdf.rglob("*.mp4")):
        path.rename(path.with_suffix(".MP4"))
    touch(celebdf, "Celeb-reel/id0_0000.mp4")
    source = read_celebdf(celebdf)
    assert [v.key for v in source.videos] == expected
    assert [files.examples for files in source.left_out.values()] == [("Celeb-reel/id0_0000.mp4",)]
