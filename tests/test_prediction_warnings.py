"""Each sentence comes when it should, and only then."""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
import pytest

from dfjax.config import CalibrationConfig, Config
from dfjax.faces.clips import FaceClip, FaceClips
from dfjax.prediction_warnings import prediction_warnings
from dfjax.video.info import VideoInfo
from dfjax.video.pictures import Colour
from dfjax.words import translated

CONFIG = Config()
NUM_FRAMES = 10


def _read(
    *, faces: int = 1, side: int = 200, is_still: bool = False, num_blurred: int = 0
) -> FaceClips:
    frames = 1 if is_still else NUM_FRAMES
    clip = FaceClip(
        track_id=0,
        frame_indices=np.arange(frames),
        frames=np.zeros((frames, 8, 8, 3), np.uint8),
        boxes_xyxy=np.tile([10, 10, 10 + side, 10 + side], (frames, 1)),
        landmarks=np.zeros((frames, 5, 2), np.float32),
    )
    info = VideoInfo(
        name="clip.mp4",
        duration=0.0 if is_still else 4.0,
        fps=25.0,
        width=1280,
        height=720,
        is_still=is_still,
        container="mov",
        codec="h264",
    )
    return FaceClips(
        info=info,
        timestamps=np.arange(frames) / 2,
        bursts=np.arange(frames),
        clips=(clip,) * faces,
        decode_seconds=0.0,
        face_seconds=0.0,
        num_blurred=num_blurred,
    )


def _crowded(read: FaceClips) -> FaceClips:
    return dataclasses.replace(read, is_crowded=True)


def _seldom(read: FaceClips) -> FaceClips:
    return dataclasses.replace(read, timestamps=read.timestamps + 8.5 * (read.timestamps > 2))


def _turned(read: FaceClips) -> FaceClips:
    return dataclasses.replace(read, is_turned=True)


def _looked_at(read: FaceClips, times: Sequence[float]) -> FaceClips:
    return dataclasses.replace(read, timestamps=np.array(times))


def _with_gaps(first: float, second: float) -> FaceClips:
    return _looked_at(_read(), np.cumsum([0.0, 0.04, first, second, *[0.04] * 6]).tolist())


def _with_sizes(*sizes: tuple[int, int]) -> FaceClips:
    """With a face that is as wide and as high as named in each frame."""
    read = _read()
    boxes = np.array([[0, 0, width, height] for width, height in sizes])
    return dataclasses.replace(read, clips=(dataclasses.replace(read.clips[0], boxes_xyxy=boxes),))


def _of_width(read: FaceClips, width: int) -> FaceClips:
    return dataclasses.replace(read, info=dataclasses.replace(read.info, width=width))


def _with_faces_in(read: FaceClips, num_frames: int) -> FaceClips:
    return dataclasses.replace(read, num_with_face=num_frames)


def test_of_a_plain_video_there_is_nothing_to_say():
    assert prediction_warnings(_read(), NUM_FRAMES, CONFIG) == ()


@pytest.mark.parametrize(
    ("read", "frames_scored", "sentence"),
    [
        (_read(is_still=True), 1, "single picture"),
        (_read(faces=0), 0, "nothing was judged.*smaller than 48 pixels"),
        (_read(faces=0), 0, "looked at once, also"),
        (_of_width(_read(faces=0), 1290), 0, "smaller than 49 pixels"),
        (_looked_at(_read(faces=0), [0, 0.6, 10.6, 12]), 0, "at 4 times, up to 10 s apart"),
        (_seldom(_read(faces=0)), 0, "looked at 2 times, up to 11 s apart, also"),
        (_read(), 4, "in only 4 of 10 frames"),
        (_turned(_read()), NUM_FRAMES, "lies on its side"),
        (_with_gaps(6.6, 1.0), NUM_FRAMES, "Up to 7 seconds of the video lie between"),
        (_read(side=63), NUM_FRAMES, "faces are small"),
        (_with_sizes(*[(100, 63)] * 10), NUM_FRAMES, "faces are small"),
        (_read(num_blurred=2), NUM_FRAMES, "too blurred to judge were left out: 2"),
        (_crowded(_read(faces=8)), NUM_FRAMES, "many faces; only the 8 most prominent"),
        (_crowded(_read(faces=7, num_blurred=1)), NUM_FRAMES, "only the 8 most prominent"),
        (_with_faces_in(_read(), 4), 2, "in only 4 of 10 frames"),
    ],
)
def test_what_limits_a_verdict_is_said(read, frames_scored, sentence):
    found = prediction_warnings(read, frames_scored, CONFIG)
    assert any(re.search(sentence, warning) for warning in found)
    assert all(translated(warning) for warning in found), "the page has no translation of it"


