"""Decodes chosen frames of a video, in one pass or with a seek for each, whichever is cheaper."""

import collections
import dataclasses
from collections.abc import Generator, Sequence
from contextlib import closing
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from dfjax.video.ffmpeg import FfmpegRun, MediaFile, Stopwatch, num_threads
from dfjax.video.header import displayed_size
from dfjax.video.pictures import PictureForm
from dfjax.video.references import (
    every_keyframe,
    keyframes_apart,
    keyframes_at,
    leaving_out,
    unneeded_packets,
)
from dfjax.video.streams import FrameTimes, keyframe_options

Frame = tuple[float, np.ndarray]
Frames = Generator[Frame, None, None]

TOLERANCE = 0.002
"""Seconds by which a frame may precede the requested time. Containers round: a frame at 1/30 s is
stored as 0.033 s in MKV, and must still be found at 1/30."""

_MAX_SELECTED = 1024  # times in one filter expression; it must fit on a command line

_SEEKS_AT_ONCE = 2  # processes that decode in parallel

_SEEK_PIXELS = 20e6
"""Cost of starting a process and seeking, as the number of pixels decoded in the same time."""

_UNREFERRED = 0.4
"""Typical share of the work that goes into frames to which no other refers."""

_DELIVERED = 3
"""Cost of a frame that is also converted and delivered, as the number of decoded ones."""

_SCAN_PIXELS = 4
"""Cost of finding out what need not be decoded, for each byte of the file, likewise."""

_BEFORE_KEYFRAME = "mmco: unref short failure"
"""What ffmpeg says when it is to forget a picture that it does not have. Where it begins to decode
at a keyframe, it has none of those before, and decodes what follows as it was recorded."""

_STEP_BACK = 20.0
"""How many seconds further back decoding starts after a seek gave damaged frames."""


