"""Which frames of a video need not be decoded, because no wanted one is decoded from them.

In H.264 a frame says whether others refer to it. Of three clips that were looked at, 41 to 48% of
the frames are referred to by none; without them the others come out the same. And a frame may say
that nothing after it refers to anything before it (an IDR frame, as most keyframes are): between
the last wanted frame and the next of these, nothing is needed.

A keyframe needs no other frame, whatever the codec, so of many only those that are looked at need
be decoded.
"""

from collections.abc import Sequence

import numpy as np

from dfjax.video.ffmpeg import FfmpegRun, MediaFile, Stopwatch
from dfjax.video.streams import DISCARDED, packet_flags

_DEMUXERS = ("mov", "matroska")
"""Those whose packets are whole frames. In others, a packet may be half of an interlaced one."""

_ONLY_REFERENCES = "filter_units=discard=nonref:remove_types=6|9|12"
"""Drops packets in which nothing is referred to, be there messages, marks or padding in them."""

_ONLY_FRESH_STARTS = "filter_units=pass_types=5"
_ONLY_SETTINGS = "filter_units=pass_types=7|8"
"""Parameter sets within the stream; what comes later may need them."""

_WORD = 48
"""Packets that share a number in an expression, with a bit each. Numbers are exact to 53 bits."""

# What fits into an expression on a command line
_MAX_PACKETS, _MAX_TIMES = 100_000, 1024

_EVERY_KEYFRAME = ["-skip_frame", "nokey"]

# Where a packet does not say when it is shown, a decoder's pictures take their times from those
# around them, and without these they are far off. AVI stores only the order of decoding; a program
# stream says the times of some of its small pictures only.
_COUNTED_ON = "if(eq(PREV_OUTPTS\\,NOPTS)\\,NOPTS\\,PREV_OUTPTS+DURATION)"
_TIMED_ALONE = {
    "avi": "setts=pts=DTS",
    "mpeg": f"setts=pts=if(eq(PTS\\,NOPTS)\\,{_COUNTED_ON}\\,PTS)",
}

# Other keyframes have numbers that go on from the frames before. Where those are missing, most
# keyframes do not come out of ffmpeg's decoder.
_ONLY_NUMBERED_ANEW = {
    "h264": "filter_units=remove_types=1-4",
    "hevc": "filter_units=remove_types=0-15|21-23",
}

_SHOWN = "pts*tb"
"""When a packet is shown, seconds, in a filter's expression."""

_NEAR = 0.002  # seconds by which a time may be rounded

_COPIES = (_ONLY_REFERENCES, _ONLY_FRESH_STARTS, _ONLY_SETTINGS)

_Packet = tuple[str, str]
"""When it is to be decoded and shown, as ffmpeg prints it."""

_NO_TIME = "-9223372036854775808"  # ffmpeg's AV_NOPTS_VALUE


def unneeded_packets(
    source: MediaFile, codec: str, earliest: np.ndarray, stopwatch: Stopwatch
) -> np.ndarray:
    """Returns which packets need not be decoded for the frames that are wanted.

    Args:
      source: The file.
      codec: Of the video, as ffmpeg calls it.
      earliest: float64 [N], increasing, seconds by the file's own clock: the first frame at or
        after each of these is wanted.
      stopwatch: Limits the time that is spent.

    Returns:
      int64 [M], increasing, counted from the start of the file; empty if it cannot be told.
    """
    nothing = np.empty(0, np.int64)
    if codec != "h264" or source.demuxer not in _DEMUXERS:
        return nothing
    copies: list[set[_Packet]] = [set() for _ in _COPIES]
    packets: list[_Packet] = []
    unit = 0.0
    with FfmpegRun(source, stopwatch, [], _copied(source)) as run:
        for line in run.read_lines():
            if line.startswith("#tb 0: "):
                over, under = line.removeprefix("#tb 0: ").split("/")
                unit = int(over) / int(under)
            if line.startswith("#"):
                continue
            stream, decoded_at, shown_at, *rest = (field.strip() for field in line.split(","))
            if shown_at == _NO_TIME or packet_flags(rest) & DISCARDED:
                return nothing
            if stream == "0":
                packets.append((decoded_at, shown_at))
            else:
                copies[int(stream) - 1].add((decoded_at, shown_at))
        if run.finish() != 0 or run.complaints or not packets:
            return nothing
    ticks = np.array([int(shown_at) for _, shown_at in packets])
    shown = np.unique(ticks)
    places = np.searchsorted(shown * unit, earliest)
    is_wanted = np.isin(ticks, shown[places[places < len(shown)]])
    is_reference, is_start, has_settings = (
        np.array([packet in copy for packet in packets]) for copy in copies
    )
    # What follows the last wanted frame before a start. The starts stay: encoders tell their
    # version there, and what some of them wrote cannot be decoded without it. What follows the last
    # wanted frame of all stays too: a decoder gives a frame only when it gets some more.
    is_start[0] = True
    part, order = np.cumsum(is_start), np.arange(len(packets))
    last_wanted = np.full(part[-1] + 1, -1)
    last_wanted[part[is_wanted]] = order[is_wanted]  # the last one assigned stays
    is_between = (order > last_wanted[part]) & (order < order[is_wanted].max(initial=0))
    is_ending = is_between & ~is_start & ~has_settings
    return np.flatnonzero((~is_reference & ~is_wanted) | is_ending)


