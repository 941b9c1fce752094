"""Videos for the tests, made by the project's own ffmpeg from pictures that anyone may use."""

import functools
import math
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import skimage.data
from PIL import Image

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()

ASTRONAUT_FACE_XYXY = (180.0, 60.0, 270.0, 180.0)
"""About where the face is in `skimage.data.astronaut()`, which is 512x512."""

FAILS_TO_READ = Path("/proc/self/mem")
"""A plain file, on Linux, that opens, and of which the first bytes cannot be read."""

_NUMBER_ROWS, _NUMBER_COLUMNS = 2, 8  # cells of the frame number: 16 bits, in the upper half

# Tests want small files soon, not good ones.
_FAST = {
    "libx264": ["-preset", "veryfast"],
    "libx265": ["-preset", "ultrafast", "-x265-params", "log-level=none"],
    "libvpx": ["-deadline", "realtime", "-cpu-used", "8"],
    "libvpx-vp9": ["-deadline", "realtime", "-cpu-used", "8"],
    "libsvtav1": ["-preset", "12", "-svtav1-params", "lp=1"],
    "libaom-av1": ["-usage", "realtime", "-cpu-used", "8"],
    "mpeg4": ["-q:v", "3"],
    "mjpeg": ["-q:v", "3"],
}


def run_ffmpeg(*arguments: str | Path, input: bytes | None = None) -> None:
    """Runs ffmpeg with `arguments`, overwriting; fails with what it wrote to stderr."""
    command = [FFMPEG, "-hide_banner", "-loglevel", "error", "-y", *map(str, arguments)]
    done = subprocess.run(command, input=input, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr.decode(errors='replace')}"


def write_video(
    path: str | Path,
    frames: Iterable[np.ndarray],
    fps: float = 25,
    codec: str = "libx264",
    *,
    pixel_format: str | None = "yuv420p",
    timestamps: Iterable[float] | None = None,
    arguments: Sequence[str | Path] = (),
) -> Path:
    """Encodes frames to a video file and returns its path.

    Args:
      path: Where to write; the suffix chooses the container.
      frames: uint8 [H,W,3] RGB each, all of one size; even sizes for most codecs with yuv420p.
      fps: Frames per second of a constant rate.
      codec: ffmpeg's name of the encoder, as "libx264" or "mjpeg".
      pixel_format: ffmpeg's name of the coded pixels; None lets the encoder choose.
      timestamps: Seconds at which each frame is shown, for a variable rate.
      arguments: More output arguments for ffmpeg.
    """
    path, frames = Path(path), iter(frames)
    first = next(frames)
    height, width, _ = first.shape
    command = [FFMPEG, "-hide_banner", "-loglevel", "error", "-y", "-f", "rawvideo"]
    command += ["-pixel_format", "rgb24", "-video_size", f"{width}x{height}"]
    command += ["-framerate", str(fps), "-i", "pipe:0", "-c:v", codec, *_FAST.get(codec, [])]
    if pixel_format is not None:
        command += ["-pix_fmt", pixel_format]
    if timestamps is not None:
        # A tree of halves, for ffmpeg refuses an expression that is nested deep.
        parts = [f"{round(t * 90000)}*eq(N,{n})" for n, t in enumerate(timestamps)]
        while len(parts) > 1:
            parts = ["(" + "+".join(parts[n : n + 2]) + ")" for n in range(0, len(parts), 2)]
        ticks = parts[0]
        command += ["-vf", f"settb=1/90000,setpts='{ticks}'", "-fps_mode", "passthrough"]
        command += ["-enc_time_base", "1/90000"]
    command += [*map(str, arguments), str(path)]
    with tempfile.TemporaryFile() as log:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log) as process:
            assert process.stdin is not None
            try:
                for frame in (first, *frames):
                    assert frame.shape == first.shape and frame.dtype == np.uint8
                    process.stdin.write(frame.tobytes())
                process.stdin.close()
            except BrokenPipeError:
                pass  # ffmpeg gave up; its reason is in the log
            process.wait(timeout=120)
        log.seek(0)
        assert process.returncode == 0, f"{command}: {log.read().decode(errors='replace')}"
    return path


