"""Distortions that videos go through before they reach a detector, as ffmpeg filters.

Distortions come in five severities. Their sizes are fractions of the picture's height, so that a
severity means the same at every resolution. All but compression are encoded losslessly, so that
only the filter changes the picture. Everyday treatments have one setting each, as in an app or a
phone.

Source: the kinds are those of Jiang et al., DeeperForensics-1.0, CVPR 2020, with resizing and
pixelation added.
"""

import dataclasses
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dfjax.errors import VideoError
from dfjax.video.executable import ffmpeg_executable
from dfjax.video.reading import probe
from dfjax.video.transcode import limit_size, transcode

Filters = Callable[[int, int], Sequence[str]]
"""Takes width and height in pixels, and returns ffmpeg filters."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Distortion:
    """One way of changing a video."""

    kind: str
    severity: int  # 1 to 5; 0: an everyday treatment, or none
    setting: str  # in words
    filters: Filters = lambda width, height: ()
    crf: int | None = None  # of H.264; None: lossless
    turned: bool = False  # stored on its side, with metadata that makes players rotate it back

    @property
    def name(self) -> str:
        """A unique name that is usable as a file name."""
        return f"{self.kind}-{self.severity}"

    def apply(self, path: Path, folder: Path) -> Path:
        """Returns the path of the distorted video in `folder`, or `path` if nothing changes.

        Raises:
          VideoError: The video cannot be decoded or encoded; a still has no codec to go through.
        """
        if self is UNCHANGED:
            return path
        info = probe(path)
        out = folder / ("changed.mkv" if self.crf is None else "changed.mp4")
        filters = self.filters(info.width, info.height)
        transcode(path, out, crf=self.crf, filters=filters)
        return _tell_rotation(out, folder / "turned.mp4") if self.turned else out


UNCHANGED = Distortion(kind="none", severity=0, setting="the file as it is")
"""The baseline that distorted videos are compared with."""


_EXACT = "+accurate_rnd+bitexact"
"""Without these, ffmpeg's scaler rounds by the instruction set of the processor."""


def _scaled(share: float) -> Filters:
    """Returns a change of resolution; sides stay even, as codecs want them."""
    return lambda width, height: [
        f"scale={_even(width * share)}:{_even(height * share)}:flags=bicubic{_EXACT}"
    ]


def _blurred(share: float) -> Filters:
    """Returns a Gaussian blur; its standard deviation is a share of the height."""
    return lambda width, height: [f"gblur=sigma={share * height:.3f}:steps=3"]


def _pixelated(blocks: int) -> Filters:
    """Returns pixelation with this number of blocks from top to bottom."""
    return lambda width, height: [
        f"scale={max(1, round(blocks * width / height))}:{blocks}:flags=area{_EXACT}",
        f"scale={width}:{height}:flags=neighbor{_EXACT}",
    ]


