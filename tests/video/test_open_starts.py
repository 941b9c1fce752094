"""What cannot be decoded because decoding begins late, after a seek or at all, is no damage."""

from pathlib import Path

import numpy as np
import pytest

from dfjax.config import VideoConfig
from dfjax.video import decode
from dfjax.video.decode import Findings
from dfjax.video.reading import probe, read_frames
from tests.videos import frame_number, moving_pattern, run_ffmpeg, write_video

_OPEN = "open-gop=1:keyint=50:scenecut=0"
_KINDS = {
    "libx264": ["-preset", "medium", "-x264-params", f"{_OPEN}:bframes=5:ref=4"],
    "libx265": ["-x265-params", f"{_OPEN}:bframes=4:log-level=none"],
    "mpeg2video": ["-g", "50", "-bf", "2"],
}


@pytest.fixture
def begun(monkeypatch) -> list[float]:
    """Gets the times of all seeks. What is sought twice, or decoded from the start, fails."""
    times, start_seek = [], decode._start_seek

    def noted(request, stopwatch, begin, wanted, *threads):
        assert wanted.time not in times, "a seek was distrusted"
        times.append(wanted.time)
        return start_seek(request, stopwatch, begin, wanted, *threads)

    monkeypatch.setattr(decode, "_start_seek", noted)
    return times


@pytest.mark.parametrize(
    "codec, suffix",
    [("libx264", "flv"), *((codec, suffix) for codec in _KINDS for suffix in ("mp4", "mkv", "ts"))],
)
def test_seeks_into_an_intact_file_are_clean_and_right(tmp_path, monkeypatch, begun, codec, suffix):
    path = tmp_path / f"open.{suffix}"
    write_video(path, moving_pattern(500, 48, 64), codec=codec, arguments=_KINDS[codec])
    info, times = probe(path), np.arange(0.5, 20, 1.2)
    assert info.frame_times is not None and not info.frame_times.is_damaged
    in_one_pass = list(read_frames(path, info=info, timestamps=times))
    monkeypatch.setattr(decode, "_one_pass_is_cheaper", lambda *given: False)
    findings = Findings()
    sought = list(read_frames(path, info=info, timestamps=times, findings=findings))
    assert not findings.is_damaged and begun == times.tolist()
    for (time_a, frame_a), (time_b, frame_b) in zip(in_one_pass, sought, strict=True):
        assert time_a == time_b
        np.testing.assert_array_equal(frame_a, frame_b)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_program_stream_that_tells_the_times_of_some_pictures_only_is_decoded_right(
    tmp_path, codec
):
    path = tmp_path / "clip.mpg"
    quiet = ["-x265-params", "log-level=none"] if codec == "libx265" else []
    write_video(path, moving_pattern(50, 48, 64), codec=codec, arguments=["-g", "25", *quiet])
    findings = Findings()
    frames = list(read_frames(path, VideoConfig(num_frames=50), findings=findings))
    assert len(frames) > 25 and not findings.is_damaged
    # A time that the file does not tell may be a frame off.
    assert [frame_number(frame) for _, frame in frames] == pytest.approx(
        [25 * time for time, _ in frames], abs=1.1
    )


@pytest.mark.parametrize("suffix, start", [("ts", 40 * 188 + 77), ("m2ts", 2)])
def test_a_transport_stream_may_begin_within_a_packet(tmp_path, suffix, start):
    frames = moving_pattern(50, 48, 64)
    whole = write_video(tmp_path / f"whole.{suffix}", frames, arguments=["-g", "10"])
    clip = tmp_path / f"clip.{suffix}"
    clip.write_bytes(whole.read_bytes()[start:])
    info = probe(clip)
    assert info.container == "mpegts" and not info.is_cut_off
    numbers = [frame_number(frame) for _, frame in read_frames(clip, VideoConfig(num_frames=50))]
    assert numbers == list(range(50 - len(numbers), 50)) and len(numbers) > 20
    clip.write_bytes(clip.read_bytes()[:-90])
    assert probe(clip).is_cut_off


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_long_video_of_open_groups_is_sought_without_complaint(tmp_path, begun, suffix):
    frames = moving_pattern(100, 48, 64)
    path = tmp_path / f"long.{suffix}"
    many = (frames[n % 100] for n in range(3200))
    write_video(path, many, 20, arguments=_KINDS["libx264"])
    info, findings = probe(path), Findings()
    assert info.frame_times is not None and not info.frame_times.is_whole
    times = np.array([11.3, 47.9, 90.15, 133.0])
    read = list(read_frames(path, info=info, timestamps=times, findings=findings))
    assert [time for time, _ in read] == pytest.approx(times, abs=0.051)
    assert [frame_number(frame) for _, frame in read] == [round(20 * t) % 100 for t, _ in read]
    assert not findings.is_damaged and begun == times.tolist()


@pytest.mark.parametrize(
    "suffix, codec, unit, arguments",
    [
        ("ts", "libx264", 188, ["-g", "50", "-bf", "2"]),
        ("ts", "libx264", 188, _KINDS["libx264"]),
        ("ts", "libx265", 188, ["-x265-params", "keyint=50:log-level=none"]),
        ("ts", "mpeg2video", 188, ["-g", "50", "-bf", "2"]),
        ("mpg", "mpeg2video", 2048, ["-g", "50", "-bf", "2"]),
    ],
)
def test_a_recording_that_begins_between_keyframes_is_not_damaged(
    tmp_path, suffix, codec, unit, arguments
):
    whole = tmp_path / f"whole.{suffix}"
    write_video(whole, moving_pattern(250, 48, 64), codec=codec, arguments=arguments)
    content = whole.read_bytes()
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(content[len(content) // 3 // unit * unit :])
    info, findings = probe(path), Findings()
    assert info.frame_times is not None and not info.frame_times.is_damaged
    read = list(read_frames(path, VideoConfig(num_frames=16), info=info, findings=findings))
    first = frame_number(read[0][1])
    assert 50 < first < 150 and not findings.is_damaged
    assert [frame_number(frame) for _, frame in read] == [first + round(25 * t) for t, _ in read]


@pytest.mark.parametrize("title", ["[error]", "[h264 @ 0x1] [error] no frame!"])
def test_what_a_file_says_of_itself_is_no_complaint(tmp_path, title):
    clip = write_video(tmp_path / "clip.mp4", moving_pattern(8, 48, 64))
    path: Path = tmp_path / "titled.mp4"
    run_ffmpeg("-i", clip, "-c", "copy", "-metadata", f"title={title}", path)
    info, findings = probe(path), Findings()
    list(read_frames(path, info=info, findings=findings))
    assert info.frame_times is not None
    assert not info.frame_times.is_damaged and not findings.is_damaged


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_what_is_missing_within_a_frame_is_still_damage(tmp_path, suffix):
    path = tmp_path / f"lossy.{suffix}"
    arguments = ["-g", "1", "-qp", "4"]
    write_video(path, moving_pattern(20, 192, 256), arguments=arguments)
    content = bytearray(path.read_bytes())
    assert len(content) > 20 * 4000
    place = round(10.5 / 20 * len(content))  # half through one of the frames, which are alike
    content[place : place + 1000] = bytes(1000)
    path.write_bytes(content)
    info, findings = probe(path), Findings()
    assert info.frame_times is not None
    list(read_frames(path, VideoConfig(num_frames=20), info=info, findings=findings))
    assert findings.is_damaged or info.frame_times.is_damaged
