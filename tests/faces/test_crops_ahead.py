"""Faces of a file are cropped while it is still being read, and come out the same."""

import dataclasses
import weakref
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dfjax.config import MAX_TRACKS, Config, CropConfig, TrackConfig, VideoConfig
from dfjax.faces import searching
from dfjax.faces.clips import FaceClips, face_clips, read_face_clips
from dfjax.faces.crops import crop_track
from dfjax.faces.detection import FaceDetector, Faces
from dfjax.faces.held_frames import (
    AheadCrop,
    Cropped,
    HeldFrames,
    Seen,
    crop_keys,
    every_face,
    likely_kept,
)
from dfjax.faces.long_video import LongVideo
from dfjax.faces.sampled import SampledFrame, sample_frames
from dfjax.faces.shots import colours
from dfjax.faces.tracks import link_faces
from dfjax.video.reading import probe, read_frames
from dfjax.video.sampling import plan_looks
from tests.faces.test_read_again import OneFace
from tests.videos import frame_number, moving_pattern, portrait_frames, write_video

CONFIG = Config(video=VideoConfig(num_frames=32, burst_frames=4), crops=CropConfig(image_size=64))


@pytest.fixture(scope="module")
def face_detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module", params=[12, 4])
def video(request, tmp_path_factory):
    """Two people for twelve seconds, so that bursts are apart, or for four."""
    turn = portrait_frames(50, num_faces=2)
    frames = (turn[n % 50 if n // 50 % 2 == 0 else 49 - n % 50] for n in range(25 * request.param))
    return write_video(tmp_path_factory.mktemp("people") / "two.mp4", frames, fps=25)


def _bursts(given: list[AheadCrop]) -> set[tuple[int, bytes]]:
    return {(burst, pixels.tobytes()) for burst, pixels in given}


def _bursts_of(read: FaceClips) -> set[tuple[int, bytes]]:
    return {
        (int(read.bursts[index]), crop.tobytes())
        for clip in read.clips
        for index, crop in zip(clip.frame_indices, clip.frames, strict=True)
    }


def _all_crops(read: FaceClips) -> set[bytes]:
    return {crop.tobytes() for clip in read.clips for crop in clip.frames}


def test_crops_that_are_made_while_a_file_is_read_are_those_of_all_its_frames(video, face_detector):
    given: list[AheadCrop] = []
    read = read_face_clips(video, CONFIG, face_detector, on_crops=given.extend)
    times, frames = zip(*read_frames(video, CONFIG.video), strict=True)
    together = face_clips(frames, np.array(times), CONFIG, face_detector)
    assert len(read.clips) == len(together.clips) == 2
    for ahead, later in zip(read.clips, together.clips, strict=True):
        np.testing.assert_array_equal(ahead.frame_indices, later.frame_indices)
        np.testing.assert_array_equal(ahead.frames, later.frames)
        np.testing.assert_array_equal(ahead.landmarks, later.landmarks)
    ahead = {crop.pixels.tobytes() for crop in given}
    assert ahead <= _all_crops(read)
    assert _bursts(given) <= _bursts_of(read)
    is_apart = read.info.duration > 8
    assert len(ahead) >= (48 if is_apart else 16)  # of 64


@pytest.mark.parametrize("shows_people", [True, False])
def test_frames_are_let_go_once_nothing_more_is_to_be_found_in_them(
    video, face_detector, monkeypatch, shows_people
):
    pictures: list[weakref.ref[np.ndarray]] = []
    most = 0

    def counted(*given):
        nonlocal most
        for frame in sample_frames(*given):
            pixels = frame.pixels if shows_people else np.zeros_like(frame.pixels)
            pictures.append(weakref.ref(pixels))
            most = max(most, sum(picture() is not None for picture in pictures))
            yield frame._replace(pixels=pixels)

    monkeypatch.setattr(searching, "sample_frames", counted)
    read = read_face_clips(video, CONFIG, face_detector)
    assert len(read.clips) == (2 if shows_people else 0)
    is_apart = read.info.duration > 8
    # Eight are worked on, and as many are read ahead. In a short video, those of the last second
    # are also held. Where nobody is found, all are kept, since they will be searched again.
    assert most <= (22 if is_apart else 30) if shows_people else most == 32


def test_a_long_video_gives_its_crops_while_it_is_read(video, face_detector):
    info, given = probe(video), []
    config = dataclasses.replace(CONFIG, video=VideoConfig(num_frames=8, burst_frames=4))
    plan = plan_looks(info.duration, config.video, "thorough")
    long = LongVideo(video, config, face_detector, plan, info=info, on_crops=given.extend)
    long.look_around(lambda fraction, stage: None)
    read = long.clips()
    assert len(read.clips) == 2 and _bursts(given) == _bursts_of(read)


def _at(*lefts: int) -> Faces:
    """Returns faces of 40 pixels at these places, from left to right."""
    boxes = np.array([[left, 20, left + 40, 60] for left in lefts], np.float32)
    eyes_and_mouth = np.array([[12, 14], [28, 14], [20, 22], [14, 30], [26, 30]], np.float32)
    return Faces(boxes, boxes[:, None, :2] + eyes_and_mouth, np.full(len(lefts), 0.99, np.float32))


def test_who_is_who_depends_on_all_looks_and_not_on_the_last_alone():
    """In the second look one of two people is missed at first, and then the other."""
    faces = [_at(100, 126)] * 4 + [_at(100), _at(126), _at(126), _at(126)]
    times = np.array([0.0, 0.04, 0.08, 0.12, 2.0, 2.04, 2.08, 2.12])
    frames = list(moving_pattern(8, 96, 256))
    seen = [
        Seen(found, colours(frame), (96, 256)) for found, frame in zip(faces, frames, strict=True)
    ]
    held, made = HeldFrames(CONFIG.crops, every_face(CONFIG.tracks)), {}
    for look, upcoming in ((slice(0, 4), 2.0), (slice(4, 8), np.inf)):
        held.add(list(zip(times[look].tolist(), frames[look], strict=True)), seen[look])
        made |= held.crop(upcoming)
        assert len(held) == 0
    tracks = link_faces(faces, times, CONFIG.tracks)
    assert [len(track.frame_indices) for track in tracks] == [5, 7]
    for track in tracks:
        pixels, is_there = crop_track(frames, track, times, CONFIG.crops)
        for key, expected in zip(crop_keys(track, times), pixels[is_there], strict=True):
            np.testing.assert_array_equal(made[key].pixels, expected)


def test_crops_are_made_of_all_that_may_turn_out_to_be_a_face_that_is_kept():
    """Of brief and doubtful ones, and in a crowd of twice as many as are kept."""
    tracks, frame = TrackConfig(max_tracks=2), moving_pattern(1, 96, 512)[0]
    clear, hazy, doubtful = (
        dataclasses.replace(_at(left), confidences=np.array([confidence], np.float32))
        for left, confidence in ((20, 0.99), (20, 0.9), (150, 0.9))
    )
    crowd = _at(*range(10, 460, 50))
    for faces, expected in (
        ([clear, doubtful, hazy, clear], [1] * 4),
        ([crowd] * 4, [4] * 4),
    ):
        held, times = HeldFrames(CONFIG.crops, every_face(tracks)), np.arange(4) / 25
        seen = [Seen(found, colours(frame), (96, 512)) for found in faces]
        held.add([(time, frame) for time in times.tolist()], seen)
        made = held.crop(np.inf)
        assert [sum(key[0] == time for key in made) for time in times.tolist()] == expected
        doubts = sorted(time for (time, _), crop in made.items() if crop.confidence < 0.95)
        assert doubts == ([] if faces[0] is crowd else times[1:3].tolist())
    most = TrackConfig(max_tracks=MAX_TRACKS)
    assert every_face(most).max_tracks == MAX_TRACKS


def test_of_a_crowd_nothing_is_given_ahead_since_not_all_will_be_kept():
    crop = Cropped(np.zeros((64, 64, 3), np.uint8), np.zeros((5, 2), np.float32), 0.99)
    config = TrackConfig(max_tracks=2)
    of_two = {(1.0, b"left"): crop, (1.0, b"right"): crop}
    of_three = {(2.0, side): crop for side in (b"left", b"middle", b"right")}
    unsure = {(1.0, b"middle"): crop._replace(confidence=config.min_confidence - 0.01)}
    kept = likely_kept(of_two | of_three | unsure, config, {1.0: 5, 2.0: 6})
    assert [burst for burst, _ in kept] == [5, 5]


def test_frames_in_which_a_face_is_only_found_once_they_are_turned_are_still_there(tmp_path):
    """Nobody is found until all frames have been searched."""

    class _OnItsSide(OneFace):
        def detect(self, frames: Sequence[np.ndarray]) -> list[Faces]:
            nobody = Faces(np.zeros((0, 4)), np.zeros((0, 5, 2)), np.zeros(0))
            found = super().detect(frames)
            is_turned = [frame.shape[0] > frame.shape[1] for frame in frames]
            return [
                face if turned else nobody for face, turned in zip(found, is_turned, strict=True)
            ]

    path = write_video(tmp_path / "side.mp4", moving_pattern(60, 96, 128), fps=5)
    read = read_face_clips(path, CONFIG, _OnItsSide())
    (clip,) = read.clips
    assert read.is_turned and len(clip.frames) == 32


class _Crowd(FaceDetector):
    """Finds twenty faces, of which those that are small in the first frames are large later."""

    def __init__(self):
        pass

    def detect(self, frames: Sequence[np.ndarray]) -> list[Faces]:
        return [self.at(frame_number(frame)) for frame in frames]

    def refine(self, frames: Sequence[np.ndarray], places: Sequence[np.ndarray]) -> list[Faces]:
        del places
        return self.detect(frames)

    @staticmethod
    def at(number: int) -> Faces:
        sides = 20 + np.arange(20) / 8 * (number / 10 - 2)
        lefts, tops = 24.0 * (np.arange(20) % 10), 24.0 * (np.arange(20) // 10)
        corners = np.stack([lefts, tops], axis=-1)
        boxes = np.concatenate([corners, corners + sides[:, None]], axis=-1).astype(np.float32)
        middles = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
        points = middles + np.array([[-3, -3], [3, -3], [0, 0], [-2, 3], [2, 3]], np.float32)
        return Faces(boxes, points, np.full(20, 0.99, np.float32))


def test_whoever_is_largest_in_a_crowd_only_later_is_cropped_from_the_beginning(tmp_path):
    """Of more faces than crops are held of, frames are held."""
    path = write_video(tmp_path / "crowd.mp4", moving_pattern(60, 96, 256), fps=5)
    config = Config(
        video=VideoConfig(num_frames=24, burst_frames=4), crops=CropConfig(image_size=16)
    )
    read = read_face_clips(path, config, _Crowd())
    times, frames = zip(*read_frames(path, config.video), strict=True)
    together = face_clips(frames, np.array(times), config, _Crowd())
    assert len(read.clips) == len(together.clips) == config.tracks.max_tracks
    for ahead, later in zip(read.clips, together.clips, strict=True):
        assert len(ahead.frames) == 24
        np.testing.assert_array_equal(ahead.boxes_xyxy, later.boxes_xyxy)
        np.testing.assert_array_equal(ahead.frames, later.frames)


def test_of_a_crowd_in_a_long_video_each_crop_is_of_its_own_time_and_box(tmp_path):
    """Those who are among the largest only later lack the crops of the beginning."""
    path = write_video(tmp_path / "crowd.mp4", moving_pattern(60, 192, 512), fps=5)
    plan = VideoConfig(num_frames=24, burst_frames=4, max_frame_pixels=96 * 256)
    config = Config(video=plan, crops=CropConfig(image_size=16, smoothing=0.0))
    long = LongVideo(path, config, _Crowd(), plan, info=probe(path))
    long.look_around(lambda fraction, stage: None)
    read = long.clips()
    assert read.is_crowded and len(read.clips) == config.tracks.max_tracks
    lengths = [len(clip.frames) for clip in read.clips]
    assert min(lengths) < max(lengths) == 24
    for clip in read.clips:
        numbers = np.round(5 * read.timestamps[clip.frame_indices]).astype(int)
        for number, box in zip(numbers.tolist(), clip.boxes_xyxy, strict=True):
            found = np.round(2 * _Crowd().at(number).boxes_xyxy).clip(0, [512, 192] * 2)
            assert box.tolist() in found.tolist()


def test_the_time_for_which_frames_are_awaited_is_that_of_reading_alone(monkeypatch):
    clock = SimpleNamespace(now=0.0, perf_counter=lambda: clock.now)

    def slowly(*given):
        for frame in moving_pattern(32):
            clock.now += 1.0
            given[-1].sizes.append(frame.shape[:2])
            yield SampledFrame(clock.now, frame, colours(frame))

    class Slow(OneFace):
        def detect(self, frames):
            clock.now += 100.0
            return super().detect(frames)

    monkeypatch.setattr(searching, "time", clock)
    monkeypatch.setattr(searching, "sample_frames", slowly)
    monkeypatch.setattr(searching, "read_ahead", lambda frames, size: frames)
    none: Any = None

    def ignored(*_: Any) -> None:
        pass

    searched = searching.search_file("", CONFIG, Slow(), none, none, ignored, ignored)
    assert searched.seconds_waited == 32.0


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_no_crop_is_made_before_all_frames_are_there_that_it_is_smoothed_over(smoothing):
    crops, frame = CropConfig(image_size=64, smoothing=smoothing), np.zeros((96, 128, 3), np.uint8)
    (faces,) = OneFace().detect([frame])
    held = HeldFrames(crops, TrackConfig(min_frames=1))
    seen, made = [Seen(faces, colours(frame), (96, 128))], []
    for number in range(40):
        held.add([(number / 4, frame)], seen)
        made += [(time, number / 4 + 0.25) for time, _ in held.crop(number / 4 + 0.25)]
    assert [time for time, _ in made] == [n / 4 for n in range(len(made))]
    assert {upcoming - time for time, upcoming in made} == {10 * smoothing + 0.25}
