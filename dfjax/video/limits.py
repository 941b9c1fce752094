"""How much a file may cost to read."""

import dataclasses

from dfjax.checks import Checked, require


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoLimits(Checked):
    """Limits on one file, chosen by the caller who reads or serves it, never by a model."""

    max_source_pixels: int = 8192 * 4320  # pixels of one coded frame; more is refused
    max_still_pixels: int = 8192 * 8192  # pixels of a still picture; more is refused
    max_jpeg_pixels: int = 210_000_000  # of a JPEG, which can be shrunk while it is decoded
    max_duration: float = 4 * 3600.0  # seconds; longer is refused
    max_source_frames: int = 2_000_000  # coded frames in the file; more is refused
    max_file_bytes: int = 2 * 1024**3  # bytes; larger is refused
    max_output_bytes: int = 1024**3  # bytes of decoded frames delivered for one video
    max_decode_seconds: float = 120.0  # wall time of all decoding of one video, seconds

    def __post_init__(self):
        """Checks that every limit is positive."""
        super().__post_init__()
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            require(value > 0, f"VideoLimits.{field.name} is {value}; it must be positive.")
