"""Probes video files, and reads bursts of frames spread evenly over their duration.

Uploads are assumed to be hostile. Only the first bytes decide how a file is opened, and every limit
in `VideoLimits` is enforced while it is read.
"""

import dataclasses
import math
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from os import PathLike, fsdecode
from pathlib import Path

import numpy as np

from dfjax.config import VideoConfig
from dfjax.errors import DamagedVideoError, VideoLimitError
from dfjax.video.cut_off import is_cut_off
from dfjax.video.decode import TOLERANCE, Findings, Request, decode, decode_keyframes
from dfjax.video.ffmpeg import MediaFile, Stopwatch
from dfjax.video.formats import STILL_FORMATS, identify, shown_name
from dfjax.video.header import read_header
from dfjax.video.info import VideoInfo
from dfjax.video.limits import VideoLimits
from dfjax.video.pictures import PictureForm
from dfjax.video.sampling import burst_sizes, fill_bursts, sample_timestamps
from dfjax.video.stills import read_still, still_size
from dfjax.video.streams import FrameTimes, all_frame_times, measure, read_packets

_FRAMES_FOR_WHITE = 8
_PIXELS_FOR_WHITE = 160 * 160

_MAX_SHIFT = 0.25
"""Share of the time between two bursts by which a keyframe in a long video may be earlier than the
sampled time and still be used, so that the frames in between need not be decoded."""

_DENSE, _MANY = 10.0, 16
"""Seconds between bursts, at most, and how many there are at least, where it may be cheaper to
decode all of a long video than to seek each burst."""

_FEW = 3000
"""Frames of a long video, of which it takes a few hundredths of a second to know when all of them
are shown. There are so few where its picture stands still for long."""

_MAX_BYTES_PER_FRAME = 200_000
"""Where frames have more bytes, it takes too long to read through the file to find out."""


def probe(path: str | PathLike[str], limits: VideoLimits = VideoLimits()) -> VideoInfo:
    """Checks what a file is, how large and how long, and whether a picture can be decoded.

    Args:
      path: The file. Its suffix is ignored.
      limits: How much the file may cost to read.

    Raises:
      VideoError: The file is missing, a folder, not a plain file, or may not be read.
      UnsupportedFormatError: dfjax does not support its format or its codec.
      NoVideoStreamError: It holds no video.
      DamagedVideoError: No picture in it can be decoded.
      VideoLimitError: It exceeds a limit.
    """
    path = Path(fsdecode(path))
    name = shown_name(path)
    container = identify(path, limits)
    if container in STILL_FORMATS:
        height, width = still_size(path, container, limits)
        return VideoInfo(
            name=name,
            duration=0.0,
            fps=0.0,
            width=width,
            height=height,
            is_still=True,
            container=container,
            codec=container,
        )
    source = MediaFile(path=path, name=name, demuxer=container, max_pixels=limits.max_source_pixels)
    stopwatch = Stopwatch(limits.max_decode_seconds)
    # Most files are short and have one video: both processes then run at once.
    with read_packets(source, stopwatch) as packets:
        chosen, header = read_header(source, stopwatch)
        is_other = chosen.stream != source.stream
        frame_times, fps = measure(chosen, header, limits, stopwatch, None if is_other else packets)
    if frame_times.has_breaks:
        chosen, header = read_header(dataclasses.replace(chosen, has_breaks=True), stopwatch)
        frame_times, fps = measure(chosen, header, limits, stopwatch)
    info = VideoInfo(
        name=name,
        duration=frame_times.end,
        fps=fps,
        width=header.width,
        height=header.height,
        is_still=False,
        container=container,
        codec=header.codec,
        start=header.start,
        delay=header.delay,
        colour=header.colour,
        has_alpha=header.has_alpha,
        is_interlaced=header.is_interlaced,
        is_cut_off=is_cut_off(path, container),
        is_disabled=header.is_disabled,
        other_streams=tuple(stream.words for stream in header.others),
        frame_times=frame_times,
        source=chosen,
        read_seconds=stopwatch.spent,
    )
    return _with_white(path, info, limits) if info.colour.is_hdr else info


def _with_white(path: Path, info: VideoInfo, limits: VideoLimits) -> VideoInfo:
    """Returns an HDR video with the white that fits it, judged by a few small frames of it."""
    started = time.monotonic()
    measuring = dataclasses.replace(info, colour=info.colour.for_measuring())
    few = VideoConfig(num_frames=_FRAMES_FOR_WHITE, max_frame_pixels=_PIXELS_FOR_WHITE)
    frames = (frame for _, frame in read_frames(path, few, limits=limits, info=measuring))
    colour = info.colour.with_measured_white(frames)
    spent = info.read_seconds + time.monotonic() - started
    return dataclasses.replace(info, colour=colour, read_seconds=spent)


