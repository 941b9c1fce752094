"""Leaving out what need not be decoded changes no frame that is wanted."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dfjax.config import VideoConfig
from dfjax.video import decode, references
from dfjax.video.decode import Findings
from dfjax.video.ffmpeg import FfmpegRun, Stopwatch
from dfjax.video.reading import probe, read_frames
from tests.videos import frame_number, moving_pattern, write_video

BURSTS = VideoConfig(num_frames=8, burst_frames=2)
FRAMES = 60

B_FRAMES = ["-bf", "3", "-b_strategy", "0", "-g", "30"]
KINDS = {
    "usual.mp4": B_FRAMES,
    "pyramid.mkv": [*B_FRAMES, "-x264-params", "b-pyramid=strict"],
    "marked.mp4": [*B_FRAMES, "-bsf:v", "h264_metadata=aud=insert"],
    "open.mp4": [*B_FRAMES, "-x264-params", "open-gop=1"],
    "delayed.mp4": [*B_FRAMES, "-output_ts_offset", "1.5"],
}


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch):
    """Clips of tests are so small that finding out would not pay."""
    monkeypatch.setattr(decode, "_UNREFERRED", 1e9)


def written(path: Path, arguments: Sequence[str], codec: str = "libx264") -> Path:
    return write_video(path, moving_pattern(FRAMES, 96, 128), codec=codec, arguments=arguments)


def frames_and_dropped(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[tuple[float, np.ndarray]], list[int], Findings]:
    """Reads a file, and returns its frames, the packets left out, and what came to light."""
    dropped: list[int] = []

    def noted(*given) -> np.ndarray:
        found = references.unneeded_packets(*given)
        dropped.extend(found.tolist())
        return found

    monkeypatch.setattr(decode, "unneeded_packets", noted)
    findings = Findings()
    return list(read_frames(path, BURSTS, findings=findings)), dropped, findings


@pytest.mark.parametrize("name", KINDS)
def test_frames_are_the_same_without_those_to_which_none_refers(name, tmp_path, monkeypatch):
    path = written(tmp_path / name, KINDS[name])
    frames, dropped, findings = frames_and_dropped(path, monkeypatch)
    assert len(dropped) > FRAMES / 4
    assert not findings.is_damaged
    monkeypatch.setattr(decode, "_unneeded", lambda *given: np.empty(0))
    whole = list(read_frames(path, BURSTS))
    assert len(frames) == 8
    for (time, frame), (whole_time, whole_frame) in zip(frames, whole, strict=True):
        assert time == whole_time
        np.testing.assert_array_equal(frame, whole_frame)
    rate = probe(path).fps
    assert [frame_number(frame) for _, frame in frames] == [round(t * rate) for t, _ in frames]


def test_what_comes_after_the_last_wanted_frame_before_a_fresh_start_is_left_out(
    tmp_path, monkeypatch
):
    path = written(tmp_path / "short_groups.mp4", ["-bf", "0", "-refs", "1", "-g", "10"])
    frames, dropped, findings = frames_and_dropped(path, monkeypatch)
    # Bursts are at 0, 15, 30 and 45; a group starts at each multiple of 10, and stays.
    ends = [range(2, 10), range(17, 20), range(21, 30), range(32, 40)]
    assert dropped == [number for end in ends for number in end]
    assert [frame_number(frame) for _, frame in frames] == [0, 1, 15, 16, 30, 31, 45, 46]
    assert not findings.is_damaged


def test_of_thousands_of_packets_any_can_be_left_out(tmp_path):
    path = write_video(tmp_path / "intra.mkv", moving_pattern(3000, 16, 16), codec="ffv1")
    source = probe(path).source
    assert source is not None
    packets = np.flatnonzero(np.random.default_rng(0).random(2900) < 0.45)
    copied = ["-c", "copy", "-f", "framecrc"]
    with FfmpegRun(source, Stopwatch(30), references.leaving_out(packets), copied) as run:
        lines = [line.split(",") for line in run.read_lines() if not line.startswith("#")]
    # Shown a twenty-fifth of a second after each other, in thousandths.
    left = [round(int(shown_at) / 40) for _, _, shown_at, *_ in lines]
    assert left == sorted({*range(3000)} - {*packets.tolist()})


def test_options_are_no_longer_than_an_argument_may_be_however_long_the_video_is(tmp_path):
    source = probe(written(tmp_path / "usual.mp4", B_FRAMES)).source
    assert source is not None
    many = np.arange(1, 2_000_000, 2)
    of_keyframes = references.keyframes_at(source, "h264", many.astype(np.float64))
    for option in (*references.leaving_out(many), *of_keyframes):
        assert len(option) < 128 * 1024  # what Linux takes


def test_one_pass_is_chosen_where_leaving_out_makes_it_cheaper_than_seeks(tmp_path, monkeypatch):
    path = written(tmp_path / "usual.mp4", [*B_FRAMES[:-1], "10"])
    monkeypatch.setattr(decode, "_SEEK_PIXELS", 2 * 96 * 128)
    with monkeypatch.context() as all_needed:
        all_needed.setattr(decode, "_unneeded", lambda *given: np.empty(0))
        all_needed.setattr(decode, "_one_pass", lambda *given: pytest.fail("one pass"))
        expected = list(read_frames(path, BURSTS))
    monkeypatch.setattr(decode, "_seeks", lambda *given: pytest.fail("seeks"))
    for (time, frame), (sought_time, sought) in zip(
        read_frames(path, BURSTS), expected, strict=True
    ):
        assert time == sought_time
        np.testing.assert_array_equal(frame, sought)


@pytest.mark.parametrize(
    ("name", "codec", "arguments"),
    [
        ("all_referred_to.mp4", "libx264", ["-bf", "0", "-refs", "1"]),
        ("of_another_codec.mp4", "mpeg4", ["-bf", "2"]),
        ("of_another_codec.mkv", "libx265", ["-x265-params", "log-level=error"]),
        ("begun_later.mp4", "libx264", [*B_FRAMES, "-output_ts_offset", "-0.2"]),
        ("in_pieces.ts", "libx264", B_FRAMES),
        ("interlaced.mov", "libx264", [*B_FRAMES, "-flags", "+ildct+ilme"]),
    ],
)
def test_nothing_is_left_out_where_it_cannot_be_told(name, codec, arguments, tmp_path, monkeypatch):
    path = written(tmp_path / name, arguments, codec)
    frames, dropped, _ = frames_and_dropped(path, monkeypatch)
    assert len(frames) == 8 and dropped == []


def test_a_damaged_file_is_decoded_as_it_is(tmp_path, monkeypatch):
    path = written(tmp_path / "usual.mp4", B_FRAMES)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 400] = bytes(400)
    path.write_bytes(content)
    # With several threads, what ffmpeg makes of a damaged place is not always the same.
    monkeypatch.setattr(decode, "num_threads", lambda: 1)
    frames, dropped, _ = frames_and_dropped(path, monkeypatch)
    assert frames and dropped == []
    monkeypatch.setattr(decode, "_unneeded", lambda *given: np.empty(0))
    for (_, frame), (_, whole) in zip(frames, read_frames(path, BURSTS), strict=True):
        np.testing.assert_array_equal(frame, whole)


@pytest.mark.real_clips
def test_real_clips_give_the_same_frames(real_clips, monkeypatch):
    paths = sorted((real_clips / "data" / "ffpp").rglob("c23/videos/*.mp4"))[::40]
    paths += sorted((real_clips / "data" / "people").rglob("*.mp4"))[::60]
    some_dropped = 0
    for path in paths:
        frames, dropped, findings = frames_and_dropped(path, monkeypatch)
        some_dropped += len(dropped) > 0
        with monkeypatch.context() as as_they_are:
            as_they_are.setattr(decode, "_unneeded", lambda *given: np.empty(0))
            whole = list(read_frames(path, BURSTS))
        assert not findings.is_damaged
        assert [time for time, _ in frames] == [time for time, _ in whole]
        for (_, frame), (_, whole_frame) in zip(frames, whole, strict=True):
            np.testing.assert_array_equal(frame, whole_frame)
    assert some_dropped > len(paths) / 2
