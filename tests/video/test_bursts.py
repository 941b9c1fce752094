"""Frames in a row, wherever in a video they are sampled."""

from pathlib import Path

import numpy as np
import pytest

from dfjax.config import VideoConfig
from dfjax.video import decode
from dfjax.video.reading import probe, read_frames
from dfjax.video.sampling import burst_sizes, choose_frames
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
