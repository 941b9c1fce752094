import dataclasses
import errno
import json
import shutil
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image

from dfjax.config import Config, CropConfig, VideoConfig
from dfjax.data import prepare as prepare_module
from dfjax.data import rows as rows_module
from dfjax.data.clip_row import FEATURES
from dfjax.data.prepare import prepare
from dfjax.data.prepared import load_manifest, load_report, open_rows, read_clips, split_names
from dfjax.data.rows import NO_FACE, CodecConfig
from dfjax.data.sources import read_source
from dfjax.data.sources.ffpp import read_ffpp
from dfjax.errors import DatasetError, DfjaxError
from dfjax.faces.clips import read_face_clips
from dfjax.faces.detection import FaceDetector
from dfjax.files import only_here
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
def prepared(root, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("prepared") / "set"
    prepare(read_ffpp(root), out, CONFIG)
    return out


def only(clips, video: str):
    (clip,) = [clip for clip in clips if clip.video == video]
    return clip


def test_the_crop_of_the_app_and_of_training_is_the_same_bit_for_bit(root, prepared, face_detector):
    clip = only(read_clips(str(prepared), "train"), "ffpp/youtube/c23/000")
    video = root / "original_sequences/youtube/c23/videos/000.mp4"
    (seen_by_app,) = read_face_clips(video, CONFIG, face_detector).clips
    np.testing.assert_array_equal(clip.frames, seen_by_app.frames)
    np.testing.assert_array_equal(clip.frame_indices, seen_by_app.frame_indices)
    np.testing.assert_array_equal(clip.boxes_xyxy, seen_by_app.boxes_xyxy)
    np.testing.assert_array_equal(clip.landmarks, seen_by_app.landmarks)


def test_a_folder_of_an_older_version_which_held_limits_too_is_continued(root, prepared, tmp_path):
    older = tmp_path / "older"
    shutil.copytree(prepared, older)
    manifest = json.loads((older / "dfjax.json").read_text())
    manifest["config"]["video"] |= {"max_file_bytes": 2**31, "max_decode_seconds": 120.0}
    (older / "dfjax.json").write_text(json.dumps(manifest))
    report = prepare(read_source("ffpp", root), older, CONFIG)
    assert report == load_report(str(prepared))
    manifest["config"]["video"]["num_frames"] += 1
    (older / "dfjax.json").write_text(json.dumps(manifest))
    with pytest.raises(DatasetError, match="another config|a different config"):
        prepare(read_source("ffpp", root), older, CONFIG)


@pytest.mark.parametrize(
    "changed",
    [
        {"original_id": "011"},
        {"source_ids": ("somebody",)},
        {"attributes": {"light": "dark"}},
        {"is_crop": True},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_folder_whose_videos_are_described_anew_is_refused(root, prepared, tmp_path, changed):
    copy = tmp_path / "copy"
    shutil.copytree(prepared, copy)
    source = read_source("ffpp", root)
    assert prepare(source, copy, CONFIG) == load_report(str(prepared))
    videos = (dataclasses.replace(source.videos[0], **changed), *source.videos[1:])
    with pytest.raises(DatasetError, match="other metadata"):
        prepare(dataclasses.replace(source, videos=videos), copy, CONFIG)


def test_a_folder_with_crops_of_another_version_is_refused(root, prepared, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(prepared, copy)
    monkeypatch.setattr(prepare_module, "CROPS_VERSION", prepare_module.CROPS_VERSION + 1)
    with pytest.raises(DatasetError, match="a version of dfjax that makes other crops"):
        prepare(read_source("ffpp", root), copy, CONFIG)


def test_a_folder_is_continued_whose_crops_differ_in_rare_files_only(root, prepared, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(prepared, copy)
    manifest = json.loads((copy / "dfjax.json").read_text())
    assert manifest["crops_version"] == prepare_module.CROPS_VERSION > 1
    (copy / "dfjax.json").write_text(json.dumps({**manifest, "crops_version": 1}))
    assert prepare(read_source("ffpp", root), copy, CONFIG) == load_report(str(prepared))
    assert load_manifest(str(copy))["crops_version"] == 1


def test_a_folder_in_which_another_process_works_is_left_to_it(root, prepared):
    before = contents(prepared)
    with only_here(prepared), pytest.raises(DfjaxError, match="Another process is working in"):
        prepare(read_ffpp(root), prepared, CONFIG)
    assert contents(prepared) == before
    prepare(read_ffpp(root), prepared, CONFIG)


def test_a_folder_of_an_older_version_which_noted_no_metadata_is_continued(
    root, prepared, tmp_path
):
    older = tmp_path / "older"
    shutil.copytree(prepared, older)
    manifest = json.loads((older / "dfjax.json").read_text())
    del manifest["metadata"], manifest["crops_version"]
    (older / "dfjax.json").write_text(json.dumps(manifest))
    assert prepare(read_source("ffpp", root), older, CONFIG) == load_report(str(prepared))
    assert load_manifest(str(older))["fingerprint"] == manifest["fingerprint"]


def test_labels_are_those_of_the_folders_whatever_order_the_names_have(prepared):
    labels = {
        c.video: c.is_fake
        for split in split_names(prepared)
        for c in read_clips(str(prepared), split)
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
    expected = {c.video: c.is_fake for c in read_clips(str(prepared), "train")}
    assert {c.video: c.is_fake for c in read_clips(str(tmp_path), "train")} == expected


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
    assert (fake["original_id"], fake["attributes"]) == ("000", "{}")
    assert (fake["width"], fake["height"], fake["num_frames"]) == (480, 360, 4)
    assert (fake["fps"], fake["duration"]) == (pytest.approx(25), pytest.approx(8 / 25))
    assert rows["train"].features == FEATURES


def test_the_report_names_what_gave_no_clip_and_why(prepared):
    report = load_report(str(prepared))
    assert report["missing"] == ["ffpp/Deepfakes/c23/011_010"]
    validation, train = report["splits"]["validation"], report["splits"]["train"]
    assert validation["skipped"] == {
        "ffpp/youtube/c23/011": {
            "reason": NO_FACE,
            "is_fake": False,
            "method": "youtube",
            "group": "010_011",
            "may_pass": False,
        }
    }
    counts = [validation[name] for name in ("videos", "clips", "faces", "no_face", "unreadable")]
    assert counts == [3, 2, 8, 1, 0]
    assert list(train["skipped"]) == ["ffpp/Deepfakes/c23/003_000"]
    assert train["skipped"]["ffpp/Deepfakes/c23/003_000"]["is_fake"]
    assert train["unreadable"] == 1


def test_what_a_source_left_out_is_counted_by_reason(tmp_path):
    """Of Celeb-DF, in small: everybody who is in a test video."""
    names = ("Celeb-real/id0_0000", "Celeb-real/id0_0001", "Celeb-real/id1_0000")
    for name in names:
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(tmp_path / "set" / f"{name}.mp4", moving_pattern(4))
    (tmp_path / "set" / "List_of_testing_videos.txt").write_text("1 Celeb-real/id0_0000.mp4\n")
    report = prepare(read_source("celebdf", tmp_path / "set"), tmp_path / "out", CONFIG)
    assert report["dropped"] == {
        "shows a person from the test split": {
            "count": 1,
            "videos": ["celebdf/Celeb-real/original/id0_0001"],
        }
    }
    assert "1 videos were left out: shows a person" in (tmp_path / "out/README.md").read_text()


def test_a_file_that_brings_a_decoder_down_does_not_end_the_run(root, tmp_path, monkeypatch):
    def fail(path, *arguments):
        if Path(path).name == "010.mp4":
            raise RuntimeError(f"assertion failed in {path}")
        return read_face_clips(path, *arguments)

    monkeypatch.setattr(rows_module, "read_face_clips", fail)
    report = prepare(read_ffpp(root, methods=[]), tmp_path / "set", CONFIG)
    skipped = report["splits"]["validation"]["skipped"]["ffpp/youtube/c23/010"]
    assert skipped["reason"] == "reading it raised RuntimeError"
    assert report["splits"]["train"]["clips"] == 2


def test_an_interrupted_run_goes_on_where_it_was(root, prepared, tmp_path, monkeypatch):
    """Stopped in its second shard, it makes that one and no other again."""
    source, read = read_ffpp(root), []

    def read_and_stop(path, *arguments):
        read.append(Path(path).name)
        if len(read) == stop_after:
            raise KeyboardInterrupt
        return read_face_clips(path, *arguments)

    monkeypatch.setattr(rows_module, "read_face_clips", read_and_stop)
    stop_after = 6  # four training videos make the first shard
    with pytest.raises(KeyboardInterrupt):
        prepare(source, tmp_path / "set", CONFIG)
    read.clear()
    stop_after = None
    report = prepare(source, tmp_path / "set", CONFIG)
    assert sorted(read) == ["010.mp4", "010_011.mp4", "011.mp4"]
    assert report == load_report(str(tmp_path / "set")) == load_report(str(prepared))


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def test_a_finished_folder_is_not_made_again(root, prepared, tmp_path, monkeypatch):
    shutil.copytree(prepared, tmp_path / "copy")

    def read(videos, *_, **__):
        assert not list(videos)
        yield from ()

    monkeypatch.setattr(prepare_module, "read_in_order", read)
    assert prepare(read_ffpp(root), tmp_path / "copy", CONFIG) == load_report(str(prepared))
    assert contents(tmp_path / "copy") == contents(prepared)


def test_a_file_that_was_away_is_read_by_the_next_run_and_a_damaged_one_is_not(
    root, prepared, tmp_path, monkeypatch
):
    read = []

    def fail(path, *arguments):
        read.append(Path(path).name)
        if Path(path).name == "010.mp4" and is_away:
            raise OSError(errno.EIO, "Input/output error")
        return read_face_clips(path, *arguments)

    monkeypatch.setattr(rows_module, "read_face_clips", fail)
    is_away = True
    report = prepare(read_ffpp(root), tmp_path / "set", CONFIG)
    skipped = report["splits"]["validation"]["skipped"]
    assert skipped["ffpp/youtube/c23/010"]["may_pass"]
    is_away = False
    read.clear()
    assert prepare(read_ffpp(root), tmp_path / "set", CONFIG) == load_report(str(prepared))
    assert sorted(read) == ["010.mp4", "010_011.mp4", "011.mp4"]  # and not 003_000.mp4
    assert contents(tmp_path / "set") == contents(prepared)


def test_a_full_disk_ends_the_run(root, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rows_module, "transcode", fail)
    with pytest.raises(OSError, match="No space left"):
        prepare(read_ffpp(root), tmp_path / "set", CONFIG, codec=CodecConfig(variants=1))


def test_a_shard_that_is_gone_is_made_again(root, prepared, tmp_path):
    shutil.copytree(prepared, tmp_path / "copy")
    (tmp_path / "copy/data/validation-00000-of-00001.parquet").unlink()
    assert prepare(read_ffpp(root), tmp_path / "copy", CONFIG) == load_report(str(prepared))
    assert contents(tmp_path / "copy") == contents(prepared)


@pytest.mark.parametrize(
    "options, config",
    [({}, Config()), ({"methods": ["Deepfakes"]}, CONFIG)],
    ids=["config", "options of the source"],
)
def test_what_was_made_otherwise_is_not_mixed_into_a_folder(root, prepared, options, config):
    with pytest.raises(DatasetError, match="another config"):
        prepare(read_ffpp(root, **options), prepared, config)


def test_a_folder_with_other_files_is_left_alone(root, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DatasetError, match="other files"):
        prepare(read_ffpp(root), tmp_path, CONFIG)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_the_place_of_the_folder_is_refused(root, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="file is a file. Name a new folder"):
        prepare(read_ffpp(root), tmp_path / "file", CONFIG)


def test_a_manifest_that_a_kill_cut_off_does_not_stand_in_the_way(root, prepared, tmp_path):
    (tmp_path / "dfjax.json.unfinished").write_text('{"sou')
    shutil.copytree(prepared / "data", tmp_path / "later" / "data")
    shutil.copytree(prepared / "outcomes", tmp_path / "later" / "outcomes")
    with pytest.raises(DatasetError, match="other files"):
        prepare(read_ffpp(root), tmp_path, CONFIG)
    shutil.rmtree(tmp_path / "later")
    assert prepare(read_ffpp(root), tmp_path, CONFIG) == load_report(str(prepared))


def test_a_split_that_is_absent_is_named_with_those_that_are_there(prepared):
    with pytest.raises(DatasetError, match=r"'test'.*train.*validation"):
        next(read_clips(str(prepared), "test"))


def test_a_split_without_a_face_does_not_stand_in_the_way_of_the_others(tmp_path):
    for split, frames in (("train", portrait_frames(2)), ("val", moving_pattern(2))):
        (tmp_path / "set" / split / "real").mkdir(parents=True)
        write_video(tmp_path / "set" / split / "real" / "a.mp4", frames)
    prepare(read_source("folder", tmp_path / "set"), tmp_path / "out", CONFIG)
    rows = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows[split]) for split in rows} == {"train": 1}
    with pytest.raises(DatasetError, match="has no clip in the split 'validation'"):
        open_rows(str(tmp_path / "out"), "validation")
    assert list(read_clips(str(tmp_path / "out"), "validation")) == []


def test_a_folder_that_was_not_prepared_says_what_to_run(tmp_path):
    with pytest.raises(DatasetError, match="dfjax prepare"):
        load_report(str(tmp_path))


def test_the_manifest_holds_the_config_that_made_the_clips(prepared):
    manifest = json.loads((prepared / "dfjax.json").read_text())
    assert Config.from_dict(manifest["config"]) == CONFIG


def test_a_parquet_file_alone_says_how_its_clips_were_made(prepared, tmp_path):
    file = shutil.copy(prepared / "data" / "train-00000-of-00001.parquet", tmp_path)
    assert Config.from_dict(load_manifest(str(file))["config"]) == CONFIG


def test_the_manifest_says_from_what_the_clips_were_made_and_nothing_tells_where_that_was(
    root, prepared
):
    manifest = json.loads((prepared / "dfjax.json").read_text())
    assert manifest["source"]["name"] == "ffpp"
    assert manifest["source"]["options"]["compressions"] == ["c23"]
    written = [path for path in prepared.rglob("*") if path.is_file()]
    assert {path.suffix for path in written} == {".json", ".md", ".parquet"}
    assert not any(str(root).encode() in path.read_bytes() for path in written)


# Stills


@pytest.fixture(scope="module")
def stills(tmp_path_factory) -> Path:
    """A real portrait in a folder of one's own, and one that is a face crop already."""
    folder = tmp_path_factory.mktemp("stills")
    (folder / "real").mkdir()
    portrait = portrait_frames(1)[0]
    Image.fromarray(portrait).save(folder / "real" / "portrait.png")
    Image.fromarray(moving_pattern(1, 90, 90)[0]).save(folder / "pattern.png")
    Image.fromarray(portrait[20:260, 100:340]).save(folder / "crop.png")
    Image.fromarray(portrait).save(folder / "wide.png")
    return folder


def test_a_still_is_a_clip_of_one_frame_without_duration(stills, tmp_path):
    prepare(read_source("folder", stills, name="mine"), tmp_path / "set", CONFIG)
    (clip,) = read_clips(str(tmp_path / "set"), "train")
    assert clip.video == "mine/real/original/portrait.png"
    assert (clip.num_frames, clip.fps, clip.duration) == (1, 0.0, 0.0)
    assert clip.frames.shape == (1, 48, 48, 3)
    assert clip.timestamps.tolist() == [0.0]


@pytest.fixture(scope="module")
def crops(stills, tmp_path_factory) -> Path:
    """What is prepared of pictures that are taken for face crops."""
    folder = tmp_path_factory.mktemp("prepared_crops")
    faces = folder / "faces"
    (faces / "faces_224").mkdir(parents=True)
    lines = ["videoname,original_width,original_height,label,original"]
    for name in ("crop", "pattern", "wide"):
        Image.open(stills / f"{name}.png").save(faces / "faces_224" / f"{name}.jpg", quality=95)
        lines.append(f"{name}.mp4,240,240,REAL,")
    (faces / "metadata.csv").write_text("\n".join(lines))
    (faces / "val_sources.txt").touch()
    prepare(read_source("dfdc-faces", faces), folder / "crops", CONFIG)
    return folder / "crops"


def test_a_picture_that_a_face_fills_becomes_the_crop_that_the_app_scores(crops, face_detector):
    clips = {clip.video_id: clip for clip in read_clips(str(crops), "train")}
    assert clips.keys() == {"crop", "wide"}
    folder = crops.parent / "faces" / "faces_224"
    for name, clip in clips.items():
        (seen_by_app,) = read_face_clips(folder / f"{name}.jpg", CONFIG, face_detector).clips
        np.testing.assert_array_equal(clip.frames, seen_by_app.frames)
        np.testing.assert_array_equal(clip.landmarks, seen_by_app.landmarks)
        np.testing.assert_array_equal(clip.boxes_xyxy, seen_by_app.boxes_xyxy)


def test_a_tight_crop_and_a_wide_picture_show_a_face_at_the_same_place_and_size(crops):
    tight, wide = read_clips(str(crops), "train")
    assert (tight.num_frames, tight.width, tight.height) == (1, 240, 240)
    np.testing.assert_allclose(tight.landmarks, wide.landmarks, atol=1.5)
    difference = np.abs(tight.frames[0].astype(int) - wide.frames[0])
    assert np.median(difference[8:-8, 8:-8]) <= 6


def test_of_a_face_crop_only_the_largest_face_has_the_label(tmp_path, face_detector):
    portrait = portrait_frames(1)[0][20:260, 100:340]
    two = np.zeros((360, 480, 3), np.uint8)
    two[:240, :240], two[240:, 360:] = portrait, portrait[::2, ::2]
    (faces,) = face_detector.detect([two])
    assert len(faces.boxes_xyxy) == 2
    (tmp_path / "faces_224").mkdir()
    Image.fromarray(two).save(tmp_path / "faces_224" / "two.jpg", quality=95)
    lines = "videoname,original_width,original_height,label,original\ntwo.mp4,480,360,REAL,\n"
    (tmp_path / "metadata.csv").write_text(lines)
    (tmp_path / "val_sources.txt").touch()
    prepare(read_source("dfdc-faces", tmp_path), tmp_path / "set", CONFIG)
    (clip,) = read_clips(str(tmp_path / "set"), "train")
    assert clip.boxes_xyxy[0, 2] < 300


def test_a_crop_without_a_face_is_left_out_and_told(crops):
    skipped = load_report(str(crops))["splits"]["train"]["skipped"]
    assert skipped.keys() == {"dfdc-faces/real/jpeg/pattern"}
    assert skipped["dfdc-faces/real/jpeg/pattern"]["reason"] == NO_FACE
