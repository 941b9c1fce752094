"""Reads what a video file claims and its first picture, and chooses the stream to judge.

Nothing that is claimed here is believed: `streams.measure` compares it with the packets.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

from dfjax.errors import (
    DamagedVideoError,
    NoVideoStreamError,
    UnsupportedFormatError,
    VideoError,
    VideoLimitError,
)
from dfjax.video.executable import other_ffmpeg_needed
from dfjax.video.ffmpeg import SHOW, FfmpegRun, MediaFile, Shape, Stopwatch
from dfjax.video.pictures import Colour

_MAX_STRETCH = 4.0  # of a non-square pixel, side over side; beyond it the header is ignored

_PREVIEW = 4
"""A stream with this many times fewer pixels than another is a preview of it."""

_MIN_DELAY = 0.1
"""Seconds of sound before the first picture that matter. Encoders put less than that there to begin
with a whole block of samples, and no player shows it."""

_WITH_ALPHA = re.compile(r"yuva|gbrap|rgba|bgra|argb|abgr|ya\d|yaf|ayuv|vuya|uyva|pal8")
_ALPHA_LATER = ("gif", "webp_anim", "apng")
"""Demuxers of files of which a later picture may be transparent where the first one is not."""

_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""ffmpeg's usual ones leave out the transparency that WebM keeps beside a picture."""

_UNFIT = re.compile(
    r"(\[[^\]]+ @ \w+\] )*\[(error|fatal)\] (Unrecognized option |Unknown input format: |"
    r"Unknown decoder |No such filter: |Error parsing bitstream filter |"
    r"Error splitting the argument list|Error opening (in|out)put files: (Protocol|Encoder) not)"
)
"""What an older ffmpeg, or one with fewer parts, says of what it is asked for."""