def _occluded(count: int) -> Filters:
    """Returns grey squares over the picture, in the same places in all frames and videos."""
    places = np.random.default_rng(0).random((count, 2)).round(3).tolist()

    def filters(width: int, height: int) -> list[str]:
        side = max(2, height // 24)
        return [
            f"drawbox=x={round(x * (width - side))}:y={round(y * (height - side))}"
            f":w={side}:h={side}:color=gray:t=fill"
            for x, y in places
        ]

    return filters


def _limited_to(shorter_side: int) -> Filters:
    """Returns downscaling as done by messengers; a small video keeps its size."""
    return lambda width, height: limit_size(width, height, shorter_side)


def _fixed(*filters: str) -> Filters:
    return lambda width, height: filters


def _even(number: float) -> int:
    return max(2, 2 * round(number / 2))


def _levels(
    kind: str, settings: Sequence[float], words: str, filters: Callable[[float], Filters]
) -> tuple[Distortion, ...]:
    """Returns a distortion per setting, mildest first; `words` is a format for the setting."""
    return tuple(
        Distortion(
            kind=kind, severity=number, setting=words.format(setting), filters=filters(setting)
        )
        for number, setting in enumerate(settings, start=1)
    )


DISTORTIONS: dict[str, tuple[Distortion, ...]] = {
    "compression": tuple(
        Distortion(kind="compression", severity=number, setting=f"H.264, CRF {crf}", crf=crf)
        for number, crf in enumerate((23, 28, 33, 40, 46), start=1)
    ),
    "resize": _levels("resize", (0.75, 0.5, 0.4, 0.3, 0.2), "{:.0%} of each side", _scaled),
    "blur": _levels(
        "blur",
        (0.001, 0.002, 0.004, 0.007, 0.012),
        "Gaussian, deviation {:.1%} of the height",
        _blurred,
    ),
    "noise": _levels(
        "noise",
        (5, 10, 20, 35, 55),
        "strength {:.0f}, new in every frame",
        lambda strength: _fixed(f"noise=alls={strength}:allf=t:all_seed=1"),
    ),
    "contrast": _levels(
        "contrast",
        (0.85, 0.7, 0.55, 0.4, 0.25),
        "times {:.2f}",
        lambda contrast: _fixed(f"eq=contrast={contrast}"),
    ),
    "saturation": _levels(
        "saturation",
        (0.75, 0.5, 0.25, 0.1, 0.0),
        "times {:.2f}",
        lambda saturation: _fixed(f"eq=saturation={saturation}"),
    ),
    "occlusion": _levels(
        "occlusion",
        (8, 16, 32, 48, 64),
        "{:.0f} grey squares, each 1/24 of the height",
        lambda count: _occluded(int(count)),
    ),
    "pixelation": _levels(
        "pixelation",
        (180, 120, 90, 60, 45),
        "{:.0f} blocks from top to bottom",
        lambda blocks: _pixelated(int(blocks)),
    ),
}
"""By kind, from the mildest severity to the strongest."""

EVERYDAY = (
    Distortion(
        kind="messenger",
        severity=0,
        setting="shorter side at most 480 pixels, H.264 at CRF 30",
        filters=_limited_to(480),
        crf=30,
    ),
    Distortion(
        kind="rotation",
        severity=0,
        setting="stored on its side with rotation metadata, H.264 at CRF 18",
        filters=_fixed("transpose=clock"),
        crf=18,
        turned=True,
    ),
    Distortion(
        kind="low light",
        severity=0,
        setting="gamma 0.5, sensor noise of strength 8",
        filters=_fixed("eq=gamma=0.5", "noise=alls=8:allf=t:all_seed=1"),
    ),
    Distortion(
        kind="smoothing",
        severity=0,
        setting="bilateral filter, as a beauty mode",
        filters=lambda width, height: [f"bilateral=sigmaS={height / 120:.2f}:sigmaR=0.1"],
    ),
    Distortion(
        kind="out of focus",
        severity=0,
        setting="Gaussian, deviation 0.4% of the height",
        filters=_blurred(0.004),
    ),
    Distortion(
        kind="small",
        severity=0,
        setting="shorter side at most 240 pixels, H.264 at CRF 28",
        filters=_limited_to(240),
        crf=28,
    ),
)
"""Treatments that ordinary real videos go through, and that must not make them look fake."""

EVERYDAY_KIND = "everyday"
"""The kind that selects all of `EVERYDAY`."""

KINDS = (*DISTORTIONS, EVERYDAY_KIND)
"""Kinds of distortion that can be selected."""


def _tell_rotation(path: Path, out: Path) -> Path:
    """Adds metadata that makes players rotate a video back that was turned clockwise."""
    command = [ffmpeg_executable(), "-loglevel", "error", "-nostdin", "-y"]
    command += ["-display_rotation", "90", "-i", str(path), "-c", "copy", str(out)]
    # The input is a file we wrote, not an untrusted one.
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise VideoError(f"{path.name!r} could not be tagged as rotated: {done.stderr.strip()}")
    return out