@dataclasses.dataclass(kw_only=True)
class Findings:
    """What comes to light while frames are read, besides their pixels."""

    sizes: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    """Height and width of each frame as displayed, before it is brought to the size of all."""
    is_interlaced: bool = False
    """Whether a frame was delivered as it is that is marked as two pictures, line by line."""
    is_damaged: bool = False
    """Whether something could not be decoded as it was recorded."""
    read_seconds: float = 0.0
    """Seconds that were spent waiting for ffmpeg."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """Which frames to read from which file, and at what size."""

    source: MediaFile
    codec: str  # as ffmpeg calls it
    start: Fraction  # when the first frame is shown, seconds by the file's own clock
    num_pixels: int  # per frame, as decoded
    form: PictureForm  # of the frames as delivered
    timestamps: np.ndarray  # float64 [N], increasing, seconds after the first frame
    counts: np.ndarray  # int64 [N], at least 1: how many frames to read in a row from each
    slack: float  # seconds by which a keyframe may come earlier than the time asked for
    times: FrameTimes
    findings: Findings  # is added to


class _Wanted(NamedTuple):
    """Frames in a row."""

    time: float  # seconds after the first frame of the video
    num_frames: int


class _Decoded(NamedTuple):
    """A frame as ffmpeg delivered it."""

    time: float  # seconds after the first frame of the video
    pixels: np.ndarray
    size: tuple[int, int]  # height and width as displayed, before it was scaled
    is_interlaced: bool  # whether it is marked as two pictures


_Decoding = Generator[_Decoded, None, None]


def decode(request: Request, stopwatch: Stopwatch) -> Frames:
    """Yields, for each time, the first frames shown at or after it, and no frame twice.

    Frames come with their true times, seconds after the first frame of the video, increasing.

    Raises:
      VideoLimitError: It took too long.
    """
    unneeded = _unneeded(request, stopwatch)
    if _one_pass_is_cheaper(request, unneeded):
        wanted = _every_time(request.times, request.timestamps, request.counts)
        decoding = _one_pass(request, wanted, stopwatch, leaving_out(unneeded))
    else:
        decoding = _seeks(request, stopwatch)
    yield from _finished(request, decoding)


def decode_keyframes(request: Request, gap: float | None, stopwatch: Stopwatch) -> Frames:
    """Yields keyframes at least `gap` seconds apart; None: those at the request's times.

    Raises:
      VideoLimitError: It took too long.
    """
    if gap is None:
        decoding = _at_keyframes(request, stopwatch)
    else:  # the frames beside them are not decoded, and other keyframes must not take their place
        form = dataclasses.replace(request.form, is_interlaced=False)
        decoding = _apart(dataclasses.replace(request, form=form), gap, stopwatch)
    yield from _finished(request, decoding)


def _finished(request: Request, decoding: _Decoding) -> Frames:
    """Yields decoded frames as they are delivered, and none twice; notes what they are."""
    last = -1.0
    with closing(decoding) as frames:
        for frame in frames:
            if frame.time > last:
                last = frame.time
                request.findings.sizes.append(frame.size)
                request.findings.is_interlaced |= frame.is_interlaced
                yield frame.time, request.form.finish(frame.pixels)


def _apart(request: Request, gap: float, stopwatch: Stopwatch) -> _Decoding:
    """Decodes keyframes that are some seconds apart."""
    select = f"isnan(prev_selected_t)+gte(t-prev_selected_t,{gap:.6f})"
    few = keyframes_apart(request.source, request.codec, gap)
    num_frames, first = 0, 0.0
    if is_avi := request.source.demuxer == "avi":
        request = dataclasses.replace(request, start=Fraction(0))  # the decoder's is a later one
    for options in filter(None, (few, every_keyframe(request.source))):
        with _start(request, stopwatch, options, select, num_threads()) as run:
            while (frame := _next_frame(request, run)) is not None:
                if is_avi and num_frames == 0:
                    first = frame.time
                num_frames += 1
                yield frame._replace(time=frame.time - first)
        if num_frames > 1:  # else there may be others, and what comes twice is dropped
            break


def _at_keyframes(request: Request, stopwatch: Stopwatch) -> _Decoding:
    """Decodes single frames that can be decoded alone; any that does not come so is sought."""
    wanted, num_done = request.timestamps, 0

    def lost(end: int) -> _Decoding:
        part = slice(num_done, end)
        if request.source.has_breaks:
            return _one_pass(request, wanted[part], stopwatch)
        rest = dataclasses.replace(request, timestamps=wanted[part], counts=request.counts[part])
        return _seeks(rest, stopwatch)

    file_times = float(request.start) + wanted
    only = keyframes_at(request.source, request.codec, file_times)
    if only and not request.form.is_interlaced:
        with closing(_one_pass(request, wanted, stopwatch, only)) as frames:
            for frame in frames:
                place = int(np.searchsorted(wanted - TOLERANCE, frame.time, side="right")) - 1
                yield from lost(place)
                yield frame
                num_done = place + 1
    yield from lost(len(wanted))


class _Work(NamedTuple):
    """What must be decoded of a file of which all keyframes are known."""

    in_one_pass: int  # frames
    by_seeks: int  # frames
    pixels_of_seeks: float  # that take as long as these

    @classmethod
    def of(cls, request: Request) -> "_Work":
        times, wanted = request.times, request.timestamps
        last_keyframes = np.searchsorted(times.keyframes, wanted, side="right") - 1
        keyframes = times.keyframes[np.maximum(last_keyframes, 0)]
        begin = np.searchsorted(times.shown, keyframes)
        end = np.searchsorted(times.shown, wanted) + request.counts
        each = np.where(keyframes >= wanted - request.slack, request.counts, end - begin)
        by_seeks = int(np.maximum(each, 1).sum())
        pixels = by_seeks * request.num_pixels + len(wanted) * _SEEK_PIXELS
        return cls(int(end[-1]), by_seeks, pixels)


def _unneeded(request: Request, stopwatch: Stopwatch) -> np.ndarray:
    """Returns which packets need not be decoded in one pass: int64 [N], increasing.

    There are none where it would take longer to find them than they save.
    """
    nothing, times = np.empty(0, np.int64), request.times
    if not times.is_whole or times.is_damaged or len(times.keyframes) == 0:
        return nothing
    if request.form.is_interlaced:  # each frame takes those beside it
        return nothing
    work, pixels = _Work.of(request), request.num_pixels
    least = (1 - _UNREFERRED) * min(work.in_one_pass, work.by_seeks) * pixels
    scan = _SEEK_PIXELS + _SCAN_PIXELS * request.source.path.stat().st_size
    if least + scan >= min(work.in_one_pass * pixels, work.pixels_of_seeks):
        return nothing
    wanted = _every_time(times, request.timestamps, request.counts)
    if len(wanted) > _MAX_SELECTED:
        return nothing
    earliest = float(request.start) + wanted - TOLERANCE
    return unneeded_packets(request.source, request.codec, earliest, stopwatch)


def _one_pass_is_cheaper(request: Request, unneeded: np.ndarray) -> bool:
    """Compares the frames that must be decoded either way, and the cost of each seek."""
    if request.source.demuxer == "gif" or request.source.has_breaks:  # cannot be sought
        return True
    if not request.times.is_whole or len(request.times.keyframes) == 0:
        return request.times.is_whole
    work = _Work.of(request)
    num_left = work.in_one_pass - np.count_nonzero(unneeded < work.in_one_pass)
    if request.counts.sum() > _MAX_SELECTED:
        num_left *= _DELIVERED
    return bool(num_left * request.num_pixels <= work.pixels_of_seeks)


def _every_time(times: FrameTimes, timestamps: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns when to read each frame, if `counts` in a row are read from each of `timestamps`."""
    if counts.max() == 1:
        return timestamps
    first = np.repeat(timestamps, counts)
    place = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
    if times.is_whole:
        indices = np.searchsorted(times.shown, first - TOLERANCE) + place
        return np.unique(times.shown[np.minimum(indices, len(times.shown) - 1)])
    return np.unique(first + place * np.median(np.diff(times.shown)))


