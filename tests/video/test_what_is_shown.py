"""What is judged is what a player shows: its stream, its times, its shapes, and nothing hidden."""

import dataclasses
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfjax.config import VideoConfig
from dfjax.errors import VideoLimitError
from dfjax.video.decode import Findings
from dfjax.video.info import as_found
from dfjax.video.limits import VideoLimits
from dfjax.video.reading import probe, read_frames
from tests.video.mp4_boxes import boxes
from tests.videos import frame_number, moving_pattern, run_ffmpeg, write_video

_GREY = 127
_FOUR = VideoConfig(num_frames=4)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """2 s at 10 fps: numbers from 0 on, 64x48, and from 100 on, 128x96."""
    folder = tmp_path_factory.mktemp("clips")
    small = write_video(folder / "small.mp4", moving_pattern(20, 48, 64), 10)
    return small, write_video(folder / "large.mp4", moving_pattern(120, 96, 128)[100:], 10)


def numbers(path: Path) -> list[int]:
    return [frame_number(frame) for _, frame in read_frames(path, _FOUR)]


def both(clips: tuple[Path, Path], out: Path, *marks: str) -> Path:
    inputs = ["-i", clips[0], "-i", clips[1], "-map", "0", "-map", "1", "-c", "copy"]
    run_ffmpeg(*inputs, *marks, out)
    return out


def disable(path: Path, *indices: int) -> Path:
    """Marks tracks of an MP4 as disabled."""
    content = bytearray(path.read_bytes())
    headers = boxes(content, [b"moov", b"trak", b"tkhd"])
    for index in indices:
        content[headers[index] + 11] &= ~1
    path.write_bytes(content)
    return path


def test_the_default_stream_is_read_and_the_other_is_named(tmp_path, clips):
    marks = ["-disposition:v:0", "0", "-disposition:v:1", "default"]
    path = both(clips, tmp_path / "both.mkv", *marks)
    assert numbers(path) == [100, 105, 110, 115]
    info = probe(path)
    assert (info.width, info.height) == (128, 96)
    assert info.other_streams == ("number 1 (h264, 64x48)",)


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_a_video_with_a_timecode_is_read(tmp_path, clips, suffix):
    path = tmp_path / f"camera.{suffix}"
    run_ffmpeg("-i", clips[0], "-c", "copy", "-timecode", "01:00:00:00", path)
    info = probe(path)
    assert numbers(path) == [0, 5, 10, 15]
    assert info.fps == pytest.approx(10.0) and info.other_streams == ()


@pytest.mark.parametrize("with_timecode", [0, 1])
def test_a_timecode_changes_nothing_about_which_stream_is_read(tmp_path, clips, with_timecode):
    path = tmp_path / "both.mov"
    timecode = [f"-metadata:s:v:{with_timecode}", "timecode=01:00:00:00"]
    both((clips[0], clips[0]), path, "-write_tmcd", "1", *timecode)
    assert numbers(path) == [0, 5, 10, 15]
    assert probe(path).other_streams == ("number 2 (h264, 64x48)",)


@pytest.mark.parametrize("timecode", [[], ["-timecode", "01:00:00:00"]])
def test_a_file_s_metadata_is_not_taken_for_a_stream(tmp_path, clips, timecode):
    path = tmp_path / "poses.mp4"
    key = "Stream #0:9[0x1]: Video: vp9, yuv420p, 640x480, 25 fps (default)"
    tags = ["-movflags", "use_metadata_tags", "-metadata", f"{key}=1"]
    run_ffmpeg("-i", clips[0], "-c", "copy", *timecode, *tags, path)
    assert probe(path).other_streams == () and numbers(path) == [0, 5, 10, 15]


