"""Identifies the kind of a file by its first bytes; its name and suffix are ignored."""

import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from dfjax.errors import NoVideoStreamError, UnsupportedFormatError, VideoError, VideoLimitError
from dfjax.video.limits import VideoLimits

STILL_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF")
"""Pillow's names for the still picture formats that are supported."""

VIDEO_FORMATS = (
    *("mov", "matroska", "avi", "mpegts", "mpeg", "flv", "asf", "gif", "webp_anim", "apng"),
)
"""ffmpeg's names for the only demuxers that dfjax uses: "mov" is also MP4 and 3GP, "matroska" also
WebM, "mpeg" an MPEG program stream, "asf" also WMV; the last two are pictures that move."""

KINDS_OF_VIDEO = "MP4, MOV, 3GP, AVI, WebM, MKV, MPEG, FLV, WMV or GIF"
KINDS_OF_PICTURE = "JPEG, PNG, WebP or AVIF"
"""What is read, as a visitor calls it."""

_WANTED = f"Use an {KINDS_OF_VIDEO} video, or a {KINDS_OF_PICTURE} picture."

ISO_BOXES = {  # types of the box that an MP4 or MOV file can begin with
    *(b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"sidx", b"free", b"skip", b"wide", b"pnot"),
}
"""What a part of an MP4 or MOV file that stands at its top is called."""

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_ADDRESS = re.compile("[A-Za-z][A-Za-z0-9+.-]+:/")  # as a `Path` writes it, with one slash
_SYNC = b"\x47"  # of MPEG-TS, once a packet
_TS_PLACES = ((0, 188), (4, 192))  # of the sync byte in a packet, and bytes of a packet
_MANY = 8  # sync bytes: as many do not stand a packet apart by chance
HEAD_BYTES = (_MANY + 1) * 192
"""How many bytes at the beginning of a file tell what it is."""

_MOST_CHUNKS = 1000  # of a PNG, before its picture

_PNG = b"\x89PNG\r\n\x1a\n"
_WEBP_MOVES = 0x02  # flag of a WebP's first chunk

