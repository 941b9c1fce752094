import json
from pathlib import Path

import pytest

from dfjax.data.sources.ffpp import DFD, FFPP_METHODS, read_ffpp
from dfjax.errors import DatasetError
from tests.data.trees import assert_nobody_is_in_two_splits, touch

PAIRS = {"train": [["000", "003"], ["001", "870"]], "val": [["010", "011"]]}


@pytest.fixture
def ffpp(tmp_path: Path) -> Path:
    """FaceForensics++ in its published layout, with empty files."""
    (tmp_path / "splits").mkdir()
    for split, pairs in PAIRS.items():
        (tmp_path / "splits" / f"{split}.json").write_text(json.dumps(pairs))
    for first, second in sum(PAIRS.values(), []):
        for folder, ids in {
            "original_sequences/youtube": [first, second],
            "manipulated_sequences/Deepfakes": [f"{first}_{second}", f"{second}_{first}"],
            "manipulated_sequences/NeuralTextures": [f"{first}_{second}", f"{second}_{first}"],
        }.items():
            touch(tmp_path, *(f"{folder}/c23/videos/{name}.mp4" for name in ids))
    touch(
        tmp_path,
        "original_sequences/actors/c23/videos/01__outside_talking_still_laughing.mp4",
        "original_sequences/actors/c23/videos/02__exit_phone_room.mp4",
        f"manipulated_sequences/{DFD}/c23/videos/"
        "01_02__outside_talking_still_laughing__YVGY8LOK.mp4",
    )
    return tmp_path


def test_a_pair_owns_its_two_originals_and_both_fakes_of_each_method(ffpp):
    owned = [v for v in read_ffpp(ffpp).videos if v.group == "000_003"]
    assert {(v.method, v.video_id, v.is_fake) for v in owned} == {
        ("youtube", "000", False),
        ("youtube", "003", False),
        ("Deepfakes", "000_003", True),
        ("Deepfakes", "003_000", True),
        ("NeuralTextures", "000_003", True),
        ("NeuralTextures", "003_000", True),
    }
    assert {v.split for v in owned} == {"train"}


def test_the_original_of_a_fake_is_the_video_whose_face_was_replaced(ffpp):
    originals = {(v.method, v.video_id): v.original_id for v in read_ffpp(ffpp).videos}
    assert originals["Deepfakes", "003_000"] == "003"
    assert originals["Deepfakes", "000_003"] == "000"
    assert originals["youtube", "000"] == ""


def test_no_identity_is_in_two_splits(ffpp):
    assert_nobody_is_in_two_splits(read_ffpp(ffpp).videos)
    assert_nobody_is_in_two_splits(read_ffpp(ffpp, methods=[*FFPP_METHODS, DFD]).videos)


def test_keys_are_unique_though_ids_repeat_over_methods(ffpp):
    videos = read_ffpp(ffpp).videos
    assert len({v.key for v in videos}) == len(videos) > len({v.video_id for v in videos})


def test_a_missing_file_is_named_and_not_fatal(ffpp):
    (ffpp / "manipulated_sequences/Deepfakes/c23/videos/003_000.mp4").unlink()
    source = read_ffpp(ffpp)
    assert source.missing == ("ffpp/Deepfakes/c23/003_000",)
    assert "ffpp/Deepfakes/c23/000_003" in {v.key for v in source.videos}


def test_only_the_methods_and_compressions_asked_for_are_read(ffpp):
    touch(ffpp, "original_sequences/youtube/c40/videos/000.mp4")
    source = read_ffpp(ffpp, compressions=["c40", "c23"], methods=["NeuralTextures"])
    assert {v.method for v in source.videos} == {"youtube", "NeuralTextures"}
    assert [v.video_id for v in source.videos if v.compression == "c40"] == ["000"]
    assert source.options == {"compressions": ["c40", "c23"], "methods": ["NeuralTextures"]}


def test_the_actors_of_deepfakedetection_come_when_asked_for_and_are_for_testing(ffpp):
    assert not {"actors", DFD} & {v.method for v in read_ffpp(ffpp).videos}
    videos = {v.key: v for v in read_ffpp(ffpp, methods=[DFD]).videos}
    assert set(videos) == {
        "ffpp/actors/c23/01__outside_talking_still_laughing",
        "ffpp/actors/c23/02__exit_phone_room",
        f"ffpp/{DFD}/c23/01_02__outside_talking_still_laughing__YVGY8LOK",
    }
    fake = videos[f"ffpp/{DFD}/c23/01_02__outside_talking_still_laughing__YVGY8LOK"]
    assert fake.original_id == "01__outside_talking_still_laughing"
    assert (fake.source_ids, fake.group) == (("actor01", "actor02"), "actor01")
    assert {v.split for v in videos.values()} == {"test"}
    assert [v.is_fake for v in videos.values()] == [False, False, True]


