"""The frames of a file that are looked at, each with what is needed of it once it is gone."""

import dataclasses
from collections import deque
from collections.abc import Generator
from contextlib import closing
from os import PathLike
from typing import NamedTuple

import numpy as np

from dfjax.config import VideoConfig
from dfjax.faces.shots import colours
from dfjax.video.decode import Findings
from dfjax.video.info import VideoInfo
from dfjax.video.limits import VideoLimits
from dfjax.video.reading import read_frames


class SampledFrame(NamedTuple):
    """One of them."""

    timestamp: float  # seconds
    pixels: np.ndarray  # uint8 [H, W, 3] RGB
    colours: np.ndarray  # from `colours`


@dataclasses.dataclass(kw_only=True)
class SampledFrames:
    """All of them, in memory until they are taken."""

    frames: deque[SampledFrame] = dataclasses.field(default_factory=deque)
    findings: Findings = dataclasses.field(default_factory=Findings)


def sample_frames(
    path: str | PathLike[str],
    config: VideoConfig,
    limits: VideoLimits,
    info: VideoInfo,
    findings: Findings,
) -> Generator[SampledFrame, None, None]:
    """Yields the frames, in bursts spread evenly over the video; see `read_frames`.

    Raises:
      VideoError: The file cannot be read as a video.
    """
    reading = read_frames(path, config, limits=limits, info=info, findings=findings)
    with closing(reading):
        for timestamp, pixels in reading:
            yield SampledFrame(timestamp, pixels, colours(pixels))
