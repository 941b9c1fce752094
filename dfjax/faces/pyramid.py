"""The image pyramid that P-Net searches, laid out as one picture per frame.

A network with a fixed input shape compiles only once. So every frame is scaled to fit a canvas,
which has one of a few shapes, and all the pyramid levels of that canvas are packed side by side on
one sheet. P-Net only sees 12-pixel windows, so a window inside one level is scored exactly as if
that level had been given alone; windows across a seam are ignored.
"""

import dataclasses
import functools
import math

import numpy as np
from PIL import Image

from dfjax.config import FaceConfig

WINDOW = 12
"""Side of the square of pixels that one output of P-Net sees."""

STRIDE = 2
"""Pixels between neighbouring windows of P-Net."""

_SMOOTH = Image.Resampling.BILINEAR
"""Pillow widens this filter when shrinking, so that it averages areas. Measured on real clips:
when the frame is shifted, boxes and landmarks move a fifth less than with Pillow's BOX."""

_ASPECT_RATIOS = (0.575, 0.75, 1.0)
"""Shorter over longer side of the canvases: 16:9 with a little to spare, 4:3 and square."""


@dataclasses.dataclass(frozen=True)
class Level:
    """One level of the pyramid: its rectangle on the sheet, pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclasses.dataclass(frozen=True)
class Canvas:
    """A fixed picture shape, and where the levels of its pyramid are on the sheet."""

    width: int
    height: int
    levels: tuple[Level, ...]

    @property
    def sheet_size(self) -> tuple[int, int]:
        """Width and height of the sheet, even numbers of pixels."""
        width = max(level.left + level.width for level in self.levels)
        height = max(level.top + level.height for level in self.levels)
        return width + width % 2, height + height % 2

    @functools.cached_property
    def windows(self) -> tuple[np.ndarray, np.ndarray]:
        """What each window of the sheet shows.

        Returns:
          int64 [h,w], the window's level, or -1 if it is inside none; and float32 [h,w,4], its box
          in pixels of the canvas.
        """
        width, height = self.sheet_size
        rows, columns = height // STRIDE - 5, width // STRIDE - 5
        numbers = np.full((rows, columns), -1)
        boxes = np.zeros((rows, columns, 4), np.float32)
        for number, level in enumerate(self.levels):
            top, left = level.top // STRIDE, level.left // STRIDE
            num_rows = (level.height - WINDOW) // STRIDE + 1
            num_columns = (level.width - WINDOW) // STRIDE + 1
            place = np.s_[top : top + num_rows, left : left + num_columns]
            numbers[place] = number
            y, x = np.mgrid[:num_rows, :num_columns] * STRIDE
            boxes[place] = np.stack([x, y, x + WINDOW, y + WINDOW], axis=-1)
            boxes[place] *= np.tile([self.width / level.width, self.height / level.height], 2)
        return numbers, boxes

    def fit(self, frame: np.ndarray) -> Image.Image:
        """Returns a frame [H,W,3] scaled to this canvas, without the padding."""
        picture = Image.fromarray(frame)
        size = scaled_size(frame, max(self.width, self.height))
        return picture.resize(size, _SMOOTH, reducing_gap=1.0)

    def sheet(self, picture: Image.Image) -> np.ndarray:
        """Returns the levels of a picture from `fit`: uint8 [sheet height, sheet width, 3]."""
        padded = Image.new("RGB", (self.width, self.height))
        padded.paste(picture)
        sheet = Image.new("RGB", self.sheet_size)
        done = [padded]
        for level in self.levels:
            size = level.width, level.height
            # Shrink the smallest picture that is at least twice as large: cheap, and smooth enough.
            source = next(p for p in reversed(done) if p is padded or p.width >= 2 * level.width)
            done.append(source.resize(size, _SMOOTH))
            sheet.paste(done[-1], (level.left, level.top))
        return np.asarray(sheet)


def scaled_size(frame: np.ndarray, longer_side: int) -> tuple[int, int]:
    """Returns width and height of a frame [H,W,3] whose longer side is scaled to `longer_side`."""
    height, width = frame.shape[:2]
    scale = longer_side / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def crop_square(
    frame: np.ndarray, picture: Image.Image, square: np.ndarray, size: int
) -> Image.Image:
    """Cuts out a square and scales it; anything outside the picture is black.

    Args:
      frame: uint8 [H,W,3].
      picture: The frame as returned by `fit`. A small square is cut from the frame itself if that
        is larger, to keep its detail.
      square: [4], left, top, right, bottom in pixels of `picture`.
      size: Side of the result, pixels.
    """
    left, top, right, bottom = map(float, square)
    height, width = frame.shape[:2]
    if right - left < 2 * size and width > picture.width:
        across, down = width / picture.width, height / picture.height
        left, top, right, bottom = left * across, top * down, right * across, bottom * down
        # Only the part that is needed becomes a Pillow image, since that makes a copy.
        x, y = max(0, math.floor(left)), max(0, math.floor(top))
        picture = Image.fromarray(frame[y : math.ceil(bottom), x : math.ceil(right)])
        left, top, right, bottom = left - x, top - y, right - x, bottom - y
    if left < 0 or top < 0 or right > picture.width or bottom > picture.height:
        x, y = math.floor(left), math.floor(top)
        picture = picture.crop((x, y, math.ceil(right), math.ceil(bottom)))
        left, top, right, bottom = left - x, top - y, right - x, bottom - y
    return picture.resize((size, size), _SMOOTH, box=(left, top, right, bottom))


@functools.cache
def make_canvases(config: FaceConfig) -> tuple[Canvas, ...]:
    """Returns the canvases, smaller ones first; the last, a square, fits every frame."""
    canvases = []
    for ratio in _ASPECT_RATIOS:
        longer = config.image_size
        shorter = min(longer, max(WINDOW, math.ceil(longer * ratio / 2) * 2))
        for width, height in dict.fromkeys([(longer, shorter), (shorter, longer)]):
            canvases.append(Canvas(width, height, _pack(_level_sizes(width, height, config))))
    return tuple(canvases)


def choose_canvas(frame: np.ndarray, config: FaceConfig) -> Canvas:
    """Returns the smallest canvas into which a frame [H,W,3] fits."""
    width, height = scaled_size(frame, config.image_size)
    return next(c for c in make_canvases(config) if width <= c.width and height <= c.height)


def _level_sizes(width: int, height: int, config: FaceConfig) -> list[tuple[int, int]]:
    """Returns the levels' widths and heights: faces of 12 pixels first, then larger ones."""
    sizes = []
    scale = WINDOW / config.min_face_size
    while min(round(width * scale), round(height * scale)) >= WINDOW or not sizes:
        sizes.append((max(WINDOW, round(width * scale)), max(WINDOW, round(height * scale))))
        scale *= config.pyramid_factor
    return sizes


def _pack(sizes: list[tuple[int, int]]) -> tuple[Level, ...]:
    """Places each level in the first column that has room at the bottom, else in a new one."""
    sheet_height = sizes[0][1]
    levels, columns = [], []  # a column: [left, width, height used]
    for width, height in sizes:
        for column in columns:
            if width <= column[1] and column[2] + height <= sheet_height:
                break
        else:
            left = columns[-1][0] + columns[-1][1] if columns else 0
            column = [left, width + width % 2, 0]
            columns.append(column)
        levels.append(Level(column[0], column[2], width, height))
        # Even offsets, so that P-Net pools the same pixels together as in the level alone.
        column[2] += height + height % 2
    return tuple(levels)
