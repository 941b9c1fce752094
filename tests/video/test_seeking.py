"""Long videos are sought, at a cost that does not grow with their length; bad seeks are mended."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dfjax.config import VideoConfig
from dfjax.video import decode
from dfjax.video.reading import probe, read_frames
from tests.videos import frame_number, moving_pattern, run_ffmpeg, write_video

_MEMORY_OF_READING = """
import json, resource, sys
from dfjax.video.reading import read_frames
num_frames = sum(1 for _ in read_frames(sys.argv[1]))
peaks = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(json.dumps({"num_frames": num_frames, "peak_kib": sum(peak.ru_maxrss for peak in peaks)}))
"""


@pytest.fixture(scope="module")
def ten_seconds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 s at 5 fps, with a keyframe every 2 s, indexed at its front."""
    path = tmp_path_factory.mktemp("long") / "ten.mp4"
    frames = moving_pattern(50, 240, 320)
    return write_video(path, frames, 5, arguments=["-g", "10", "-movflags", "+faststart"])


@pytest.fixture(scope="module")
def hour(ten_seconds: Path) -> Path:
    """The same ten seconds, 360 times."""
    path = ten_seconds.with_name("hour.mp4")
    loop = ["-stream_loop", "359", "-i", ten_seconds, "-c", "copy"]
    run_ffmpeg(*loop, "-movflags", "+faststart", path)
    return path


@pytest.fixture(scope="module")
def recorded_hour(hour: Path) -> Path:
    """An hour as browsers record it: without a duration and without an index."""
    path = hour.with_suffix(".mkv")
    run_ffmpeg("-i", hour, "-c", "copy", "-live", "1", path)
    return path


def assert_true_times(frames: list[tuple[float, np.ndarray]]) -> None:
    for timestamp, frame in frames:
        assert frame_number(frame) == round(timestamp * 5) % 50


@pytest.mark.parametrize("name", ["hour", "recorded_hour"])
def test_an_hour_is_sampled_evenly_with_true_times(name, request):
    path = request.getfixturevalue(name)
    info = probe(path)
    assert info.duration == pytest.approx(3600, abs=0.5) and info.fps == pytest.approx(5, rel=0.01)
    frames = list(read_frames(path, VideoConfig(num_frames=9), info=info))
    assert_true_times(frames)
    wanted = np.arange(9) * 400
    earlier = wanted - np.array([timestamp for timestamp, _ in frames])
    assert (earlier > -0.21).all() and (earlier <= 100).all()


@pytest.mark.parametrize("name", ["hour", "recorded_hour"])
def test_chosen_times_of_an_hour_are_exact(name, request):
    path = request.getfixturevalue(name)
    frames = list(read_frames(path, timestamps=np.array([7.8, 1801.4, 3599.8])))
    assert [timestamp for timestamp, _ in frames] == pytest.approx([7.8, 1801.4, 3599.8], abs=2e-3)
    assert [frame_number(frame) for _, frame in frames] == [39, 7, 49]


def test_a_long_video_that_was_cut_off_has_the_length_that_is_left(hour, tmp_path):
    path = tmp_path / "cut.mp4"
    content = hour.read_bytes()
    start = content.index(b"mdat")
    path.write_bytes(content[: start + (len(content) - start) // 3])
    info = probe(path)
    assert info.duration == pytest.approx(1200, rel=0.02)
    frames = list(read_frames(path, VideoConfig(num_frames=8), info=info))
    assert len(frames) == 8
    assert_true_times(frames)


def test_memory_does_not_grow_with_the_length_of_the_video(ten_seconds, hour, recorded_hour):
    def peak_mib(path: Path) -> float:
        command = [sys.executable, "-c", _MEMORY_OF_READING, str(path)]
        done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=120)
        told = json.loads(done.stdout)
        assert told["num_frames"] == 32
        return told["peak_kib"] / 1024

    short = peak_mib(ten_seconds)
    # All decoded frames of the hour would take 4,000 MiB.
    assert peak_mib(hour) < short + 32
    assert peak_mib(recorded_hour) < short + 32


def with_false_keyframes(path: Path, shift: int) -> Path:
    """Moves every keyframe but the first in an MP4's table to a frame that is none."""
    content = bytearray(path.read_bytes())
    table = content.index(b"stss") + 8
    (count,) = struct.unpack_from(">I", content, table)
    assert count > 1
    for entry in range(table + 8, table + 4 + 4 * count, 4):
        struct.pack_into(">I", content, entry, struct.unpack_from(">I", content, entry)[0] + shift)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "encoder, options",
    [
        ("libx264", ["-g", "50", "-sc_threshold", "0"]),
        ("libx265", ["-x265-params", "keyint=50:min-keyint=50:scenecut=0:log-level=none"]),
        ("mpeg4", ["-g", "50"]),
    ],
)
def test_frames_after_a_bad_seek_are_those_decoded_from_the_start(
    tmp_path, monkeypatch, encoder, options
):
    frames = moving_pattern(100, 48, 64)
    path = write_video(tmp_path / "lies.mp4", frames, codec=encoder, arguments=options)
    info = probe(with_false_keyframes(path, 5))
    times = np.array([1.0, 2.8, 3.2])
    expected = list(read_frames(path, info=info, timestamps=times))
    monkeypatch.setattr(decode, "_one_pass_is_cheaper", lambda *given: False)
    sought = list(read_frames(path, info=info, timestamps=times))
    assert [frame_number(frame) for _, frame in sought] == [25, 70, 80]
    for (time_a, frame_a), (time_b, frame_b) in zip(expected, sought, strict=True):
        assert time_a == time_b
        np.testing.assert_array_equal(frame_a, frame_b)