def _one_pass(
    request: Request, wanted: np.ndarray, stopwatch: Stopwatch, options: Sequence[str] = ()
) -> _Decoding:
    """Decodes from the start until the last wanted frame."""
    earliest = wanted - TOLERANCE
    chosen = len(wanted) <= _MAX_SELECTED  # else ffmpeg gives every frame, and most are dropped
    terms = [f"gte(t,{t})*not(gte(prev_t,{t}))" for t in _file_times(request, earliest)]
    select = _sum(terms) if chosen else ""
    options = options or keyframe_options(request.source, request.times, request.start, 0.0)
    with _start(request, stopwatch, options, select, num_threads()) as run:
        num_done = 0
        while num_done < len(wanted) and (frame := _next_frame(request, run)) is not None:
            # Where the picture's size changes, ffmpeg rebuilds its filters and selects a frame
            # that was not asked for.
            if frame.time < earliest[num_done]:
                continue
            num_done = int(np.searchsorted(earliest, frame.time, side="right"))
            if num_done == len(wanted):
                run.close()  # what follows need not be decoded while the caller is busy
            yield frame
        complaints = _about_damage(run.complaints) if run.begins_late else run.complaints
        request.findings.is_damaged |= len(complaints) > 0


def _about_damage(complaints: Sequence[str]) -> list[str]:
    """Returns the complaints without those that only say that decoding began at a keyframe."""
    return [line for line in complaints if _BEFORE_KEYFRAME not in line]


def _seeks(request: Request, stopwatch: Stopwatch) -> _Decoding:
    """Decodes from the last keyframe before each time, a few in parallel.

    A seek may give damaged frames even if the file is intact: a frame may be wrongly marked as a
    keyframe, or only the first packet may say how to decode the rest. Decoding then starts further
    back; if that does not help either, at the start of the file, provided there is time.
    """
    waiting = collections.deque(
        _Wanted(*each)
        for each in zip(request.timestamps.tolist(), request.counts.tolist(), strict=True)
    )
    started: collections.deque[tuple[_Wanted, FfmpegRun]] = collections.deque()
    mend = True
    try:
        while waiting or started:
            while waiting and len(started) < _SEEKS_AT_ONCE:
                wanted = waiting.popleft()
                begin = _begin(request, wanted.time)
                started.append((wanted, _start_seek(request, stopwatch, begin, wanted)))
            wanted, run = started.popleft()
            frames, complaints, is_clean = _finish_seek(request, wanted, run)
            if mend and not is_clean:
                begin, spent = max(0.0, wanted.time - _STEP_BACK), stopwatch.spent
                run = _start_seek(request, stopwatch, begin, wanted, num_threads())
                frames, complaints, is_clean = _finish_seek(request, wanted, run)
                starts, counts = zip(wanted, *(w for w, _ in started), *waiting, strict=True)
                rest = _every_time(request.times, np.array(starts), np.array(counts))
                pass_seconds = (stopwatch.spent - spent) / _STEP_BACK * rest[-1]
                if not is_clean and begin > 0 and pass_seconds < stopwatch.remaining / 2:
                    yield from _one_pass(request, rest, stopwatch)
                    return
                # Damaged from the start, or it takes too long to find out: use what we have.
                mend = is_clean
            request.findings.is_damaged |= len(complaints) > 0
            yield from frames
    finally:
        for _, run in started:
            run.close()