def _copied(source: MediaFile) -> list[str]:
    """Returns options that list all packets, and beside them those that each filter leaves."""
    options: list[str] = []
    for number, only in enumerate(_COPIES, 1):
        options += ["-map", f"0:{source.stream}", f"-bsf:v:{number}", only]
    return [*options, "-c", "copy", "-f", "framecrc"]


def leaving_out(packets: np.ndarray) -> list[str]:
    """Returns the options with which ffmpeg does not decode some packets of its input.

    Args:
      packets: As `unneeded_packets` returns them. Of very many, the last are decoded nevertheless.
    """
    packets = packets[packets < _MAX_PACKETS]
    if len(packets) == 0:
        return []
    words = [0] * (int(packets[-1]) // _WORD + 1)
    for packet in packets.tolist():
        words[packet // _WORD] |= 1 << packet % _WORD
    is_in = f"mod(floor({_word_of_n(words)}/pow(2\\,mod(n\\,{_WORD})))\\,2)"
    return ["-bsf:v", f"noise=drop=lt(n\\,{len(words) * _WORD})*{is_in}"]


def _word_of_n(words: Sequence[int], first: int = 0) -> str:
    """Returns the expression for the word in which the bit of packet n is.

    It is a search by halves: it is evaluated for every packet.

    Args:
      words: Bits of `_WORD` packets each.
      first: Of all words, the number of the first of these.
    """
    if len(words) == 1:
        return hex(words[0])
    middle = len(words) // 2
    before, after = _word_of_n(words[:middle], first), _word_of_n(words[middle:], first + middle)
    return f"if(lt(n\\,{(first + middle) * _WORD})\\,{before}\\,{after})"


def every_keyframe(source: MediaFile) -> list[str]:
    """Returns the options with which ffmpeg decodes keyframes only.

    Those of an AVI have the times at which they are decoded, from the first packet on.
    """
    timed = _TIMED_ALONE.get(source.demuxer)
    return [*_EVERY_KEYFRAME, *(["-bsf:v", timed] if timed else [])]


def keyframes_apart(source: MediaFile, codec: str, gap: float) -> list[str]:
    """Returns the options with which ffmpeg decodes only keyframes that are some seconds apart.

    Choosing among decoded frames would mean decoding every keyframe, and of VP9 every frame, since
    its decoder in ffmpeg ignores `-skip_frame`.

    Args:
      source: The file.
      codec: Of the video, as ffmpeg calls it.
      gap: Seconds.

    Returns:
      The options; none if packets cannot be told apart. Keyframes that do not number the frames
      anew do not come of them.
    """
    # Variables of an expression outlast a packet. 0: when the last one was shown; 1: there is one.
    is_next = f"gt(not(ld(1))+gte({_SHOWN}-ld(0)\\,{gap:.6f})\\,0)"
    return _keyframes(source, codec, f"if({is_next}\\,0*(st(0\\,{_SHOWN})+st(1\\,1))\\,1)")


def keyframes_at(source: MediaFile, codec: str, times: np.ndarray) -> list[str]:
    """Returns the options with which ffmpeg decodes only certain keyframes, and the first one.

    Args:
      source: The file.
      codec: Of the video, as ffmpeg calls it.
      times: float64 [N], increasing, seconds by the file's own clock.

    Returns:
      As `keyframes_apart`.
    """
    # Encoders tell their version in the first, and some of what they wrote takes it.
    return _keyframes(source, codec, f"gt(n\\,0)*not({_is_near(times[:_MAX_TIMES].tolist())})")


def _keyframes(source: MediaFile, codec: str, drop: str) -> list[str]:
    """Returns the options that leave some keyframes out."""
    if source.demuxer not in _DEMUXERS:
        return []
    filters = ["noise=drop=not(key)", _ONLY_NUMBERED_ANEW.get(codec), f"noise=drop={drop}"]
    return [*_EVERY_KEYFRAME, "-bsf:v", ",".join(filter(None, filters))]


def _is_near(times: Sequence[float]) -> str:
    """Returns the expression whether a packet is shown at one of some times, which increase."""
    if len(times) == 1:
        return f"lt(abs({_SHOWN}-{times[0]:.6f})\\,{_NEAR})"
    middle = len(times) // 2
    before, after = _is_near(times[:middle]), _is_near(times[middle:])
    return f"if(lt({_SHOWN}\\,{times[middle] - _NEAR:.6f})\\,{before}\\,{after})"