_NOT_FILMED = ("attached pic", "timed thumbnails", "still image")
"""What ffmpeg calls covers and previews that belong to a video but are none."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoStream:
    """A video stream, as the file describes it."""

    index: int  # among all streams of the file
    codec: str
    width: int  # pixels; 0: not known
    height: int
    is_default: bool  # players show it if nobody chooses; in MP4 and MOV: it is enabled

    @property
    def words(self) -> str:
        """What a reader calls it."""
        return f"number {self.index + 1} ({self.codec}, {self.width}x{self.height})"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Header:
    """What the file claims, and what its first picture shows."""

    codec: str
    height: int  # of the picture as displayed: turned, with square pixels
    width: int
    start: Fraction  # when the first picture is shown, seconds by the file's own clock
    delay: float  # seconds after the start of the file at which it is shown
    has_alpha: bool
    is_interlaced: bool  # whether the first picture is marked as two, line by line
    colour: Colour
    duration: float | None  # as claimed, seconds
    fps: float | None  # as claimed
    others: tuple[VideoStream, ...]  # that are not judged
    is_disabled: bool  # whether the file says that the stream is not to be shown


def read_header(source: MediaFile, stopwatch: Stopwatch) -> tuple[MediaFile, Header]:
    """Reads the header, chooses a stream, and decodes its first picture.

    Returns:
      The file with the stream that is judged and its decoder, and what was read.

    Raises:
      NoVideoStreamError: There is no video in the file.
      UnsupportedFormatError: Its codec is not one that dfjax decodes.
      DamagedVideoError: No picture can be decoded.
      VideoLimitError: A picture is too large.
    """
    first = _first_picture(source, stopwatch)
    blocks = _stream_blocks(first.log)
    chosen, others = _choose_stream(_video_streams(blocks))
    if chosen is not None:
        has_hidden_alpha = any(
            re.search(r"alpha_mode +: 1$", line) for line in blocks[chosen.index]
        )
        decoder = _ALPHA_DECODERS.get(chosen.codec) if has_hidden_alpha else None
        is_first = first.index == chosen.index
        stream = source.stream if is_first else str(chosen.index)
        source = dataclasses.replace(source, stream=stream, decoder=decoder)
        if decoder is not None or not is_first:
            first = _first_picture(source, stopwatch)
    if chosen is None or first.start is None or first.shape is None:
        raise _why_no_picture(source, first.log)
    height, width = displayed_size(first.shape)

    described, log = blocks[chosen.index][0], first.log
    duration, fps, file_start = None, None, None
    if claimed := _first_match(r"\[info\]   Duration: (\d+):(\d\d):(\d\d\.\d+),", log):
        duration = 3600 * int(claimed[1]) + 60 * int(claimed[2]) + float(claimed[3])
    if source.has_breaks:  # then ffmpeg's clock starts with the file
        file_start = 0.0
    elif begins := _first_match(r"\[info\]   Duration: [^,]*, start: (-?[\d.]+)", log):
        file_start = float(begins[1])
    if rate := re.search(r", ([\d.]+) fps", described):
        fps = float(rate[1])
    delay = 0.0 if file_start is None else float(first.start) - file_start
    has_alpha = _WITH_ALPHA.match(first.shape.pixel_format) is not None
    return source, Header(
        codec=chosen.codec,
        height=height,
        width=width,
        start=first.start,
        delay=delay if delay >= _MIN_DELAY else 0.0,
        # In AVI nobody reads the fourth byte of a pixel, and programs leave anything there.
        has_alpha=(has_alpha and source.demuxer != "avi") or source.demuxer in _ALPHA_LATER,
        is_interlaced=first.shape.is_interlaced,
        colour=_colour(log),
        duration=duration or None,
        fps=fps or None,
        others=others,
        is_disabled=source.demuxer == "mov" and not chosen.is_default,
    )


def displayed_size(shape: Shape) -> tuple[int, int]:
    """Returns height and width of a frame with square pixels: one of its sides is stretched."""
    height, width = shape.height, shape.width
    if shape.aspect == 0 or not 1 / _MAX_STRETCH <= shape.aspect <= _MAX_STRETCH:
        return height, width
    if shape.aspect >= 1:
        return height, round(width * float(shape.aspect))
    return round(height / float(shape.aspect)), width


@dataclasses.dataclass(frozen=True, kw_only=True)
class _FirstPicture:
    """What a run that decodes one picture says."""

    start: Fraction | None
    shape: Shape | None
    index: int | None  # of the stream
    log: list[str]


def _first_picture(source: MediaFile, stopwatch: Stopwatch) -> _FirstPicture:
    options = ["-vf", SHOW, "-frames:v", "1", "-fps_mode", "passthrough"]
    options += ["-c:v", "rawvideo", "-f", "framecrc"]
    with FfmpegRun(source, stopwatch, ["-threads", "1"], options, log_level="info") as run:
        has_picture = any(line.startswith("#dimensions 0:") for line in run.read_lines())
        mapped = _first_match(r"\[info\]   Stream #0:(\d+) -> #0:0 ", run.log)
        return _FirstPicture(
            start=run.read_time() if has_picture else None,
            shape=run.read_shape() if has_picture else None,
            index=int(mapped[1]) if mapped else None,
            log=run.log,
        )


def _stream_blocks(log: Sequence[str]) -> dict[int, list[str]]:
    """Returns, for each stream of the file, the line that describes it and those of its metadata.

    ffmpeg lists streams that refer to each other, such as a picture and its timecode, as a group,
    and then further in: as far as the metadata of the whole file, which may say anything. So a line
    that far in is a stream only below the heading of a group.
    """
    blocks: dict[int, list[str]] = {}
    block: list[str] = []
    usual, grouped = "  ", "    "
    depth = depths = usual
    for line in log:
        if re.match(r"\[info\] (Stream mapping|Output)", line):
            break
        if re.match(r"\[info\]   \S", line):
            is_group = line.startswith(f"[info] {usual}Stream group #")
            depths = f"{usual}|{grouped}" if is_group else usual
        found = re.match(rf"\[info\] ({depths})Stream #0:(\d+)[\[(:]", line)
        if found is not None:
            depth, index = found[1], int(found[2])
            block = [line]
            blocks.setdefault(index, block)  # groups may share a stream
        elif line.startswith(f"[info] {depth} "):
            block.append(line)
        else:
            block = []  # what is as far in again is of something else
    return blocks


def _video_streams(blocks: Mapping[int, Sequence[str]]) -> list[VideoStream]:
    """Returns the streams that hold moving pictures, in their order in the file."""
    streams = []
    for index, (line, *_) in sorted(blocks.items()):
        found = re.match(r"\[info\] +Stream #0:\d+(?:\[\w+\])?(?:\([^()]*\))?: Video: (\w+)", line)
        if found is None or any(f"({words})" in line for words in _NOT_FILMED):
            continue
        # Behind the codec's profile and tag, which may hold an "x" of their own.
        size = re.search(r", (\d+)x(\d+)[ ,]", line[found.end() :] + ",")
        streams.append(
            VideoStream(
                index=index,
                codec=found[1],
                width=int(size[1]) if size else 0,
                height=int(size[2]) if size else 0,
                is_default="(default)" in line,
            )
        )
    return streams


def _choose_stream(
    streams: Sequence[VideoStream],
) -> tuple[VideoStream | None, tuple[VideoStream, ...]]:
    """Returns the stream that players show, and the others that have pictures.

    It is the first of those that are marked as default (in MP4 and MOV: not disabled), unless that
    is a small preview of another one.
    """
    with_pictures = [stream for stream in streams if stream.width > 0] or list(streams)
    shown = [stream for stream in with_pictures if stream.is_default] or with_pictures
    if not shown:
        return None, ()
    chosen, largest = shown[0], max(shown, key=_num_pixels)
    if _num_pixels(chosen) * _PREVIEW <= _num_pixels(largest):
        chosen = largest
    return chosen, tuple(stream for stream in with_pictures if stream is not chosen)


def _colour(log: list[str]) -> Colour:
    values = r"color_space:(\S+) color_primaries:(\S+) color_trc:(\S+)"
    found = _first_match(rf"\[Parsed_showinfo_0 @ \w+\] \[info\] .*{values}", log)
    if found is None:
        return Colour()
    return Colour(matrix=found[1], primaries=found[2], transfer=found[3])


def _num_pixels(stream: VideoStream) -> int:
    return stream.width * stream.height


def _first_match(pattern: str, lines: list[str]) -> re.Match[str] | None:
    """Returns the first match at the start of a line; the file's metadata is written further in."""
    return next((match for line in lines if (match := re.match(pattern, line))), None)


