"""Reads when the frames of a video are shown, from its packets."""

import array
import dataclasses
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

from dfjax.errors import DamagedVideoError, VideoLimitError
from dfjax.video.ffmpeg import FfmpegRun, MediaFile, Stopwatch
from dfjax.video.header import Header
from dfjax.video.limits import VideoLimits

_SCAN_SECONDS = 120.0
"""In a video up to this long, all packets are scanned, which takes a few hundredths of a second. In
a longer one only the end is scanned at first, so that an hour costs no more than a minute."""

_UNINDEXED = ("mpegts", "mpeg")
"""Demuxers that do not know where keyframes are and begin to read anywhere. All packets of their
files are scanned, so that decoding can be made to begin where it can."""

_BEFORE_KEYFRAME = 1.0
"""Seconds before a keyframe at which such a demuxer begins, to have it in any case."""

_ROUNDING = 1e-3  # seconds by which times may be rounded

# By these, ffmpeg tells where a clock breaks. It makes one that runs only for a file read through.
_JUMP = 10.0  # seconds from one packet to another
_FALL = 0.1  # seconds from one keyframe back to another

_TAIL_SECONDS = 5.0  # of a long video, in which its last frame must be

_AS_SHOWN = "setts=pts=if(eq(PTS\\,NOPTS)\\,DTS\\,PTS):dts=N-4000000000"
"""The filter that keeps ffmpeg from changing when packets are shown. When they are decoded must not
go back in what it writes, which it does where an edit list cuts a part out; it would then move both
times. So packets are just counted, from long before the first is shown."""

_NO_TIME = -(2**63)  # ffmpeg's AV_NOPTS_VALUE

# Flags of a packet
_KEYFRAME = 1
DISCARDED = 4  # decoded but, by the file's edit list, not shown


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameTimes:
    """When frames are shown, seconds after the first of the video, increasing."""

    shown: np.ndarray  # float64 [N]
    keyframes: np.ndarray  # float64 [K], those at which decoding can begin
    end: float  # when the last one is over
    is_whole: bool  # whether all frames are here, or only those at the end of a long video
    is_damaged: bool = False  # whether packets were missing or made no sense
    has_breaks: bool = False  # whether the clock restarts or jumps after the last of these


def read_packets(source: MediaFile, stopwatch: Stopwatch, seek: Sequence[str] = ()) -> FfmpegRun:
    """Starts reading the packets of a video, without decoding them."""
    # AVI has no other times than those of decoding.
    times = [] if source.demuxer == "avi" else ["-bsf:v", _AS_SHOWN]
    # An animated PNG may begin with a picture that is not marked as a keyframe.
    copied = ["-c", "copy", "-copyinkf", *times, "-f", "framecrc"]
    return FfmpegRun(source, stopwatch, seek, copied, log_level="info")


def packet_flags(fields: Iterable[str]) -> int:
    """Returns the flags of a packet, from the fields of its line, without spaces around them."""
    return next((int(field[2:], 16) for field in fields if field.startswith("F=")), _KEYFRAME)


def measure(
    source: MediaFile,
    header: Header,
    limits: VideoLimits,
    stopwatch: Stopwatch,
    packets: FfmpegRun | None = None,
) -> tuple[FrameTimes, float]:
    """Returns when frames are shown, and how many per second on average.

    The header's claims are checked against the packets: all of them in a short video or one without
    claims, the last ones in a long video. A truncated file thus gets the length that is left, and
    one that claims hours that it does not have is scanned like the short video that it is.

    Where the clock of an MPEG stream turns out to break, as in recordings that were joined, nothing
    more is read: the header and the packets must be read again as a file with `has_breaks`.

    Args:
      source: The file.
      header: Of this file.
      limits: How long it may be, and how many frames it may have.
      stopwatch: Limits the time that is spent.
      packets: What `read_packets` has started for this file; None: it is started here.

    Raises:
      DamagedVideoError: No frame has a time.
      VideoLimitError: There are more frames or seconds than the limits allow.
    """
    claimed, fps = header.duration, header.fps
    has_index = source.demuxer not in _UNINDEXED
    if has_index and claimed is not None and fps is not None and claimed > _SCAN_SECONDS:
        seek = seek_options(header.start + Fraction(claimed - _TAIL_SECONDS))
        with read_packets(source, stopwatch, seek) as last:
            tail = _frame_times(last, source, header.start, fps, limits, is_whole=False)
        is_long = tail is not None and tail.end > _SCAN_SECONDS
        if tail is not None and is_long and tail.end * fps <= limits.max_source_frames:
            return tail, fps
    with packets or read_packets(source, stopwatch) as all_of_them:
        times = _frame_times(all_of_them, source, header.start, fps, limits, is_whole=True)
    if times is None:
        raise DamagedVideoError(
            f"{source.name!r} is damaged: it does not say when its pictures are shown. "
            "Try another copy of it."
        )
    return times, len(times.shown) / times.end


def all_frame_times(
    source: MediaFile, start: Fraction, fps: float, limits: VideoLimits, stopwatch: Stopwatch
) -> FrameTimes | None:
    """Returns when all frames of a long video are shown; None if it cannot be told.

    Args:
      source: The file.
      start: When its first frame is shown, seconds by its own clock.
      fps: Frames per second on average.
      limits: How many frames it may have.
      stopwatch: Limits the time that is spent.

    Raises:
      VideoLimitError: There are more frames or seconds than the limits allow.
    """
    with read_packets(source, stopwatch) as packets:
        return _frame_times(packets, source, start, fps, limits, is_whole=True)