def test_a_long_video_without_any_good_seek_is_decoded_from_the_start(tmp_path, monkeypatch):
    # 150 s, which is sought; but none of the frames that are called keyframes is one.
    frames = moving_pattern(300, 48, 64)
    path = write_video(tmp_path / "lies.mp4", frames, 2, codec="mpeg4", arguments=["-g", "12"])
    info = probe(with_false_keyframes(path, 5))
    assert info.frame_times is not None and not info.frame_times.is_whole
    times = np.array([30.0, 60.5, 100.0, 149.0])
    sought = list(read_frames(path, info=info, timestamps=times))
    assert [frame_number(frame) for _, frame in sought] == [60, 121, 200, 298]
    monkeypatch.setattr(decode, "_one_pass_is_cheaper", lambda *given: True)
    expected = list(read_frames(path, info=info, timestamps=times))
    for (_, frame_a), (_, frame_b) in zip(expected, sought, strict=True):
        np.testing.assert_array_equal(frame_a, frame_b)


@pytest.mark.parametrize(("num_bursts", "way_not_taken"), [(20, "_seeks"), (10, "_one_pass")])
def test_a_long_video_is_decoded_in_one_pass_where_that_is_cheaper_than_many_seeks(
    num_bursts, way_not_taken, tmp_path, monkeypatch
):
    path = write_video(
        tmp_path / "long.mp4", moving_pattern(300, 48, 64), 2, arguments=["-bf", "2"]
    )
    info = probe(path)
    assert info.frame_times is not None and not info.frame_times.is_whole
    monkeypatch.setattr(decode, way_not_taken, lambda *given: pytest.fail(way_not_taken))
    bursts = VideoConfig(num_frames=2 * num_bursts, burst_frames=2)
    times = np.arange(num_bursts) * 7.5
    frames = list(read_frames(path, bursts, info=info, timestamps=times))
    expected = [first + place for first in (2 * times).astype(int).tolist() for place in (0, 1)]
    assert [frame_number(frame) for _, frame in frames] == expected
    assert [time for time, _ in frames] == pytest.approx(np.array(expected) / 2)
    # Spread evenly, bursts may begin early, at a keyframe, and say so.
    evenly = list(read_frames(path, bursts, info=info))
    assert [frame_number(frame) for _, frame in evenly] == [round(2 * time) for time, _ in evenly]
    assert len(evenly) == 2 * num_bursts


def test_more_frames_than_can_be_selected_are_not_sought_one_by_one(tmp_path, monkeypatch):
    path = write_video(tmp_path / "all.mp4", moving_pattern(60, 48, 64))
    monkeypatch.setattr(decode, "_MAX_SELECTED", 20)
    monkeypatch.setattr(decode, "_seeks", lambda *given: pytest.fail("seeks"))
    frames = list(read_frames(path, VideoConfig(num_frames=60)))
    assert [frame_number(frame) for _, frame in frames] == [*range(60)]


@pytest.mark.real_clips
@pytest.mark.parametrize("name", ["175.mp4", "175_159.mp4"])
def test_real_files_with_bad_seeks_give_undamaged_frames(real_clips, monkeypatch, name):
    (path,) = (real_clips / "data" / "ffpp").rglob(f"c23/videos/{name}")
    info = probe(path)
    times = np.array([4.88, 5.0, 5.6])
    monkeypatch.setattr(decode, "_one_pass_is_cheaper", lambda *given: True)
    expected = list(read_frames(path, info=info, timestamps=times))
    monkeypatch.setattr(decode, "_one_pass_is_cheaper", lambda *given: False)
    sought = list(read_frames(path, info=info, timestamps=times))
    for (time_a, frame_a), (time_b, frame_b) in zip(expected, sought, strict=True):
        assert time_a == time_b
        np.testing.assert_array_equal(frame_a, frame_b)


@pytest.mark.real_clips
def test_real_clips_give_frames_of_their_own_size(real_clips):
    paths = sorted((real_clips / "data" / "clips").glob("*.mp4"))
    assert len(paths) > 5
    for path in paths:
        info = probe(path)
        frames = list(read_frames(path, info=info, timestamps=np.array([0.0, 0.5])))
        assert len(frames) == 2
        for _, frame in frames:
            assert frame.shape == (info.height, info.width, 3) and frame.std() > 5
