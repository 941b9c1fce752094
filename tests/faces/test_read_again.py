"""A video whose pictures are not like its first one is read again, and no other is."""

from collections.abc import Sequence

import numpy as np
import pytest

from dfjax.config import Config, CropConfig, VideoConfig
from dfjax.faces import long_video, searching
from dfjax.faces.clips import read_face_clips
from dfjax.faces.detection import FaceDetector, Faces
from dfjax.faces.long_video import LongVideo
from dfjax.faces.sampled import SampledFrames, sample_frames
from dfjax.video.decode import Findings
from dfjax.video.limits import VideoLimits
from dfjax.video.reading import probe
from tests.video.interlaced import FIELDS, film_and_air, interlaced_frames, teeth
from tests.videos import moving_pattern, write_video

CONFIG = Config(video=VideoConfig(num_frames=16, burst_frames=4), crops=CropConfig(image_size=64))


class OneFace(FaceDetector):
    """Finds a face at one place, and notes in which frames it looked."""

    def __init__(self):
        self.frames: list[np.ndarray] = []

    def detect(self, frames: Sequence[np.ndarray]) -> list[Faces]:
        self.frames += frames
        points = np.array([[[30, 60], [50, 60], [40, 70], [32, 80], [48, 80]]], np.float32)
        box = np.array([[20, 50, 60, 90]], np.float32)
        return [Faces(box, points, np.array([0.99])) for _ in frames]

    def refine(self, frames: Sequence[np.ndarray], places: Sequence[np.ndarray]) -> list[Faces]:
        del places
        return self.detect(frames)


@pytest.fixture(params=["film and air", "air", "film"])
def video(request, tmp_path):
    """Returns a file, and how often it must be read."""
    path = tmp_path / "video.ts"
    if request.param == "film and air":
        return film_and_air(path, "mpeg2video"), 2
    is_air = request.param == "air"
    frames = interlaced_frames() if is_air else moving_pattern(60, 96, 128)
    fields = FIELDS if is_air else []
    write_video(path, frames, codec="mpeg2video", arguments=["-q:v", "2", *fields])
    return path, 1


@pytest.mark.parametrize("is_begun", [True, False])
def test_a_short_video_is_judged_without_teeth(video, monkeypatch, is_begun):
    path, expected = video
    info, num_read, detector, sampled = probe(path), 0, OneFace(), None

    def counted(*given):
        nonlocal num_read
        num_read += 1
        return sample_frames(*given)

    monkeypatch.setattr(searching, "sample_frames", counted)
    if is_begun:
        sampled, num_read = SampledFrames(findings=Findings()), 1
        of_it = sample_frames(path, CONFIG.video, VideoLimits(), info, sampled.findings)
        sampled.frames += of_it
    read = read_face_clips(path, CONFIG, detector, info=info, sampled=sampled)
    assert num_read == expected
    assert len(detector.frames) == expected * 16 == expected * len(read.timestamps)
    assert max(map(teeth, detector.frames[-16:])) < 1.5
    assert read.info.is_interlaced == (info.is_interlaced or expected == 2)


def test_a_long_video_is_judged_without_teeth(video, monkeypatch):
    path, expected = video
    info, num_read, detector = probe(path), 0, OneFace()
    read_frames = long_video.read_frames

    def counted(*given, **named):
        nonlocal num_read
        num_read += 1
        return read_frames(*given, **named)

    monkeypatch.setattr(long_video, "read_frames", counted)
    plan = VideoConfig(num_frames=32, burst_frames=4)
    looks = LongVideo(path, CONFIG, detector, plan, info=info)
    looks.look_around(lambda fraction, stage: None)
    read = looks.clips()
    assert num_read == expected and len(read.timestamps) == 32
    assert max(map(teeth, detector.frames[-32:])) < 1.5
    assert read.info.is_interlaced == (info.is_interlaced or expected == 2)
    assert read.decode_seconds > 0
