"""Films a still picture: makes a short H.264 video of it, as if by a handheld camera.

A training set has many more faces in pictures than in videos. Filming them shows what a codec does
to real faces, of people who are in no video.
"""

import math
import subprocess
from pathlib import Path

import numpy as np

from dfjax.errors import VideoLimitError
from dfjax.resampling import resize, sample_affine
from dfjax.video.executable import ffmpeg_executable
from dfjax.video.transcode import YUV420P, h264

NUM_FRAMES = 8
FPS = 25

_ZOOM = 1.05, 1.15  # the cropped edges leave room for the camera to move
_MAX_ROTATION = math.radians(2)
_MIN_SCALE = 0.6  # of a frame's width over the picture's
_SWAYS = 0.1, 0.6  # how many times the camera sways back and forth in the whole video


def film(picture: np.ndarray, out: Path, *, crf: int, seed: int) -> np.ndarray:
    """Writes `NUM_FRAMES` frames of a picture, with a camera that sways, rotates and zooms.

    Args:
      picture: uint8 [H, W, 3] RGB, at least 32 pixels a side.
      out: The file to write, `.mp4`, replaced if it exists.
      crf: Constant rate factor of H.264, as for `transcode`.
      seed: Random seed for the camera's path and the size of the frames, which is at most the
        picture's. Use the same for a real picture and a fake of it, so that they are filmed alike.

    Returns:
      Where a point of the picture lies in each frame, float64 [NUM_FRAMES, 2, 3]:
      frame_xy = matrix @ (picture_x, picture_y, 1), in pixels.

    Raises:
      VideoLimitError: The picture is too small.
      CalledProcessError: ffmpeg cannot write the file.
    """
    height, width = picture.shape[:2]
    if min(height, width) < 32:
        raise VideoLimitError(f"The picture is {width}x{height}; filming needs at least 32x32.")
    rng = np.random.default_rng(seed)
    scale = rng.uniform(_MIN_SCALE, 1.0)
    # H.264 with half-resolution colour needs even sides.
    size = np.array([2 * max(16, int(side * scale / 2)) for side in (width, height)])
    shrunk = resize(picture, (int(size[0]), int(size[1])))
    moves = _camera_path(rng, size)
    frames = b"".join(_seen(shrunk, move).tobytes() for move in moves)
    command = [ffmpeg_executable(), "-v", "error", "-y", "-threads", "1"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}"]
    command += ["-r", str(FPS), "-i", "pipe:0", "-vf", YUV420P, "-filter_threads", "1"]
    command += [*h264(crf), "-fflags", "+bitexact", "-f", "mp4", str(out)]
    subprocess.run(command, input=frames, capture_output=True, check=True)
    return moves * [*(size / [width, height]), 1]


def _camera_path(rng: np.random.Generator, size: np.ndarray) -> np.ndarray:
    """Returns how the camera moves a picture of `size` (width, height) in each frame: [T, 2, 3]."""
    sways = rng.uniform(*_SWAYS, size=4)
    phases = rng.uniform(0, 2 * np.pi, size=4)
    times = np.linspace(0, 2 * np.pi, NUM_FRAMES)[:, None]
    nearness, turn, *shift = np.sin(sways * times + phases).T
    low, high = _ZOOM
    zoom = low + (high - low) * (1 + nearness) / 2
    # A frame that is turned by an angle a stays inside the picture while
    # cos(a) + aspect * sin(a) <= zoom, and so while aspect * a <= zoom - 1.
    aspect = size.max() / size.min()
    angle = turn * np.minimum((zoom - 1) / aspect, _MAX_ROTATION)
    cos, sin = np.cos(angle), np.sin(angle)
    spare = np.maximum(0.5 - (cos + aspect * np.abs(sin)) / zoom / 2, 0.0)
    middles = size * (0.5 + np.stack(shift, axis=-1) * spare[:, None])
    turns = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], axis=1)
    turns = zoom[:, None, None] * turns
    offsets = size / 2 - np.einsum("tij,tj->ti", turns, middles)
    return np.concatenate([turns, offsets[:, :, None]], axis=2)


def _seen(picture: np.ndarray, move: np.ndarray) -> np.ndarray:
    """Returns what the camera sees of the picture, in the picture's size: uint8 [h, w, 3]."""
    back = np.linalg.inv(np.vstack([move, [0, 0, 1]]))[:2]
    height, width = picture.shape[:2]
    return sample_affine(picture, back, (width, height))
