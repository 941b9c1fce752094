"""Keyframes are read alone, and of them no more are decoded than were asked for."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from dfjax.config import VideoConfig
from dfjax.video import references
from dfjax.video.decode import Findings
from dfjax.video.ffmpeg import FfmpegRun, Stopwatch
from dfjax.video.reading import probe, read_frames, read_keyframes
from tests.videos import frame_number, moving_pattern, write_video

FRAMES, GROUP = 60, 5
SIZE = (96, 128)

GROUPED = ["-g", str(GROUP), "-keyint_min", str(GROUP)]
B_FRAMES = [*GROUPED, "-bf", "2"]
KINDS = {
    "usual.mp4": ("libx264", B_FRAMES),
    "delayed.mp4": ("libx264", [*B_FRAMES, "-output_ts_offset", "1.5"]),
    "from_below_zero.mkv": ("libx264", [*B_FRAMES, "-output_ts_offset", "-0.5"]),
    "interlaced.mov": ("libx264", [*GROUPED, "-flags", "+ildct+ilme"]),
    "hevc.mp4": ("libx265", [*GROUPED, "-x265-params", "log-level=error:open-gop=0"]),
    "vp9.webm": ("libvpx-vp9", [*GROUPED, "-lag-in-frames", "8"]),
    "mpeg4.mkv": ("mpeg4", B_FRAMES),
    "every_one.mov": ("mjpeg", []),
}
# Of these, ffmpeg may decode others as well, or may not know where they are.
OTHER_KINDS = {
    "open.mov": ("libx264", [*B_FRAMES, "-x264-params", "open-gop=1"]),
    "open_hevc.mp4": ("libx265", [*GROUPED, "-x265-params", "log-level=error:open-gop=1"]),
    "in_pieces.ts": ("libx264", B_FRAMES),
    "old.avi": ("mpeg4", GROUPED),
    "reordered.avi": ("libx264", B_FRAMES),
    "untimed.mpg": ("libx264", [*GROUPED, "-bf", "0"]),
}


@pytest.fixture(scope="module")
def path_of(tmp_path_factory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("keyframes")

    def written(name: str) -> Path:
        codec, arguments = (KINDS | OTHER_KINDS)[name]
        if not (path := folder / name).exists():
            pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            frames = moving_pattern(FRAMES, *SIZE)
            write_video(path, frames, codec=codec, pixel_format=pixels, arguments=arguments)
        return path

    return written


def apart(times: Iterable[float], gap: float) -> list[float]:
    """Returns the times that are a gap apart, each as early as can be."""
    chosen: list[float] = []
    for time in times:
        if not chosen or time - chosen[-1] >= gap:
            chosen.append(time)
    return chosen


@pytest.mark.parametrize("most", [512, 4, 1])
@pytest.mark.parametrize("name", KINDS)
def test_keyframes_apart_are_those_of_the_container(name, most, path_of):
    info = probe(path_of(name))
    assert info.frame_times is not None
    times, frames = zip(*read_keyframes(path_of(name), info, SIZE, most=most), strict=True)
    expected = apart(info.frame_times.keyframes.tolist(), info.duration / most)
    assert list(times) == pytest.approx(expected, abs=1e-6)
    assert [frame_number(frame) for frame in frames] == [round(25 * time) for time in times]


@pytest.mark.parametrize("most", [512, 4])
@pytest.mark.parametrize("name", OTHER_KINDS)
def test_some_keyframes_come_where_they_cannot_be_told_or_do_not_number_anew(name, most, path_of):
    info = probe(path_of(name))
    times, frames = zip(*read_keyframes(path_of(name), info, SIZE, most=most), strict=True)
    assert len(times) > 1
    assert list(times) == apart(times, info.duration / most)
    assert [frame_number(frame) for frame in frames] == [round(25 * time) for time in times]


@pytest.mark.parametrize("name", [*KINDS, *OTHER_KINDS])
def test_keyframes_at_given_times_are_the_frames_of_these_times(name, path_of):
    info, findings = probe(path_of(name)), Findings()
    assert info.frame_times is not None
    # The last is none, as if the file's index were wrong.
    asked = np.append(info.frame_times.keyframes[1:-2:3], info.frame_times.shown[-2])
    read = list(read_keyframes(path_of(name), info, SIZE, timestamps=asked, findings=findings))
    assert [time for time, _ in read] == asked.tolist() and not findings.is_damaged
    single = VideoConfig(num_frames=1, burst_frames=1)
    exact = read_frames(path_of(name), single, info=info, timestamps=asked)
    for (time, frame), (exact_time, exact_frame) in zip(read, exact, strict=True):
        assert time == exact_time
        np.testing.assert_array_equal(frame, exact_frame)


def num_decoded(path: Path, options: Sequence[str]) -> int:
    """Returns how many packets options for reading leave of a file."""
    source = probe(path).source
    assert source is not None
    copied = ["-map", f"0:{source.stream}", "-c", "copy", "-f", "framecrc"]
    with FfmpegRun(source, Stopwatch(10), options, copied) as run:
        return sum(line.startswith("0,") for line in run.read_lines())


def test_no_others_are_decoded(path_of):
    source = probe(path_of("usual.mp4")).source
    assert source is not None
    few = references.keyframes_apart(source, "h264", 3 * GROUP / 25)
    assert num_decoded(path_of("usual.mp4"), few) == FRAMES / GROUP / 3
    # And the first of all, which may say how the others are to be decoded.
    chosen = references.keyframes_at(source, "h264", np.array([2.0, 7.0, 9.0]) * GROUP / 25)
    assert num_decoded(path_of("usual.mp4"), chosen) == 1 + 3


@pytest.mark.parametrize("name", ["usual.mp4", "hevc.mp4", "vp9.webm"])
def test_those_behind_a_damaged_place_come_as_well(name, path_of, tmp_path):
    content = bytearray(path_of(name).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 300] = bytes(300)
    (tmp_path / name).write_bytes(content)
    info = probe(tmp_path / name)
    times = [time for time, _ in read_keyframes(tmp_path / name, info, SIZE, most=512)]
    assert len(times) >= FRAMES / GROUP / 2
    assert times == sorted(set(times)) and times[-1] >= (FRAMES - 2 * GROUP) / 25
