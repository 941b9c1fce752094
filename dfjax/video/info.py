"""What is known about a file before its frames are read."""

import dataclasses
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

from dfjax.video.ffmpeg import MediaFile
from dfjax.video.pictures import Colour
from dfjax.video.streams import FrameTimes


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What a file holds. A still picture is a video of one frame and no duration."""

    name: str  # of the file, without its folder, safe to display
    duration: float  # seconds from the first frame on; 0.0 for a still
    fps: float  # average frames per second; 0.0 for a still
    width: int  # pixels of the picture as displayed: turned, with square pixels
    height: int
    is_still: bool
    container: str  # one of `VIDEO_FORMATS` ("mov" is also MP4), or a still's format
    codec: str  # as ffmpeg calls it; a still's format
    start: Fraction = Fraction(0)  # of the first frame, seconds by the file's own clock
    clock_start: float = 0.0  # time of the first frame in memory, seconds; 0.0 for a file's
    delay: float = 0.0  # seconds that a player shows before the first frame, as sound goes ahead
    colour: Colour = Colour()
    has_alpha: bool = False  # whether some of a frame may be transparent
    is_fitted: bool = False  # whether pictures differ in size, so that each is fitted into a frame
    is_interlaced: bool = False  # whether a frame may consist of two pictures, line by line
    is_cut_off: bool = False  # whether the end of the file is missing
    is_disabled: bool = False  # whether the file says that its only picture is not to be shown
    other_streams: tuple[str, ...] = ()  # video streams that are not read, in words
    frame_times: FrameTimes | None = dataclasses.field(  # None for a still
        default=None, repr=False, compare=False
    )
    source: MediaFile | None = dataclasses.field(  # None for a still
        default=None, repr=False, compare=False
    )
    read_seconds: float = dataclasses.field(  # spent on reading the file so far
        default=0.0, repr=False, compare=False
    )


def as_found(
    info: VideoInfo, sizes: Iterable[tuple[int, int]], *, is_interlaced: bool
) -> VideoInfo:
    """Returns a video as its pictures turned out to be, if they are not all like the first one.

    The size of a picture may change within a video: a call's, with the line; a phone's, as it is
    turned. In such a video, every picture is shown as large as fits into the frame, at its own
    aspect and in the middle, as players do; the frame is as wide and as high as the widest and the
    highest picture. A recording from the air may begin with a film, and go on with pictures that
    consist of two. A video whose pictures are all like its first is returned as it is.

    Args:
      info: The video.
      sizes: Height and width of each picture as displayed.
      is_interlaced: Whether one of them was shown as it is that consists of two, line by line.
    """
    if is_interlaced and not info.is_interlaced:
        info = dataclasses.replace(info, is_interlaced=True)
    found = set(sizes)
    if found <= {(info.height, info.width)}:
        return info
    heights, widths = zip(*found, strict=True)
    return dataclasses.replace(info, height=max(heights), width=max(widths), is_fitted=True)


def describe_frames(
    frames: Sequence[np.ndarray], timestamps: np.ndarray, *, name: str = "frames"
) -> VideoInfo:
    """Describes a video from its frames; the last one is taken to last as long as the others.

    Args:
      frames: T frames, uint8 [H, W, 3] RGB, all of the same size; at least one.
      timestamps: float [T], seconds, increasing.
      name: Name of the video.

    Raises:
      ValueError: There are no frames, they differ in size or are not pictures, or the times do not
        match them.
    """
    if len(frames) == 0:
        raise ValueError("There are no frames; at least one is needed.")
    if np.shape(timestamps) != (len(frames),):
        raise ValueError(
            f"{len(frames)} frames came with timestamps of shape {list(np.shape(timestamps))}; "
            "give one time in seconds per frame."
        )
    if not np.isfinite(timestamps).all() or np.any(np.diff(timestamps) <= 0):
        raise ValueError("timestamps must be finite and must increase from frame to frame.")
    for index, frame in enumerate(frames):
        if np.shape(frame) != np.shape(frames[0]):
            raise ValueError(
                f"Frame {index} has shape {list(np.shape(frame))}, but the first one has "
                f"{list(np.shape(frames[0]))}. All frames of a video must have the same size."
            )
    times = np.asarray(timestamps, np.float64)
    spacing = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    height, width = np.shape(frames[0])[:2]
    return VideoInfo(
        name=name,
        duration=float(times[-1] - times[0] + spacing),
        fps=1 / spacing if spacing else 0.0,
        width=width,
        height=height,
        is_still=len(times) == 1,
        clock_start=float(times[0]),
        container="frames",
        codec="frames",
    )
