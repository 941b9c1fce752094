"""Frames in a row, wherever in a video they are sampled."""

from pathlib import Path

import numpy as np
import pytest

from dfjax.config import VideoConfig
from dfjax.video import decode
from dfjax.video.reading import probe, read_frames
from dfjax.video.sampling import burst_sizes, choose_frames, fill_bursts
from tests.videos import frame_number, moving_pattern, run_ffmpeg, write_video

BURSTS = VideoConfig(num_frames=12, burst_frames=4)


def read_numbers(path: Path, config: VideoConfig) -> list[int]:
    return [frame_number(frame) for _, frame in read_frames(path, config)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 s at 25 fps, with a keyframe every second."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return write_video(path, moving_pattern(100, 48, 64), arguments=["-g", "25"])


@pytest.fixture(scope="module")
def long_clip(clip: Path) -> Path:
    """The same four seconds, 300 times: 20 minutes, which are sought."""
    path = clip.with_name("long.mp4")
    run_ffmpeg("-stream_loop", "299", "-i", clip, "-c", "copy", path)
    return path


def test_frames_of_a_burst_follow_each_other_and_bursts_are_even(clip):
    assert read_numbers(clip, BURSTS) == [0, 1, 2, 3, 34, 35, 36, 37, 67, 68, 69, 70]


def test_seeking_gives_the_same_frames_at_the_same_times(clip, monkeypatch):
    in_one_pass = list(read_frames(clip, BURSTS))
    monkeypatch.setattr(decode, "_one_pass_is_cheaper", lambda *given: False)
    sought = list(read_frames(clip, BURSTS))
    assert [time for time, _ in sought] == [time for time, _ in in_one_pass]
    for (_, one), (_, other) in zip(in_one_pass, sought, strict=True):
        np.testing.assert_array_equal(one, other)


def test_frames_in_memory_are_chosen_as_those_of_a_file(clip):
    times = np.array([time for time, _ in read_frames(clip, VideoConfig(num_frames=100))])
    for config in (BURSTS, VideoConfig(num_frames=7, burst_frames=3), VideoConfig(num_frames=9)):
        assert read_numbers(clip, config) == choose_frames(times, config).tolist()
    times[1:] -= 0.001  # as containers round
    assert choose_frames(times, VideoConfig(num_frames=10)).tolist() == [*range(0, 100, 10)]


def _still(path: Path, seconds: float, *, after: int = 50) -> Path:
    """Writes 100 frames at 25 a second, of which the one before number `after` stands still."""
    times = [n / 25 + (seconds if n >= after else 0.0) for n in range(100)]
    return write_video(path, moving_pattern(100, 48, 64), timestamps=times)


@pytest.mark.parametrize("seconds", [3, 30, 400])
@pytest.mark.parametrize("after", [1, 50, 99])
def test_bursts_that_would_begin_in_a_stillness_begin_elsewhere(tmp_path, seconds, after):
    path = _still(tmp_path / "still.mp4", seconds, after=after)
    config = VideoConfig(num_frames=32, burst_frames=4)
    numbers = read_numbers(path, config)
    assert numbers == sorted(set(numbers)) and 29 <= len(numbers) <= 32
    assert numbers[0] == 0 and np.diff(numbers).max() < 30
    times = np.array([n / 25 + (seconds if n >= after else 0.0) for n in range(100)])
    assert numbers == choose_frames(times, config).tolist()


def test_bursts_after_the_last_frame_begin_elsewhere():
    shown, config = np.arange(100) / 25, VideoConfig(num_frames=32, burst_frames=4)
    filled = fill_bursts(shown, 60.0, config)
    assert filled is not None
    numbers = np.concatenate([round(t * 25) + np.arange(n) for t, n in zip(*filled, strict=True)])
    assert numbers.tolist() == sorted(set(numbers)) and len(numbers) == 32
    assert np.diff(numbers).max() < 30 and numbers[-1] > 70


@pytest.mark.parametrize("early", [0.0, 0.001])
def test_bursts_that_begin_with_the_frame_of_another_are_put_where_most_are_in_none(early):
    """Of four bursts, the second and the third would begin after six seconds of one picture."""
    shown = np.array([n / 4 + (6.0 if n >= 10 else 0.0) for n in range(40)])
    shown[1:] -= early  # as containers round
    config = VideoConfig(num_frames=11, burst_frames=3)  # of 3, 3, 3 and 2 frames
    filled = fill_bursts(shown, 16.0, config)
    assert filled is not None
    numbers = [0, 1, 2, 10, 11, 12, 20, 21, 22, 24, 25]
    assert filled[0].tolist() == shown[[0, 10, 20, 24]].tolist()
    assert filled[1].tolist() == [3, 3, 3, 2]
    assert choose_frames(7.0 + shown, config).tolist() == numbers


@pytest.mark.parametrize("duration", [3.6, 3.8, 4.0])
def test_bursts_of_which_each_shows_something_are_left_where_they_are(duration):
    shown = np.sort(np.random.default_rng(0).uniform(0, 3.6, 60))
    shown[0] = 0.0
    for config in (BURSTS, VideoConfig(num_frames=9), VideoConfig(num_frames=32, burst_frames=4)):
        assert fill_bursts(shown, duration, config) is None


def test_no_frame_of_a_video_of_few_is_passed_over_in_a_stillness(tmp_path):
    pattern = moving_pattern(10, 48, 64)
    path = write_video(tmp_path / "slides.mp4", pattern, timestamps=[*range(9), 300])
    assert read_numbers(path, BURSTS) == list(range(10))
    for num_frames in range(2, 12):
        filled = fill_bursts(np.array([*range(num_frames - 1), 300.0]), 301.0, BURSTS)
        assert filled is not None and filled[1].sum() == num_frames


def test_bursts_of_a_long_video_are_whole_and_cost_no_decoding_up_to_them(long_clip):
    info = probe(long_clip)
    frames = list(read_frames(long_clip, BURSTS, info=info))
    times = np.array([time for time, _ in frames])
    assert len(frames) == 12
    assert [frame_number(frame) for _, frame in frames] == [round(t * 25) % 100 for t in times]
    np.testing.assert_allclose(np.diff(times.reshape(3, 4), axis=1), 0.04, atol=2e-3)
    starts = times[::4]
    assert (starts <= np.arange(3) * 400 + 0.05).all()
    assert (starts >= np.arange(3) * 400 - 100).all()


def test_bursts_after_a_bad_seek_are_those_decoded_from_the_start(clip, monkeypatch):
    expected = list(read_frames(clip, BURSTS))
    monkeypatch.setattr(decode, "_one_pass_is_cheaper", lambda *given: False)
    finish = decode._finish_seek
    monkeypatch.setattr(
        decode, "_finish_seek", lambda *given: finish(*given)._replace(is_clean=False)
    )
    mended = list(read_frames(clip, BURSTS))
    assert [time for time, _ in mended] == [time for time, _ in expected]
    for (_, frame), (_, other) in zip(mended, expected, strict=True):
        np.testing.assert_array_equal(frame, other)


def test_a_video_that_is_short_is_read_whole(clip):
    config = VideoConfig(num_frames=100, burst_frames=4)
    assert read_numbers(clip, config) == list(range(100))


@pytest.mark.parametrize(
    ("num_frames", "burst_frames", "sizes"),
    [(12, 4, [4, 4, 4]), (7, 3, [3, 2, 2]), (3, 8, [3]), (5, 1, [1] * 5)],
)
def test_bursts_share_the_frames_as_evenly_as_possible(num_frames, burst_frames, sizes):
    config = VideoConfig(num_frames=num_frames, burst_frames=burst_frames)
    assert burst_sizes(config).tolist() == sizes
