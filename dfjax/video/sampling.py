"""Which frames of a video are looked at, by its length and by the effort."""

import dataclasses
import math
from typing import Literal

import numpy as np

from dfjax.config import VideoConfig
from dfjax.video.decode import TOLERANCE

GRID_SECONDS = 3.0
"""Longest time between the starts of two bursts, if the effort allows it."""

Effort = Literal["quick", "standard", "thorough"]
"""How many frames of a long video are read: as many as of a short one, or more."""

_MOST_FRAMES: dict[Effort, int] = {"quick": 0, "standard": 128, "thorough": 1024}


def sample_timestamps(duration: float, num_frames: int) -> np.ndarray:
    """Returns the times at which to read frames, evenly spread over a video.

    Args:
      duration: Length of the video, seconds.
      num_frames: How many frames to read, at least 1.

    Returns:
      float64 [num_frames], seconds, increasing, each inside [0, duration); the first is 0, so that
      a video of any length gives at least one frame.

    Raises:
      ValueError: `duration` is not positive, or `num_frames` is less than 1.

    Source: DeepfakeBench samples 32 frames evenly per test video.

    Example:
      >>> sample_timestamps(2.0, 4)
      array([0. , 0.5, 1. , 1.5])
    """
    if not (duration > 0 and math.isfinite(duration)):
        raise ValueError(f"duration is {duration}; a positive number of seconds is needed.")
    if num_frames < 1:
        raise ValueError(f"num_frames is {num_frames}; at least 1 is needed.")
    return np.arange(num_frames) * (duration / num_frames)


def burst_sizes(config: VideoConfig) -> np.ndarray:
    """Returns how many frames each burst has: int64 [bursts], of which the sum is `num_frames`."""
    num_bursts = math.ceil(config.num_frames / config.burst_frames)
    small, num_larger = divmod(config.num_frames, num_bursts)
    return np.array([small + (index < num_larger) for index in range(num_bursts)], np.int64)


def fill_bursts(
    shown: np.ndarray, duration: float, config: VideoConfig
) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns other bursts than even ones, where some of these would show nothing of their own.

    While a picture stands still for long, programs write no frame. All bursts that begin meanwhile
    would begin with the same frame, or after the last one. As many others then begin elsewhere,
    evenly among the frames that are in none.

    Args:
      shown: float64 [T], seconds after the first, increasing, of all frames.
      duration: Of the video, seconds.
      config: How many frames, and how many of them in a row.

    Returns:
      When bursts begin, float64 [B], seconds, increasing, and how many frames each has, int64 [B];
      None: each of those at `sample_timestamps` begins with a frame of its own.
    """
    sizes = burst_sizes(config)
    starts = np.searchsorted(shown, sample_timestamps(duration, len(sizes)) - TOLERANCE)
    kept, burst = np.unique(starts[starts < len(shown)], return_index=True)
    if len(kept) == len(sizes):
        return None
    if len(shown) <= config.num_frames:
        return shown, np.ones(len(shown), np.int64)
    is_taken = np.zeros(len(shown), bool)
    is_taken[_in_a_row(kept, sizes[burst], len(shown))] = True
    others, free = np.delete(sizes, burst), np.flatnonzero(~is_taken)
    before = np.cumsum(others) - others
    middles = np.arange(len(others)) + 0.5
    spare = (middles * ((len(free) - others.sum()) / len(others))).astype(np.int64)
    is_taken[free[_in_a_row(before + spare, others, len(free))]] = True
    begins = np.flatnonzero(is_taken & ~np.append(False, is_taken[:-1]))
    ends = np.flatnonzero(is_taken & ~np.append(is_taken[1:], False))
    return shown[begins], ends - begins + 1


def plan_looks(
    duration: float, config: VideoConfig, effort: Effort, *, most_frames: int | None = None
) -> VideoConfig:
    """Returns how many frames of a video to read, so that bursts are `GRID_SECONDS` apart.

    There are never less than `config.num_frames`, and no more than that, 128 or 1,024 by effort. If
    that is not enough for a long video, bursts get shorter: on real faces one frame says nearly as
    much as four in a row, and more places are seen.

    Args:
      duration: Of the video, seconds.
      config: How many frames a short video gives, and how many of them in a row.
      effort: Sets the most.
      most_frames: Of how many frames the crops may be held, if the video is full of faces; None: of
        any number.

    Returns:
      `config` with other numbers of frames, or `config` itself if they are enough.

    Example:
      >>> from dfjax.config import VideoConfig
      >>> plan = plan_looks(150.0, VideoConfig(num_frames=32, burst_frames=4), "standard")
      >>> plan.num_frames, plan.burst_frames
      (100, 2)
    """
    looks, most = math.ceil(duration / GRID_SECONDS), _MOST_FRAMES[effort]
    if most_frames is not None:
        most = min(most, most_frames)
    if most <= config.num_frames or looks * config.burst_frames <= config.num_frames:
        return config
    in_a_row = config.burst_frames
    while in_a_row > 1 and looks * in_a_row > most:
        in_a_row = math.ceil(in_a_row / 2)
    num_frames = max(config.num_frames, min(looks * in_a_row, most))
    return dataclasses.replace(config, num_frames=num_frames, burst_frames=in_a_row)


def choose_frames(timestamps: np.ndarray, config: VideoConfig) -> np.ndarray:
    """Returns which frames of a video to sample, given the times of all of them.

    They are those that `read_frames` yields for a file with the same frames: all of them if there
    are no more than `config.num_frames`; else bursts of frames in a row, each of which starts with
    the first one shown at or after one of `sample_timestamps`, and none twice, or `fill_bursts`.

    Args:
      timestamps: float64 [T], seconds, increasing, of all frames.
      config: How many frames, and how many of them in a row.

    Returns:
      int64 [N], increasing, N at most `config.num_frames`.
    """
    shown = timestamps - timestamps[0]
    if len(shown) <= config.num_frames:
        return np.arange(len(shown))
    duration = float(shown[-1] + np.median(np.diff(shown)))  # the last frame lasts as the others
    sizes = burst_sizes(config)
    even = sample_timestamps(duration, len(sizes)), sizes
    times, sizes = fill_bursts(shown, duration, config) or even
    return _in_a_row(np.searchsorted(shown, times - TOLERANCE), sizes, len(shown))


def _in_a_row(starts: np.ndarray, sizes: np.ndarray, end: int) -> np.ndarray:
    """Returns the numbers of the frames of bursts: int64 [N], increasing, each less than `end`."""
    bursts = [np.arange(start, start + size) for start, size in zip(starts, sizes, strict=True)]
    together = np.unique(np.concatenate(bursts))
    return together[together < end]