def moving_pattern(
    num_frames: int, height: int = 96, width: int = 128, seed: int = 0
) -> np.ndarray:
    """Returns frames that say which frame they are, through any codec, scaling or cropping of bits.

    The upper half holds the frame number as 16 black or white cells (read by `frame_number`). The
    lower half holds smooth waves that move, redder on the left and bluer on the right.

    Returns:
      uint8 [num_frames, height, width, 3] RGB.
    """
    assert num_frames < 2 ** (_NUMBER_ROWS * _NUMBER_COLUMNS)
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    frequency, phase = rng.uniform(2, 5, (3, 2)), rng.uniform(0, 2 * math.pi, 3)
    frames = np.empty((num_frames, height, width, 3), np.uint8)
    rows = np.minimum(np.arange(height) * 2 * _NUMBER_ROWS // height, _NUMBER_ROWS - 1)
    columns = np.arange(width) * _NUMBER_COLUMNS // width
    for n, frame in enumerate(frames):
        for channel in range(3):
            along = frequency[channel, 0] * x + frequency[channel, 1] * y + n / 12
            wave = 40 * np.sin(2 * math.pi * along + phase[channel])
            frame[..., channel] = np.clip(128 + wave, 0, 255)
        half = frame[height // 2 :].astype(np.int16)
        half[:, : width // 3] += np.array([80, -60, -60], np.int16)
        half[:, -(width // 3) :] += np.array([-60, -60, 80], np.int16)
        frame[height // 2 :] = np.clip(half, 0, 255)
        bits = (n >> (rows[:, None] * _NUMBER_COLUMNS + columns[None])) & 1
        frame[: height // 2] = (16 + 224 * bits[: height // 2, :, None]).astype(np.uint8)
    return frames


def frame_number(frame: np.ndarray) -> int:
    """Returns the number that `moving_pattern` wrote into a frame, uint8 [H,W,3].

    Raises:
      ValueError: A cell is neither black nor white: the frame is smeared, turned or another.
    """
    height, width, _ = frame.shape
    number = 0
    for bit in range(_NUMBER_ROWS * _NUMBER_COLUMNS):
        row, column = divmod(bit, _NUMBER_COLUMNS)
        y = (row + 0.5) * height / (2 * _NUMBER_ROWS)
        x = (column + 0.5) * width / _NUMBER_COLUMNS
        reach_y, reach_x = height / (8 * _NUMBER_ROWS), width / (4 * _NUMBER_COLUMNS)
        cell = frame[
            int(y - reach_y) : math.ceil(y + reach_y), int(x - reach_x) : math.ceil(x + reach_x)
        ]
        level = float(cell.mean())
        if 80 < level < 176:
            raise ValueError(f"cell {bit} has level {level:.0f}; needed: under 80 or over 176.")
        number |= int(level > 128) << bit
    return number


def portrait_frames(
    num_frames: int, size: tuple[int, int] = (360, 480), num_faces: int = 1
) -> np.ndarray:
    """Returns frames of a gently moving camera on one face, or of two people who move.

    Args:
      num_frames: How many frames.
      size: Height and width of a frame, pixels.
      num_faces: 1 is the astronaut. 2 adds her mirrored, recoloured copy to the right; one goes
        down while the other goes up, so that they pass each other in height, and they sway
        towards and away from each other without touching.

    Returns:
      uint8 [num_frames, height, width, 3] RGB.
    """
    height, width = size
    frames = np.empty((num_frames, height, width, 3), np.uint8)
    for n, transforms in enumerate(_portrait_transforms(num_frames, size, num_faces)):
        if num_faces == 1:
            frames[n] = _warp(_portraits()[0], transforms[0], size)
            continue
        frames[n] = (96, 104, 112)
        for portrait, transform in zip(_portraits()[1:], transforms, strict=True):
            picture = _warp(portrait, transform, size)
            inside = picture[..., 3] > 127
            frames[n][inside] = picture[inside, :3]
    return frames


def portrait_boxes(
    num_frames: int, size: tuple[int, int] = (360, 480), num_faces: int = 1
) -> np.ndarray:
    """Returns about where `portrait_frames` shows the faces: float64 [num_frames, num_faces, 4]."""
    x1, y1, x2, y2 = ASTRONAUT_FACE_XYXY
    boxes = np.empty((num_frames, num_faces, 4))
    for n, transforms in enumerate(_portrait_transforms(num_frames, size, num_faces)):
        for face, transform in enumerate(transforms):
            left, right = (x1, x2) if face == 0 else (512 - x2, 512 - x1)
            corners = np.array([[left, y1, 1], [right, y1, 1], [left, y2, 1], [right, y2, 1]])
            placed = corners @ transform.T
            boxes[n, face] = [*placed.min(axis=0), *placed.max(axis=0)]
    return boxes


@functools.cache
def _portraits() -> tuple[Image.Image, Image.Image, Image.Image]:
    """Returns the astronaut, her head alone with alpha, and its mirrored, recoloured copy."""
    astronaut = skimage.data.astronaut()
    alpha = np.zeros((512, 512, 1), np.uint8)
    alpha[5:235, 135:315] = 255  # head and a little of the shoulders
    head = np.concatenate([astronaut, alpha], axis=2)
    other = head[:, ::-1].copy()
    other[..., :3] = (other[..., :3] * np.array([0.75, 0.9, 1.0])).astype(np.uint8)
    return Image.fromarray(astronaut), Image.fromarray(head), Image.fromarray(other)


def _portrait_transforms(num_frames: int, size: tuple[int, int], num_faces: int) -> np.ndarray:
    """Returns float64 [num_frames, num_faces, 2, 3]: astronaut pixels to frame pixels."""
    height, width = size
    x1, y1, x2, y2 = ASTRONAUT_FACE_XYXY
    face_y = (y1 + y2) / 2
    transforms = np.empty((num_frames, num_faces, 2, 3))
    for n in range(num_frames):
        turn = 2 * math.pi * n / max(num_frames, 24)
        places: list[tuple[float, float, float, float]]  # face x, centre x, centre y, scale
        if num_faces == 1:
            scale = max(height, width) / 512 * (1.1 + 0.05 * math.sin(turn))
            x = width * (0.45 + 0.03 * math.sin(turn))
            places = [((x1 + x2) / 2, x, height * (0.4 + 0.02 * math.cos(turn)), scale)]
        else:
            assert num_faces == 2, "one face or two"
            scale = min(height / 330, width / 420)
            progress = n / max(num_frames - 1, 1)
            apart = width * (0.25 + 0.02 * math.cos(turn))
            rise = height * 0.12 * math.cos(math.pi * progress)
            places = [
                ((x1 + x2) / 2, width / 2 - apart, height / 2 - rise, scale),
                (512 - (x1 + x2) / 2, width / 2 + apart, height / 2 + rise, scale),
            ]
        angle = math.radians(2) * math.sin(turn)
        for face, (face_x, x, y, scale) in enumerate(places):
            cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
            linear = np.array([[cosine, -sine], [sine, cosine]])
            shift = np.array([x, y]) - linear @ np.array([face_x, face_y])
            transforms[n, face] = np.concatenate([linear, shift[:, None]], axis=1)
    return transforms


def _warp(picture: Image.Image, transform: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns the picture moved by `transform` into a frame of `size` (height, width)."""
    inverse = np.linalg.inv(np.concatenate([transform, [[0, 0, 1]]]))[:2]
    coefficients = tuple(float(c) for c in inverse.ravel())
    height, width = size
    moved = picture.transform(
        (width, height), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC
    )
    return np.asarray(moved)
