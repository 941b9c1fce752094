"""What a hostile file cannot do: read other files, learn secrets, hang, or leave processes."""

import os
import struct
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from dfjax.config import VideoConfig
from dfjax.errors import DamagedVideoError, VideoLimitError
from dfjax.video import decode, ffmpeg
from dfjax.video.limits import VideoLimits
from dfjax.video.reading import probe, read_frames
from tests.videos import frame_number, moving_pattern, run_ffmpeg, write_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 s at 25 fps, with a keyframe every second."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return write_video(path, moving_pattern(100, 48, 64), arguments=["-g", "25"])


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen]:
    """Every process that is started to read a video."""
    started = []

    class Recorded(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            started.append(self)

    monkeypatch.setattr(ffmpeg.subprocess, "Popen", Recorded)
    return started


def assert_all_ended(processes: list[subprocess.Popen]) -> None:
    assert processes
    for process in processes:
        assert process.returncode is not None  # it was waited for, so it is no zombie
        assert process.stdout is not None and process.stdout.closed
        assert process.stderr is not None and process.stderr.closed


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def replace_ffmpeg(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Puts a shell script in the place of ffmpeg."""
    path = folder / "ffmpeg.sh"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(path))


@pytest.mark.parametrize("one_pass", [True, False])
def test_a_reader_that_stops_early_leaves_nothing_behind(clip, processes, monkeypatch, one_pass):
    monkeypatch.setattr(decode, "_one_pass_is_cheaper", lambda *given: one_pass)
    before = open_descriptors()
    frames = read_frames(clip)
    next(frames)
    frames.close()
    assert_all_ended(processes)
    assert open_descriptors() == before


@pytest.mark.parametrize("one_pass", [True, False])
def test_a_reader_that_goes_to_the_end_leaves_nothing_behind(
    clip, processes, monkeypatch, one_pass
):
    monkeypatch.setattr(decode, "_one_pass_is_cheaper", lambda *given: one_pass)
    before = open_descriptors()
    assert len(list(read_frames(clip))) == 32
    assert_all_ended(processes)
    assert open_descriptors() == before


def test_a_reader_that_never_starts_starts_no_decoding(clip, processes):
    info = probe(clip)
    num_processes = len(processes)
    read_frames(clip, info=info).close()
    assert len(processes) == num_processes


def test_two_readers_of_one_file_do_not_disturb_each_other(clip):
    config = VideoConfig(num_frames=20)
    for (_, frame_a), (_, frame_b) in zip(
        read_frames(clip, config), read_frames(clip, config), strict=True
    ):
        assert frame_number(frame_a) == frame_number(frame_b)


def test_a_decoder_that_hangs_is_ended_at_the_limit(clip, processes, monkeypatch, tmp_path):
    info = probe(clip)
    replace_ffmpeg(monkeypatch, tmp_path, "exec sleep 600")
    before = open_descriptors()
    with pytest.raises(VideoLimitError, match="longer than the limit of 0.3 seconds"):
        list(read_frames(clip, limits=VideoLimits(max_decode_seconds=0.3), info=info))
    with pytest.raises(VideoLimitError, match="longer than the limit of 0.3 seconds"):
        probe(clip, VideoLimits(max_decode_seconds=0.3))
    assert_all_ended(processes)
    assert open_descriptors() == before


def test_the_limit_counts_probing_and_reading_together(clip):
    info = probe(clip)
    assert info.read_seconds > 0
    with pytest.raises(VideoLimitError, match="longer than the limit"):
        limits = VideoLimits(max_decode_seconds=info.read_seconds)
        list(read_frames(clip, limits=limits, info=info))


def keep_logs(monkeypatch) -> list[list[str]]:
    """Returns a list that gets the messages of each run when it is closed."""
    logs: list[list[str]] = []
    close = ffmpeg.FfmpegRun.close

    def close_and_keep_log(run):
        logs.append(run.log)
        close(run)

    monkeypatch.setattr(ffmpeg.FfmpegRun, "close", close_and_keep_log)
    return logs


def test_endless_messages_fill_no_memory(clip, processes, monkeypatch, tmp_path):
    replace_ffmpeg(monkeypatch, tmp_path, "exec /usr/bin/yes '[error] damaged' >&2")
    logs = keep_logs(monkeypatch)
    with pytest.raises(VideoLimitError):
        probe(clip, VideoLimits(max_decode_seconds=0.5))
    assert_all_ended(processes)
    assert 0 < sum(map(len, logs[0])) <= 1 << 20


def test_the_decoder_is_told_no_secret(clip, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    replace_ffmpeg(monkeypatch, tmp_path, "/usr/bin/env >&2")
    logs = keep_logs(monkeypatch)
    with pytest.raises(DamagedVideoError):
        probe(clip)
    environment = "".join(logs[0])
    assert "AV_LOG_FORCE_NOCOLOR" in environment and "secret" not in environment


def test_a_video_that_says_its_pictures_lie_in_another_file_does_not_get_them(tmp_path):
    secret = write_video(tmp_path / "secret.mp4", moving_pattern(10, 48, 64))
    hostile = tmp_path / "hostile.mov"
    hostile.write_bytes(_pictures_elsewhere(secret.read_bytes(), b"secret.mp4"))
    # The attack is a real one: with its guard off, ffmpeg takes the pictures of the other file.
    shown = tmp_path / "shown.mkv"
    run_ffmpeg("-enable_drefs", "1", "-i", hostile, "-c", "copy", shown)
    assert [frame_number(frame) for _, frame in read_frames(shown)] == list(range(10))
    with pytest.raises(DamagedVideoError):
        list(read_frames(hostile))
    # Nor does it with its guard off, for it may open nothing but what it was handed.
    source = ffmpeg.MediaFile(path=hostile, name="", demuxer="mov", max_pixels=10**6)
    guard_off = ["-enable_drefs", "1", "-use_absolute_path", "1"]
    options = ["-c", "copy", "-f", "framecrc"]
    with ffmpeg.FfmpegRun(source, ffmpeg.Stopwatch(30), guard_off, options) as run:
        assert not [line for line in run.read_lines() if not line.startswith("#")]


def _pictures_elsewhere(content: bytes, name: bytes) -> bytes:
    """Returns an MP4's index alone, which refers to a file beside it for its pictures."""
    alias = bytearray(150)
    struct.pack_into(">HH", alias, 130, 1, 1)  # levels: up from the alias, and down to the file
    path = struct.pack(">HH", 2, len(name)) + name + bytes(len(name) % 2)
    end = struct.pack(">HH", 0xFFFF, 0)
    data = bytes(4) + struct.pack(">I", 1) + _box(b"alis", bytes(4) + alias + path + end)
    index = _with_box(_boxes(content)[b"moov"], [b"trak", b"mdia", b"minf", b"dinf", b"dref"], data)
    return _box(b"ftyp", b"qt  \0\0\x02\0qt  ") + _box(b"moov", index)


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _boxes(content: bytes) -> dict[bytes, bytes]:
    """Returns the bodies of the boxes in `content`, in order, by type."""
    boxes = {}
    while content:
        size, kind = struct.unpack_from(">I4s", content)
        boxes[kind], content = content[8:size], content[size:]
    return boxes


def _with_box(content: bytes, path: list[bytes], body: bytes) -> bytes:
    """Returns `content` with the box at `path` given another body."""
    boxes = _boxes(content)
    kind, *rest = path
    boxes[kind] = _with_box(boxes[kind], rest, body) if rest else body
    return b"".join(_box(kind, body) for kind, body in boxes.items())


def test_time_that_the_caller_takes_is_not_counted(clip, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(ffmpeg.time, "monotonic", lambda: clock[0])
    numbers = []
    limits = VideoLimits(max_decode_seconds=5)
    for _, frame in read_frames(clip, VideoConfig(num_frames=10), limits=limits):
        clock[0] += 100
        numbers.append(frame_number(frame))
    assert numbers == list(np.arange(10) * 10)