def frame_size(info: VideoInfo, config: VideoConfig = VideoConfig()) -> tuple[int, int]:
    """Returns height and width of the frames that `read_frames` yields, pixels.

    They are those of the displayed picture, scaled down if it has more than
    `config.max_frame_pixels` pixels.
    """
    scale = min(1.0, math.sqrt(config.max_frame_pixels / (info.height * info.width)))
    return max(1, int(info.height * scale)), max(1, int(info.width * scale))


def read_frames(
    path: str | PathLike[str],
    config: VideoConfig = VideoConfig(),
    *,
    limits: VideoLimits = VideoLimits(),
    info: VideoInfo | None = None,
    timestamps: np.ndarray | None = None,
    findings: Findings | None = None,
) -> Generator[tuple[float, np.ndarray], None, None]:
    """Reads frames at given times, or in bursts spread evenly over the video, one at a time.

    For each given time, a burst is yielded, which starts with the first frame shown at or after it,
    and no frame twice. Without times, a video with no more than `config.num_frames` frames yields
    all of them; a longer one yields bursts of `config.burst_frames` frames in a row, evenly unless
    its picture stands still for long (see `fill_bursts`). In a long video, such a burst may start
    up to a quarter of the time between bursts early if that saves decoding. A still picture is
    yielded once, at 0.0. Memory use does not grow with the video's length.

    Args:
      path: The file.
      config: How many frames, and how large.
      limits: How much the file may cost to read.
      info: What `probe` returned for this file with these limits; None: probe it now.
      timestamps: float64 [N], seconds, increasing, not negative, of bursts of
        `config.burst_frames` frames; None: bursts spread over the video.
      findings: Gets what comes to light while frames are read, such as the sizes of pictures: if
        they are not all like the first one, read again with `as_found(info, ...)`, or they are all
        stretched to its size, and what moves may have teeth.
        Whoever reads a file again adds their `read_seconds` to those of `info`, so that the limit
        on time holds for all that is read of it.

    Yields:
      The frame's true time, seconds after the first frame of the video, increasing, and the frame:
      uint8 [H,W,3] RGB as displayed (turned, with square pixels), of `frame_size(info, config)`.

    Raises:
      VideoError: As for `probe`.
      DamagedVideoError: No frame can be decoded.
      VideoLimitError: A limit is reached while decoding.
      ValueError: `timestamps` are negative or not increasing.

    Example:
      >>> from dfjax.config import VideoConfig
      >>> from dfjax.video.reading import read_frames
      >>> for timestamp, frame in read_frames("clip.mp4", VideoConfig(num_frames=2)):
      ...     print(timestamp, frame.shape, frame.dtype)
      0.0 (360, 480, 3) uint8
      0.2 (360, 480, 3) uint8
    """
    if timestamps is not None:
        timestamps = np.asarray(timestamps, np.float64)
        if timestamps.ndim != 1 or not (np.diff(timestamps, prepend=-1e-9) > 0).all():
            raise ValueError("timestamps must be a 1-d array of increasing seconds, from 0 on.")
    path = Path(fsdecode(path))
    info = info or probe(path, limits)
    return _read_frames(path, config, limits, info, timestamps, findings or Findings())


def read_keyframes(
    path: str | PathLike[str],
    info: VideoInfo,
    size: tuple[int, int],
    *,
    most: int | None = None,
    timestamps: np.ndarray | None = None,
    limits: VideoLimits = VideoLimits(),
    findings: Findings | None = None,
) -> Generator[tuple[float, np.ndarray], None, None]:
    """Reads frames of a video that are decoded without any other, which is cheap.

    Encoders place one at most cuts, and else every few seconds.

    Args:
      path: The file.
      info: What `probe` returned for it.
      size: Height and width to which they are scaled, pixels.
      most: About how many at most, evenly spread; or
      timestamps: float64 [N], seconds, increasing, of those to read.
      limits: How much the file may cost to read.
      findings: As for `read_frames`.

    Yields:
      The frame's time, seconds, increasing, and the frame: uint8 [h,w,3] RGB as displayed.

    Raises:
      VideoLimitError: It took too long.
    """
    if info.frame_times is None or info.source is None:
        return
    wanted = np.zeros(1) if timestamps is None else timestamps
    source = dataclasses.replace(info.source, path=Path(fsdecode(path)))
    request = _request(info, info.frame_times, source, size, wanted, findings or Findings())
    gap = None if most is None else info.duration / most
    with (
        _counting(info, limits, request.findings) as stopwatch,
        closing(decode_keyframes(request, gap, stopwatch)) as frames,
    ):
        yield from frames