# (first bytes, format)
_MAGIC = (
    (b"FLV\x01", "flv"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (b"\x00\x00\x01\xba", "mpeg"),
)
# (first bytes, what a visitor calls it)
_SOUND = (
    (b"ID3", "an MP3 sound file"),
    (b"\xff\xfb", "an MP3 sound file"),
    (b"\xff\xf3", "an MP3 sound file"),
    (b"\xff\xf2", "an MP3 sound file"),
    (b"\xff\xf1", "an AAC sound file"),
    (b"\xff\xf9", "an AAC sound file"),
    (b"fLaC", "a FLAC sound file"),
    (b"#!AMR", "an AMR sound file"),
    (b"caff", "a CAF sound file"),
)
_OTHER = (
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF", "a PDF document"),
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a Linux program"),
    (b"OggS", "an Ogg file"),
    (b"BM", "a BMP picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
)
_TEXT = (
    ("#extm3u", "a playlist"),
    ("ffconcat", "a list of other files"),
    ("[script info]", "a subtitle file"),
    ("webvtt", "a subtitle file"),
    ("<", "a web page or a drawing"),
)


def shown_name(path: str | PathLike[str]) -> str:
    """Returns the file's name without its folder, safe for a message, a report and a page.

    Whatever cannot be displayed (line ends, control characters, bytes that are not text) is
    replaced.
    """
    name = Path(os.fsdecode(path)).name
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)


def open_plain(path: Path) -> BinaryIO:
    """Opens a file to read its bytes.

    Raises:
      VideoError: The file or what it links to is missing, a folder, not a plain file, or may not
        be read.
    """
    if sys.platform == "win32":
        raise VideoError(
            "Files are read on Linux and macOS only: Windows cannot hand an open file to ffmpeg. "
            "Use the Windows Subsystem for Linux."
        )
    name = shown_name(path)
    try:
        # Never blocks: a plain open() of a named pipe without a writer would hang forever.
        file = open(
            path, "rb", buffering=0, opener=lambda p, flags: os.open(p, flags | os.O_NONBLOCK)
        )
    except (FileNotFoundError, NotADirectoryError):
        if os.path.islink(path):  # a folder shows it
            raise VideoError(
                f"{name!r} is a link to a file that is not there. Fetch that file, or name another."
            ) from None
        advice = "Check its path."
        if _ADDRESS.match(os.fspath(path)):
            advice = "What an address names is not fetched: download it first."
        raise VideoError(f"There is no file named {name!r}. {advice}") from None
    except IsADirectoryError:
        raise VideoError(f"{name!r} is a folder; a video file is needed.") from None
    except PermissionError:
        raise VideoError(
            f"{name!r} may not be read. Give yourself permission to read it, or copy it."
        ) from None
    except (OSError, ValueError) as error:  # a name too long, a NUL in it, a broken disk
        raise VideoError(f"{name!r} cannot be opened: {error}. Try another copy.") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise VideoError(f"{name!r} is not a plain file; a video file is needed.")
    return file


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """Opens a file whose bytes are read in the `with` block; nothing else may fail in there.

    Raises:
      VideoError: As for `open_plain`, or its bytes cannot be read.
    """
    with open_plain(path) as file:
        try:
            yield file
        except OSError as error:  # a broken disk, or one that went away
            raise VideoError(
                f"{shown_name(path)!r} cannot be read: {error.strerror}. Try another copy."
            ) from error


def identify(path: Path, limits: VideoLimits) -> str:
    """Returns what the file is: one of `VIDEO_FORMATS` or of `STILL_FORMATS`.

    Raises:
      VideoError: The file is missing, a folder, not a plain file, or cannot be read.
      UnsupportedFormatError: It is empty or of another kind.
      NoVideoStreamError: It is an audio file.
      VideoLimitError: It is larger than `limits.max_file_bytes`.
    """
    name = shown_name(path)
    with reading(path) as file:
        num_bytes = os.fstat(file.fileno()).st_size
        head = file.read(HEAD_BYTES)
        is_animated = _is_animated_png(file) if head.startswith(_PNG) else False
    if not head:
        raise UnsupportedFormatError(f"{name!r} is empty. Was its upload or download cut off?")
    require_size(name, num_bytes, limits)
    return "apng" if is_animated else _identify_head(head, name)


def require_size(name: str, num_bytes: int, limits: VideoLimits) -> None:
    """Checks how large a file is.

    Raises:
      VideoLimitError: It is larger than `limits.max_file_bytes`.
    """
    if num_bytes > limits.max_file_bytes:
        raise VideoLimitError(
            f"{name!r} has {num_bytes:,} bytes; the limit is {limits.max_file_bytes:,}. "
            "Cut it shorter or make its pictures smaller."
        )


def _identify_head(head: bytes, name: str) -> str:
    """Returns the format that the first bytes of a file indicate."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(_PNG):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head.startswith(b"RIFF"):
        if head[8:12] == b"AVI ":
            return "avi"
        if head[8:12] == b"WEBP":
            moves = head[12:16] == b"VP8X" and head[20:21] and head[20] & _WEBP_MOVES
            return "webp_anim" if moves else "WEBP"
        if head[8:12] == b"WAVE":
            raise NoVideoStreamError(f"{name!r} is a WAV sound file: it has no picture. {_WANTED}")
    if head[4:8] in ISO_BOXES:
        return _identify_iso(head, name)
    for magic, container in _MAGIC:
        if head.startswith(magic):
            return container
    if ts_packets(head) is not None:
        return "mpegts"
    for magic, words in _SOUND:
        if head.startswith(magic):
            raise NoVideoStreamError(f"{name!r} is {words}: it has no picture. {_WANTED}")
    for magic, words in _OTHER:
        if head.startswith(magic):
            raise UnsupportedFormatError(f"{name!r} is {words}, not a video. {_WANTED}")
    text = head.decode("utf-8-sig", errors="replace").lstrip().lower()
    for start, words in _TEXT:
        if text.startswith(start):
            raise UnsupportedFormatError(f"{name!r} is {words}, not a video. {_WANTED}")
    raise UnsupportedFormatError(f"{name!r} is not a video that dfjax can open. {_WANTED}")


def ts_packets(head: bytes) -> tuple[int, int] | None:
    """Returns where the first whole packet of MPEG-TS begins, and how many bytes a packet has.

    A file of a recorder, or a part of a broadcast, may begin within a packet.

    Args:
      head: The first bytes of a file, `HEAD_BYTES` if it has as many.

    Returns:
      None if it is not MPEG-TS.
    """
    for sync, length in _TS_PLACES:
        if head[sync::length][:2] == 2 * _SYNC:
            return 0, length
    for sync, length in _TS_PLACES:
        for first in range(length):
            if head[first::length][:_MANY] == _MANY * _SYNC:
                return (first - sync) % length, length
    return None


def _identify_iso(head: bytes, name: str) -> str:
    """Returns the format of a file of boxes, as MP4, MOV, AVIF and HEIC are."""
    if head[4:8] != b"ftyp":
        return "mov"
    length = int.from_bytes(head[:4], "big")
    brands = {head[8:12]} | {head[at : at + 4] for at in range(16, min(length, len(head)), 4)}
    if head[8:12] in (b"avif", b"avis") or (head[8:12] == b"mif1" and b"avif" in brands):
        if b"avis" in brands:
            raise UnsupportedFormatError(
                f"{name!r} is an animated AVIF, of which only the first picture could be opened. "
                "Save it as an MP4."
            )
        return "AVIF"
    if head[8:12] in _HEIC_BRANDS:
        raise UnsupportedFormatError(
            f"{name!r} is a HEIC picture, which is not opened. Save it as a JPEG."
        )
    return "mov"


def _is_animated_png(file: BinaryIO) -> bool:
    """Returns whether a PNG says that it has more than one picture, before the first one."""
    at = len(_PNG)
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(12)
        if len(head) < 12 or head[4:8] == b"IDAT":
            return False
        if head[4:8] == b"acTL":
            return int.from_bytes(head[8:12], "big") > 1
        at += 12 + int.from_bytes(head[:4], "big")
    return False
