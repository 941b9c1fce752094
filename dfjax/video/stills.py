"""Reads still pictures with Pillow, each as a video of one frame."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, JpegImagePlugin, features

from dfjax.errors import DamagedVideoError, UnsupportedFormatError, VideoLimitError
from dfjax.video.formats import open_plain, shown_name
from dfjax.video.limits import VideoLimits

_EXIF_ORIENTATION = 0x0112
_BACKGROUND = (127, 127, 127)
"""Grey, shown where a picture is transparent: what nobody sees must not be judged."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What is to be done with a picture, by its EXIF orientation; from 5 on, width and height swap."""

_UNREADABLE = (
    *(ArithmeticError, LookupError, OSError, RuntimeError, SyntaxError, TypeError, ValueError),
    struct.error,
)
"""What Pillow raises over EXIF that is not as it should be. The picture itself may be whole."""

_SHRUNK_FROM = 8192 * 4320
"""Pixels: a JPEG with more is shrunk while it is decoded, so that it takes no more memory than a
smaller one."""


def still_size(path: Path, still_format: str, limits: VideoLimits) -> tuple[int, int]:
    """Returns the height and width of the picture as it is displayed, without decoding it.

    Args:
      path: The file.
      still_format: Pillow's name of its format.
      limits: Its `max_still_pixels` and `max_jpeg_pixels` are enforced.

    Raises:
      DamagedVideoError: The picture's header cannot be read.
      UnsupportedFormatError: The installed Pillow does not know the format.
      VideoLimitError: It has more pixels than are allowed.
    """
    with _opened(path, still_format, limits) as picture:
        width, height = picture.size
        return (width, height) if _orientation(picture) >= 5 else (height, width)


def read_still(
    path: Path, still_format: str, limits: VideoLimits, size: tuple[int, int]
) -> np.ndarray:
    """Returns the picture, turned as its EXIF orientation says, as uint8 [H,W,3] RGB of `size`.

    What is transparent is grey.

    Raises:
      DamagedVideoError: The picture cannot be decoded.
      VideoLimitError: It has more pixels than are allowed.
    """
    height, width = size
    with _opened(path, still_format, limits) as picture:
        orientation = _orientation(picture)
        if picture.width * picture.height > _SHRUNK_FROM:
            # To an eighth at the least, and no smaller than it is needed. Only JPEGs can do it.
            picture.draft("RGB", (height, width) if orientation >= 5 else (width, height))
        if picture.mode.startswith("I"):  # 16 bits a pixel; Pillow's own conversion would clip
            picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
        if orientation in _TURNS:
            turned = picture.transpose(_TURNS[orientation])
            picture.close()  # a large one takes much memory
            picture = turned
        if picture.has_transparency_data:
            picture = picture if picture.mode == "RGBA" else picture.convert("RGBA")
            grey = Image.new("RGBA", picture.size, (*_BACKGROUND, 255))
            picture = Image.alpha_composite(grey, picture)
        picture = picture if picture.mode == "RGB" else picture.convert("RGB")
        if picture.size != (width, height):
            picture = picture.resize((width, height), Image.Resampling.LANCZOS)
        return np.asarray(picture)


def _orientation(picture: Image.Image) -> int:
    """Returns how a picture is to be turned, 1 to 8; 1, not at all, if it cannot be read.

    `ImageOps.exif_transpose` fails over any tag that it cannot write again.
    """
    if picture.format == "PNG" and "exif" not in picture.info:
        picture.load()  # it may be told behind the pixels, and damage to these must not be missed
    try:
        orientation = picture.getexif().get(_EXIF_ORIENTATION)
    except _UNREADABLE:
        return 1
    return orientation if orientation in _TURNS else 1


@contextmanager
def _opened(path: Path, still_format: str, limits: VideoLimits) -> Iterator[Image.Image]:
    """Opens a picture within the limits, and turns Pillow's exceptions into ours."""
    name = shown_name(path)
    if still_format == "AVIF" and not features.check("avif"):
        raise UnsupportedFormatError(
            f"{name!r} is an AVIF picture, which the installed Pillow does not open. Save it as a "
            "JPEG."
        )
    with open_plain(path) as file:
        try:
            with _open(file, still_format) as picture:
                _check_size(picture, name, limits)
                yield picture
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise _too_large(name, limits.max_still_pixels) from None
        # A RuntimeError comes from the AVIF plugin.
        except (OSError, SyntaxError, ValueError, EOFError, RuntimeError, struct.error) as error:
            raise DamagedVideoError(
                f"{name!r} is a damaged picture: it cannot be read to the end. Try another copy."
            ) from error


def _open(file: BinaryIO, still_format: str) -> Image.Image:
    if still_format != "JPEG":
        return Image.open(file, formats=[still_format])
    # What `Image.open` does, without its limit, which is one for the whole process.
    try:
        return JpegImagePlugin.jpeg_factory(file)
    except (IndexError, TypeError) as error:
        raise SyntaxError("the header of the JPEG is damaged") from error


def _check_size(picture: Image.Image, name: str, limits: VideoLimits) -> None:
    """Raises `VideoLimitError` if a picture has too many pixels to be decoded."""
    # Of a JPEG that comes in several passes, all of it is in memory while it is decoded.
    is_shrunk = picture.format in ("JPEG", "MPO") and not picture.info.get("progressive")
    limit = limits.max_jpeg_pixels if is_shrunk else limits.max_still_pixels
    if picture.width * picture.height > limit:
        raise _too_large(name, limit)


def _too_large(name: str, limit: int) -> VideoLimitError:
    return VideoLimitError(
        f"{name!r} has more pixels than the limit of {limit:,} for such a picture. Make it smaller."
    )
