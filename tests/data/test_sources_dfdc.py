import json
from pathlib import Path

import pytest

from dfjax.data.sources.dfdc import read_dfdc
from dfjax.data.sources.dfdc_faces import read_dfdc_faces
from dfjax.data.sources.dfdcp import read_dfdcp
from dfjax.errors import DatasetError
from tests.data.trees import assert_nobody_is_in_two_splits, touch


def write_part(folder: Path, rows: dict[str, dict]) -> None:
    touch(folder, *rows)
    (folder / "metadata.json").write_text(json.dumps(rows))


def real(split: str = "train") -> dict:
    return {"label": "REAL", "split": split}


def fake(original: str | None) -> dict:
    return {"label": "FAKE", "split": "train", "original": original}


@pytest.fixture
def dfdc(tmp_path: Path) -> Path:
    """Two parts of the DFDC's training set, with two fakes of each original, and a test set."""
    names = [f"{chr(97 + n)}real.mp4" for n in range(25)]
    for part, originals in enumerate((names[:12], names[12:])):
        rows: dict[str, dict] = {name: real() | {"original": None} for name in originals}
        for name in originals:
            rows |= {name.replace("real", f"fake{n}"): fake(name) for n in range(2)}
        write_part(tmp_path / f"dfdc_train_part_{part}", rows)
    touch(tmp_path, "test/videos/taaa.mp4", "test/videos/tbbb.mp4")
    (tmp_path / "test" / "labels.csv").write_text("filename,label\ntaaa.mp4,1\ntbbb.mp4,0\n")
    return tmp_path


def test_a_fake_stays_with_its_original_in_one_split(dfdc):
    splits: dict[str, set[str]] = {}
    for video in read_dfdc(dfdc).videos:
        splits.setdefault(video.group, set()).add(video.split)
    assert all(len(found) == 1 for found in splits.values())
    assert set.union(*splits.values()) == {"train", "validation", "test"}


def test_labels_and_originals_are_those_of_the_metadata(dfdc):
    videos = {v.video_id: v for v in read_dfdc(dfdc).videos}
    assert len(videos) == 25 * 3 + 2
    assert (videos["areal"].is_fake, videos["areal"].original_id) == (False, "")
    assert (videos["afake1"].is_fake, videos["afake1"].original_id) == (True, "areal")
    assert videos["afake1"].group == "areal"


def test_the_test_set_is_read_from_its_labels_where_one_means_fake(dfdc):
    tested = {v.video_id: v.is_fake for v in read_dfdc(dfdc).videos if v.split == "test"}
    assert tested == {"taaa": True, "tbbb": False}


def test_a_fake_goes_where_its_original_would_though_that_is_absent(dfdc):
    before = {v.video_id: v.split for v in read_dfdc(dfdc).videos}
    for part in dfdc.glob("dfdc_train_part_*"):
        rows = json.loads((part / "metadata.json").read_text())
        kept = {name: row for name, row in rows.items() if row["label"] == "FAKE"}
        (part / "metadata.json").write_text(json.dumps(kept))
    after = {v.video_id: v.split for v in read_dfdc(dfdc).videos if v.split != "test"}
    assert after == {name: before[name] for name in after} and len(after) == 50


def test_a_listed_video_that_is_absent_is_named_and_not_fatal(dfdc):
    (dfdc / "dfdc_train_part_0" / "afake0.mp4").unlink()
    (dfdc / "test" / "videos" / "taaa.mp4").unlink()
    source = read_dfdc(dfdc)
    assert source.missing == ("dfdc/fake/original/afake0", "dfdc/fake/original/taaa")


def test_the_sample_of_400_videos_has_the_same_layout(tmp_path):
    write_part(tmp_path / "train_sample_videos", {"a.mp4": real(), "b.mp4": fake("a.mp4")})
    of_parent = read_dfdc(tmp_path)
    of_folder = read_dfdc(tmp_path / "train_sample_videos")
    assert [v.key for v in of_parent.videos] == ["dfdc/real/original/a", "dfdc/fake/original/b"]
    assert of_parent.videos == of_folder.videos


def test_a_video_of_the_sample_counts_once_beside_the_part_that_it_is_from(dfdc):
    write_part(dfdc / "train_sample_videos", {"areal.mp4": real(), "afake0.mp4": fake("areal.mp4")})
    assert len(read_dfdc(dfdc).videos) == 25 * 3 + 2


@pytest.mark.parametrize("text", ["{", "[]", '{"a.mp4": {}}', '{"a.mp4": {"label": "MAYBE"}}'])
def test_a_damaged_list_of_dfdc_is_named(tmp_path, text):
    touch(tmp_path, "dfdc_train_part_0/a.mp4")
    (tmp_path / "dfdc_train_part_0" / "metadata.json").write_text(text)
    with pytest.raises(DatasetError, match=r"metadata\.json" if text != "[]" else "metadata"):
        read_dfdc(tmp_path)


