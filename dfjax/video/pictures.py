"""Brings the pictures of one video to one form, with ffmpeg's filters and what follows them."""

import dataclasses
import functools
import subprocess
from collections.abc import Iterable

import numpy as np

from dfjax.video.executable import ffmpeg_executable
from dfjax.video.ffmpeg import SHOW

# Bit-exact, so that a file gives the same crops on every machine.
_SCALER = "bicubic+accurate_rnd+full_chroma_int+bitexact"

DEINTERLACE = "bwdif=mode=send_frame:deint=interlaced"
"""The filter that makes a whole picture of each that consists of two, taken one after the other.
Without it, whatever moves has teeth like a comb. It looks at the frames before and after each, and
leaves as it is what is not marked as interlaced."""

_GREY = 127  # what is shown where a picture is transparent, or does not fill the frame


_HDR = ("smpte2084", "arib-std-b67")  # PQ and HLG

_WHITE = 203
"""Luminance of white paper in HDR, nits. Source: ITU-R BT.2408."""

_DIM_WHITE = 100
"""The same where a program has put the white of an ordinary screen at its own luminance, nits."""

_BRIGHTEST = 130
"""A video of which hardly anything is brighter than this, nits, has the white of a dim one. What is
made of an ordinary video by the older rule has nothing that is: its range ends at 120."""

_BRIGHT_SHARE = 0.01  # of all pixels, that makes a video bright
_FULL = 254  # of 255

# By ffmpeg's names; what else a file may say, no camera writes.
_PRIMARIES = ("bt709", "bt2020", "smpte431", "smpte432")
_MATRICES = {"bt709": "709", "bt470bg": "470bg", "smpte170m": "170m", "bt2020nc": "2020_ncl"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Colour:
    """How a file says that its colours are coded, by ffmpeg's names."""

    transfer: str = "unknown"
    primaries: str = "unknown"
    matrix: str = "unknown"
    white: int = _WHITE  # luminance that becomes the white of an ordinary screen, nits
    tonemap: str = "mobius:param=0.8:desat=0"  # what becomes of brighter things

    @property
    def is_hdr(self) -> bool:
        """Whether it must be converted, lest it looks pale and dark on an ordinary screen."""
        return self.transfer in _HDR

    def filters(self) -> list[str]:
        """Returns ffmpeg's filters to the colours of an ordinary screen; none where it has them.

        What is brighter than white is compressed into the brightest fifth.
        """
        if not self.is_hdr or not can_convert_hdr():
            return []
        primaries = self.primaries if self.primaries in _PRIMARIES else "bt2020"
        matrix = _MATRICES.get(self.matrix, "2020_ncl")
        return [
            "format=yuv444p16le",
            f"zscale=tin={self.transfer}:pin={primaries}:min={matrix}:t=linear:npl={self.white}",
            "format=gbrpf32le",
            "zscale=p=bt709",
            f"tonemap={self.tonemap}",
            "zscale=t=bt709:m=gbr:r=pc",
            "format=gbrp",
        ]

    def for_measuring(self) -> "Colour":
        """Returns the colours in which `with_measured_white` must be given frames."""
        return dataclasses.replace(self, white=_BRIGHTEST, tonemap="clip")

    def with_measured_white(self, frames: Iterable[np.ndarray]) -> "Colour":
        """Returns the colours with the white that fits a video.

        Programs that write HDR differ in where they put white, by a factor of two in luminance, and
        no file says which it is. The wrong one makes faces twice as dark as they were.

        Args:
          frames: Some of the video, uint8 [H, W, 3] RGB each, read with `for_measuring`.
        """
        bright = [float((frame.max(axis=-1) >= _FULL).mean()) for frame in frames]
        is_dim = len(bright) > 0 and sum(bright) / len(bright) <= _BRIGHT_SHARE
        return dataclasses.replace(self, white=_DIM_WHITE if is_dim else _WHITE)


@functools.cache
def can_convert_hdr() -> bool:
    """Returns whether the installed ffmpeg has what HDR needs."""
    command = [ffmpeg_executable(), "-hide_banner", "-h", "filter=zscale"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "Unknown filter" not in done.stdout + done.stderr


@dataclasses.dataclass(frozen=True, kw_only=True)
class PictureForm:
    """What the frames of a video are made to be."""

    size: tuple[int, int]  # height and width, pixels
    has_alpha: bool = False  # whether some of it may be transparent
    is_fitted: bool = False  # whether pictures differ in size, so that each is fitted into `size`
    colour: Colour = Colour()
    is_interlaced: bool = False  # whether a frame may consist of two pictures, line by line

    @property
    def num_channels(self) -> int:
        """Of what ffmpeg delivers."""
        return 4 if self.has_alpha else 3

    def filters(self, select: str) -> str:
        """Returns ffmpeg's filters to this form.

        Args:
          select: Expression that is true for the frames that are wanted; "" for all of them.
        """
        height, width = self.size
        filters = [DEINTERLACE] if self.is_interlaced else []
        if select:
            filters.append(f"select='{select}'")
        filters.append(SHOW)
        if self.is_fitted:
            # `dar` is the aspect of the picture as it is to be shown.
            wide, high = f"min({width},{height}*dar)", f"min({height},{width}/dar)"
            filters.append(
                f"scale=w='max(1,round({wide}))':h='max(1,round({high}))':flags={_SCALER}"
            )
        else:
            filters.append(f"scale={width}:{height}:flags={_SCALER}")
        filters += self.colour.filters()
        # Reading the planes of RGB first is no other conversion, and three times as fast.
        filters.append("format=rgba" if self.has_alpha else "format=gbrp,format=rgb24")
        if self.is_fitted:
            filters.append(f"pad={width}:{height}:(ow-iw)/2:(oh-ih)/2:0x7F7F7F")
        return ",".join(filters)

    def finish(self, pixels: np.ndarray) -> np.ndarray:
        """Returns a picture as a viewer sees it: uint8 [H, W, 3] RGB of what ffmpeg delivered.

        Players put their own background where it is transparent; here it is grey.
        """
        if not self.has_alpha:
            return pixels
        alpha = pixels[..., 3:].astype(np.uint16)
        shown = pixels[..., :3] * alpha + _GREY * (255 - alpha)
        return ((shown + 127) // 255).astype(np.uint8)
