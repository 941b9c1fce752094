"""A file that is broken, or no video, gets one sentence that its owner understands."""

import io
import os
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from dfjax.config import VideoConfig
from dfjax.errors import (
    DamagedVideoError,
    NoVideoStreamError,
    UnsupportedFormatError,
    VideoError,
    VideoLimitError,
)
from dfjax.video.executable import ffmpeg_executable
from dfjax.video.limits import VideoLimits
from dfjax.video.reading import probe, read_frames
from tests.videos import frame_number, moving_pattern, run_ffmpeg, write_video

_JARGON = re.compile(
    r"ffmpeg|moov|atom|demux|decoder|stream map|invalid data|errno|traceback|0x|\[", re.IGNORECASE
)
_FTYP = struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 512, b"isom")
_SUBTITLES = "1\n00:00:00,000 --> 00:00:01,000\nHello\n"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 s at 25 fps, with its index at its front."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    options = ["-g", "10", "-movflags", "+faststart"]
    return write_video(path, moving_pattern(50, 48, 64), arguments=options)


def _random_bytes(seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(20_000)


def _zip_archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("clip.mp4", "no video")
    return buffer.getvalue()


def _png_header(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    content = bytearray(buffer.getvalue())
    struct.pack_into(">II", content, 16, width, height)
    struct.pack_into(">I", content, 29, zlib.crc32(content[12:29]))
    return bytes(content)


def _cut_jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(moving_pattern(1, 240, 320)[0]).save(buffer, "JPEG")
    return buffer.getvalue()[:2000]


def _patched(content: bytes, after: bytes, offset: int, new: bytes) -> bytes:
    """Returns `content` with `new` written `offset` bytes after the first `after`."""
    at = content.index(after) + len(after) + offset
    return content[:at] + new + content[at + len(new) :]


def _write(make: Callable[[], bytes]) -> Callable[[Path, Path], object]:
    return lambda path, clip: path.write_bytes(make())


def _from_clip(change: Callable[[bytes], bytes]) -> Callable[[Path, Path], object]:
    return lambda path, clip: path.write_bytes(change(clip.read_bytes()))


def _text(text: str) -> Callable[[Path, Path], object]:
    return lambda path, clip: path.write_text(text)


def _ffmpeg(*arguments: str) -> Callable[[Path, Path], object]:
    return lambda path, clip: run_ffmpeg(*arguments, path)


def _subtitles_only(path: Path, clip: Path) -> None:
    path.with_suffix(".srt").write_text(_SUBTITLES)
    run_ffmpeg("-i", path.with_suffix(".srt"), "-f", "matroska", path)


def _cover_only(path: Path, clip: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(path.with_suffix(".png"))
    sound = ["-f", "lavfi", "-i", "sine=duration=1", "-i", path.with_suffix(".png")]
    marks = ["-map", "0", "-map", "1", "-c:v", "png", "-disposition:v:0", "attached_pic"]
    run_ffmpeg(*sound, *marks, "-f", "mp4", path)


def _other_codec(path: Path, clip: Path) -> None:
    write_video(path, moving_pattern(3, 48, 64), codec="png", pixel_format="rgb24")


def _avi_of(width: int, height: int) -> Callable[[Path, Path], object]:
    """Returns a maker of an AVI whose header claims another size than its raw pictures have."""

    def make(path: Path, clip: Path) -> None:
        write_video(path.with_suffix(".avi"), moving_pattern(3, 48, 64), codec="rawvideo")
        content = path.with_suffix(".avi").read_bytes()
        path.write_bytes(_patched(content, b"strf", 8, struct.pack("<ii", width, height)))

    return make


def _mkv_of(seconds: float) -> Callable[[Path, Path], object]:
    """Returns a maker of an MKV whose header claims another duration than it has."""

    def make(path: Path, clip: Path) -> None:
        run_ffmpeg("-i", clip, "-c", "copy", path.with_suffix(".mkv"))
        content = path.with_suffix(".mkv").read_bytes()
        duration = struct.pack(">d", seconds * 1000)
        path.write_bytes(_patched(content, b"\x44\x89\x88", 0, duration))

    return make


SOUND = ["-f", "lavfi", "-i", "sine=duration=1"]

BROKEN: dict[str, tuple[type[VideoError], Callable[[Path, Path], object]]] = {
    # No video at all
    "empty": (UnsupportedFormatError, _write(bytes)),
    "text": (UnsupportedFormatError, _text("Dear all,\nthe video is attached.\n")),
    "one byte": (UnsupportedFormatError, _write(lambda: b"\x00")),
    "web page": (UnsupportedFormatError, _text("<!DOCTYPE html><html><body>404</body></html>")),
    "svg drawing": (UnsupportedFormatError, _text('<svg xmlns="http://www.w3.org/2000/svg"/>')),
    "zip archive": (UnsupportedFormatError, _write(_zip_archive)),
    "pdf document": (UnsupportedFormatError, _write(lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")),
    "random bytes": (UnsupportedFormatError, _write(lambda: b"\x13" + _random_bytes(1))),
    "heic picture": (UnsupportedFormatError, _write(lambda: b"\0\0\0\x18ftypheic" + bytes(99))),
    # Files that make a careless reader open other files
    "playlist": (UnsupportedFormatError, _text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")),
    "list of files": (UnsupportedFormatError, _text("ffconcat version 1.0\nfile /etc/passwd\n")),
    "ass subtitles": (UnsupportedFormatError, _text("[Script Info]\nTitle: x\n[Events]\n")),
    "sami subtitles": (UnsupportedFormatError, _text("<SAMI><BODY><SYNC Start=0>x</BODY></SAMI>")),
    "vtt subtitles": (UnsupportedFormatError, _text("\ufeffWEBVTT\n\n00:00.000 --> 00:01.000\nx")),
    "dash manifest": (UnsupportedFormatError, _text('<?xml version="1.0"?><MPD></MPD>')),
    # Sound
    "wav sound": (NoVideoStreamError, _ffmpeg(*SOUND, "-f", "wav")),
    "mp3 sound": (NoVideoStreamError, _ffmpeg(*SOUND, "-f", "mp3")),
    "flac sound": (NoVideoStreamError, _ffmpeg(*SOUND, "-f", "flac")),
    "aac sound": (NoVideoStreamError, _ffmpeg(*SOUND, "-f", "adts")),
    "m4a sound": (NoVideoStreamError, _ffmpeg(*SOUND, "-f", "ipod")),
    "flash sound": (NoVideoStreamError, _ffmpeg(*SOUND, "-f", "flv")),
    "mkv sound": (NoVideoStreamError, _ffmpeg(*SOUND, "-f", "matroska")),
    "sound with a cover picture": (NoVideoStreamError, _cover_only),
    "subtitles only": (NoVideoStreamError, _subtitles_only),
    # Videos, but damaged
    "cut before its index": (DamagedVideoError, _from_clip(lambda c: c[:32] + c[-3000:])),
    "cut before its pictures": (
        DamagedVideoError,
        _from_clip(lambda c: c[: c.index(b"mdat") + 100]),
    ),
    "header only": (DamagedVideoError, _write(lambda: _FTYP)),
    "header, then random bytes": (DamagedVideoError, _write(lambda: _FTYP + _random_bytes(2))),
    "index, then random bytes": (
        DamagedVideoError,
        _from_clip(lambda c: c[: c.index(b"mdat") + 4] + _random_bytes(3)),
    ),
    "claims a huge box": (
        DamagedVideoError,
        _write(lambda: _FTYP + struct.pack(">I4sQ", 1, b"moov", 2**62) + bytes(500)),
    ),
    "mkv header only": (DamagedVideoError, _write(lambda: b"\x1a\x45\xdf\xa3" + _random_bytes(4))),
    "avi header only": (DamagedVideoError, _write(lambda: b"RIFF\xff\xff\xff\x7fAVI LIST")),
    "gif header only": (DamagedVideoError, _write(lambda: b"GIF89a\x10\x00\x10\x00")),
    "playlist that begins like a gif": (
        DamagedVideoError,
        _text("GIF89a\n\0\n\0#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
    ),
    "jpeg cut off": (DamagedVideoError, _write(_cut_jpeg)),
    "png header only": (DamagedVideoError, _write(lambda: _png_header(8, 8)[:40])),
    # Beyond the limits, or beyond belief
    "png of 60000 x 60000": (VideoLimitError, _write(lambda: _png_header(60_000, 60_000))),
    "avi of 60000 x 60000": (VideoLimitError, _avi_of(60_000, 60_000)),
    "compressed with something else": (UnsupportedFormatError, _other_codec),
}


def _read_all(path: Path) -> None:
    for _ in read_frames(path):
        pass


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_gets_a_sentence_of_its_own(tmp_path, clip, kind):
    error, make = BROKEN[kind]
    path = tmp_path / ("upload.mov" if make is _other_codec else "upload.mp4")
    make(path, clip)
    with pytest.raises(error) as caught:
        _read_all(path)
    assert type(caught.value) is error
    message = str(caught.value)
    assert path.name in message and message.endswith((".", "?"))
    assert str(tmp_path) not in message and not _JARGON.search(message), message


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(VideoError, match="download it first"):
        probe("https://example.org/missing.mp4")
    with pytest.raises(VideoError, match="There is no file named 'missing.mp4'. Check"):
        _read_all(tmp_path / "missing.mp4")


def test_a_link_to_nothing_is_told_from_a_missing_file(tmp_path):
    """Whoever looks finds it in the folder, as annexes and moved archives leave it."""
    (tmp_path / "annexed.mp4").symlink_to("objects/annexed.mp4")
    with pytest.raises(VideoError, match="'annexed.mp4' is a link to a file that is not there"):
        _read_all(tmp_path / "annexed.mp4")


def test_a_folder_is_not_a_video(tmp_path):
    with pytest.raises(VideoError, match="is a folder"):
        _read_all(tmp_path)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_not_a_plain_file_is_refused_without_waiting(tmp_path, make):
    make(tmp_path / "upload.mp4")
    with pytest.raises(VideoError, match="not a plain file"):
        _read_all(tmp_path / "upload.mp4")


def test_a_file_that_may_not_be_read_says_so(clip, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # the tests may run as one who may read everything
    with pytest.raises(VideoError, match="may not be read"):
        _read_all(clip)


@pytest.mark.parametrize(
    "name",
    [
        "holiday in Zürich 日本.mp4",
        'it\'s "quoted".mp4',
        "-i.mp4",
        "%d %03d.mp4",
        "file:clip.mp4",
        "two\nlines.mp4",
        "a|b;c&d$(e)`f`.mp4",
        "no suffix",
        "clip.txt",
        b"not utf-8 \xff.mp4",
    ],
)
def test_any_file_name_works(tmp_path, clip, name, monkeypatch):
    path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), os.fsencode(name))))
    path.write_bytes(clip.read_bytes())
    monkeypatch.chdir(tmp_path)
    for given in (path, path.name):
        info = probe(given)
        assert info.name.isprintable()
        info.name.encode()
        frames = list(read_frames(given, VideoConfig(num_frames=2), info=info))
        assert [frame_number(frame) for _, frame in frames] == [0, 25]


def test_a_video_cut_in_its_pictures_gives_those_that_are_left(tmp_path, clip):
    content = clip.read_bytes()
    start = content.index(b"mdat")
    path = tmp_path / "cut.mp4"
    path.write_bytes(content[: start + 2 * (len(content) - start) // 3])
    info = probe(path)
    assert 0.8 < info.duration < 1.9
    numbers = [frame_number(frame) for _, frame in read_frames(path, info=info)]
    assert len(numbers) > 15 and numbers == sorted(set(numbers))


def test_a_video_damaged_in_places_gives_what_can_be_decoded(tmp_path, clip):
    content = bytearray(clip.read_bytes())
    rng = np.random.default_rng(0)
    start = content.index(b"mdat") + 1500  # the first picture stays whole
    for at in rng.integers(start, len(content), 20):
        content[at] = rng.integers(256)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(content)
    frames = list(read_frames(path))
    assert len(frames) > 5 and frame_number(frames[0][1]) == 0


@pytest.mark.parametrize(
    "limit, value",
    [
        ("max_file_bytes", 1000),
        ("max_duration", 1.5),
        ("max_source_frames", 40),
        ("max_source_pixels", 48 * 64 - 1),
        ("max_decode_seconds", 1e-6),
    ],
)
def test_each_limit_is_enforced(clip, limit, value):
    with pytest.raises(VideoLimitError) as caught:
        probe(clip, VideoLimits(**{limit: value}))
    assert "clip.mp4" in str(caught.value) and not _JARGON.search(str(caught.value))


def test_without_ffmpeg_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(VideoError, match="pip install imageio-ffmpeg"):
        ffmpeg_executable()


_COMPLAINTS = {
    "an old one": "[fatal] Unrecognized option 'stats_enc_pre'.",
    "one of fewer formats": "[in#0 @ 0x5587e5f] [fatal] Unknown input format: 'mov'",
    "one without filters": "[AVFilterGraph @ 0x55d3fe] [error] No such filter: 'showinfo'",
}


def _other_ffmpeg(folder: Path, kind: str) -> Path:
    """Returns what a user may have named as ffmpeg."""
    path = folder / "other-ffmpeg"
    if kind in _COMPLAINTS:
        complaint = _COMPLAINTS[kind]
        path.write_text(f'#!/bin/sh\necho "{complaint}" >&2\nexit 8\n')
        path.chmod(0o700)
    elif kind == "no program":
        path.write_bytes(b"\0" * 100)
        path.chmod(0o700)
    elif kind == "not executable":
        path.write_text("#!/bin/sh\n")
        path.chmod(0o600)
    elif kind == "a folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    "kind", [*_COMPLAINTS, "no program", "not executable", "a folder", "not there"]
)
def test_an_ffmpeg_that_does_not_fit_is_blamed_and_not_the_file(clip, tmp_path, monkeypatch, kind):
    other = _other_ffmpeg(tmp_path, kind)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(other))
    with pytest.raises(VideoError, match="Unset IMAGEIO_FFMPEG_EXE") as caught:
        probe(clip)
    assert type(caught.value) is VideoError  # nothing is wrong with the file for good
    assert str(other) in str(caught.value)


def test_where_no_ffmpeg_runs_the_error_says_what_to_install(clip, monkeypatch):
    def none() -> str:
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", none)
    with pytest.raises(VideoError, match="pip install --force-reinstall imageio-ffmpeg"):
        probe(clip)


def test_what_a_file_says_of_itself_blames_no_ffmpeg(tmp_path):
    path = tmp_path / "sound.mp4"
    said = "title=[fatal] Unrecognized option 'x'.\n[fatal] Unrecognized option 'x'."
    sound = ["-f", "lavfi", "-i", "sine=d=1", "-metadata", said]
    run_ffmpeg(*sound, path)
    with pytest.raises(NoVideoStreamError):
        probe(path)


def test_a_picture_whose_colours_are_damaged_is_refused_in_words(tmp_path):
    path = tmp_path / "still.avif"
    across, down = np.meshgrid(np.arange(128), np.arange(96))
    pixels = np.stack([across + down, 2 * down, 255 - across], axis=-1).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    content = bytearray(path.read_bytes())
    content[-len(content) // 4 :] = bytes(len(content[-len(content) // 4 :]))
    path.write_bytes(content)
    with pytest.raises(RuntimeError), Image.open(path) as picture:
        picture.load()  # what the library raises
    with pytest.raises(DamagedVideoError, match="damaged picture"):
        list(read_frames(path))
