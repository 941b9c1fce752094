"""Reads still pictures with Pillow, each as a video of one frame."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, features

from dfjax.errors import DamagedVideoError, UnsupportedFormatError, VideoLimitError
from dfjax.video.formats import open_plain, shown_name
from dfjax.video.limits import VideoLimits

_EXIF_ORIENTATION = 0x0112
_BACKGROUND = (127, 127, 127)
"""Grey, shown where a picture is transparent: what nobody sees must not be judged."""

_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap width and height


def still_size(path: Path, still_format: str, limits: VideoLimits) -> tuple[int, int]:
    """Returns the height and width of the picture as it is displayed, without decoding it.

    Args:
      path: The file.
      still_format: Pillow's name of its format.
      limits: Its `max_source_pixels` is enforced.

    Raises:
      DamagedVideoError: The picture's header cannot be read.
      UnsupportedFormatError: The installed Pillow does not know the format.
      VideoLimitError: It has more pixels than are allowed.
    """
    with _opened(path, still_format, limits) as picture:
        width, height = picture.size
        if picture.getexif().get(_EXIF_ORIENTATION) in _SIDEWAYS:
            width, height = height, width
        return height, width


def read_still(
    path: Path, still_format: str, limits: VideoLimits, size: tuple[int, int]
) -> np.ndarray:
    """Returns the picture, turned as its EXIF orientation says, as uint8 [H,W,3] RGB of `size`.

    What is transparent is grey.

    Raises:
      DamagedVideoError: The picture cannot be decoded.
      VideoLimitError: It has more pixels than are allowed.
    """
    with _opened(path, still_format, limits) as picture:
        if picture.mode.startswith("I"):  # 16 bits a pixel; Pillow's own conversion would clip
            picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
        picture = ImageOps.exif_transpose(picture)
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            grey = Image.new("RGBA", picture.size, (*_BACKGROUND, 255))
            picture = Image.alpha_composite(grey, picture)
        picture = picture.convert("RGB")
        height, width = size
        if picture.size != (width, height):
            picture = picture.resize((width, height), Image.Resampling.LANCZOS)
        return np.asarray(picture)


@contextmanager
def _opened(path: Path, still_format: str, limits: VideoLimits) -> Iterator[Image.Image]:
    """Opens a picture within the limits, and turns Pillow's exceptions into ours."""
    name = shown_name(path)
    if still_format == "AVIF" and not features.check("avif"):
        raise UnsupportedFormatError(
            f"{name!r} is an AVIF picture, which the installed Pillow does not open. Save it as a "
            "JPEG."
        )
    too_large = (
        f"{name!r} has more pixels than the limit of {limits.max_source_pixels:,}. "
        "Make the picture smaller."
    )
    with open_plain(path) as file:
        try:
            with Image.open(file, formats=[still_format]) as picture:
                if picture.width * picture.height > limits.max_source_pixels:
                    raise VideoLimitError(too_large)
                yield picture
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise VideoLimitError(too_large) from None
        # A RuntimeError comes from the AVIF plugin.
        except (OSError, SyntaxError, ValueError, EOFError, RuntimeError, struct.error) as error:
            raise DamagedVideoError(
                f"{name!r} is a damaged picture: it cannot be read to the end. Try another copy."
            ) from error
