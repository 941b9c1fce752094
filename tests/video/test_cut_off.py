"""A file without its end, or with damage, is known as such; a whole one is not."""

import struct
from pathlib import Path

import numpy as np
import pytest

from dfjax.video.cut_off import is_cut_off
from dfjax.video.decode import Findings
from dfjax.video.formats import identify
from dfjax.video.limits import VideoLimits
from dfjax.video.reading import probe, read_frames
from tests.videos import moving_pattern, run_ffmpeg, write_video

_FRAGMENTS = ["-movflags", "frag_keyframe+empty_moov"]

# suffix, encoder, more options
_KINDS = [
    ("mp4", "libx264", ["-movflags", "+faststart"]),
    ("mp4", "libx264", _FRAGMENTS),
    ("mkv", "libx264", []),
    ("webm", "libvpx", []),
    ("avi", "mjpeg", []),
    ("gif", "gif", []),
    ("apng", "apng", []),
    ("webp", "libwebp_anim", []),
    ("ts", "libx264", []),
    ("m2ts", "libx264", []),
    ("flv", "flv", []),
    ("wmv", "wmv2", []),
]


@pytest.mark.parametrize(
    "suffix, encoder, options", _KINDS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_file_without_its_end_is_known_and_a_whole_one_too(tmp_path, suffix, encoder, options):
    path = tmp_path / f"whole.{suffix}"
    frames = moving_pattern(30, 96, 128)
    write_video(path, frames, 10, codec=encoder, pixel_format=None, arguments=["-g", "5", *options])
    assert not probe(path).is_cut_off
    cut = path.with_stem("cut")
    cut.write_bytes(path.read_bytes()[: path.stat().st_size * 55 // 100])
    info = probe(cut)
    assert info.is_cut_off and 0 < info.duration < 2.9


def test_a_time_stamp_before_a_packet_is_not_taken_for_its_beginning(tmp_path):
    path = write_video(tmp_path / "clip.m2ts", moving_pattern(30, 96, 128), 10)
    content = bytearray(path.read_bytes())
    content[0] = content[4]
    path.write_bytes(content)
    assert not is_cut_off(path, "mpegts")
    path.write_bytes(content[:-90])
    assert is_cut_off(path, "mpegts")


@pytest.mark.parametrize(
    "suffix, codec, container, head, offset, unknown",
    [
        ("avi", "mjpeg", "avi", b"RIFF", 4, (bytes(4), b"\xff" * 4)),
        ("mkv", "libx264", "matroska", b"\x18\x53\x80\x67", 4, (b"\1" + b"\xff" * 7,)),
        ("wmv", "wmv2", "asf", bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"), 88, (b"\1",)),
    ],
    ids=["avi", "mkv", "wmv"],
)
def test_a_file_is_as_long_as_it_says_or_whole_if_it_does_not_say(
    tmp_path, suffix, codec, container, head, offset, unknown
):
    """Browsers, broadcasts and programs that were stopped write that the length is not known."""
    path = write_video(tmp_path / f"clip.{suffix}", moving_pattern(5, 48, 64), codec=codec)
    content = path.read_bytes()
    assert not is_cut_off(path, container)
    path.write_bytes(content[:-1])
    assert is_cut_off(path, container)
    at = content.index(head) + offset
    for size in unknown:
        path.write_bytes(content[:at] + size + content[at + len(size) : -1])
        assert not is_cut_off(path, container)


def test_blanks_behind_the_end_of_a_gif_are_no_missing_end(tmp_path):
    path = write_video(
        tmp_path / "clip.gif", moving_pattern(5, 48, 64), codec="gif", pixel_format=None
    )
    path.write_bytes(path.read_bytes() + b"\0\r\n")
    assert not is_cut_off(path, "gif")
    path.write_bytes(b"GIF89a;")  # shorter than what is looked through
    assert not is_cut_off(path, "gif")


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_what_others_append_to_a_file_is_no_missing_end(tmp_path, suffix):
    path = write_video(tmp_path / f"clip.{suffix}", moving_pattern(5, 48, 64))
    path.write_bytes(path.read_bytes() + b"\x7f\xffsigned by nobody" * 9)
    assert not is_cut_off(path, identify(path, VideoLimits()))


@pytest.mark.parametrize("kind", [b"uuid", b"meta", b"emsg", b"prft"])
@pytest.mark.parametrize("options", [["-movflags", "+faststart"], _FRAGMENTS])
def test_a_manifest_before_the_pictures_hides_no_missing_end(tmp_path, options, kind):
    path = tmp_path / "clip.mp4"
    write_video(path, moving_pattern(30, 96, 128), 10, arguments=["-g", "5", *options])
    content = path.read_bytes()
    (head,) = struct.unpack_from(">I", content)
    manifest = struct.pack(">I4s", 208, kind) + bytes(200)
    whole = content[:head] + manifest + content[head:]
    path.write_bytes(whole)
    assert not is_cut_off(path, "mov")
    path.write_bytes(whole[: len(whole) * 55 // 100])
    assert is_cut_off(path, "mov")


def _damaged(path: Path, clip: Path) -> Path:
    content = bytearray(clip.read_bytes())
    rng = np.random.default_rng(0)
    start = content.index(b"mdat") + 1500
    for at in rng.integers(start, len(content) - 50, 20):
        content[at] ^= int(rng.integers(1, 256))
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("one_pass", [True, False])
def test_damage_is_found_where_frames_are_read(tmp_path, monkeypatch, one_pass):
    monkeypatch.setattr("dfjax.video.decode._one_pass_is_cheaper", lambda *given: one_pass)
    options = ["-g", "10", "-movflags", "+faststart"]
    clip = write_video(tmp_path / "clip.mp4", moving_pattern(50, 48, 64), arguments=options)
    for path, is_damaged in ((clip, False), (_damaged(tmp_path / "damaged.mp4", clip), True)):
        findings = Findings()
        assert list(read_frames(path, findings=findings))
        assert findings.is_damaged == is_damaged


@pytest.mark.parametrize("one_pass", [True, False])
@pytest.mark.parametrize("suffix, encoder", [("ts", "mp2"), ("vob", "mp2"), ("mp4", "aac")])
def test_sound_is_no_damage(tmp_path, monkeypatch, suffix, encoder, one_pass):
    monkeypatch.setattr("dfjax.video.decode._one_pass_is_cheaper", lambda *given: one_pass)
    video = ["mpeg2video", "-qscale:v", "4"] if suffix == "vob" else ["libx264"]
    picture = ["-f", "lavfi", "-i", "testsrc2=s=64x48:d=2"]
    sound = ["-f", "lavfi", "-i", "sine=d=2", "-c:a", encoder, "-ac", "2"]
    path = tmp_path / f"sounds.{suffix}"
    run_ffmpeg(*picture, *sound, "-c:v", *video, "-pix_fmt", "yuv420p", path)
    findings, info = Findings(), probe(path)
    assert list(read_frames(path, info=info, findings=findings)) and not findings.is_damaged
    assert info.frame_times is not None and not info.frame_times.is_damaged


@pytest.mark.real_clips
def test_no_real_clip_is_taken_for_damaged(real_clips):
    paths = sorted((real_clips / "data").rglob("*.mp4"))[::20]
    assert len(paths) > 10
    for path in paths:
        findings, info = Findings(), probe(path)
        assert list(read_frames(path, info=info, findings=findings))
        assert not info.is_cut_off and not findings.is_damaged, path
        assert info.frame_times is not None and not info.frame_times.is_damaged, path