def _begin(request: Request, time: float) -> float:
    """Returns when the first frame is shown that the frame at a time is made of, seconds."""
    if not request.form.is_interlaced:
        return time
    shown = request.times.shown
    if not request.times.is_whole:
        return time - float(np.median(np.diff(shown)))
    return float(shown[max(0, np.searchsorted(shown, time - TOLERANCE) - 1)])


def _start_seek(
    request: Request, stopwatch: Stopwatch, begin: float, wanted: _Wanted, threads: int = 1
) -> FfmpegRun:
    """Starts decoding at the last keyframe before `begin`, for the frames that are wanted."""
    seek = keyframe_options(request.source, request.times, request.start, begin)
    (earliest,) = _file_times(request, np.array([wanted.time - request.slack - TOLERANCE]))
    # No more than these: ffmpeg decodes ahead until it stops, and would scale them for nothing.
    select = f"gte(t,{earliest})*lt(selected_n,{wanted.num_frames})"
    limit = ["-frames:v", str(wanted.num_frames)]
    return _start(request, stopwatch, seek, select, threads, limit)


class _Sought(NamedTuple):
    """What came of a seek."""

    frames: list[_Decoded]
    complaints: list[str]  # that may mean damage
    is_clean: bool  # whether the frames are certainly right and undamaged


def _finish_seek(request: Request, wanted: _Wanted, run: FfmpegRun) -> _Sought:
    """Returns the frames from a seek, and what is to be said against them."""
    with run:
        frames = []
        while len(frames) < wanted.num_frames and (frame := _next_frame(request, run)) is not None:
            frames.append(frame)
        run.finish()
    complaints, shown = run.complaints, request.times.shown
    if request.times.is_whole:
        expected = shown[min(np.searchsorted(shown, wanted.time - TOLERANCE), len(shown) - 1)]
    else:
        expected = wanted.time + (shown[-1] - shown[0]) / max(1, len(shown) - 1)
    is_in_time = bool(frames and frames[0].time <= expected + TOLERANCE)
    if is_in_time:
        complaints = _about_damage(complaints)
    is_right = is_in_time if request.times.is_whole else bool(frames)
    return _Sought(frames, complaints, is_right and not complaints)


def _start(
    request: Request,
    stopwatch: Stopwatch,
    seek: Sequence[str],
    select: str,
    threads: int,
    limit: Sequence[str] = (),
) -> FfmpegRun:
    """Starts a process that writes the frames for which the expression `select` is true."""
    # One thread: otherwise a picture is cut into as many pieces as the machine has cores.
    options = ["-vf", request.form.filters(select), "-filter_threads", "1"]
    options += ["-fps_mode", "passthrough", *limit, "-c:v", "rawvideo", "-f", "rawvideo"]
    threads_and_seek = ["-threads", str(threads), *seek]
    return FfmpegRun(request.source, stopwatch, threads_and_seek, options, log_level="info")


def _sum(terms: Sequence[str]) -> str:
    """Returns the sum of expressions as a balanced tree; ffmpeg rejects deeply nested ones."""
    if len(terms) == 1:
        return terms[0]
    middle = len(terms) // 2
    return f"({_sum(terms[:middle])}+{_sum(terms[middle:])})"


def _next_frame(request: Request, run: FfmpegRun) -> _Decoded | None:
    picture = run.read_picture((*request.form.size, request.form.num_channels))
    if picture is None:
        return None
    time, shape = max(0.0, float(picture.time - request.start)), picture.shape
    if shape is None:
        return _Decoded(time, picture.pixels, request.form.size, False)
    return _Decoded(time, picture.pixels, displayed_size(shape), shape.is_interlaced)


def _file_times(request: Request, timestamps: np.ndarray) -> list[str]:
    """Returns times by the file's own clock, as ffmpeg's filters read them."""
    return [f"{float(request.start) + t:.6f}" for t in timestamps]