def test_deepfakedetection_alone_needs_no_split_files(ffpp):
    for file in (ffpp / "splits").iterdir():
        file.unlink()
    assert len(read_ffpp(ffpp, methods=[DFD]).videos) == 3


def test_an_actors_video_of_another_name_is_told(ffpp):
    touch(ffpp, f"manipulated_sequences/{DFD}/c23/videos/01__no_second_actor.mp4")
    with pytest.raises(DatasetError, match="01__no_second_actor"):
        read_ffpp(ffpp, methods=[DFD])


def test_a_compression_that_is_not_there_is_an_error_that_says_what_was_expected(ffpp):
    with pytest.raises(DatasetError, match="c40.*original_sequences/youtube/c40/videos"):
        read_ffpp(ffpp, compressions=["c40"])


def test_no_compression_at_all_is_refused(ffpp):
    with pytest.raises(DatasetError, match="--compressions is empty. .* raw, c23, c40"):
        read_ffpp(ffpp, compressions=())


def test_an_id_in_two_split_files_is_refused_even_if_its_video_is_missing(ffpp):
    (ffpp / "original_sequences/youtube/c23/videos/003.mp4").unlink()
    (ffpp / "splits" / "val.json").write_text('[["003", "011"]]')
    with pytest.raises(DatasetError, match="train.json and .*val.json both name 003"):
        read_ffpp(ffpp)


def test_without_split_files_nothing_is_read(ffpp):
    for file in (ffpp / "splits").iterdir():
        file.unlink()
    with pytest.raises(DatasetError, match="train.json"):
        read_ffpp(ffpp)


@pytest.mark.parametrize("text", ["{", "[1, 2]", '[["000"]]', "null"])
def test_a_damaged_split_file_is_named(ffpp, text):
    (ffpp / "splits" / "train.json").write_text(text)
    with pytest.raises(DatasetError, match=r"train\.json"):
        read_ffpp(ffpp)


@pytest.mark.real_clips
def test_the_real_folder_gives_the_counts_of_its_description(real_clips):
    source = read_ffpp(real_clips / "data" / "ffpp", compressions=["c23"])
    assert sum(not v.is_fake for v in source.videos) == 41
    assert sum(v.is_fake for v in source.videos) == 85


def _flattened(ffpp: Path) -> Path:
    """Turns the published layout into that of Kaggle's mirror."""
    for folder in ("original_sequences/youtube", "manipulated_sequences/Deepfakes"):
        name = {"youtube": "original"}.get(folder.split("/")[1], folder.split("/")[1])
        (ffpp / folder / "c23" / "videos").rename(ffpp / name)
    touch(ffpp, "csv/FF++_Metadata.csv")
    return ffpp


def test_the_flattened_mirror_gives_the_same_videos(ffpp):
    published = {v.key: (v.split, v.group, v.original_id) for v in read_ffpp(ffpp).videos}
    flattened = {
        v.key: (v.split, v.group, v.original_id) for v in read_ffpp(_flattened(ffpp)).videos
    }
    assert flattened == published
    with pytest.raises(DatasetError, match="no FaceForensics.* at raw, c40"):
        read_ffpp(ffpp, compressions=["raw", "c40"])  # of two, which one it is cannot be known


def test_split_files_may_be_at_the_top_and_all_of_it_one_level_down(ffpp):
    expected = [v.key for v in read_ffpp(ffpp).videos]
    for file in (ffpp / "splits").iterdir():
        file.rename(ffpp / file.name)
    (ffpp / "splits").rmdir()
    assert [v.key for v in read_ffpp(ffpp).videos] == expected
    inner = ffpp / "archive"
    inner.mkdir()
    for path in list(ffpp.iterdir()):
        if path != inner:
            path.rename(inner / path.name)
    assert [v.key for v in read_ffpp(ffpp).videos] == expected


def test_endings_may_be_in_capitals(ffpp):
    expected = [v.key for v in read_ffpp(ffpp).videos]
    for path in list(ffpp.rglob("*.mp4")):
        path.rename(path.with_suffix(".MP4"))
    source = read_ffpp(ffpp)
    assert [v.key for v in source.videos] == expected and not source.missing


def test_videos_that_no_split_file_names_and_other_compressions_are_counted(ffpp):
    touch(ffpp, "original_sequences/youtube/c23/videos/999.mp4")
    touch(ffpp, "original_sequences/youtube/c40/videos/000.mp4")
    ((reason, files),) = read_ffpp(ffpp, methods=[*FFPP_METHODS, DFD]).left_out.items()
    assert "outside the folders and lists" in reason
    assert files.examples == (
        "original_sequences/youtube/c23/videos/999.mp4",
        "original_sequences/youtube/c40/videos/000.mp4",
    )


def test_a_mistyped_method_is_refused_with_those_that_were_published(ffpp):
    with pytest.raises(DatasetError, match="no videos of DeepFakes .*Deepfakes, Face2Face"):
        read_ffpp(ffpp, methods=["DeepFakes"])
