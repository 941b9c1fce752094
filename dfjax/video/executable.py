"""Finds the ffmpeg that reads and writes videos."""

import os

from dfjax.errors import VideoError

_VARIABLE = "IMAGEIO_FFMPEG_EXE"
"""The environment variable by which imageio-ffmpeg takes another binary than its own."""

_INSTALL = "Install it with `pip install --force-reinstall imageio-ffmpeg`."


def ffmpeg_executable() -> str:
    """Returns the absolute path of imageio-ffmpeg's binary.

    Raises:
      VideoError: imageio-ffmpeg is not installed, or has no binary for this machine.
    """
    # Not imported above: training and evaluation on prepared clips decode no video, and a machine
    # that does nothing else need not have the largest of the packages.
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise VideoError(
            "Videos cannot be read or written without the package imageio-ffmpeg. Install it with "
            "`pip install imageio-ffmpeg`."
        ) from error
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise VideoError(
            f"Videos cannot be read: no ffmpeg of the package imageio-ffmpeg runs here. {_INSTALL}"
        ) from error


def other_ffmpeg_needed(reason: str) -> VideoError:
    """Returns the error for an ffmpeg that cannot be used, with what to do.

    Args:
      reason: What is wrong with it, as the end of a sentence.
    """
    remedy = f"Unset {_VARIABLE}." if os.environ.get(_VARIABLE) else _INSTALL
    return VideoError(
        f"Videos cannot be read: the ffmpeg at {ffmpeg_executable()} {reason}, and the one of the "
        f"package imageio-ffmpeg is needed. {remedy}"
    )
