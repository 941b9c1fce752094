"""Reads what a video file holds: its header, its first picture, the times of its frames."""

import array
import dataclasses
import re
from fractions import Fraction

import numpy as np

from dfjax.errors import (
    DamagedVideoError,
    NoVideoStreamError,
    UnsupportedFormatError,
    VideoError,
    VideoLimitError,
)
from dfjax.video.ffmpeg import FfmpegRun, MediaFile, Stopwatch
from dfjax.video.limits import VideoLimits

_SCAN_SECONDS = 120.0
"""In a video up to this long, all packets are scanned, which takes a few hundredths of a second. In
a longer one only the end is scanned, so that an hour costs no more than a minute."""

_TAIL_SECONDS = 5.0  # of a long video, in which its last frame must be

_MAX_STRETCH = 4.0  # of a non-square pixel, side over side; beyond it the header is ignored

_NO_TIME = -(2**63)  # ffmpeg's AV_NOPTS_VALUE

# Flags of a packet
_KEYFRAME = 1
_DISCARDED = 4  # decoded but, by the file's edit list, not shown


@dataclasses.dataclass(frozen=True, kw_only=True)
class Header:
    """What the file claims, and what its first picture shows."""

    codec: str
    height: int  # of the picture as displayed: turned, with square pixels
    width: int
    start: Fraction  # when the first picture is shown, seconds by the file's own clock
    duration: float | None  # as claimed, seconds
    fps: float | None  # as claimed


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameTimes:
    """When frames are shown, seconds after the first of the video, increasing."""

    shown: np.ndarray  # float64 [N]
    keyframes: np.ndarray  # float64 [K], those at which decoding can begin
    end: float  # when the last one is over
    is_whole: bool  # whether all frames are here, or only those at the end of a long video


def read_header(source: MediaFile, limits: VideoLimits, stopwatch: Stopwatch) -> Header:
    """Reads the header and decodes the first picture.

    Raises:
      NoVideoStreamError: There is no video in the file.
      UnsupportedFormatError: Its codec is not one that dfjax decodes.
      DamagedVideoError: No picture can be decoded.
      VideoLimitError: A picture is too large, or the claimed duration is too long.
    """
    options = ["-frames:v", "1", "-fps_mode", "passthrough", "-c:v", "rawvideo", "-f", "framecrc"]
    with FfmpegRun(source, stopwatch, ["-threads", "1"], options, log_level="info") as run:
        lines = list(run.read_lines())
        start = run.read_time()
        log = run.log
    dimensions = _first_match(r"#dimensions 0: (\d+)x(\d+)", lines)
    if start is None or dimensions is None:
        raise _why_no_picture(source, log)
    width, height = int(dimensions[1]), int(dimensions[2])
    aspect = _first_match(r"#sar 0: (\d+)/(\d+)", lines)
    height, width = _with_square_pixels(height, width, aspect)

    duration, fps, codec = None, None, "unknown"
    if claimed := _first_match(r"\[info\]   Duration: (\d+):(\d\d):(\d\d\.\d+),", log):
        duration = 3600 * int(claimed[1]) + 60 * int(claimed[2]) + float(claimed[3])
    if mapped := _first_match(r"\[info\]   Stream #0:(\d+) -> #0:0 \((\w+) ", log):
        codec = mapped[2]
        stream = rf"\[info\]   Stream #0:{mapped[1]}[\[(:].* Video: .*, ([\d.]+) fps"
        if rate := _first_match(stream, log):
            fps = float(rate[1])
    if duration is not None and duration > limits.max_duration:
        raise _too_long(source, duration, limits)
    return Header(
        codec=codec,
        height=height,
        width=width,
        start=start,
        duration=duration or None,
        fps=fps or None,
    )


def measure(
    source: MediaFile, header: Header, limits: VideoLimits, stopwatch: Stopwatch
) -> tuple[FrameTimes, float]:
    """Returns when frames are shown, and how many per second on average.

    The header's claims are checked against the packets: all of them in a short video or one without
    claims, the last ones in a long video. A truncated file thus gets the length that is left.

    Raises:
      DamagedVideoError: No frame has a time.
      VideoLimitError: There are more frames or seconds than the limits allow.
    """
    claimed, fps = header.duration, header.fps
    if claimed is not None and fps is not None and claimed > _SCAN_SECONDS:
        tail = _read_packets(source, header, limits, stopwatch, since=claimed - _TAIL_SECONDS)
        if tail is not None:
            if tail.end * fps > limits.max_source_frames:
                raise _too_many_frames(source, limits)
            return tail, fps
    times = _read_packets(source, header, limits, stopwatch)
    if times is None:
        raise DamagedVideoError(
            f"{source.name!r} is damaged: it does not say when its pictures are shown. "
            "Try another copy of it."
        )
    return times, len(times.shown) / times.end


