import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dfjax.config import MAX_CROP_BYTES, Config, CropConfig, TrackConfig, VideoConfig
from dfjax.errors import VideoLimitError
from dfjax.faces import long_video
from dfjax.faces.clips import FaceClips, face_clips, read_face_clips
from dfjax.faces.crops import crop_landmarks
from dfjax.faces.detection import FaceDetector, Faces
from dfjax.faces.finding import FACE_BATCH
from dfjax.faces.glances import APART, looks_at_faces, nearest, times_with_faces
from dfjax.faces.held_frames import HeldFrames, Seen
from dfjax.faces.long_video import LongVideo, most_frames
from dfjax.faces.shots import colours
from dfjax.faces.tracks import link_faces
from dfjax.faces.voting import left_out
from dfjax.prediction_warnings import prediction_warnings
from dfjax.video.limits import VideoLimits
from dfjax.video.reading import probe, read_frames, read_keyframes
from dfjax.video.sampling import Effort, plan_looks
from tests.faces.test_read_again import OneFace
from tests.videos import moving_pattern, portrait_frames, run_ffmpeg, write_video

CONFIG = Config(video=VideoConfig(num_frames=8, burst_frames=4), crops=CropConfig(image_size=64))


def _no_report(fraction: float, stage: str) -> None:
    del fraction, stage


@pytest.fixture(scope="module")
def face_detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module")
def minute(tmp_path_factory) -> Path:
    """Two people for a minute, at ten frames a second."""
    frames = portrait_frames(120, num_faces=2)
    path = tmp_path_factory.mktemp("long") / "minute.mp4"
    return write_video(path, (frames[n % 120] for n in range(600)), fps=10)


def _video(path: Path, face_detector: FaceDetector, effort: Effort) -> LongVideo:
    info = probe(path)
    plan = plan_looks(info.duration, CONFIG.video, effort)
    return LongVideo(path, CONFIG, face_detector, plan, info=info)


def _look_around(path: Path, face_detector: FaceDetector, effort: Effort = "standard") -> FaceClips:
    video = _video(path, face_detector, effort)
    video.look_around(_no_report)
    return video.clips()


@pytest.fixture(scope="module")
def slow(tmp_path_factory) -> Path:
    """The same two people, at five frames in four seconds, so that looks touch each other."""
    path = tmp_path_factory.mktemp("slow") / "slow.mp4"
    return write_video(path, portrait_frames(40, num_faces=2), fps=1.25)


@pytest.mark.parametrize("name, num_frames", [("minute", 20 * 4), ("slow", 40)])
def test_a_video_read_look_by_look_gives_the_crops_of_all_its_frames_together(
    request, face_detector, name, num_frames
):
    """Only crops are kept of it, but they are the same to the bit."""
    path = request.getfixturevalue(name)
    read = _look_around(path, face_detector)
    assert len(read.timestamps) == num_frames
    video = dataclasses.replace(CONFIG.video, num_frames=80)
    times, frames = zip(*read_frames(path, video), strict=True)
    together = face_clips(frames, np.array(times), CONFIG, face_detector)
    np.testing.assert_array_equal(read.timestamps, together.timestamps)
    assert [clip.track_id for clip in read.clips] == [clip.track_id for clip in together.clips]
    for long, short in zip(read.clips, together.clips, strict=True):
        np.testing.assert_array_equal(long.frame_indices, short.frame_indices)
        np.testing.assert_array_equal(long.frames, short.frames)
        np.testing.assert_array_equal(long.boxes_xyxy, short.boxes_xyxy)
        np.testing.assert_array_equal(long.landmarks, short.landmarks)


def test_bursts_are_numbered_as_they_are_read_and_keep_their_numbers(minute, face_detector):
    """Every other one is mirrored, also of those that a closer look adds in between."""
    plan = VideoConfig(num_frames=32, burst_frames=4)
    video = LongVideo(minute, CONFIG, face_detector, plan, info=probe(minute))
    video.look_around(_no_report)
    first = video.clips()
    assert first.bursts.tolist() == np.repeat(np.arange(6), 4).tolist()
    assert video.look_closer(first.timestamps[[8]], _no_report)
    closer = video.clips()
    bursts = dict(zip(closer.timestamps.tolist(), closer.bursts.tolist(), strict=True))
    known = dict(zip(first.timestamps.tolist(), first.bursts.tolist(), strict=True))
    assert bursts == bursts | known
    assert [burst for time, burst in bursts.items() if time not in known] == [6] * 4 + [7] * 4


