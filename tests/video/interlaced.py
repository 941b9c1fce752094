"""Videos of which each frame consists of two pictures, line by line."""

from pathlib import Path

import numpy as np

from tests.videos import moving_pattern, write_video

NUM_FRAMES = 40
FIELDS = ["-flags", "+ildct+ilme", "-vf", "setfield=tff"]


def at_moments(moments: np.ndarray) -> np.ndarray:
    """Returns the lower half of each frame, in which a bar moves: uint8 [T, 48, 128, 3]."""
    frames = np.full((len(moments), 48, 128, 3), 60, np.uint8)
    for frame, moment in zip(frames, moments, strict=True):
        left = round(10 * moment) % 100
        frame[:, left : left + 24] = 200
    return frames


def interlaced_frames() -> np.ndarray:
    """Returns numbered frames of which every other line was taken half a frame later."""
    frames = moving_pattern(NUM_FRAMES, 96, 128)
    number = np.arange(NUM_FRAMES)
    frames[:, 48::2] = at_moments(number)[:, ::2]
    frames[:, 49::2] = at_moments(number + 0.5)[:, 1::2]
    return frames


def teeth(frame: np.ndarray) -> float:
    """Returns by how much lines differ from their neighbours, over that from every other one."""
    lower = frame[48:].astype(float)
    beside, apart = lower[1:-1] - lower[:-2], lower[2:] - lower[:-2]
    return float(np.abs(beside).mean() / (np.abs(apart).mean() + 1))


def film_and_air(path: Path, codec: str) -> Path:
    """Writes a second of dark film, and then `interlaced_frames`, as a recording may begin."""
    options = ["-crf", "12"] if codec == "libx264" else ["-q:v", "2"]
    film, air = path.with_stem("film"), path.with_stem("air")
    dark = np.full((25, 96, 128, 3), 16, np.uint8)
    write_video(film, dark, codec=codec, arguments=[*options, "-g", "5"])
    options += [*FIELDS, "-g", "12", "-output_ts_offset", "1.0"]
    write_video(air, interlaced_frames(), codec=codec, arguments=options)
    path.write_bytes(film.read_bytes() + air.read_bytes())
    return path
