"""The boxes that MP4 and MOV files consist of, as they stand at the top of a file."""

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from dfjax.video.formats import ISO_BOXES

_KINDS = ISO_BOXES | {b"uuid", b"meta", b"udta", b"emsg", b"prft", b"mfra", b"pdin", b"ssix"}
"""What else may stand at the top of an MP4, behind its first box: a manifest, for example."""

_MOST = 100_000  # that are looked at


class Box(NamedTuple):
    """A part of a file."""

    kind: bytes  # four of them
    start: int  # place of its first byte in the file
    end: int  # place behind its last byte by its own account, which may lie beyond the file


def top_boxes(file: BinaryIO) -> Iterator[Box]:
    """Yields the boxes at the top of an MP4 or MOV file, as far as they are known ones.

    Args:
      file: Is sought.

    Raises:
      OSError: It cannot be read.
    """
    num_bytes = os.fstat(file.fileno()).st_size
    start = 0
    for _ in range(_MOST):
        file.seek(start)
        head = file.read(16)
        if len(head) < 8:
            return
        size, kind = struct.unpack_from(">I4s", head)
        if kind not in _KINDS:  # something that another program has appended
            return
        if size == 1:  # it follows, unless the file ends before that
            (size,) = struct.unpack_from(">Q", head, 8) if len(head) == 16 else (16,)
        if size == 0:
            size = num_bytes - start
        if size < 8:
            return
        yield Box(kind, start, start + size)
        start += size
        if start >= num_bytes:
            return