@pytest.mark.parametrize("language", ["en-US", "zh-Hans"])
def test_a_language_changes_nothing_about_which_stream_is_read(tmp_path, clips, language):
    path, tag = tmp_path / "alone.mkv", ["-metadata:s:v:0", f"language={language}"]
    run_ffmpeg("-i", clips[0], "-c", "copy", *tag, path)
    assert numbers(path) == [0, 5, 10, 15]
    path = both((clips[0], clips[0]), tmp_path / "both.mkv", *tag)
    assert numbers(path) == [0, 5, 10, 15]
    assert probe(path).other_streams == ("number 2 (h264, 64x48)",)


def test_a_disabled_track_is_not_read_if_there_is_another(tmp_path, clips):
    path = disable(both(clips, tmp_path / "both.mp4"), 0)
    assert numbers(path) == [100, 105, 110, 115] and not probe(path).is_disabled
    path = disable(both(clips, tmp_path / "both.mp4"), 1)
    assert numbers(path) == [0, 5, 10, 15] and not probe(path).is_disabled


def test_a_video_that_is_disabled_itself_is_read_and_known_as_such(tmp_path, clips):
    run_ffmpeg("-i", clips[0], "-c", "copy", tmp_path / "alone.mp4")
    path = disable(tmp_path / "alone.mp4", 0)
    assert numbers(path) == [0, 5, 10, 15] and probe(path).is_disabled


def test_a_preview_is_not_the_video_and_of_equals_the_first_is(tmp_path, clips):
    assert numbers(both(clips, tmp_path / "preview.mp4")) == [100, 105, 110, 115]
    assert numbers(both(clips[::-1], tmp_path / "first.mp4")) == [100, 105, 110, 115]
    assert numbers(both((clips[0], clips[0]), tmp_path / "same.mp4")) == [0, 5, 10, 15]


def test_a_cover_is_not_named_as_another_stream(tmp_path, clips):
    Image.new("RGB", (300, 300), "red").save(tmp_path / "cover.png")
    path = tmp_path / "cover.mp4"
    streams = ["-map", "0", "-map", "1", "-c", "copy", "-disposition:v:1", "attached_pic"]
    run_ffmpeg("-i", clips[0], "-i", tmp_path / "cover.png", *streams, path)
    assert probe(path).other_streams == () and numbers(path) == [0, 5, 10, 15]


def test_sound_that_goes_ahead_shifts_the_times_of_a_player(tmp_path, clips):
    sound = ["-f", "lavfi", "-i", "sine=duration=5"]
    path = tmp_path / "late.mp4"
    run_ffmpeg("-itsoffset", "3", "-i", clips[0], *sound, "-c:v", "copy", path)
    info = probe(path)
    assert info.delay == pytest.approx(3.0, abs=0.03) and info.duration == pytest.approx(2.0)
    assert probe(clips[0]).delay == 0.0


def claiming(seconds: float) -> Callable[[Path, Path], None]:
    """Returns a maker of an MKV whose header claims another duration than it has."""

    def make(clip: Path, out: Path) -> None:
        run_ffmpeg("-i", clip, "-c", "copy", out)
        content = bytearray(out.read_bytes())
        struct.pack_into(">d", content, content.index(b"\x44\x89\x88") + 3, seconds * 1000)
        out.write_bytes(content)

    return make


def with_late_subtitle(clip: Path, out: Path) -> None:
    text = "1\n00:00:00,000 --> 12:00:00,000\nhello\n"
    out.with_suffix(".srt").write_text(text)
    run_ffmpeg("-i", clip, "-i", out.with_suffix(".srt"), "-c:v", "copy", "-c:s", "srt", out)


@pytest.mark.parametrize(
    "make", [claiming(32400.0), claiming(1e9), claiming(0.01), with_late_subtitle]
)
def test_a_claimed_length_changes_nothing(tmp_path, clips, make):
    path = tmp_path / "claims.mkv"
    make(clips[0], path)
    info = probe(path)
    assert info.duration == pytest.approx(2.0) and info.fps == pytest.approx(10.0)
    assert info.frame_times is not None and info.frame_times.is_whole
    assert numbers(path) == [0, 5, 10, 15]