def _frame_times(
    packets: FfmpegRun,
    source: MediaFile,
    first: Fraction,
    fps: float | None,
    limits: VideoLimits,
    *,
    is_whole: bool,
) -> FrameTimes | None:
    """Returns the frame times that packets carry; None if there are none."""
    # AVI stores only the order of decoding, from 0 on, so its first frame seems to be shown later.
    is_avi = source.demuxer == "avi"
    unit, start = Fraction(0), Fraction(0) if is_avi else first
    may_break, has_breaks = source.demuxer in _UNINDEXED and not source.has_breaks, False
    last, last_end = -1.0, 0.0
    shown, keyframes = array.array("d"), array.array("d")
    for line in packets.read_lines():
        if line.startswith("#tb 0: "):
            unit = Fraction(line.removeprefix("#tb 0: "))
        if line.startswith("#"):
            continue
        _, decoded_at, shown_at, length, _, _, *more = (f.strip() for f in line.split(","))
        flags = packet_flags(more)
        ticks = int(decoded_at if is_avi else shown_at)
        if flags & DISCARDED or ticks == _NO_TIME:
            continue
        timestamp = float(ticks * unit - start)
        fall = keyframes[-1] - timestamp if flags & _KEYFRAME and keyframes else 0.0
        if may_break and shown and (fall > _FALL or abs(timestamp - last) > _JUMP):
            has_breaks = True
            break
        if timestamp > limits.max_duration:
            raise _too_long(source, limits)
        if len(shown) >= limits.max_source_frames:
            raise _too_many_frames(source, limits)
        if timestamp < 0:  # shown before the first picture that can be decoded
            continue
        shown.append(timestamp)
        if timestamp > last:  # otherwise the length may refer to decoding order
            last, last_end = timestamp, timestamp + float(int(length) * unit)
        if flags & _KEYFRAME:
            keyframes.append(timestamp)
    is_damaged = len(packets.complaints) > 0
    if not shown:
        return None
    times = np.unique(np.frombuffer(shown))
    if last_end <= times[-1]:  # the file does not say how long its last frame lasts
        typical = np.median(np.diff(times)) if len(times) > 1 else 1 / (fps or 25)
        last_end = times[-1] + typical
    return FrameTimes(
        shown=times,
        keyframes=np.unique(np.frombuffer(keyframes)),
        end=float(last_end),
        is_whole=is_whole,
        is_damaged=is_damaged,
        has_breaks=has_breaks,
    )


def seek_options(timestamp: Fraction) -> list[str]:
    """Returns the options that start reading at the last keyframe before a time of the file."""
    return ["-seek_timestamp", "1", "-noaccurate_seek", "-ss", f"{float(timestamp):.6f}"]


def keyframe_options(
    source: MediaFile, times: FrameTimes, start: Fraction, begin: float
) -> list[str]:
    """Returns the options that start decoding at the last keyframe before a time.

    What follows a keyframe but is shown before it may be made of what precedes it. It is left out:
    decoders complain, and nobody could tell that from damage.

    Args:
      source: The file.
      times: Of its frames.
      start: When its first frame is shown, seconds by its own clock.
      begin: Seconds after the first frame.
    """
    if source.demuxer in _UNINDEXED:
        return _unindexed_options(source, times, start, begin)
    if begin <= 0:
        return []
    seek = seek_options(start + Fraction(begin))
    if source.demuxer == "avi":  # says only when packets are to be decoded
        return seek
    # Variables of an expression outlast a packet. 0: when the keyframe is shown; 1: it has come.
    is_first, note = "gt(key\\,ld(1))", "0*(st(0\\,pts*tb)+st(1\\,1))"
    earliest = float(start) + begin - _ROUNDING
    leads = f"ld(1)*lt(pts*tb\\,ld(0))*lt(pts*tb\\,{earliest:.6f})"
    return [*seek, "-bsf:v", f"noise=drop=if({is_first}\\,{note}\\,{leads})"]


def _unindexed_options(
    source: MediaFile, times: FrameTimes, start: Fraction, begin: float
) -> list[str]:
    """Returns `keyframe_options` where the demuxer does not know where keyframes are."""
    keyframes = times.keyframes
    place = max(0, int(np.searchsorted(keyframes, begin, side="right")) - 1)
    # Without keyframes, or with others that the parser did not notice, all of it may be needed.
    if source.has_breaks or len(keyframes) == 0 or (place == 0 and keyframes[0] > _ROUNDING):
        return []
    keyframe = start + Fraction(keyframes[place])
    # Where pictures are small, a program stream gives a time to some of them only: a packet without
    # one goes with the one before it.
    is_late = f"gte(pts*tb\\,{float(keyframe) - _ROUNDING:.6f})"
    drop = ["-bsf:v", f"noise=drop=not(if(eq(pts\\,nopts)\\,ld(0)\\,st(0\\,{is_late})))"]
    seek = seek_options(keyframe - Fraction(_BEFORE_KEYFRAME)) if place > 0 else []
    return [*seek, *drop]


def _too_long(source: MediaFile, limits: VideoLimits) -> VideoLimitError:
    # How long it is, nobody knows: reading ends at the limit.
    return VideoLimitError(
        f"{source.name!r} is longer than the limit of {limits.max_duration:,.12g} seconds. "
        "Cut it shorter."
    )


def _too_many_frames(source: MediaFile, limits: VideoLimits) -> VideoLimitError:
    return VideoLimitError(
        f"{source.name!r} has more than {limits.max_source_frames:,} frames, which is the limit. "
        "Cut it shorter."
    )
