"""MPEG streams whose clock restarts or jumps are judged to their end, at times that run on."""

from pathlib import Path

import numpy as np
import pytest

from dfjax.config import VideoConfig
from dfjax.video.decode import Findings
from dfjax.video.reading import probe, read_frames, read_keyframes
from dfjax.video.transcode import transcode
from tests.videos import frame_number, moving_pattern, write_video

_FPS, _PART = 25, 50
_ALL = VideoConfig(num_frames=3 * _PART)
_KINDS = {"ts": ["-bf", "2", "-g", "20"], "vob": ["-bf", "2", "-g", "12", "-q:v", "3"]}


def joined(path: Path, offsets: list[float]) -> Path:
    """Writes parts of 2 s one behind the other, numbered from 0 on, each with its own clock."""
    codec = "libx264" if path.suffix == ".ts" else "mpeg2video"
    frames = moving_pattern(_PART * len(offsets), 48, 64)
    content = b""
    for n, offset in enumerate(offsets):
        part = path.with_stem(f"part{n}")
        options = [*_KINDS[path.suffix[1:]], "-output_ts_offset", str(offset)]
        write_video(part, frames[_PART * n : _PART * (n + 1)], _FPS, codec=codec, arguments=options)
        content += part.read_bytes()
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("suffix", _KINDS)
@pytest.mark.parametrize(
    "offsets", [[0, 0, 0], [0, 1000, 0], [0, 30000], [20000, 0]], ids=lambda offsets: str(offsets)
)
def test_what_follows_a_break_is_read_at_times_that_run_on(tmp_path, suffix, offsets):
    path, findings = joined(tmp_path / f"joined.{suffix}", offsets), Findings()
    info, num_frames = probe(path), _PART * len(offsets)
    assert info.duration == pytest.approx(num_frames / _FPS, abs=0.2) and info.delay == 0.0
    frames = list(read_frames(path, _ALL, info=info, findings=findings))
    numbers = [frame_number(frame) for _, frame in frames]
    # A frame or two at a break are left without a time of their own.
    assert numbers == sorted(set(numbers)) and len(numbers) >= num_frames - 2 * len(offsets)
    for (time, _), number in zip(frames, numbers, strict=True):
        assert time == pytest.approx(number / _FPS, abs=0.1)


@pytest.mark.parametrize("suffix", _KINDS)
def test_chosen_times_after_a_break_are_found(tmp_path, suffix):
    path = joined(tmp_path / f"joined.{suffix}", [0, 0, 0])
    times = np.array([0.4, 2.6, 4.8])
    numbers = [frame_number(frame) for _, frame in read_frames(path, timestamps=times)]
    assert numbers == pytest.approx(_FPS * times, abs=3)
    info = probe(path)
    for most, timestamps in ((12, None), (None, times)):
        read = list(read_keyframes(path, info, (48, 64), most=most, timestamps=timestamps))
        assert [frame_number(frame) for _, frame in read] == pytest.approx(
            [_FPS * time for time, _ in read], abs=3
        )
        assert read[-1][0] > 4


def test_a_stream_with_breaks_is_encoded_again_to_its_end(tmp_path):
    path = joined(tmp_path / "joined.ts", [0, 0])
    transcode(path, tmp_path / "again.mp4", crf=10)
    assert probe(tmp_path / "again.mp4").duration == pytest.approx(4.0, abs=0.2)


@pytest.mark.parametrize("suffix", _KINDS)
def test_a_clock_that_runs_is_the_file_s_own(tmp_path, suffix):
    info = probe(joined(tmp_path / f"whole.{suffix}", [70.0]))
    assert info.source is not None and not info.source.has_breaks
    assert info.start >= 70
