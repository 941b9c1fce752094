"""Frames of any video come whole, in order, at their true times, and the right way round."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfjax.config import VideoConfig
from dfjax.errors import VideoLimitError
from dfjax.video.limits import VideoLimits
from dfjax.video.reading import frame_size, probe, read_frames
from dfjax.video.sampling import sample_timestamps
from tests.videos import frame_number, moving_pattern, run_ffmpeg, write_video


def read_numbers(path: Path, config: VideoConfig = VideoConfig(), **kwargs) -> list[int]:
    return [frame_number(frame) for _, frame in read_frames(path, config, **kwargs)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 s at 25 fps, with a keyframe every second."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return write_video(path, moving_pattern(100, 48, 64), arguments=["-g", "25"])


def test_timestamps_are_even_and_inside_the_video():
    timestamps = sample_timestamps(9.6, 32)
    assert timestamps.shape == (32,) and timestamps.dtype == np.float64
    np.testing.assert_allclose(np.diff(timestamps), 0.3)
    assert timestamps[0] == 0 and timestamps[-1] < 9.6


@pytest.mark.parametrize(
    "duration, num_frames", [(0, 8), (-1, 8), (np.nan, 8), (np.inf, 8), (1, 0)]
)
def test_timestamps_of_nothing_are_refused(duration, num_frames):
    with pytest.raises(ValueError):
        sample_timestamps(duration, num_frames)


def test_probe_tells_what_the_file_holds(clip):
    info = probe(clip)
    assert (info.name, info.width, info.height, info.is_still) == ("clip.mp4", 64, 48, False)
    assert (info.container, info.codec) == ("mov", "h264")
    assert info.duration == pytest.approx(4.0) and info.fps == pytest.approx(25.0)


def test_sampled_frames_are_spread_over_the_whole_video(clip):
    assert read_numbers(clip, VideoConfig(num_frames=10)) == list(range(0, 100, 10))


def test_frames_are_rgb_bytes_with_their_times(clip):
    frames = list(read_frames(clip, VideoConfig(num_frames=4)))
    assert [timestamp for timestamp, _ in frames] == pytest.approx([0, 1, 2, 3])
    expected = moving_pattern(100, 48, 64)[::25]
    for (_, frame), original in zip(frames, expected, strict=True):
        assert frame.dtype == np.uint8 and frame.shape == (48, 64, 3)
        assert np.abs(frame.astype(int) - original).mean() < 12  # red is red, and up is up


def test_a_video_with_fewer_frames_than_asked_gives_each_once(clip):
    assert read_numbers(clip, VideoConfig(num_frames=1000)) == list(range(100))


def test_chosen_times_give_the_first_frame_shown_then_or_later(clip):
    numbers = read_numbers(clip, timestamps=np.array([0.0, 0.08, 0.09, 0.1, 2.5, 3.96]))
    assert numbers == [0, 2, 3, 63, 99]  # 0.09 and 0.1 are one frame, which comes once


def test_times_after_the_last_frame_give_nothing(clip):
    assert read_numbers(clip, timestamps=np.array([3.0, 3.99, 100.0])) == [75]
    assert read_numbers(clip, timestamps=np.array([50.0])) == []
    assert read_numbers(clip, timestamps=np.array([3.97])) == []
    assert read_numbers(clip, timestamps=np.array([])) == []


@pytest.mark.parametrize("timestamps", [[1.0, 0.5], [0.5, 0.5], [-0.1, 1.0], [[0.5]], [np.nan]])
def test_times_that_make_no_sense_are_refused_at_once(clip, timestamps):
    with pytest.raises(ValueError, match="increasing"):
        read_frames(clip, timestamps=np.array(timestamps))


def test_two_readings_are_identical(clip):
    first, second = list(read_frames(clip)), list(read_frames(clip))
    assert len(first) == VideoConfig().num_frames
    for (time_a, frame_a), (time_b, frame_b) in zip(first, second, strict=True):
        assert time_a == time_b
        np.testing.assert_array_equal(frame_a, frame_b)


def test_reading_the_given_times_again_gives_the_same_frames(clip):
    frames = list(read_frames(clip, VideoConfig(num_frames=7)))
    assert len(frames) == 7
    again = list(read_frames(clip, timestamps=np.array([timestamp for timestamp, _ in frames])))
    for (time_a, frame_a), (time_b, frame_b) in zip(frames, again, strict=True):
        assert time_a == time_b
        np.testing.assert_array_equal(frame_a, frame_b)


def test_variable_frame_rate_gives_true_times(tmp_path):
    timestamps = np.cumsum([0, 0.04, 0.04, 0.5, 0.04, 1.0, 0.02, 0.02, 0.3, 0.04])
    path = write_video(tmp_path / "v.mp4", moving_pattern(10, 48, 64), timestamps=timestamps)
    frames = list(read_frames(path))
    assert [timestamp for timestamp, _ in frames] == pytest.approx(timestamps, abs=1e-4)
    assert [frame_number(frame) for _, frame in frames] == list(range(10))
    # Even in time, not in frames; but nothing new is shown between 0.62 and 1.62 seconds, and the
    # frame for that comes from the middle of the others.
    assert read_numbers(path, VideoConfig(num_frames=4)) == [0, 3, 5, 6]


def test_time_zero_is_the_first_frame_shown_even_if_sound_begins_earlier(tmp_path, clip):
    path = tmp_path / "late.mkv"
    sound = ["-f", "lavfi", "-i", "sine=duration=2"]
    run_ffmpeg(
        *sound, "-itsoffset", "0.5", "-i", clip, "-map", "0", "-map", "1", "-c:v", "copy", path
    )
    info = probe(path)
    assert info.start == pytest.approx(0.5) and info.duration == pytest.approx(4.0)
    frames = list(read_frames(path, VideoConfig(num_frames=4), info=info))
    assert [timestamp for timestamp, _ in frames] == pytest.approx([0, 1, 2, 3])
    assert [frame_number(frame) for _, frame in frames] == [0, 25, 50, 75]


def test_frames_cut_off_by_an_edit_list_are_not_shown(tmp_path, clip):
    path = tmp_path / "edit.mp4"
    run_ffmpeg("-ss", "0.6", "-i", clip, "-c", "copy", path)  # between two keyframes
    assert read_numbers(path, VideoConfig(num_frames=1000)) == list(range(15, 100))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_metadata_is_honoured(tmp_path, clip, degrees):
    path = tmp_path / "phone.mp4"
    run_ffmpeg("-display_rotation", str(degrees), "-i", clip, "-c", "copy", path)
    info = probe(path)
    assert (info.width, info.height) == ((64, 48) if degrees == 180 else (48, 64))
    frames = [frame for _, frame in read_frames(path, VideoConfig(num_frames=4), info=info)]
    assert {frame.shape for frame in frames} == {(info.height, info.width, 3)}
    # The angle is counterclockwise, as numpy's quarter turns are.
    numbers = [frame_number(np.rot90(frame, -degrees // 90)) for frame in frames]
    assert numbers == [0, 25, 50, 75]


@pytest.mark.parametrize(
    "pixel_aspect, width, height", [("4/3", 85, 48), ("2/1", 128, 48), ("1/2", 64, 96)]
)
def test_pixels_that_are_not_square_are_stretched(tmp_path, pixel_aspect, width, height):
    path = tmp_path / "anamorphic.mp4"
    aspect = ["-bsf:v", f"h264_metadata=sample_aspect_ratio={pixel_aspect}"]
    write_video(path, moving_pattern(4, 48, 64), arguments=aspect)
    info = probe(path)
    assert (info.width, info.height) == (width, height)
    frames = [frame for _, frame in read_frames(path, info=info)]
    assert [frame_number(frame) for frame in frames] == [0, 1, 2, 3]
    assert all(frame.shape == (height, width, 3) for frame in frames)


def test_large_frames_are_scaled_down_in_proportion(tmp_path):
    path = write_video(tmp_path / "large.mp4", moving_pattern(3, 240, 480))
    config = VideoConfig(max_frame_pixels=120 * 200)
    info = probe(path)
    assert (info.width, info.height) == (480, 240)
    height, width = frame_size(info, config)
    assert height * width <= config.max_frame_pixels
    assert width / height == pytest.approx(2, rel=0.02)
    frames = [frame for _, frame in read_frames(path, config, info=info)]
    assert {frame.shape for frame in frames} == {(height, width, 3)}
    assert [frame_number(frame) for frame in frames] == [0, 1, 2]


def test_a_change_of_size_within_the_video_loses_no_frame(tmp_path):
    parts = []
    for n, (height, width) in enumerate([(48, 64), (96, 128)]):
        frames = moving_pattern(40, height, width)[20 * n : 20 * n + 20]
        options = ["-bf", "0", "-output_ts_offset", str(0.8 * n)]
        parts.append(write_video(tmp_path / f"{n}.ts", frames, arguments=options).read_bytes())
    (tmp_path / "both.ts").write_bytes(b"".join(parts))
    run_ffmpeg("-i", tmp_path / "both.ts", "-c", "copy", tmp_path / "both.mkv")
    frames = list(read_frames(tmp_path / "both.mkv", VideoConfig(num_frames=8)))
    assert [frame_number(frame) for _, frame in frames] == list(range(0, 40, 5))
    assert {frame.shape for _, frame in frames} == {(48, 64, 3)}


def test_a_cover_picture_is_not_the_video(tmp_path, clip):
    Image.new("RGB", (300, 300), "red").save(tmp_path / "cover.png")
    path = tmp_path / "cover.mp4"
    streams = ["-map", "0", "-map", "1", "-c:v:0", "png", "-c:v:1", "copy"]
    marks = ["-disposition:v:0", "attached_pic", "-disposition:v:1", "default"]
    run_ffmpeg("-i", tmp_path / "cover.png", "-i", clip, *streams, *marks, path)
    assert read_numbers(path, VideoConfig(num_frames=4)) == [0, 25, 50, 75]


def test_more_times_than_fit_into_one_expression(tmp_path):
    path = write_video(tmp_path / "many.mp4", moving_pattern(800, 32, 48), codec="mpeg4")
    times = np.arange(0, 800) / 25
    assert read_numbers(path, timestamps=times[:600]) == list(range(600))
    assert read_numbers(path, timestamps=times[:300]) == list(range(300))


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP"])
def test_a_still_is_a_video_of_one_frame_whatever_its_name(tmp_path, picture_format):
    original = moving_pattern(4, 48, 64)[3]
    path = tmp_path / "still.mp4"
    Image.fromarray(original).save(path, picture_format)
    info = probe(path)
    assert info.is_still and info.container == picture_format
    assert (info.width, info.height, info.duration, info.fps) == (64, 48, 0.0, 0.0)
    ((timestamp, frame),) = read_frames(path, info=info)
    assert timestamp == 0.0 and frame.dtype == np.uint8 and frame_number(frame) == 3


def test_a_still_is_turned_as_its_exif_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be displayed turned clockwise by a quarter
    path = tmp_path / "phone.jpg"
    Image.fromarray(moving_pattern(4, 48, 64)[3]).save(path, exif=exif)
    info = probe(path)
    assert (info.width, info.height) == (48, 64)
    ((_, frame),) = read_frames(path, info=info)
    assert frame.shape == (64, 48, 3) and frame_number(np.rot90(frame)) == 3


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "I;16"])
def test_stills_of_any_pixel_kind_become_rgb(tmp_path, mode):
    picture = Image.fromarray(moving_pattern(4, 48, 64)[3])
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    else:
        picture = picture.convert(mode)
    picture.save(tmp_path / "still.png")
    ((_, frame),) = read_frames(tmp_path / "still.png")
    assert frame.shape == (48, 64, 3) and frame_number(frame) == 3


def test_a_large_still_is_scaled_down(tmp_path):
    Image.fromarray(moving_pattern(4, 240, 480)[3]).save(tmp_path / "large.png")
    ((_, frame),) = read_frames(tmp_path / "large.png", VideoConfig(max_frame_pixels=60 * 120))
    assert frame.shape == (60, 120, 3) and frame_number(frame) == 3


def test_frames_beyond_the_output_limit_are_refused(tmp_path, clip):
    limits = VideoLimits(max_output_bytes=5 * 48 * 64 * 3)
    frames = read_frames(clip, VideoConfig(num_frames=8), limits=limits)
    for _ in range(5):
        next(frames)
    with pytest.raises(VideoLimitError, match="clip.mp4"):
        next(frames)
