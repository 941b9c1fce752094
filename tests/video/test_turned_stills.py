"""Pictures are turned as their EXIF says, and read whole where it says nothing that can be read."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from dfjax.errors import DamagedVideoError
from dfjax.video.reading import probe, read_frames
from tests.videos import frame_number, moving_pattern

_ORIENTATION, _X_RESOLUTION = 0x0112, 0x011A
_SHORT, _TEXT = 3, 2
_FORMATS = ("JPEG", "PNG", "WEBP")


def _still(path: Path, picture_format: str, exif: bytes | Image.Exif) -> Path:
    Image.fromarray(moving_pattern(4, 48, 64)[3]).save(path, picture_format, exif=exif)
    return path


def _exif(*entries: tuple[int, int, bytes]) -> bytes:
    """Returns EXIF with tags, each with its type and its bytes, as a program may write them."""
    table, values = struct.pack(">H", len(entries)), b""
    behind = 8 + 2 + 12 * len(entries) + 4
    for tag, kind, value in entries:
        count = len(value) // {_SHORT: 2, _TEXT: 1}[kind]
        place = value.ljust(4, b"\0")
        if len(value) > 4:
            place, values = struct.pack(">I", behind + len(values)), values + value
        table += struct.pack(">HHI", tag, kind, count) + place
    return b"Exif\0\0MM\0*\0\0\0\x08" + table + bytes(4) + values


def _size_and_frame(path: Path) -> tuple[tuple[int, int], np.ndarray]:
    info = probe(path)
    ((_, frame),) = read_frames(path, info=info)
    return (info.height, info.width), frame


@pytest.mark.parametrize("orientation", range(10))
def test_a_still_is_shown_as_its_orientation_says(tmp_path, orientation):
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    path = _still(tmp_path / "still.png", "PNG", exif)
    size, frame = _size_and_frame(path)
    with Image.open(path) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture))
    np.testing.assert_array_equal(frame, expected)
    assert frame.shape == (*size, 3)


@pytest.mark.parametrize("picture_format", _FORMATS)
def test_a_tag_of_another_kind_than_it_should_be_is_passed_over(tmp_path, picture_format):
    exif = _exif((_ORIENTATION, _SHORT, b"\0\x06"), (_X_RESOLUTION, _TEXT, b"72dpi\0"))
    size, frame = _size_and_frame(_still(tmp_path / "still", picture_format, exif))
    assert frame.shape == (*size, 3) == (64, 48, 3)
    assert frame_number(np.rot90(frame)) == 3


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0garbage!!", b"Exif\0\0MM", b"Exif\0\0II\x2b\0" + b"\xff" * 12]
)
@pytest.mark.parametrize("picture_format", _FORMATS)
def test_a_whole_picture_with_exif_that_is_none_is_read(tmp_path, picture_format, exif):
    size, frame = _size_and_frame(_still(tmp_path / "still", picture_format, exif))
    assert frame.shape == (*size, 3) == (48, 64, 3)
    assert frame_number(frame) == 3


def test_a_grey_picture_of_16_bits_is_turned_as_one_of_8(tmp_path):
    grey = moving_pattern(4, 48, 64)[3, ..., 1]
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    shown = []
    for name, pixels in (("8.png", grey), ("16.png", grey.astype(np.uint16) * 257)):
        Image.fromarray(pixels).save(tmp_path / name, exif=exif)
        size, frame = _size_and_frame(tmp_path / name)
        assert frame.shape == (*size, 3) == (64, 48, 3)
        shown.append(frame)
    np.testing.assert_array_equal(shown[0], shown[1])


def test_a_png_may_tell_its_orientation_behind_its_pixels(tmp_path):
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    content = _still(tmp_path / "still.png", "PNG", exif).read_bytes()
    start = content.index(b"eXIf") - 4
    end = start + 12 + struct.unpack_from(">I", content, start)[0]
    last = content.index(b"IEND") - 4
    moved = content[:start] + content[end:last] + content[start:end] + content[last:]
    (tmp_path / "still.png").write_bytes(moved)
    size, frame = _size_and_frame(tmp_path / "still.png")
    assert frame.shape == (*size, 3) == (64, 48, 3)
    assert frame_number(np.rot90(frame)) == 3


def test_a_png_without_its_end_is_damaged_not_merely_unturned(tmp_path):
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    Image.fromarray(noise).save(file, "PNG")
    path = tmp_path / "cut.png"
    path.write_bytes(file.getvalue()[:2000])
    with pytest.raises(DamagedVideoError, match="cannot be read to the end"):
        probe(path)