def test_a_length_that_is_really_there_is_limited(tmp_path, clips):
    claiming(0.01)(clips[0], tmp_path / "claims.mkv")
    with pytest.raises(VideoLimitError, match="longer than the limit of"):
        probe(tmp_path / "claims.mkv", VideoLimits(max_duration=1.5))


def in_turn(folder: Path, sizes: list[tuple[int, int]]) -> Path:
    """Writes a VP8 video of 10 frames a size, (height, width), numbered from 0 on."""
    listing = []
    for n, (height, width) in enumerate(sizes):
        part = moving_pattern(10 * len(sizes), height, width)[10 * n : 10 * n + 10]
        write_video(folder / f"{n}.webm", part, 10, codec="libvpx", arguments=["-b:v", "2M"])
        listing.append(f"file {n}.webm\n")
    (folder / "list").write_text("".join(listing))
    run_ffmpeg("-f", "concat", "-i", folder / "list", "-c", "copy", folder / "turned.webm")
    return folder / "turned.webm"


@pytest.mark.parametrize("at_once", [True, False])
def test_each_picture_keeps_its_aspect_where_the_size_changes(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr("dfjax.video.decode._one_pass_is_cheaper", lambda *given: at_once)
    path = in_turn(tmp_path, [(48, 64), (64, 48), (96, 128)])
    config, findings = VideoConfig(num_frames=6), Findings()
    info = probe(path)
    assert len(list(read_frames(path, config, info=info, findings=findings))) == 6
    assert findings.sizes == [(48, 64)] * 2 + [(64, 48)] * 2 + [(96, 128)] * 2
    info = as_found(info, findings.sizes, is_interlaced=findings.is_interlaced)
    assert (info.height, info.width) == (96, 128)
    frames = [frame for _, frame in read_frames(path, config, info=info)]
    assert {frame.shape for frame in frames} == {(96, 128, 3)}
    high = [frame[:, 28:100] for frame in frames[2:4]]  # 72x96, in the middle
    shown = [*frames[:2], *high, *frames[4:]]
    assert [frame_number(frame) for frame in shown] == [0, 5, 10, 15, 20, 25]
    for frame in frames[2:4]:
        assert (frame[:, :26] == _GREY).all() and (frame[:, 102:] == _GREY).all()


def test_a_video_of_one_size_is_left_as_it_is(clips):
    findings = Findings()
    info = probe(clips[0])
    assert list(read_frames(clips[0], info=info, findings=findings))
    assert as_found(info, findings.sizes, is_interlaced=findings.is_interlaced) is info


def clear_and_black(size: tuple[int, int] = (48, 64)) -> Image.Image:
    """Returns a white picture that is transparent on the left and opaque on the right."""
    pixels = np.full((*size, 4), 255, np.uint8)
    pixels[:, : size[1] // 2, 3] = 0
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    "suffix, encoder, pixel_format",
    [
        ("mov", "prores_ks", "yuva444p10le"),
        ("webm", "libvpx-vp9", "yuva420p"),
        ("webm", "libvpx", "yuva420p"),
        ("mkv", "ffv1", "bgra"),
        ("apng", "apng", "rgba"),
        ("webp", "libwebp_anim", "yuva420p"),
    ],
)
def test_what_is_transparent_in_a_video_is_grey(tmp_path, suffix, encoder, pixel_format):
    clear_and_black().save(tmp_path / "clear.png")
    path = tmp_path / f"clear.{suffix}"
    loop = ["-loop", "1", "-t", "1", "-i", tmp_path / "clear.png", "-vf", "fps=5"]
    vp8 = ["-auto-alt-ref", "0"] if encoder == "libvpx" else []
    run_ffmpeg(*loop, "-c:v", encoder, *vp8, "-pix_fmt", pixel_format, path)
    frames = [frame for _, frame in read_frames(path)]
    assert len(frames) > 0
    for frame in frames:
        assert np.abs(frame[:, :28].astype(int) - _GREY).max() <= 2
        assert frame[:, 36:].min() > 240


def test_what_is_transparent_in_a_gif_is_grey(tmp_path):
    picture = clear_and_black()
    moved = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    picture.save(tmp_path / "clear.gif", save_all=True, append_images=[moved], disposal=2)
    (_, first), (_, second) = read_frames(tmp_path / "clear.gif")
    assert (first[:, :32] == _GREY).all() and first[:, 32:].min() > 240
    assert (second[:, 32:] == _GREY).all() and second[:, :32].min() > 240


@pytest.mark.parametrize("picture_format", ["PNG", "WEBP", "AVIF"])
def test_what_is_transparent_in_a_picture_is_grey(tmp_path, picture_format):
    path = tmp_path / "still"
    clear_and_black().save(path, picture_format)
    ((_, frame),) = read_frames(path)
    assert np.abs(frame[:, :28].astype(int) - _GREY).max() <= 2 and frame[:, 36:].min() > 240


@pytest.mark.parametrize("suffix, encoder", [("apng", "apng"), ("webp", "libwebp_anim")])
def test_an_animated_picture_is_a_video(tmp_path, suffix, encoder):
    path = tmp_path / f"moves.{suffix}"
    frames = moving_pattern(8, 48, 64)
    write_video(path, frames, 10, codec=encoder, pixel_format=None, arguments=["-q:v", "95"])
    path = path.rename(tmp_path / "moves.png")
    info = probe(path)
    assert not info.is_still and info.duration == pytest.approx(0.8)
    assert [frame_number(frame) for _, frame in read_frames(path, info=info)] == list(range(8))


def test_an_animated_picture_may_be_laid_over_nothing_first(tmp_path):
    first, *others = [Image.new("RGBA", (64, 48), colour) for colour in ("red", "lime", "blue")]
    path = tmp_path / "over.png"
    first.save(path, save_all=True, append_images=others, duration=200, blend=1)
    frames = [frame for _, frame in read_frames(path)]
    shown = [tuple((frame.mean(axis=(0, 1)) > 127).tolist()) for frame in frames]
    assert shown == [(True, False, False), (False, True, False), (False, False, True)]


def test_a_fourth_byte_in_an_avi_is_no_transparency(tmp_path):
    frames = moving_pattern(3, 48, 64)
    path = write_video(tmp_path / "a.avi", frames, codec="rawvideo", pixel_format="bgra")
    content = bytearray(path.read_bytes())
    picture = content.index(b"movi") + 12
    content[picture + 3 : picture + 4 * 48 * 64 : 4] = bytes(48 * 64)
    path.write_bytes(content)
    assert frame_number(next(iter(read_frames(path)))[1]) == 0


@pytest.mark.parametrize("white", [100, 203])
@pytest.mark.parametrize("transfer", ["arib-std-b67", "smpte2084"])
def test_hdr_looks_as_what_it_was_made_of(tmp_path, transfer, white):
    frames = moving_pattern(4, 96, 128)
    plain = write_video(tmp_path / "sdr.mkv", frames, codec="ffv1", pixel_format="gbrp")
    tags = "setparams=colorspace=gbr:color_primaries=bt709:color_trc=bt709:range=pc"
    linear = f"zscale=t=linear:npl={white},format=gbrpf32le"
    target = f"zscale=p=bt2020:t={transfer}:m=bt2020nc:r=tv:npl={white},format=yuv444p10le"
    path = tmp_path / "hdr.mkv"
    run_ffmpeg("-i", plain, "-vf", f"{tags},{linear},{target}", "-c:v", "ffv1", path)
    info = probe(path)
    assert info.colour.white == white
    assert info.colour.is_hdr and not probe(plain).colour.is_hdr
    shown = np.stack([frame for _, frame in read_frames(path, info=info)]).astype(int)
    assert np.abs(shown - frames).mean() < 3
    untouched = dataclasses.replace(info, colour=probe(plain).colour)
    pale = np.stack([frame for _, frame in read_frames(path, info=untouched)]).astype(int)
    assert np.abs(pale - frames).mean() > 10