@pytest.mark.parametrize(
    ("read", "frames_scored"),
    [
        (_read(), 5),
        (_with_faces_in(_read(), 5), 2),
        (_with_gaps(5.9, 1.0), NUM_FRAMES),
        (_with_gaps(0.6, 1.0), NUM_FRAMES),
        (_read(side=64), NUM_FRAMES),
        (_with_sizes(*[(50, 64)] * 10), NUM_FRAMES),
        (_with_sizes(*[(99, 99)] * 6, *[(20, 20)] * 4), NUM_FRAMES),
        (_read(faces=8), NUM_FRAMES),
    ],
)
def test_at_the_limit_nothing_is_said(read, frames_scored):
    assert prediction_warnings(read, frames_scored, CONFIG) == ()


def test_that_a_picture_was_turned_is_all_there_is_to_say_of_it():
    (warning,) = prediction_warnings(_turned(_read()), NUM_FRAMES, CONFIG)
    assert "lies on its side" in warning


def test_the_models_caveat_comes_before_what_is_said_of_the_faces():
    calibration = CalibrationConfig(caveat="It was only tried on mice.")
    config = dataclasses.replace(CONFIG, calibration=calibration)
    first, second = prediction_warnings(_read(side=20), NUM_FRAMES, config)
    assert first == "It was only tried on mice." and "small" in second


@pytest.mark.parametrize("faces", [0, 1])
@pytest.mark.parametrize(
    ("of_file", "sentence"),
    [
        ({"is_cut_off": True}, "cut off.* only the 4.0 seconds"),
        ({"other_streams": ("number 1 (h264, 64x48)",)}, r"stream number 1 \(h264, 64x48\)\. "),
        ({"other_streams": tuple("abcde")}, r"stream a, b, c, \+2\. "),
        ({"is_disabled": True}, "not to be shown"),
        ({"is_fitted": True}, "a frame of 1280x720 pixels"),
    ],
)
def test_what_a_reader_must_know_of_the_file_is_said_with_and_without_a_face(
    faces, of_file, sentence
):
    read = _read(faces=faces)
    read = dataclasses.replace(read, info=dataclasses.replace(read.info, **of_file))
    found = prediction_warnings(read, NUM_FRAMES, CONFIG)
    assert sum(bool(re.search(sentence, warning)) for warning in found) == 1
    assert all(translated(warning) for warning in found)


def test_damage_is_said_and_not_twice_of_a_file_that_was_cut_off():
    damaged = dataclasses.replace(_read(), is_damaged=True)
    (warning,) = prediction_warnings(damaged, NUM_FRAMES, CONFIG)
    assert "damaged in places" in warning and translated(warning)
    cut_off = dataclasses.replace(damaged.info, is_cut_off=True)
    (warning,) = prediction_warnings(dataclasses.replace(damaged, info=cut_off), NUM_FRAMES, CONFIG)
    assert "cut off" in warning


def test_hdr_that_cannot_be_converted_is_said(monkeypatch):
    read = _read()
    colour = Colour(transfer="arib-std-b67")
    read = dataclasses.replace(read, info=dataclasses.replace(read.info, colour=colour))
    assert prediction_warnings(read, NUM_FRAMES, CONFIG) == ()
    monkeypatch.setattr("dfjax.prediction_warnings.can_convert_hdr", lambda: False)
    (warning,) = prediction_warnings(read, NUM_FRAMES, CONFIG)
    assert "HDR" in warning and "zscale" in warning and translated(warning)
