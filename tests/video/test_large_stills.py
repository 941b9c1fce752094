"""Pictures of today's cameras are read, at a cost that does not grow with their pixels."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfjax.errors import VideoLimitError
from dfjax.video.limits import VideoLimits
from dfjax.video.reading import frame_size, probe, read_frames

_COLOURS = np.array([[[200, 40, 40], [40, 200, 40]], [[40, 40, 200], [200, 200, 40]]], np.uint8)
_ORIENTATION = 0x0112


def _claiming(path: Path, width: int, height: int, *, progressive: bool = False) -> Path:
    """Writes a small JPEG whose header claims another size."""
    file = io.BytesIO()
    Image.fromarray(_COLOURS).save(file, "JPEG", progressive=progressive)
    content = bytearray(file.getvalue())
    frame = content.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    struct.pack_into(">HH", content, frame + 5, height, width)
    path.write_bytes(content)
    return path


def _blank(path: Path, width: int, height: int) -> Path:
    Image.new("L", (width, height)).save(path, compress_level=1)
    return path


@pytest.mark.parametrize(
    "width, height", [(8064, 6048), (8688, 5792), (9504, 6336), (12000, 9000), (16320, 12240)]
)
def test_a_jpeg_of_any_camera_is_let_in(tmp_path, width, height):
    info = probe(_claiming(tmp_path / "camera.jpg", width, height))
    assert (info.width, info.height) == (width, height)


def test_other_large_pictures_are_let_in_up_to_a_limit(tmp_path):
    info = probe(_blank(tmp_path / "camera.png", 9248, 6936))
    assert (info.width, info.height) == (9248, 6936)


@pytest.mark.parametrize(
    "write, width, height, limit",
    [
        (_claiming, 16400, 13000, "210,000,000"),
        (lambda *given: _claiming(*given, progressive=True), 12000, 9000, "67,108,864"),
        (_blank, 8200, 8200, "67,108,864"),
    ],
)
def test_a_picture_beyond_its_limit_is_refused_in_words(tmp_path, write, width, height, limit):
    suffix = "png" if write is _blank else "jpg"
    with pytest.raises(VideoLimitError, match=f"more pixels than the limit of {limit} ") as caught:
        probe(write(tmp_path / f"large.{suffix}", width, height))
    assert f"large.{suffix}" in str(caught.value)


@pytest.mark.parametrize("field", ["max_still_pixels", "max_jpeg_pixels"])
def test_the_caller_may_set_both_limits(tmp_path, field):
    path = tmp_path / ("small.jpg" if "jpeg" in field else "small.png")
    Image.fromarray(_COLOURS).resize((64, 48)).save(path)
    assert probe(path, VideoLimits(**{field: 64 * 48})).is_still
    with pytest.raises(VideoLimitError, match="limit of 3,071"):
        probe(path, VideoLimits(**{field: 64 * 48 - 1}))


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_is_shrunk_as_it_is_decoded_and_shows_the_same(
    tmp_path, monkeypatch, orientation
):
    path, exif = tmp_path / "camera.jpg", Image.Exif()
    exif[_ORIENTATION] = orientation  # 6: a quarter turn to the right makes it upright
    Image.fromarray(_COLOURS).resize((7200, 5000), Image.Resampling.NEAREST).save(path, exif=exif)
    info = probe(path)
    expected = _COLOURS if orientation == 1 else np.rot90(_COLOURS, -1)
    wide = (7200, 5000) if orientation == 1 else (5000, 7200)
    assert (info.width, info.height) == wide
    decoded, resize = [], Image.Image.resize

    def noted(picture, *given, **named):
        decoded.append(picture.size)
        return resize(picture, *given, **named)

    monkeypatch.setattr(Image.Image, "resize", noted)
    ((_, frame),) = read_frames(path, info=info)
    height, width = frame.shape[:2]
    assert (height, width) == frame_size(info)
    ((across, down),) = decoded
    assert width <= across < 2 * width and height <= down < 2 * height
    corners = frame[height // 4 :: height // 2, width // 4 :: width // 2]
    np.testing.assert_allclose(corners.astype(int), expected, atol=6)
