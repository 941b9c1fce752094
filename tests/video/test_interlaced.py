"""Frames that consist of two pictures, line by line, are shown without teeth; others untouched."""

from pathlib import Path

import numpy as np
import pytest

from dfjax.config import VideoConfig
from dfjax.video import decode
from dfjax.video.decode import Findings
from dfjax.video.info import as_found
from dfjax.video.pictures import DEINTERLACE
from dfjax.video.reading import probe, read_frames, read_keyframes
from dfjax.video.transcode import transcode
from tests.video.interlaced import FIELDS, NUM_FRAMES, film_and_air, interlaced_frames, teeth
from tests.videos import frame_number, moving_pattern, run_ffmpeg, write_video

_KINDS = {
    "air.ts": ("mpeg2video", ["-q:v", "2", "-g", "12", "-bf", "2"]),
    "disc.vob": ("mpeg2video", ["-q:v", "2", "-g", "12", "-bf", "2"]),
    "camera.mp4": ("libx264", ["-g", "12", "-bf", "2", "-b_strategy", "0"]),
    "camera.mkv": ("libx264", ["-g", "12", "-bf", "2", "-b_strategy", "0"]),
    "edited.mov": ("prores_ks", []),
}


def written(path: Path) -> Path:
    codec, options = _KINDS[path.name]
    pixels = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
    arguments = [*FIELDS, *options]
    return write_video(
        path, interlaced_frames(), codec=codec, pixel_format=pixels, arguments=arguments
    )


@pytest.mark.parametrize("name", _KINDS)
def test_an_interlaced_frame_is_shown_without_teeth_at_its_time(name, tmp_path):
    path = written(tmp_path / name)
    assert teeth(interlaced_frames()[5]) > 5
    info = probe(path)
    assert info.is_interlaced
    frames = list(read_frames(path, VideoConfig(num_frames=NUM_FRAMES), info=info))
    assert [frame_number(frame) for _, frame in frames] == [*range(NUM_FRAMES)]
    assert [time for time, _ in frames] == pytest.approx(np.arange(NUM_FRAMES) / 25, abs=1e-3)
    assert max(teeth(frame) for _, frame in frames) < 1.5
    assert {frame.shape for _, frame in frames} == {(96, 128, 3)}


@pytest.mark.parametrize("name", _KINDS)
def test_a_sought_frame_is_that_of_a_pass(name, tmp_path, monkeypatch):
    monkeypatch.setattr(decode, "_UNREFERRED", 1e9)  # nothing may be left out, though it paid
    path, bursts = written(tmp_path / name), VideoConfig(burst_frames=2)
    times = np.array([0.0, 0.28, 0.48, 0.96, 1.4, 1.56])  # 0.48 and 0.96 are those of keyframes
    read = {}
    for one_pass in (True, False):
        monkeypatch.setattr(decode, "_one_pass_is_cheaper", lambda *given, it=one_pass: it)
        read[one_pass] = list(read_frames(path, bursts, timestamps=times))
    assert [frame_number(frame) for _, frame in read[False]] == [
        0,
        1,
        7,
        8,
        12,
        13,
        24,
        25,
        35,
        36,
        39,
    ]
    for (time_a, frame_a), (time_b, frame_b) in zip(read[True], read[False], strict=True):
        assert time_a == time_b
        np.testing.assert_array_equal(frame_a, frame_b)


def test_keyframes_at_given_times_are_shown_without_teeth(tmp_path):
    path = written(tmp_path / "camera.mp4")
    info = probe(path)
    assert info.frame_times is not None
    times = info.frame_times.keyframes
    frames = list(read_keyframes(path, info, (96, 128), timestamps=times))
    assert len(frames) == len(times) and max(teeth(frame) for _, frame in frames) < 1.5
    whole = dict(read_frames(path, VideoConfig(num_frames=NUM_FRAMES), info=info))
    for time, frame in frames:
        np.testing.assert_array_equal(frame, whole[time])


def test_an_interlaced_video_of_one_frame_is_read(tmp_path):
    path = tmp_path / "one.ts"
    options = [*FIELDS, "-q:v", "2"]
    write_video(path, interlaced_frames()[5:6], codec="mpeg2video", arguments=options)
    ((_, frame),) = read_frames(path)
    assert frame_number(frame) == 5


def test_a_frame_that_is_not_interlaced_is_left_as_it_is(tmp_path):
    path = tmp_path / "film.ts"
    write_video(path, moving_pattern(20), codec="mpeg2video", arguments=["-q:v", "2"])
    assert not probe(path).is_interlaced
    for out, filters in (("a.mkv", "null"), ("b.mkv", DEINTERLACE)):
        run_ffmpeg("-i", path, "-vf", filters, "-c:v", "ffv1", tmp_path / out)
    findings = Findings()
    assert list(read_frames(path, findings=findings)) and not findings.is_interlaced
    frames, filtered = (list(read_frames(tmp_path / name)) for name in ("a.mkv", "b.mkv"))
    assert len(frames) == 20
    for (time_a, frame_a), (time_b, frame_b) in zip(frames, filtered, strict=True):
        assert time_a == time_b
        np.testing.assert_array_equal(frame_a, frame_b)


@pytest.mark.parametrize("one_pass", [True, False])
@pytest.mark.parametrize(
    "name, codec", [("disc.vob", "mpeg2video"), ("air.ts", "mpeg2video"), ("camera.ts", "libx264")]
)
def test_a_recording_that_begins_with_a_film_is_shown_without_teeth_once_that_is_known(
    tmp_path, monkeypatch, name, codec, one_pass
):
    monkeypatch.setattr(decode, "_one_pass_is_cheaper", lambda *given: one_pass)
    path = film_and_air(tmp_path / name, codec)
    info = probe(path)
    assert not info.is_interlaced
    few, all_of_it, findings = VideoConfig(num_frames=8), VideoConfig(num_frames=100), Findings()
    frames = list(read_frames(path, few, info=info, findings=findings))
    assert findings.is_interlaced and max(teeth(frame) for _, frame in frames) > 5
    found = as_found(info, findings.sizes, is_interlaced=findings.is_interlaced)
    assert found.is_interlaced and not found.is_fitted
    findings = Findings()
    frames = list(read_frames(path, all_of_it, info=found, findings=findings))
    assert [frame_number(frame) for _, frame in frames[-30:]] == [*range(10, 40)]
    assert max(teeth(frame) for _, frame in frames) < 1.5
    again = as_found(found, findings.sizes, is_interlaced=findings.is_interlaced)
    assert again is found


def test_an_interlaced_video_is_encoded_again_as_it_is_shown(tmp_path):
    path, out = written(tmp_path / "air.ts"), tmp_path / "again.mkv"
    transcode(path, out, crf=None)
    assert not probe(out).is_interlaced
    frames, again = list(read_frames(path)), list(read_frames(out))
    assert len(frames) == VideoConfig().num_frames
    for (_, frame_a), (_, frame_b) in zip(frames, again, strict=True):
        np.testing.assert_array_equal(frame_a, frame_b)