def _shot(number: int, frame: np.ndarray) -> np.ndarray:
    """Puts a face, 270x360, somewhere into a frame with colours of its own: uint8 [360, 480, 3]."""
    place = np.random.default_rng(number)
    shot = np.empty((360, 480, 3), np.uint8)
    shot[:] = [255 * (number % 2), 127 * (number % 3), 80 * (number % 4)]
    top, left = place.integers(0, 90), place.integers(0, 120)
    shot[top : top + 270, left : left + 360] = frame
    return shot


def _crops(read: FaceClips) -> dict[tuple[float, bytes], np.ndarray]:
    return {
        (float(read.timestamps[index]), box.tobytes()): crop
        for clip in read.clips
        for index, box, crop in zip(clip.frame_indices, clip.boxes_xyxy, clip.frames, strict=True)
    }


@pytest.fixture(scope="module")
def edited(tmp_path_factory, face_detector) -> tuple[Path, FaceClips]:
    """One person for 30 seconds, with a cut every three, 0.2 seconds after each look."""
    portraits = portrait_frames(120, (270, 360))
    shots = (_shot((n + 28) // 30, portraits[n % 120]) for n in range(300))
    path = write_video(tmp_path_factory.mktemp("edited") / "cuts.mp4", shots, fps=10)
    return path, _look_around(path, face_detector)


def test_one_person_is_judged_in_every_shot_of_an_edited_video(edited):
    _, read = edited
    assert len(read.clips) > CONFIG.tracks.max_tracks and not read.is_crowded
    judged = np.unique(np.concatenate([clip.frame_indices for clip in read.clips]))
    assert len(judged) == read.num_with_face > 0.8 * len(read.timestamps)
    assert prediction_warnings(read, len(judged), CONFIG) == ()
    heard = left_out(read.clips, [clip.shot_frames for clip in read.clips])
    assert heard.count(None) > CONFIG.tracks.max_tracks


def test_a_cut_between_the_frames_of_a_look_moves_no_crop(edited, face_detector):
    path, read = edited
    video = dataclasses.replace(CONFIG.video, num_frames=len(read.timestamps))
    times, frames = zip(*read_frames(path, video), strict=True)
    together = _crops(face_clips(frames, np.array(times), CONFIG, face_detector))
    crops = _crops(read)
    assert len(together) > 10
    for key, crop in together.items():
        np.testing.assert_array_equal(crops[key], crop)


def test_all_that_is_read_of_a_file_counts_against_its_limit_on_time(minute, face_detector):
    info = probe(minute)
    plan = plan_looks(info.duration, CONFIG.video, "standard")
    video = LongVideo(minute, CONFIG, face_detector, plan, info=info)
    video.look_around(_no_report)
    spent = video.info.read_seconds
    assert spent > info.read_seconds > 0
    read = video.clips()
    assert read.decode_seconds >= info.read_seconds and read.face_seconds > 0
    limits = VideoLimits(max_decode_seconds=spent)
    again = LongVideo(minute, CONFIG, face_detector, plan, info=video.info, limits=limits)
    with pytest.raises(VideoLimitError, match="longer than the limit"):
        again.look_around(_no_report)


def test_every_three_seconds_get_four_frames_if_there_are_enough(minute, face_detector):
    times = _look_around(minute, face_detector, "thorough").timestamps
    for start in np.arange(0, 57, 0.5):
        assert np.count_nonzero((times >= start) & (times < start + 3.5)) >= 4


def test_effort_has_a_budget_and_looks_get_shorter_before_they_get_fewer():
    config = VideoConfig(num_frames=32, burst_frames=4)

    def plan(seconds: float, effort: Effort) -> tuple[int, int]:
        planned = plan_looks(seconds, config, effort)
        return planned.num_frames, planned.burst_frames

    assert plan(600, "quick") == (32, 4)
    assert [plan(t, "standard") for t in (24, 25, 60, 96, 120, 150, 300, 3600)] == [
        (32, 4),
        (36, 4),
        (80, 4),
        (128, 4),
        (80, 2),
        (100, 2),
        (100, 1),
        (128, 1),
    ]
    assert [plan(t, "thorough") for t in (600, 3600)] == [(800, 4), (1024, 1)]
    for asked, planned in (((30, 3), (100, 2)), ((120, 4), (120, 2))):
        config = VideoConfig(num_frames=asked[0], burst_frames=asked[1])
        assert plan(150, "standard") == planned


def test_no_effort_holds_more_crops_than_a_model_may_ask_for():
    def num_frames(image_size: int, least: int = 32) -> int:
        video = VideoConfig(num_frames=least, burst_frames=4)
        config = Config(video=video, crops=CropConfig(image_size=image_size))
        return plan_looks(7200, video, "thorough", most_frames=most_frames(config)).num_frames

    assert num_frames(128) == 1024  # as of the shipped model
    a_frame = 3 * 2 * Config().tracks.max_tracks * 512**2  # twice as many faces as are kept
    assert MAX_CROP_BYTES - a_frame < num_frames(512) * a_frame <= MAX_CROP_BYTES
    assert num_frames(1024, least=64) == 64  # as many as the model asks for anyway


def test_a_video_without_a_face_has_none_however_hard_it_is_looked_at(tmp_path, face_detector):
    pattern = moving_pattern(60)
    path = write_video(tmp_path / "pattern.mp4", (pattern[n % 60] for n in range(300)), fps=10)
    assert _look_around(path, face_detector).clips == ()


def _rarely_a_face(path: Path, seconds: int, faces: Sequence[int], fps: int = 10) -> Path:
    """A video with a face in the given seconds only."""
    portraits, rest = portrait_frames(fps, (180, 240)), moving_pattern(fps, 180, 240)
    frames = (
        (portraits if second in faces else rest)[n] for second in range(seconds) for n in range(fps)
    )
    return write_video(path, frames, fps=fps, arguments=["-g", str(2 * fps)])


def test_most_looks_go_where_faces_are(tmp_path, face_detector):
    """Three seconds of a face in seven minutes, which even looks would hardly hit."""
    path = _rarely_a_face(tmp_path / "rare.mp4", 420, range(200, 203))
    read = _look_around(path, face_detector)
    (clip,) = read.clips
    seen = read.timestamps[clip.frame_indices]
    assert len(seen) >= 15 and seen.min() >= 200 and seen.max() < 203
    elsewhere = read.timestamps[(read.timestamps < 190) | (read.timestamps > 213)]
    assert len(elsewhere) > 20 and np.diff(elsewhere).max() < 40


def test_looks_are_even_where_faces_are_everywhere_or_nowhere():
    times = np.arange(0, 600, 5.0)
    for seen in (np.ones(120, bool), np.zeros(120, bool)):
        assert looks_at_faces(times, seen, 600.0, 60, 32) is None
    seen = (times > 100) & (times < 160)
    looks = looks_at_faces(times, seen, 600.0, 60, 32)
    assert looks is not None
    assert len(looks) <= 60 and np.all(np.diff(looks) > 0)
    assert np.count_nonzero((looks > 100) & (looks < 160)) >= 35


def test_most_looks_go_up_to_the_end_where_the_last_glance_shows_a_face():
    times, seen = np.array([0.0, 100.0, 200.0]), np.array([False, False, True])
    looks = looks_at_faces(times, seen, 220.0, 30, 30)
    assert looks is not None
    assert np.count_nonzero(looks >= 200) >= 5
    assert np.count_nonzero((looks > 150) & (looks < 200)) >= 12
    # A third of them are spread evenly over the whole video.
    assert np.diff(looks[looks < 150], append=150).max() <= 220 / 10 + 1e-9


def test_most_looks_go_from_halfway_to_a_glance_with_a_face_up_to_the_next_one():
    times = np.arange(0, 600, 60.0)
    looks = looks_at_faces(times, times == 180, 600.0, 30, 30)
    assert looks is not None
    for start, end in ((150, 180), (180, 210), (210, 240)):
        assert np.count_nonzero((looks >= start) & (looks < end)) >= 20 / 3 - 1


@pytest.mark.parametrize("apart, num_looks", [(5.0, 3), (0.5, 3), (5.0, 2)])
def test_where_faces_are_there_is_a_look_however_long_looks_are(apart, num_looks):
    times = np.arange(0, 600, apart)
    looks = looks_at_faces(times, np.abs(times - 300) < 0.1, 600.0, num_looks, 0)
    assert looks is not None and np.any(np.abs(looks - 300) <= apart)


class _Nobody(FaceDetector):
    """Finds nobody, at once."""

    def detect(self, frames: Sequence[np.ndarray]) -> list[Faces]:
        none = np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), np.zeros(0)
        return [Faces(*none) for _ in frames]


def test_the_limit_on_memory_is_one_on_what_is_held_not_on_all_that_is_looked_at(tmp_path):
    path = write_video(tmp_path / "pattern.mp4", moving_pattern(60, 48, 64), fps=1)
    plan = VideoConfig(num_frames=32, burst_frames=4)
    limits = VideoLimits(max_output_bytes=(CONFIG.video.num_frames + 1) * 48 * 64 * 3)
    video = LongVideo(path, CONFIG, _Nobody(), plan, info=probe(path, limits), limits=limits)
    video.look_around(_no_report)
    assert len(video.clips().timestamps) > CONFIG.video.num_frames + 1


def test_a_face_in_a_shot_that_was_looked_at_once_is_in_all_of_its_frames(tmp_path):
    """Else nobody would have a say in a long video that is cut every few seconds."""
    shots = (np.full((96, 128, 3), 200 * (n // 3 % 2), np.uint8) for n in range(60))
    path = write_video(tmp_path / "cuts.mp4", shots, fps=1)
    plan = VideoConfig(num_frames=20, burst_frames=1)
    video = LongVideo(path, CONFIG, OneFace(), plan, info=probe(path))
    video.look_around(_no_report)
    clips = video.clips().clips
    assert [clip.shot_frames for clip in clips] == [1] * 20
    assert left_out(clips, [clip.shot_frames for clip in clips]) == [None] * 20


def test_a_long_video_with_a_damaged_place_is_said_to_be_damaged(tmp_path):
    plan = VideoConfig(num_frames=40, burst_frames=2)
    path = write_video(tmp_path / "whole.mp4", moving_pattern(60), fps=1)
    content = bytearray(path.read_bytes())
    for name, is_damaged in (("whole.mp4", False), ("damaged.mp4", True)):
        (tmp_path / name).write_bytes(content)
        video = LongVideo(tmp_path / name, CONFIG, _Nobody(), plan, info=probe(tmp_path / name))
        video.look_around(_no_report)
        assert video.clips().is_damaged == is_damaged
        content[len(content) // 2 : len(content) // 2 + 400] = bytes(400)


def test_the_time_of_each_reading_counts_be_it_a_glance_or_a_look(tmp_path, monkeypatch):
    path = write_video(tmp_path / "pattern.mp4", moving_pattern(60, 48, 64), fps=1)
    plan, info, noted = VideoConfig(num_frames=8, burst_frames=1), probe(path), []
    for name in ("read_keyframes", "read_frames"):
        read = getattr(long_video, name)

        def counted(*given, read=read, **named):
            noted.append(named["findings"])
            return read(*given, **named)

        monkeypatch.setattr(long_video, name, counted)
    video = LongVideo(path, CONFIG, _Nobody(), plan, info=info)
    video.look_around(_no_report)
    assert len(noted) == 2 and all(findings.read_seconds > 0 for findings in noted)
    spent = info.read_seconds + sum(findings.read_seconds for findings in noted)
    assert video.info.read_seconds == pytest.approx(spent)


@pytest.mark.parametrize("fps", [1, 1.2, 25])
def test_the_frames_that_are_held_are_few_though_looks_touch(tmp_path, monkeypatch, fps):
    pattern = moving_pattern(200, 48, 64)
    path = write_video(tmp_path / "slow.mp4", pattern, fps)
    plan = VideoConfig(num_frames=200, burst_frames=4)
    video = LongVideo(path, CONFIG, _Nobody(), plan, info=probe(path))
    held, add = [], HeldFrames.add

    def noted(frames: HeldFrames, *given) -> None:
        add(frames, *given)
        held.append(len(frames))

    monkeypatch.setattr(HeldFrames, "add", noted)
    video.look_around(_no_report)
    assert len(video.clips().timestamps) >= 150
    assert FACE_BATCH <= max(held) <= 5 * FACE_BATCH


@pytest.mark.parametrize("apart", [0.04, 0.3, 0.75, 1.0, 1.2, 3.0])
def test_each_frame_is_cropped_once_with_those_around_it(apart):
    boxes = np.array([20, 20, 60, 70]) + np.random.default_rng(0).normal(0, 2, (100, 4))
    eyes_and_mouth = np.array([[12, 18], [28, 18], [20, 28], [14, 38], [26, 38]])
    faces = [
        Faces(box[None], box[None, None, :2] + eyes_and_mouth, np.array([0.99])) for box in boxes
    ]
    config, black = TrackConfig(min_frames=1), np.zeros((96, 128, 3), np.uint8)
    held, cropped = HeldFrames(CONFIG.crops, config, most_beside=16), {}
    times = np.arange(100) * apart
    for start in range(0, 100, 5):
        batch = [(float(time), black) for time in times[start:][:5]]
        held.add(batch, [Seen(each, colours(black), (96, 128)) for each in faces[start:][:5]])
        upcoming = times[start + 5] if start < 95 else np.inf
        new = held.crop(upcoming)
        assert cropped.keys().isdisjoint(new)
        cropped |= new
        # A crop takes a second on either side, and who is who in it one more.
        assert len(held) <= (min(2 * 16, 3 / apart) if apart <= 1 else 0)
    assert [time for time, _ in cropped] == times.tolist() and len(held) == 0
    (track,) = link_faces(faces, times, config)
    expected = crop_landmarks(track, times, CONFIG.crops)
    made = np.stack([crop.landmarks for crop in cropped.values()])
    np.testing.assert_allclose(made, expected, atol=1e-4)


@pytest.mark.parametrize("num_looks", [60, 512])
def test_no_more_looks_are_near_each_other_than_fit_into_memory(num_looks):
    times = np.arange(0, 3600, 5.0)
    for seen in ((times > 100) & (times < 130), (times > 100) & (times < 400)):
        looks = looks_at_faces(times, seen, 3600.0, num_looks, 8)
        assert looks is not None and num_looks * 0.9 <= len(looks) <= num_looks
        together = np.split(looks, np.flatnonzero(np.diff(looks) > APART) + 1)
        assert max(map(len, together)) <= 8 + 4  # and some of those that are everywhere
        # No face is passed over because there are few looks for it.
        assert np.diff(looks[(looks > 100) & (looks < 130)]).max() < 8


def test_a_glance_tells_which_pictures_show_a_face(face_detector):
    (face,), (rest,) = portrait_frames(1), moving_pattern(1, 360, 480)
    expected = [n % 3 == 1 or n == 21 for n in range(22)]
    pictures = ((float(n), face if there else rest) for n, there in enumerate(expected))
    times, seen = times_with_faces(pictures, face_detector)
    assert times.tolist() == list(range(22)) and seen.tolist() == expected
    assert [len(part) for part in times_with_faces([], face_detector)] == [0, 0]


def test_keyframes_are_small_few_and_in_order(minute):
    info = probe(minute)
    times, frames = zip(*read_keyframes(minute, info, (75, 100), most=512), strict=True)
    assert 1 < len(times) < 60 and np.all(np.diff(times) > 0)
    assert {frame.shape for frame in frames} == {(75, 100, 3)}
    assert len(list(read_keyframes(minute, info, (75, 100), most=2))) <= 2
    asked = np.array(times)[[0, -1]]
    again = [time for time, _ in read_keyframes(minute, info, (75, 100), timestamps=asked)]
    assert again == asked.tolist()


def test_the_nearest_times_to_even_looks_are_taken_once():
    times = np.array([0.0, 1.0, 9.0, 10.0, 30.0])
    assert nearest(times, 30.0, 3).tolist() == [1.0, 10.0, 30.0]
    assert nearest(times[:1], 30.0, 3).tolist() == [0.0]
    assert nearest(np.arange(60.0), 60.0, 20).tolist() == [1.0 + 3 * n for n in range(20)]


def test_one_looks_closer_where_it_is_suspicious_and_only_once(tmp_path, face_detector):
    path = _rarely_a_face(tmp_path / "faces.mp4", 420, range(420), fps=5)
    video = _video(path, face_detector, "standard")
    video.look_around(_no_report)
    before = video.clips()
    assert len(before.timestamps) == 96
    moments = before.timestamps[[60, 40]]
    assert video.look_closer(moments, _no_report)
    after = video.clips()
    new = np.setdiff1d(after.timestamps, before.timestamps)
    assert len(new) == 16 and all(np.abs(moments - time).min() < 2.5 for time in new)
    known = {
        (before.timestamps[n], crop.tobytes())
        for clip in before.clips
        for n, crop in zip(clip.frame_indices, clip.frames, strict=True)
    }
    kept = {
        (after.timestamps[n], crop.tobytes())
        for clip in after.clips
        for n, crop in zip(clip.frame_indices, clip.frames, strict=True)
    }
    assert known <= kept
    assert not video.look_closer(moments, _no_report)


def test_frames_that_were_saved_go_to_closer_looks_each_at_a_place_of_its_own(tmp_path):
    """There are fewer keyframes than looks, and moments are named once for each of two faces."""
    every_seventh = ["-g", "7", "-keyint_min", "7", "-sc_threshold", "0"]
    path = write_video(
        tmp_path / "slow.mp4", moving_pattern(414, 48, 64), 1, arguments=every_seventh
    )
    video = _video(path, _Nobody(), "standard")
    video.look_around(_no_report)
    known = video.clips().timestamps
    assert known.tolist() == [*range(0, 414, 7)]
    # From the first and last moment one can look to one side only. 68 frames are left for 17 looks.
    assert video.look_closer(np.repeat([0.0, *known[:0:-1]], 2), _no_report)
    new = np.setdiff1d(video.clips().timestamps, known)
    both_sides = {time + step for time in range(364, 413, 7) for step in (-1, 1, 2, 3, 4, 5)}
    assert set(new.tolist()) == {2, 3, 4, 5, 412, *both_sides, 356, 358, 359}


def _turned(folder: Path, seconds: float) -> Path:
    """Writes a face in a wide picture, then in a high one, then in a smaller high one."""
    listing = []
    for n, size in enumerate([(240, 320), (320, 240), (240, 180)]):
        frames = portrait_frames(20, size)
        many = (frames[k % 20] for k in range(round(10 * seconds)))
        write_video(folder / f"{n}.webm", many, 10, codec="libvpx", arguments=["-b:v", "2M"])
        listing.append(f"file {n}.webm\n")
    (folder / "list").write_text("".join(listing))
    run_ffmpeg("-f", "concat", "-i", folder / "list", "-c", "copy", folder / "turned.webm")
    return folder / "turned.webm"


@pytest.mark.parametrize("seconds, effort", [(1, "quick"), (12, "standard")])
def test_a_picture_that_turns_is_judged_in_each_shape_and_as_another_view(
    tmp_path, face_detector, seconds, effort
):
    path = _turned(tmp_path, seconds)
    if effort == "quick":
        read = read_face_clips(path, CONFIG, face_detector)
    else:
        read = _look_around(path, face_detector, effort)
    assert (read.info.width, read.info.height, read.info.is_fitted) == (320, 320, True)
    wide, high = read.clips  # a picture that only shrinks shows the same face on
    assert len(wide.frame_indices) + len(high.frame_indices) == len(read.timestamps)
    for clip in (wide, high):
        sides = clip.boxes_xyxy[:, 2:] - clip.boxes_xyxy[:, :2]
        assert 0.6 < np.median(sides[:, 0] / sides[:, 1]) < 1.0  # a face's, not squeezed
    # The smaller picture is shown as large as the larger one.
    heights = high.boxes_xyxy[:, 3] - high.boxes_xyxy[:, 1]
    assert heights.max() < 1.3 * heights.min()
