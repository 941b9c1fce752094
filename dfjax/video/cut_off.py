"""Tells from a file's own structure whether its end is missing."""

import os
import struct
from pathlib import Path
from typing import BinaryIO

from dfjax.video.formats import HEAD_BYTES, reading, ts_packets
from dfjax.video.iso_boxes import top_boxes

_UNKNOWN_SIZES = (0, 0xFFFFFFFF)  # what programs write that did not know it, or were stopped
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_SEGMENT = b"\x18\x53\x80\x67"
_MOST_PARTS = 100_000  # of a file, that are counted before it is taken to be whole


def is_cut_off(path: Path, container: str) -> bool:
    """Returns whether a file is shorter than it says.

    A recording that says nothing about its length, as MPEG-TS from the air, is taken to be whole.

    Args:
      path: The file.
      container: What `identify` returned for it.

    Raises:
      VideoError: As for `reading`.
    """
    kinds = {
        "mov": _iso,
        "matroska": _matroska,
        "avi": _riff,
        "webp_anim": _riff,
        "apng": _png,
        "gif": _gif,
        "asf": _asf,
        "flv": _flv,
        "mpegts": _mpegts,
    }
    if container not in kinds:
        return False
    with reading(path) as file:
        num_bytes = os.fstat(file.fileno()).st_size
        try:
            return kinds[container](file, num_bytes)
        except struct.error:  # it ends within one of the numbers looked for
            return True


def _unpack(file: BinaryIO, layout: str, at: int) -> tuple:
    file.seek(at)
    return struct.unpack(layout, file.read(struct.calcsize(layout)))


def _iso(file: BinaryIO, num_bytes: int) -> bool:
    return any(box.end > num_bytes for box in top_boxes(file))


def _matroska(file: BinaryIO, num_bytes: int) -> bool:
    file.seek(0)
    head = file.read(4096)
    at = head.find(_SEGMENT)
    if at < 0 or at + 5 > len(head) or head[at + 4] == 0:
        return False
    length = 9 - head[at + 4].bit_length()  # bytes of the size, by the first bit that is set
    size = head[at + 4 : at + 4 + length]
    number = int.from_bytes(size, "big") & ((1 << 7 * length) - 1)
    is_known = number != (1 << 7 * length) - 1
    return is_known and at + 4 + length + number > num_bytes


def _riff(file: BinaryIO, num_bytes: int) -> bool:
    (size,) = _unpack(file, "<I", 4)
    return size not in _UNKNOWN_SIZES and size + 8 > num_bytes


def _png(file: BinaryIO, num_bytes: int) -> bool:
    at = 8
    for _ in range(_MOST_PARTS):
        if at + 12 > num_bytes:
            return True
        size, kind = _unpack(file, ">I4s", at)
        at += 12 + size
        if kind == b"IEND":
            return at > num_bytes
    return False


def _gif(file: BinaryIO, num_bytes: int) -> bool:
    file.seek(max(0, num_bytes - 512))
    return not file.read().rstrip(b"\0\r\n ").endswith(b";")


def _asf(file: BinaryIO, num_bytes: int) -> bool:
    file.seek(0)
    head = file.read(1 << 16)
    at = head.find(_ASF_PROPERTIES)
    if at < 0:
        return False
    (size,) = struct.unpack_from("<Q", head, at + 40)
    (flags,) = struct.unpack_from("<I", head, at + 88)
    is_broadcast = flags & 1
    return not is_broadcast and size > num_bytes


def _flv(file: BinaryIO, num_bytes: int) -> bool:
    # Behind each tag its size is written again.
    (size,) = _unpack(file, ">I", num_bytes - 4)
    if not 11 <= size <= num_bytes - 4:
        return True
    (kind_and_size,) = _unpack(file, ">I", num_bytes - 4 - size)
    return kind_and_size & 0xFFFFFF != size - 11


def _mpegts(file: BinaryIO, num_bytes: int) -> bool:
    file.seek(0)
    packets = ts_packets(file.read(HEAD_BYTES))
    if packets is None:  # it was cut off since it was identified, which takes two packets
        return True
    begin, length = packets
    return (num_bytes - begin) % length != 0