def _read_packets(
    source: MediaFile,
    header: Header,
    limits: VideoLimits,
    stopwatch: Stopwatch,
    *,
    since: float | None = None,
) -> FrameTimes | None:
    """Returns the frame times that the packets carry, without decoding; None if there are none."""
    seek = [] if since is None else seek_options(header.start + Fraction(since))
    # AVI stores only the order of decoding, from 0 on, so its first frame seems to be shown later.
    is_avi = source.demuxer == "avi"
    unit, start = Fraction(0), Fraction(0) if is_avi else header.start
    last, last_end = -1.0, 0.0
    shown, keyframes = array.array("d"), array.array("d")
    with FfmpegRun(source, stopwatch, seek, ["-c", "copy", "-f", "framecrc"]) as run:
        for line in run.read_lines():
            if line.startswith("#tb 0: "):
                unit = Fraction(line.removeprefix("#tb 0: "))
            if line.startswith("#"):
                continue
            _, decoded_at, shown_at, length, _, _, *more = (f.strip() for f in line.split(","))
            flag = next((int(f[2:], 16) for f in more if f.startswith("F=")), _KEYFRAME)
            ticks = int(decoded_at if is_avi else shown_at)
            if flag & _DISCARDED or ticks == _NO_TIME:
                continue
            timestamp = float(ticks * unit - start)
            if timestamp > limits.max_duration:
                raise _too_long(source, timestamp, limits)
            if len(shown) >= limits.max_source_frames:
                raise _too_many_frames(source, limits)
            if timestamp < 0:  # shown before the first picture that can be decoded
                continue
            shown.append(timestamp)
            if timestamp > last:  # otherwise the length may refer to decoding order
                last, last_end = timestamp, timestamp + float(int(length) * unit)
            if flag & _KEYFRAME:
                keyframes.append(timestamp)
    if not shown:
        return None
    times = np.unique(np.frombuffer(shown))
    if last_end <= times[-1]:  # the file does not say how long its last frame lasts
        typical = np.median(np.diff(times)) if len(times) > 1 else 1 / (header.fps or 25)
        last_end = times[-1] + typical
    return FrameTimes(
        shown=times,
        keyframes=np.unique(np.frombuffer(keyframes)),
        end=float(last_end),
        is_whole=since is None,
    )


def seek_options(timestamp: Fraction) -> list[str]:
    """Returns the options that start reading at the last keyframe before a time of the file."""
    return ["-seek_timestamp", "1", "-noaccurate_seek", "-ss", f"{float(timestamp):.6f}"]


def _first_match(pattern: str, lines: list[str]) -> re.Match[str] | None:
    """Returns the first match at the start of a line; the file's metadata is written further in."""
    return next((match for line in lines if (match := re.match(pattern, line))), None)


def _with_square_pixels(height: int, width: int, aspect: re.Match[str] | None) -> tuple[int, int]:
    """Returns the display size of a picture with non-square pixels: one side is stretched."""
    if aspect is None or int(aspect[1]) == 0 or int(aspect[2]) == 0:
        return height, width
    stretch = int(aspect[1]) / int(aspect[2])
    if not 1 / _MAX_STRETCH <= stretch <= _MAX_STRETCH:
        return height, width
    if stretch >= 1:
        return height, round(width * stretch)
    return round(height / stretch), width


def _why_no_picture(source: MediaFile, log: list[str]) -> VideoError:
    """Returns the error for a file that gave no picture, with ffmpeg's messages as a note."""
    text = "\n".join(log)
    refused = re.search(r"\[dec:(\w+) @ [^\n]*Error while opening decoder", text)
    size = re.search(r"Picture size (\d+)x(\d+)", text)
    if "matches no streams" in text and "[info]   Stream #0:" in text:
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


def _too_long(source: MediaFile, duration: float, limits: VideoLimits) -> VideoLimitError:
    return VideoLimitError(
        f"{source.name!r} is {duration:,.0f} seconds long; "
        f"the limit is {limits.max_duration:,.0f}. Cut it shorter."
    )


def _too_many_frames(source: MediaFile, limits: VideoLimits) -> VideoLimitError:
    return VideoLimitError(
        f"{source.name!r} has more than {limits.max_source_frames:,} frames, which is the limit. "
        "Cut it shorter."
    )