def _why_no_picture(source: MediaFile, log: list[str]) -> VideoError:
    """Returns the error for a file that gave no picture, with ffmpeg's messages as a note."""
    text = "\n".join(log)
    refused = re.search(r"\[dec:(\w+) @ [^\n]*Error while opening decoder", text)
    size = re.search(r"Picture size (\d+)x(\d+)", text)
    if any(map(_UNFIT.match, log)):
        error = other_ffmpeg_needed("lacks what dfjax uses of it")
    elif "matches no streams" in text and _stream_blocks(log):
        error = NoVideoStreamError(
            f"{source.name!r} holds no video: only sound, subtitles or a cover picture. "
            "Choose a file with moving pictures."
        )
    elif size and int(size[1]) * int(size[2]) > source.max_pixels:
        error = VideoLimitError(
            f"{source.name!r} claims pictures larger than the limit of {source.max_pixels:,} "
            "pixels. Make its pictures smaller."
        )
    elif refused and f"Codec ({refused[1]}) not on whitelist" in text:
        error = UnsupportedFormatError(
            f"{source.name!r} is compressed with {refused[1]!r}, which is not decoded. "
            "Convert it to an MP4 with H.264."
        )
    else:
        error = DamagedVideoError(
            f"{source.name!r} is damaged or not complete: no picture of it can be decoded. "
            "Try another copy of it."
        )
    complaints = [line for line in log if "[error]" in line or "[fatal]" in line]
    error.add_note("\n".join(complaints[-5:]))
    return error
