"""Every container and codec that visitors bring gives every frame, at its time, in any way read."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfjax.config import VideoConfig
from dfjax.errors import UnsupportedFormatError, VideoError, VideoLimitError
from dfjax.video import decode
from dfjax.video.formats import VIDEO_FORMATS
from dfjax.video.limits import VideoLimits
from dfjax.video.reading import probe, read_frames
from tests.videos import frame_number, moving_pattern, write_video

_FRAMES = moving_pattern(20, 48, 64)
_ODD = moving_pattern(20, 47, 63)

_10_BIT_HDR = ["-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"]

# suffix, encoder, coded pixels, more options, codec as probed
FORMATS = [
    ("mp4", "libx264", "yuv420p", [], "h264"),
    ("mp4", "libx264", "yuv444p", ["-g", "8"], "h264"),
    ("mp4", "libx264", "yuv420p10le", ["-g", "8"], "h264"),
    ("mp4", "libx264", "yuv420p", ["-movflags", "frag_keyframe+empty_moov", "-g", "8"], "h264"),
    ("mov", "libx264", "yuv422p", [], "h264"),
    ("mkv", "libx264", "yuv420p", ["-g", "8"], "h264"),
    ("avi", "libx264", "yuv420p", ["-g", "8"], "h264"),
    ("mp4", "libx265", "yuv420p", ["-tag:v", "hvc1", "-g", "8"], "hevc"),
    ("mp4", "libx265", "yuv420p10le", [*_10_BIT_HDR, "-tag:v", "hvc1"], "hevc"),
    ("webm", "libvpx", "yuv420p", [], "vp8"),
    ("webm", "libvpx-vp9", "yuv420p", ["-g", "8"], "vp9"),
    ("webm", "libvpx-vp9", "yuva420p", [], "vp9"),
    ("webm", "libvpx-vp9", "yuv420p", ["-live", "1"], "vp9"),  # as browsers record: no duration
    ("mkv", "libvpx-vp9", "yuv420p10le", [], "vp9"),
    ("mp4", "libsvtav1", "yuv420p", [], "av1"),
    ("webm", "libaom-av1", "yuv420p", ["-g", "8"], "av1"),
    ("avi", "mpeg4", "yuv420p", ["-bf", "2", "-g", "8"], "mpeg4"),
    ("mp4", "mpeg4", "yuv420p", [], "mpeg4"),
    ("avi", "mjpeg", "yuvj420p", [], "mjpeg"),
    ("mov", "mjpeg", "yuvj422p", [], "mjpeg"),
    ("mov", "prores", "yuv422p10le", [], "prores"),
    ("mkv", "ffv1", "yuv420p", [], "ffv1"),
    ("avi", "rawvideo", "yuv420p", [], "rawvideo"),
    ("gif", "gif", None, [], "gif"),
    ("apng", "apng", "rgb24", [], "apng"),
    ("webp", "libwebp_anim", None, ["-q:v", "95"], "webp_anim"),
    ("m4v", "libx264", "yuv420p", [], "h264"),
    ("3gp", "mpeg4", "yuv420p", ["-g", "8"], "mpeg4"),
    ("ts", "libx264", "yuv420p", ["-g", "8"], "h264"),
    ("ts", "libx265", "yuv420p", ["-g", "8"], "hevc"),
    ("m2ts", "libx264", "yuv420p", ["-g", "8"], "h264"),
    ("ts", "mpeg2video", "yuv420p", ["-bf", "2", "-g", "8"], "mpeg2video"),
    ("mpg", "mpeg1video", "yuv420p", ["-bf", "2", "-g", "8"], "mpeg1video"),
    ("vob", "mpeg2video", "yuv420p", ["-bf", "2", "-g", "8"], "mpeg2video"),
    ("flv", "libx264", "yuv420p", ["-g", "8"], "h264"),
    ("flv", "flv", "yuv420p", ["-g", "8"], "flv1"),
    ("wmv", "wmv2", "yuv420p", ["-g", "8"], "wmv2"),
    ("wmv", "wmv1", "yuv420p", ["-g", "8"], "wmv1"),
    ("mp4", "libvpx-vp9", "yuv420p", ["-g", "8"], "vp9"),
    ("mp4", "mpeg2video", "yuv420p", ["-g", "8"], "mpeg2video"),
]


@pytest.fixture(
    scope="module",
    params=FORMATS,
    ids=lambda f: "-".join([*map(str, f[:3]), *(o for o in f[3] if o[0] != "-")]),
)
def video(request, tmp_path_factory) -> tuple[Path, str]:
    suffix, encoder, pixel_format, options, codec = request.param
    path = tmp_path_factory.mktemp("format") / f"clip.{suffix}"
    write_video(path, _FRAMES, codec=encoder, pixel_format=pixel_format, arguments=options)
    return path, codec


def test_every_frame_comes_once_at_its_time(video):
    path, codec = video
    info = probe(path)
    assert (info.codec, info.width, info.height, info.is_still) == (codec, 64, 48, False)
    assert info.duration == pytest.approx(0.8, abs=0.002)
    assert info.fps == pytest.approx(25, rel=0.01)
    frames = list(read_frames(path, info=info))
    assert [frame_number(frame) for _, frame in frames] == list(range(20))
    times = [timestamp for timestamp, _ in frames]
    assert times == pytest.approx(np.arange(20) / 25, abs=0.0011)  # WebM rounds to 1 ms


def test_sampled_frames_are_those_of_the_sampled_times(video):
    path, _ = video
    frames = list(read_frames(path, VideoConfig(num_frames=5)))
    assert [frame_number(frame) for _, frame in frames] == [0, 4, 8, 12, 16]


def test_a_seek_gives_the_same_frame_as_one_pass(video, monkeypatch):
    path, _ = video
    info = probe(path)
    times = np.array([0.0, 0.2, 0.44, 0.76])
    one_pass = list(read_frames(path, info=info, timestamps=times))
    monkeypatch.setattr(decode, "_one_pass_is_cheaper", lambda *given: False)
    sought = list(read_frames(path, info=info, timestamps=times))
    assert [frame_number(frame) for _, frame in sought] == [0, 5, 11, 19]
    for (time_a, frame_a), (time_b, frame_b) in zip(one_pass, sought, strict=True):
        assert time_a == time_b
        np.testing.assert_array_equal(frame_a, frame_b)


def test_the_size_of_a_coded_picture_is_limited(video):
    path, _ = video
    with pytest.raises(VideoLimitError, match="pixels"):
        probe(path, VideoLimits(max_source_pixels=48 * 64 - 1))


@pytest.mark.parametrize(
    "suffix, encoder, pixel_format",
    [("mp4", "libx264", "yuv444p"), ("mp4", "mpeg4", "yuv420p"), ("webm", "libvpx-vp9", "yuv420p")],
)
def test_odd_sizes_keep_every_row_and_column(tmp_path, suffix, encoder, pixel_format):
    path = tmp_path / f"odd.{suffix}"
    write_video(path, _ODD, codec=encoder, pixel_format=pixel_format)
    info = probe(path)
    assert (info.width, info.height) == (63, 47)
    frames = [frame for _, frame in read_frames(path, info=info)]
    assert [frame_number(frame) for frame in frames] == list(range(len(_ODD)))
    assert {frame.shape for frame in frames} == {(47, 63, 3)}


@pytest.mark.parametrize(
    "suffix, encoder", [("mp4", "libx264"), ("mkv", "libx264"), ("gif", "gif")]
)
def test_a_video_of_one_frame_gives_it(tmp_path, suffix, encoder):
    path = tmp_path / f"one.{suffix}"
    write_video(path, _FRAMES[3:4], codec=encoder, pixel_format=None)
    info = probe(path)
    assert info.duration > 0 and info.fps > 0 and not info.is_still
    ((timestamp, frame),) = read_frames(path, info=info)
    assert timestamp == 0.0 and frame_number(frame) == 3


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_both_decoders_of_av1_give_the_same_pixels(tmp_path, pixel_format):
    """Some builds of ffmpeg have only the second one."""
    path = write_video(tmp_path / "clip.mp4", _FRAMES, codec="libsvtav1", pixel_format=pixel_format)
    info = probe(path)
    assert info.source is not None
    source = dataclasses.replace(info.source, decoder="libaom-av1")
    other = dataclasses.replace(info, source=source)
    usual, same = (
        np.stack([frame for _, frame in read_frames(path, info=i)]) for i in (info, other)
    )
    assert len(usual) == len(_FRAMES)
    np.testing.assert_array_equal(usual, same)


def test_every_format_that_is_let_in_is_tested_and_named_to_whoever_brings_another(tmp_path):
    made = {suffix for suffix, *_ in FORMATS}
    suffixes = {
        "mov": {"mp4", "mov", "m4v", "3gp"},
        "matroska": {"mkv", "webm"},
        "avi": {"avi"},
        "mpegts": {"ts", "m2ts"},
        "mpeg": {"mpg", "vob"},
        "flv": {"flv"},
        "asf": {"wmv"},
        "gif": {"gif"},
        "webp_anim": {"webp"},
        "apng": {"apng"},
    }
    assert set(suffixes) == set(VIDEO_FORMATS)
    assert all(names <= made for names in suffixes.values())
    (tmp_path / "text").write_text("no video")
    with pytest.raises(UnsupportedFormatError) as caught:
        probe(tmp_path / "text")
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    read = readme.split("### What it reads")[1].split("HEIC pictures")[0]
    for word in ("MP4", "MOV", "3GP", "AVI", "WebM", "MKV", "MPEG", "FLV", "WMV", "GIF", "AVIF"):
        assert word in str(caught.value) and word in read


def test_on_windows_the_error_says_where_it_works(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(VideoError, match="Linux and macOS only"):
        probe(tmp_path / "clip.mp4")


@pytest.mark.parametrize(
    "suffix, encoder, codec",
    [
        ("3gp", "h263", "h263"),
        ("avi", "msmpeg4v2", "msmpeg4v2"),
        ("avi", "msmpeg4", "msmpeg4v3"),
        ("wmv", "msmpeg4", "msmpeg4v3"),
    ],
)
def test_old_codecs_are_read(tmp_path, suffix, encoder, codec):
    """Their encoders lose single small blocks, so the pictures are larger and compared loosely."""
    frames, path = moving_pattern(10, 144, 176), tmp_path / f"old.{suffix}"
    write_video(path, frames, codec=encoder, arguments=["-q:v", "3"])
    info = probe(path)
    assert info.codec == codec
    read = [frame for _, frame in read_frames(path, info=info)]
    assert len(read) == len(frames)
    for frame, original in zip(read, frames, strict=True):
        shown = np.asarray(Image.fromarray(frame).resize((176, 144)))  # H.263's pixels are wide
        assert np.abs(shown.astype(int) - original).mean() < 8
