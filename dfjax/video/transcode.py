"""Re-encodes a video, to study the effect of a codec or a filter."""

import errno
import os
import re
from collections.abc import Sequence
from os import PathLike, fsdecode
from pathlib import Path

from dfjax.errors import DamagedVideoError, VideoError
from dfjax.video.ffmpeg import FfmpegRun, MediaFile, Stopwatch
from dfjax.video.limits import VideoLimits
from dfjax.video.pictures import DEINTERLACE
from dfjax.video.reading import probe

_MUXERS = {".mp4": "mp4", ".mkv": "matroska"}
_LOSSLESS = (".mkv",)  # MP4 does not support FFV1, and MOV loses the colour range

_ENCODE_SECONDS = 30.0
"""Seconds that encoding one second of a video may take, on top of the limit for decoding."""

# An odd last row or column is cut off: nothing is resampled and no pixel is invented.
_EVEN_SIZE = "crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0"

YUV420P = "scale=flags=bicubic+accurate_rnd+full_chroma_int+bitexact,format=yuv420p"
"""The filter to H.264's usual pixels, with the same result on every machine."""


def h264(crf: int) -> list[str]:
    """Returns ffmpeg's options for H.264 as in FaceForensics++, with the same bits everywhere.

    Unless told otherwise, libx264 chooses algorithms by the instruction set of the processor, and
    they do not give the same bits.
    """
    options = ["-c:v", "libx264", "-crf", str(crf), "-preset", "medium", "-threads", "1"]
    return [*options, "-x264-params", "cpu-independent=1"]


def limit_size(width: int, height: int, shorter_side: int) -> list[str]:
    """Returns the filters that scale a picture down as messengers do; a small one keeps its size.

    Args:
      width: Of the picture, pixels.
      height: Of the picture, pixels.
      shorter_side: Its most, pixels. Sides stay even, as codecs want them.
    """
    share = shorter_side / min(width, height)
    if share >= 1:
        return []
    width, height = (2 * max(1, round(side * share / 2)) for side in (width, height))
    return [f"scale={width}:{height}:flags=bicubic+accurate_rnd+bitexact"]


def transcode(
    path: str | PathLike[str],
    out: str | PathLike[str],
    *,
    crf: int | None,
    filters: Sequence[str] = (),
    limits: VideoLimits = VideoLimits(),
) -> None:
    """Re-encodes a video without its sound, every frame at its time after the first.

    The picture is written as displayed, rotated if the file says so. The same file gives the same
    pixels on every machine: the encoder runs in one thread, as its output depends on their number.

    Args:
      path: The video.
      out: The file to write, replaced if it exists: `.mp4` or `.mkv`; only `.mkv` if `crf` is None.
        MKV rounds times to 1 ms, so now and then a neighbour of a sampled frame takes its place.
      crf: Constant rate factor of H.264 (libx264's preset "medium", yuv420p), 0 to 51, as
        FaceForensics++ used 23 and 40; an odd last row or column is cut off. None: lossless, FFV1
        in the video's own pixel format and size, so that only `filters` change the picture.
      filters: ffmpeg's video filters, such as "gblur=sigma=2", in the order in which they run.
      limits: How much the file may cost to read.

    Raises:
      VideoError: As for `probe`; or it is a still, or it cannot be decoded or encoded.
      VideoLimitError: It took too long.
      OSError: The disk of `out` is full, or it cannot be written for another reason.
      ValueError: `out` has another suffix or is the video itself, or `crf` is out of range.
    """
    path, out = Path(fsdecode(path)), Path(fsdecode(out))
    suffixes = _LOSSLESS if crf is None else tuple(_MUXERS)
    if out.suffix not in suffixes:
        raise ValueError(
            f"{out.name!r} cannot be written {'losslessly ' if crf is None else ''}"
            f"in that format; its suffix must be one of {', '.join(suffixes)}."
        )
    if crf is not None and not 0 <= crf <= 51:
        raise ValueError(f"crf is {crf}; a number from 0 to 51 is needed, or None for lossless.")
    info = probe(path, limits)
    if out.exists() and out.samefile(path):
        raise ValueError(f"{out.name!r} would be written over itself; name another file.")
    if info.is_still:
        raise VideoError(f"{info.name!r} is a still picture; only a video can be re-encoded.")
    assert info.source is not None, "only a still has none"
    source = info.source
    stopwatch = Stopwatch(limits.max_decode_seconds + _ENCODE_SECONDS * info.duration)
    chain = ["setpts=PTS-STARTPTS", *filters]
    if info.is_interlaced:  # nothing in the new file would say that it is
        chain.insert(0, DEINTERLACE)
    if crf is None:
        encoder = ["-c:v", "ffv1", "-threads", "1"]
        if _is_full_range(source, stopwatch):  # else ffmpeg would squeeze it into 16 to 235
            encoder += ["-color_range", "pc"]
    else:
        chain += [_EVEN_SIZE, YUV420P]
        encoder = h264(crf)
    options = ["-vf", ",".join(chain), "-filter_threads", "1", "-fps_mode", "passthrough"]
    options += [*encoder, "-map_metadata", "-1", "-map_chapters", "-1"]
    options += ["-fflags", "+bitexact", "-f", _MUXERS[out.suffix]]
    try:
        with (
            out.open("wb") as file,
            FfmpegRun(source, stopwatch, ["-threads", "1"], options, output=file) as run,
        ):
            if run.finish() != 0 or run.read_time() is None:
                if any(os.strerror(errno.ENOSPC) in line for line in run.complaints):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(out))
                error = DamagedVideoError(
                    f"{info.name!r} cannot be re-encoded: it is damaged, or too small, or the "
                    f"filters {', '.join(filters) or '(none)'} do not fit it."
                )
                error.add_note("\n".join(run.complaints[-5:]))
                raise error
    except BaseException:
        out.unlink(missing_ok=True)
        raise


def _is_full_range(source: MediaFile, stopwatch: Stopwatch) -> bool:
    """Returns whether luma goes from 0 to 255, as in MJPEG, instead of 16 to 235."""
    options = ["-frames:v", "1", "-f", "null"]
    with FfmpegRun(source, stopwatch, ["-threads", "1"], options, log_level="info") as run:
        run.finish()
        return any(re.match(r"\[info\]   Stream #.* Video: .*\(pc[,)]", line) for line in run.log)