def test_labels_without_their_columns_are_refused(dfdc):
    (dfdc / "test" / "labels.csv").write_text("name,fake\ntaaa.mp4,1\n")
    with pytest.raises(DatasetError, match=r"labels\.csv.*filename"):
        read_dfdc(dfdc)


def test_a_folder_without_dfdc_says_what_was_expected(tmp_path):
    with pytest.raises(DatasetError, match="dfdc_train_part_0"):
        read_dfdc(tmp_path)


# The preview


@pytest.fixture
def dfdcp(tmp_path: Path) -> Path:
    rows = {}
    for target in range(100, 130):
        split = "test" if target < 103 else "train"
        row = {"set": split, "augmentations": ["rescale"] if split == "test" else []}
        rows[f"original_videos/{target}/{target}_C_001.mp4"] = row | {
            "label": "real",
            "target_id": target,
            "swapped_id": None,
        }
        for swapped in (target + 1, target + 7):
            rows[f"method_A/{target}/{target}_{swapped}_001.mp4"] = row | {
                "label": "fake",
                "target_id": target,
                "swapped_id": swapped,
            }
    rows["original_videos/101/101_C_002.mp4"] = {
        "label": "real",
        "set": "test",
        "augmentations": None,
        "target_id": None,
        "swapped_id": None,
    }
    touch(tmp_path, *rows)
    (tmp_path / "dataset.json").write_text(json.dumps(rows))
    return tmp_path


def test_people_of_the_previews_test_set_are_in_no_other_split(dfdcp):
    source = read_dfdcp(dfdcp)
    assert_nobody_is_in_two_splits(source.videos)
    assert {v.split for v in source.videos} == {"train", "validation", "test"}
    assert len(source.videos) + len(source.dropped) == 91


def test_a_video_of_the_preview_is_described_by_its_row(dfdcp):
    videos = {v.key: v for v in read_dfdcp(dfdcp).videos}
    fake = videos["dfdcp/method_A/original/100:100_101_001"]
    assert (fake.is_fake, fake.split) == (True, "test")
    assert (fake.source_ids, fake.group) == (("100", "101"), "100")
    assert fake.attributes == {"augmentations": ["rescale"]}
    unsaid = videos["dfdcp/original_videos/original/101:101_C_002"]
    assert (unsaid.is_fake, unsaid.source_ids, unsaid.group) == (False, ("101",), "101")
    assert unsaid.attributes == {}


def test_an_absent_video_of_the_preview_is_named_and_not_fatal(dfdcp):
    (dfdcp / "method_A/100/100_101_001.mp4").unlink()
    assert read_dfdcp(dfdcp).missing == ("dfdcp/method_A/original/100:100_101_001",)


