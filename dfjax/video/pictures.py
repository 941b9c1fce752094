"""Brings the pictures of one video to one form, with ffmpeg's filters and what follows them."""

import dataclasses

import numpy as np

from dfjax.video.ffmpeg import SHOW

# Bit-exact, so that a file gives the same crops on every machine.
_SCALER = "bicubic+accurate_rnd+full_chroma_int+bitexact"

_GREY = 127  # what is shown where a picture is transparent, or does not fill the frame


@dataclasses.dataclass(frozen=True, kw_only=True)
class PictureForm:
    """What the frames of a video are made to be."""

    size: tuple[int, int]  # height and width, pixels
    has_alpha: bool = False  # whether some of it may be transparent
    is_fitted: bool = False  # whether pictures differ in size, so that each is fitted into `size`
    transfer: str = "unknown"  # how light is coded, as ffmpeg calls it

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
        filters = [f"select='{select}'"] if select else []
        filters += [SHOW, *hdr_filters(self.transfer)]
        if self.is_fitted:
            # `dar` is the aspect of the picture as it is to be shown.
            wide, high = f"min({width},{height}*dar)", f"min({height},{width}/dar)"
            filters.append(
                f"scale=w='max(1,round({wide}))':h='max(1,round({high}))':flags={_SCALER}"
            )
        else:
            filters.append(f"scale={width}:{height}:flags={_SCALER}")
        filters.append("format=rgba" if self.has_alpha else "format=rgb24")
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


def hdr_filters(transfer: str) -> list[str]:
    """Returns ffmpeg's filters from HDR to what an ordinary screen shows; none for other videos."""
    return []
