"""Finds the ffmpeg that reads and writes videos."""

from dfjax.errors import VideoError


def ffmpeg_executable() -> str:
    """Returns the absolute path of imageio-ffmpeg's binary.

    Raises:
      VideoError: imageio-ffmpeg is not installed.
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
    return imageio_ffmpeg.get_ffmpeg_exe()