@contextmanager
def _counting(info: VideoInfo, limits: VideoLimits, findings: Findings) -> Iterator[Stopwatch]:
    """Yields a stopwatch with what is left of a file's limit, and notes what it counted."""
    stopwatch = Stopwatch(limits.max_decode_seconds, info.read_seconds)
    try:
        yield stopwatch
    finally:
        findings.read_seconds += stopwatch.spent - info.read_seconds


def _request(
    info: VideoInfo,
    times: FrameTimes,
    source: MediaFile,
    size: tuple[int, int],
    timestamps: np.ndarray,
    findings: Findings,
) -> Request:
    """Returns a request for single frames at exact times."""
    return Request(
        source=source,
        codec=info.codec,
        start=info.start,
        num_pixels=info.height * info.width,
        form=PictureForm(
            size=size,
            has_alpha=info.has_alpha,
            is_fitted=info.is_fitted,
            colour=info.colour,
            is_interlaced=info.is_interlaced,
        ),
        timestamps=timestamps,
        counts=np.ones(len(timestamps), np.int64),
        slack=0.0,
        times=times,
        findings=findings,
    )


def _read_frames(
    path: Path,
    config: VideoConfig,
    limits: VideoLimits,
    info: VideoInfo,
    timestamps: np.ndarray | None,
    findings: Findings,
) -> Generator[tuple[float, np.ndarray], None, None]:
    size = frame_size(info, config)
    num_bytes = size[0] * size[1] * 3
    times = info.frame_times
    if times is None or info.source is None:
        _check_output(info, num_bytes, limits)
        yield 0.0, read_still(path, info.container, limits, size)
        return
    source = dataclasses.replace(info.source, path=path)
    num_frames, slack = 0, 0.0
    with _counting(info, limits, findings) as stopwatch:
        if timestamps is not None:
            counts = np.full(len(timestamps), config.burst_frames, np.int64)
        else:
            if not times.is_whole and info.fps * info.duration <= _FEW:
                every = all_frame_times(source, info.start, info.fps, limits, stopwatch)
                if every is not None and fill_bursts(every.shown, info.duration, config):
                    times = every
                    findings.is_damaged |= times.is_damaged
            timestamps, counts = _spread(times, info.duration, config)
            if not times.is_whole:
                slack = _MAX_SHIFT * info.duration / len(counts)
        in_time = timestamps <= times.shown[-1] + TOLERANCE
        timestamps, counts = timestamps[in_time], counts[in_time]
        if len(timestamps) == 0:
            return
        if not times.is_whole and _is_dense(path, info, len(timestamps)):
            times = all_frame_times(source, info.start, info.fps, limits, stopwatch) or times
            findings.is_damaged |= times.is_damaged
        request = _request(info, times, source, size, timestamps, findings)
        request = dataclasses.replace(request, counts=counts, slack=slack)
        with closing(decode(request, stopwatch)) as frames:
            for frame in frames:
                num_frames += 1
                _check_output(info, num_frames * num_bytes, limits)
                yield frame
    if num_frames == 0:
        raise DamagedVideoError(
            f"{info.name!r} is damaged: none of the frames asked for can be decoded. "
            "Try another copy of it."
        )


def _spread(
    times: FrameTimes, duration: float, config: VideoConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Returns when bursts begin that are spread over a video, and how many frames each has."""
    if times.is_whole and len(times.shown) <= config.num_frames:
        return times.shown, np.ones(len(times.shown), np.int64)
    counts = burst_sizes(config)
    if times.is_whole and (filled := fill_bursts(times.shown, duration, config)):
        return filled
    return sample_timestamps(duration, len(counts)), counts


def _is_dense(path: Path, info: VideoInfo, num_bursts: int) -> bool:
    """Returns whether it is worth knowing when all frames of a long video are shown."""
    return (
        num_bursts >= _MANY
        and info.duration <= _DENSE * num_bursts
        and path.stat().st_size <= _MAX_BYTES_PER_FRAME * info.fps * info.duration
    )


def _check_output(info: VideoInfo, num_bytes: int, limits: VideoLimits) -> None:
    if num_bytes > limits.max_output_bytes:
        raise VideoLimitError(
            f"The frames of {info.name!r} need more than the limit of "
            f"{limits.max_output_bytes:,} bytes. Read fewer or smaller frames."
        )
