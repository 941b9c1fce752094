"""Where pictures of a video differ in size, the smaller ones are shown enlarged."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from dfjax.config import Config, CropConfig, VideoConfig
from dfjax.faces.clips import FaceClip, read_face_clips
from dfjax.faces.detection import FaceDetector
from dfjax.faces.long_video import LongVideo
from dfjax.faces.voting import left_out
from dfjax.video.reading import probe
from tests.videos import moving_pattern, portrait_frames, run_ffmpeg, write_video

CONFIG = Config(video=VideoConfig(num_frames=8, burst_frames=4), crops=CropConfig(image_size=64))


def _joined(folder: Path, parts: list[np.ndarray]) -> Path:
    """Writes parts of different sizes, at five frames a second, into one video."""
    names = [f"{n}.webm" for n in range(len(parts))]
    for name, frames in zip(names, parts, strict=True):
        write_video(folder / name, frames, 5, codec="libvpx", arguments=["-b:v", "1M"])
    (folder / "list").write_text("".join(f"file {name}\n" for name in names))
    run_ffmpeg("-f", "concat", "-i", folder / "list", "-c", "copy", folder / "joined.webm")
    return folder / "joined.webm"


def _clip(height: int) -> FaceClip:
    return FaceClip(
        track_id=0,
        frame_indices=np.arange(8),
        frames=np.zeros((8, 8, 8, 3), np.uint8),
        boxes_xyxy=np.tile([0, 0, height, height], (8, 1)),
        landmarks=np.zeros((8, 5, 2), np.float32),
    )


def test_a_face_is_small_by_the_pixels_that_were_recorded():
    clips = [_clip(100), _clip(100), _clip(31)]
    assert left_out(clips, scales=[None, np.full(8, 4.0), np.ones(8)]) == [None, "small", "small"]
    mostly = np.array([4.0] * 3 + [1.0] * 5)
    assert left_out(clips, scales=[None, mostly, None]) == [None, None, "small"]


@pytest.mark.parametrize("way", ["at once", "look by look"])
def test_a_face_says_how_much_its_picture_is_enlarged(tmp_path, way):
    wide, small = portrait_frames(40, (240, 320)), portrait_frames(40, (120, 160))
    path, detector = _joined(tmp_path, [wide, small]), FaceDetector()
    if way == "at once":
        read = read_face_clips(path, CONFIG, detector)
    else:
        plan = VideoConfig(num_frames=16, burst_frames=4)
        video = LongVideo(path, CONFIG, detector, plan, info=probe(path))
        video.look_around(lambda fraction, stage: None)
        read = video.clips()
    (clip,) = read.clips
    assert clip.scales is not None
    times = read.timestamps[clip.frame_indices]
    assert clip.scales.tolist() == [2.0 if time >= 8 else 1.0 for time in times.tolist()]
    assert {1.0, 2.0} == set(clip.scales.tolist())


def test_a_video_of_one_size_enlarges_nothing(tmp_path):
    path = write_video(tmp_path / "one.mp4", portrait_frames(8, (240, 320)), 5)
    (clip,) = read_face_clips(path, CONFIG, FaceDetector()).clips
    assert clip.scales is None


def test_a_size_that_only_a_closer_look_shows_counts_for_all_looks(tmp_path):
    small, large = moving_pattern(315, 48, 64), moving_pattern(15, 96, 128)
    path = _joined(tmp_path, [small, large, small[:285]])
    plan = VideoConfig(num_frames=32, burst_frames=2)
    video = LongVideo(path, CONFIG, FaceDetector(), plan, info=probe(path))
    video.look_around(lambda fraction, stage: None)
    before = video.clips()
    assert not before.info.is_fitted and (before.info.height, before.info.width) == (48, 64)
    assert video.look_closer(np.array([63.0]), lambda fraction, stage: None)
    after = video.clips()
    assert after.info.is_fitted and (after.info.height, after.info.width) == (96, 128)
    new = np.setdiff1d(after.timestamps, before.timestamps)
    assert len(new) == 8 and len(after.timestamps) == len(before.timestamps) + len(new)
    # All were read again: the bursts of the first look, two frames each, keep their numbers.
    known = np.isin(after.timestamps, before.timestamps)
    assert after.bursts[known].tolist() == (np.arange(len(before.timestamps)) // 2).tolist()
    assert not video.look_closer(np.array([30.0]), lambda fraction, stage: None)


def test_no_crop_is_left_of_a_reading_in_which_pictures_were_stretched(tmp_path):
    """Crops are made while a file is read, and it may turn out late that pictures differ."""
    wide, high = portrait_frames(80, (240, 320)), portrait_frames(80, (320, 240))
    path, detector, given = _joined(tmp_path, [wide, high]), FaceDetector(), []
    config = dataclasses.replace(CONFIG, video=VideoConfig(num_frames=32, burst_frames=4))
    read = read_face_clips(path, config, detector, on_crops=given.extend)
    assert not probe(path).is_fitted and read.info.is_fitted
    known = read_face_clips(path, config, detector, info=read.info)
    assert len(read.clips) == len(known.clips) == 2
    for clip, of_known in zip(read.clips, known.clips, strict=True):
        np.testing.assert_array_equal(clip.frames, of_known.frames)
    final = {crop.tobytes() for clip in read.clips for crop in clip.frames}
    assert 0 < len(final & {crop.pixels.tobytes() for crop in given})
