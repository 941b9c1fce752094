"""Two short videos to try the detector on, made when they are needed from a public-domain picture.

The picture is scikit-image's astronaut portrait (Eileen Collins, photographed by NASA). One video
shows it untouched under a moving camera. The other shows, under the same camera, the portrait with
its own face blended in: a manipulation with a face swap's seams and colours that shows nobody else.
"""

import dataclasses
import math
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image, ImageDraw, ImageFilter

from dfjax.errors import DfjaxError
from dfjax.video.executable import ffmpeg_executable
from dfjax.video.transcode import YUV420P

_FPS = 25
_NUM_FRAMES = 100
_SIZE = (640, 480)  # width, height of the videos, pixels
_SAMPLE_SIZE = (480, 360)  # of the sample, which is in the repository and has to be small

# Where the face is in the portrait, pixels: over the brows, down the cheek, and along the jaw.
_FACE_OUTLINE = [(186, 97), (200, 87), (226, 88), (252, 90), (266, 100), (268, 125), (263, 148)]
_FACE_OUTLINE += [(250, 166), (228, 177), (208, 171), (192, 155), (184, 130)]
_FACE_CENTRE = (226, 132)

# One encoder for both, so that only the blend tells them apart. One thread, no dates, and nothing
# chosen by instruction set: the same frames make the same file.
_ENCODER = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-vf", YUV420P]
_ENCODER += ["-x264-params", "cpu-independent=1"]
_ENCODER += ["-threads", "1", "-flags:v", "+bitexact", "-fflags", "+bitexact"]
_ENCODER += ["-map_metadata", "-1", "-movflags", "+faststart"]


@dataclasses.dataclass(frozen=True)
class Example:
    """A video and what to say of it."""

    path: Path
    caption: str


def write_examples(folder: str | os.PathLike[str]) -> list[Example]:
    """Returns the example videos in `folder`, and writes those that are not there yet.

    A file appears under its name only when it is whole, so several processes may share the folder.

    Args:
      folder: Where the files are; made if need be.

    Returns:
      The untouched portrait, then the manipulated one: H.264 in MP4, 4 seconds at 25 frames per
      second.

    Raises:
      DfjaxError: ffmpeg could not encode.
      OSError: The folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    examples = []
    for name, caption, manipulated in (
        (
            "astronaut.mp4",
            "Astronaut portrait, untouched (camera motion added)",
            False,
        ),
        (
            "astronaut_self_blended.mp4",
            "The same portrait, self-blended: a synthetic manipulation",
            True,
        ),
    ):
        path = folder / name
        if not path.is_file():
            _write_video(path, example_frames(manipulated))
        examples.append(Example(path, caption))
    return examples


def write_sample(path: Path) -> None:
    """Writes the video that the README's programs use: half of the manipulated example, smaller.

    Args:
      path: The file; one that exists is replaced.

    Raises:
      DfjaxError: ffmpeg could not encode.
    """
    frames = (
        np.asarray(Image.fromarray(frame).resize(_SAMPLE_SIZE, Image.Resampling.LANCZOS))
        for frame in example_frames(manipulated=True, num_frames=_NUM_FRAMES // 2)
    )
    _write_video(path, frames, size=_SAMPLE_SIZE, more_options=["-crf", "28"])


def example_frames(manipulated: bool, num_frames: int = _NUM_FRAMES) -> Iterator[np.ndarray]:
    """Yields the frames of one example video, at 25 per second.

    Args:
      manipulated: Whether the face is blended into itself.
      num_frames: How many frames; 100 show the whole motion.

    Yields:
      uint8 [480, 640, 3] RGB. Frames of the same number differ only in the face.
    """
    portrait = Image.fromarray(skimage.data.astronaut())
    if manipulated:
        portrait = _blend_into_itself(portrait)
    for number in range(num_frames):
        # A slow zoom in and out and a hand that is not quite steady; no border comes into view. It
        # does not roll: Pillow is much faster where rows and columns stay what they are.
        time = number / _FPS
        zoom = 1.6 - 0.17 * math.cos(2 * math.pi * time / 4)
        x = 236 + 8 * math.sin(2 * math.pi * time / 3.1)
        y = 176 + 3 * math.sin(2 * math.pi * time / 2.3)
        across, down = (side / (2 * zoom) for side in _SIZE)
        view = (x - across, y - down, x + across, y + down)
        yield np.asarray(portrait.resize(_SIZE, Image.Resampling.BICUBIC, box=view))


def _blend_into_itself(portrait: Image.Image) -> Image.Image:
    """Returns the portrait with a changed copy of its face blended in under a soft mask.

    Source: the idea of self-blended images, Shiohara and Yamasaki, "Detecting Deepfakes with
    Self-Blended Images", CVPR 2022: colour, sharpness, size and place of the copy differ a little.
    """
    x, y = _FACE_CENTRE
    shrink, (shift_x, shift_y) = 1 / 1.04, (2.5, -2.0)
    back = (
        *(shrink, 0, x - shrink * (x + shift_x)),
        *(0, shrink, y - shrink * (y + shift_y)),
    )
    copy = portrait.transform(
        portrait.size, Image.Transform.AFFINE, back, Image.Resampling.BICUBIC
    ).filter(ImageFilter.GaussianBlur(0.8))
    shifted = np.asarray(copy, np.float64) * (1.03, 0.96, 0.9) + (6, 0, -4)
    copy = Image.fromarray(np.round(np.clip(shifted, 0, 255)).astype(np.uint8))

    mask = Image.new("L", portrait.size)
    ImageDraw.Draw(mask).polygon(_FACE_OUTLINE, fill=255)
    return Image.composite(copy, portrait, mask.filter(ImageFilter.GaussianBlur(3)))


def _write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    *,
    size: tuple[int, int] = _SIZE,
    more_options: Sequence[str] = (),
) -> None:
    """Encodes `frames` and puts the file at `path` in one move; more options win over ours."""
    handle, partial = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".mp4", dir=path.parent)
    os.close(handle)
    width, height = size
    command = [ffmpeg_executable(), "-nostdin", "-hide_banner", "-loglevel", "error"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(_FPS)]
    command += ["-i", "pipe:0", *_ENCODER, *more_options, "-y", partial]
    # Not imageio_ffmpeg.write_frames: it forks Python, which can hang a process that runs jax, and
    # it does not look at ffmpeg's exit status.
    try:
        with tempfile.TemporaryFile() as messages:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=messages)
            try:
                with process:  # leaving it closes the pipe and waits for the end
                    assert process.stdin is not None
                    for frame in frames:
                        process.stdin.write(frame.tobytes())
            except BrokenPipeError:
                pass  # ffmpeg has ended early; its exit status says so below
            if process.returncode != 0:
                messages.seek(0)
                said = messages.read().decode(errors="replace").strip()
                raise DfjaxError(
                    f"ffmpeg could not write the example video {path.name} "
                    f"(exit status {process.returncode}): {said or 'it gave no reason'}. "
                    "Is there space on the disk, and is imageio-ffmpeg installed whole?"
                )
        os.chmod(partial, 0o644)  # mkstemp's files are for their owner alone; a server must read it
        os.replace(partial, path)
    finally:
        Path(partial).unlink(missing_ok=True)
