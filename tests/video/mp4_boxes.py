"""Finds the boxes of an MP4, to change what it says."""

import struct


def boxes(
    content: bytes | bytearray, path: list[bytes], start: int = 0, end: int | None = None
) -> list[int]:
    """Returns where the boxes at `path` begin in an MP4."""
    end, found = len(content) if end is None else end, []
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", content, start)
        if kind == path[0] and len(path) == 1:
            found.append(start)
        elif kind == path[0]:
            found += boxes(content, path[1:], start + 8, start + size)
        start += size
    return found
