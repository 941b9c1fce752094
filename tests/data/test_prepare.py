import json
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from dfjax.config import Config, CropConfig, VideoConfig
from dfjax.data import prepare as prepare_module
from dfjax.data.prepare import NO_FACE, prepare
from dfjax.data.prepared import load_report, read_clips, split_names
from dfjax.data.sources import read_ffpp
from dfjax.errors import DatasetError
from dfjax.media.clips import read_face_clips
from dfjax.media.faces import FaceDetector
from tests.videos import moving_pattern, portrait_frames, write_video

CONFIG = Config(video=VideoConfig(num_frames=4), crops=CropConfig(image_size=48))


@pytest.fixture(scope="module")
def face_detector() -> FaceDetector:
    return FaceDetector(CONFIG.faces)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FaceForensics++ in small: a portrait each, one video without a face and one damaged file."""
    root = tmp_path_factory.mktemp("ffpp")
    (root / "splits").mkdir()
    (root / "splits" / "train.json").write_text('[["000", "003"]]')
    (root / "splits" / "val.json").write_text('[["010", "011"]]')
    real = root / "original_sequences/youtube/c23/videos"
    fake = root / "manipulated_sequences/Deepfakes/c23/videos"
    real.mkdir(parents=True)
    fake.mkdir(parents=True)
    portrait = write_video(real / "000.mp4", portrait_frames(8))
    for path in (real / "003.mp4", real / "010.mp4", fake / "000_003.mp4", fake / "010_011.mp4"):
        path.write_bytes(portrait.read_bytes())
    write_video(real / "011.mp4", moving_pattern(8))
    (fake / "003_000.mp4").write_text("this is not a video")
    return root


@pytest.fixture(scope="module")
def prepared(root, face_detector, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("prepared") / "set"
    prepare(read_ffpp(root), out, CONFIG, face_detector)
    return out


def test_the_crop_of_the_app_and_of_training_is_the_same_bit_for_bit(root, prepared, face_detector):
    (clip,) = [c for c in read_clips(prepared, "train") if c.video == "ffpp/youtube/c23/000"]
    video = root / "original_sequences/youtube/c23/videos/000.mp4"
    (seen_by_app,) = read_face_clips(video, CONFIG, face_detector).clips
    np.testing.assert_array_equal(clip.frames, seen_by_app.frames)
    np.testing.assert_array_equal(clip.frame_indices, seen_by_app.frame_indices)
    np.testing.assert_array_equal(clip.boxes_xyxy, seen_by_app.boxes_xyxy)


def test_labels_are_those_of_the_folders_whatever_order_the_names_have(prepared):
    labels = {
        c.video: c.is_fake for split in split_names(prepared) for c in read_clips(prepared, split)
    }
    assert labels == {
        "ffpp/youtube/c23/000": 0,
        "ffpp/youtube/c23/003": 0,
        "ffpp/Deepfakes/c23/000_003": 1,
        "ffpp/youtube/c23/010": 0,
        "ffpp/Deepfakes/c23/010_011": 1,
    }


def test_a_label_column_in_the_other_order_is_read_by_name(prepared, tmp_path):
    rows = datasets.load_dataset("parquet", data_dir=str(prepared / "data"), split="train")
    names = ["fake", "real"]
    turned = rows.map(lambda row: {"label": 1 - row["label"]}).cast_column(
        "label", datasets.ClassLabel(names=names)
    )
    (tmp_path / "data").mkdir()
    turned.to_parquet(tmp_path / "data" / "train-00000-of-00001.parquet")
    expected = {c.video: c.is_fake for c in read_clips(prepared, "train")}
    assert {c.video: c.is_fake for c in read_clips(tmp_path, "train")} == expected


def test_load_dataset_reads_the_folder_with_its_splits_and_types(prepared, tmp_path):
    rows = datasets.load_dataset(str(prepared), cache_dir=str(tmp_path))
    assert {split: len(rows[split]) for split in rows} == {"train": 3, "validation": 2}
    assert rows["train"].features["label"].names == ["real", "fake"]
    train: Any = rows["train"]
    first = train[0]
    assert len(first["frames"]) == len(first["timestamps"]) == len(first["boxes_xyxy"]) == 4
    assert first["frames"][0].size == (48, 48)
    fake = next(row for row in train if row["method"] == "Deepfakes")
    assert (fake["source_ids"], fake["group"], fake["split"]) == (
        ["000", "003"],
        "000_003",
        "train",
    )


def test_the_report_names_what_gave_no_clip_and_why(prepared):
    report = load_report(prepared)
    assert report["missing"] == ["ffpp/Deepfakes/c23/011_010"]
    validation, train = report["splits"]["validation"], report["splits"]["train"]
    assert validation["skipped"] == {"ffpp/youtube/c23/011": NO_FACE}
    assert (validation["videos"], validation["clips"], validation["no_face"]) == (3, 2, 1)
    assert list(train["skipped"]) == ["ffpp/Deepfakes/c23/003_000"]
    assert train["unreadable"] == 1


def test_an_interrupted_run_goes_on_where_it_was(
    root, prepared, face_detector, tmp_path, monkeypatch
):
    """Stopped in its second shard, it makes that one and no other again."""
    source, read = read_ffpp(root), []

    def read_and_stop(path, *arguments, **keywords):
        read.append(Path(path).name)
        if len(read) == stop_after:
            raise KeyboardInterrupt
        return read_face_clips(path, *arguments, **keywords)

    monkeypatch.setattr(prepare_module, "read_face_clips", read_and_stop)
    stop_after = 6  # four training videos make the first shard
    with pytest.raises(KeyboardInterrupt):
        prepare(source, tmp_path / "set", CONFIG, face_detector)
    read.clear()
    stop_after = None
    report = prepare(source, tmp_path / "set", CONFIG, face_detector)
    assert sorted(read) == ["010.mp4", "010_011.mp4", "011.mp4"]
    assert report == load_report(prepared)


def test_a_finished_folder_is_not_made_again(root, prepared, face_detector, monkeypatch):
    monkeypatch.setattr(prepare_module, "read_face_clips", None)
    assert prepare(read_ffpp(root), prepared, CONFIG, face_detector) == load_report(prepared)


def test_another_config_is_not_mixed_into_a_folder(root, prepared, face_detector):
    with pytest.raises(DatasetError, match="another config"):
        prepare(read_ffpp(root), prepared, Config(), face_detector)


def test_a_folder_with_other_files_is_left_alone(root, face_detector, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DatasetError, match="other files"):
        prepare(read_ffpp(root), tmp_path, CONFIG, face_detector)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_split_that_is_absent_is_named_with_those_that_are_there(prepared):
    with pytest.raises(DatasetError, match=r"'test'.*train.*validation"):
        next(read_clips(prepared, "test"))


def test_a_folder_that_was_not_prepared_says_what_to_run(tmp_path):
    with pytest.raises(DatasetError, match="dfjax prepare"):
        load_report(tmp_path)


def test_the_manifest_holds_the_config_that_made_the_clips(prepared):
    manifest = json.loads((prepared / "dfjax.json").read_text())
    assert Config.from_dict(manifest["config"]) == CONFIG