@pytest.mark.parametrize(
    "text", [None, "{", "[]", '{"a/b.mp4": {"label": "odd", "set": "train"}}', '{"a/b.mp4": 1}']
)
def test_a_list_that_is_not_the_previews_is_named(tmp_path, text):
    if text is not None:
        (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(DatasetError, match=r"dataset\.json"):
        read_dfdcp(tmp_path)


# Face crops


@pytest.fixture
def dfdc_faces(tmp_path: Path) -> Path:
    lines = ["videoname,original_width,original_height,label,original"]
    for n in range(40):
        lines += [f"real{n}.mp4,180,180,REAL,", f"fake{n}.mp4,185,185,FAKE,real{n}.mp4"]
        touch(tmp_path, f"faces_224/real{n}.jpg", f"faces_224/fake{n}.jpg")
    (tmp_path / "metadata.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_the_listed_originals_are_held_out_with_their_fakes(dfdc_faces):
    (dfdc_faces / "val_sources.txt").write_text("real3.mp4\nreal8.mp4\n")
    videos = read_dfdc_faces(dfdc_faces).videos
    assert {v.video_id for v in videos if v.split == "validation"} == {
        "real3",
        "fake3",
        "real8",
        "fake8",
    }
    assert len(videos) == 80 and all(v.is_crop for v in videos)


def test_without_a_list_some_originals_are_held_out_with_their_fakes(dfdc_faces):
    videos = read_dfdc_faces(dfdc_faces).videos
    groups = {s: {v.group for v in videos if v.split == s} for s in ("train", "validation")}
    assert len(groups["train"]) > len(groups["validation"]) > 0
    assert not groups["train"] & groups["validation"]
    assert len(groups["train"] | groups["validation"]) == 40


def test_a_crop_is_described_by_its_row(dfdc_faces):
    (fake,) = [v for v in read_dfdc_faces(dfdc_faces).videos if v.video_id == "fake5"]
    assert (fake.is_fake, fake.original_id, fake.group) == (True, "real5", "real5")
    assert fake.attributes == {"original_width": "185", "original_height": "185"}
    assert fake.path.name == "fake5.jpg"


def test_an_absent_crop_is_named_and_not_fatal(dfdc_faces):
    (dfdc_faces / "faces_224" / "fake5.jpg").unlink()
    assert read_dfdc_faces(dfdc_faces).missing == ("dfdc-faces/fake/jpeg/fake5",)


@pytest.mark.parametrize("text", [None, "a,b\n1,2\n", "videoname,label,original\na.mp4,ODD,\n"])
def test_a_list_that_is_not_of_face_crops_is_named(tmp_path, text):
    if text is not None:
        (tmp_path / "metadata.csv").write_text(text)
    with pytest.raises(DatasetError, match=r"metadata\.csv"):
        read_dfdc_faces(tmp_path)


@pytest.mark.real_clips
def test_the_real_crops_give_the_counts_of_their_description(real_clips):
    videos = read_dfdc_faces(real_clips / "data" / "dfdc_faces").videos
    counts = {
        (split, is_fake): sum((v.split, v.is_fake) == (split, is_fake) for v in videos)
        for split in ("train", "validation")
        for is_fake in (False, True)
    }
    assert counts == {
        ("train", False): 4000,
        ("train", True): 4000,
        ("validation", False): 400,
        ("validation", True): 400,
    }


# Folders as people have them


@pytest.mark.parametrize("above", ["train", "kaggle/unpacked", "kaggle/dfdc_train_part_00"])
def test_parts_are_read_at_any_depth_beside_the_test_set(dfdc, above):
    expected = [(v.key, v.split) for v in read_dfdc(dfdc).videos]
    for part in sorted(dfdc.glob("dfdc_train_part_*")):
        (dfdc / above).mkdir(parents=True, exist_ok=True)
        part.rename(dfdc / above / part.name)
    assert [(v.key, v.split) for v in read_dfdc(dfdc).videos] == expected


def test_a_list_may_be_above_its_videos(dfdc):
    part = dfdc / "dfdc_train_part_0"
    (part / "videos").mkdir()
    for path in list(part.glob("*.mp4")):
        path.rename(part / "videos" / path.name)
    source = read_dfdc(dfdc)
    assert len(source.videos) == 25 * 3 + 2 and not source.missing and not source.left_out


def test_a_video_that_only_the_sample_has_is_found_though_its_part_lists_it(dfdc):
    write_part(dfdc / "train_sample_videos", {"areal.mp4": real()})
    (dfdc / "dfdc_train_part_0" / "areal.mp4").unlink()
    source = read_dfdc(dfdc)
    assert len(source.videos) == 25 * 3 + 2 and not source.missing


def test_parts_without_a_list_or_still_packed_are_counted(dfdc):
    touch(dfdc, "dfdc_train_part_7/xreal.mp4", "dfdc_train_part_8.zip")
    assert [files.examples for files in read_dfdc(dfdc).left_out.values()] == [
        ("dfdc_train_part_8.zip",),
        ("dfdc_train_part_7/xreal.mp4",),
    ]


def test_lists_none_of_whose_videos_is_there_are_refused(tmp_path):
    (tmp_path / "train_sample_videos").mkdir()
    (tmp_path / "train_sample_videos" / "metadata.json").write_text(json.dumps({"a.mp4": real()}))
    with pytest.raises(DatasetError, match="none of the 1 files that its metadata.json"):
        read_dfdc(tmp_path)


def test_an_original_that_is_no_name_is_refused(dfdc):
    metadata = {"a.mp4": {"label": "FAKE", "original": 7}}
    (dfdc / "dfdc_train_part_0" / "metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(DatasetError, match="metadata.json is not a list.*7 is not the name"):
        read_dfdc(dfdc)


def test_held_out_names_that_are_no_originals_are_told_and_if_all_refused(dfdc_faces):
    (dfdc_faces / "val_sources.txt").write_text("real5.mp4\nother.mp4\n")
    source = read_dfdc_faces(dfdc_faces)
    assert {v.group for v in source.videos if v.split == "validation"} == {"real5"}
    assert [files.examples for files in source.left_out.values()] == [("other.mp4",)]
    (dfdc_faces / "val_sources.txt").write_text("real5\nreal6\n")
    with pytest.raises(DatasetError, match="names no original of metadata.csv.*'real5'"):
        read_dfdc_faces(dfdc_faces)


def test_a_label_of_the_test_set_that_is_neither_0_nor_1_is_refused(dfdc):
    (dfdc / "test" / "labels.csv").write_text("filename,label\ntaaa.mp4,maybe\n")
    with pytest.raises(DatasetError, match="'maybe'; 0 for real or 1 for fake"):
        read_dfdc(dfdc)


def test_the_preview_is_found_one_level_down(dfdcp, tmp_path_factory):
    outer = tmp_path_factory.mktemp("outer")
    expected = [v.key for v in read_dfdcp(dfdcp).videos]
    dfdcp.rename(outer / "unpacked")
    source = read_dfdcp(outer)
    assert [v.key for v in source.videos] == expected and source.left_out == {}


def test_crops_are_found_one_level_down(dfdc_faces, tmp_path_factory):
    outer = tmp_path_factory.mktemp("outer")
    expected = [v.key for v in read_dfdc_faces(dfdc_faces).videos]
    dfdc_faces.rename(outer / "unpacked")
    source = read_dfdc_faces(outer)
    assert [v.key for v in source.videos] == expected and source.left_out == {}
