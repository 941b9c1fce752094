import json
from pathlib import Path

import pytest

from dfjax.data.sources import read_ffpp
from dfjax.errors import DatasetError

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
            for name in ids:
                video = tmp_path / folder / "c23" / "videos" / f"{name}.mp4"
                video.parent.mkdir(parents=True, exist_ok=True)
                video.touch()
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


def test_no_identity_is_in_two_splits(ffpp):
    ids = {"train": set(), "validation": set()}
    for video in read_ffpp(ffpp).videos:
        ids[video.split] |= set(video.video_id.split("_"))
    assert ids["train"] and ids["validation"]
    assert not ids["train"] & ids["validation"]


def test_keys_are_unique_though_ids_repeat_over_methods(ffpp):
    videos = read_ffpp(ffpp).videos
    assert len({v.key for v in videos}) == len(videos) > len({v.video_id for v in videos})


def test_a_missing_file_is_named_and_not_fatal(ffpp):
    (ffpp / "manipulated_sequences/Deepfakes/c23/videos/003_000.mp4").unlink()
    source = read_ffpp(ffpp)
    assert source.missing == ("ffpp/Deepfakes/c23/003_000",)
    assert "ffpp/Deepfakes/c23/000_003" in {v.key for v in source.videos}


def test_a_compression_that_is_not_there_is_an_error_that_says_what_was_expected(ffpp):
    with pytest.raises(DatasetError, match="c40.*original_sequences/youtube/c40/videos"):
        read_ffpp(ffpp, compressions=["c40"])


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
