"""What a file is as a file: its size and its digest, which say exactly which file was judged."""

import bisect
import hashlib
import os
from pathlib import Path
from typing import BinaryIO, NamedTuple

from dfjax.video.formats import reading
from dfjax.video.iso_boxes import Box, top_boxes

_CHUNK_BYTES = 1 << 20

_CREDENTIAL_MARKS = (
    bytes.fromhex("63327061 0011 0010 8000 00aa00389b71"),  # the type of a C2PA manifest store
    b"dcterms:provenance",
)
"""One of them is in every file that has Content Credentials, or says where they are. In a video of
boxes, they are in boxes of their own beside the one with the pictures and the sound, `mdat`.

Source: the C2PA technical specification, "C2PA box details", "Embedding manifests into BMFF-based
assets" and "Embedding by reference".
"""


class FileFacts(NamedTuple):
    """A file as a row of bytes."""

    sha256: str  # of its bytes, 64 hex digits
    size_bytes: int
    may_have_credentials: bool  # whether its Content Credentials (C2PA) are worth looking for


def read_file_facts(path: Path, container: str | None = None) -> FileFacts:
    """Returns the facts about a file, read once from its beginning to its end, piece by piece.

    Args:
      path: The file.
      container: What `identify` returned for it, if that is known. Then credentials are looked for
        only where they can be, which takes a third less time.

    Raises:
      VideoError: It is missing, a folder, not a plain file, or cannot be read.
    """
    digest, size_bytes, is_marked, before = hashlib.sha256(), 0, False, b""
    overlap = max(map(len, _CREDENTIAL_MARKS)) - 1
    with reading(path) as file:
        media = _media(file) if container == "mov" else []
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            is_media = _is_within(media, size_bytes, size_bytes + len(chunk))
            size_bytes += len(chunk)
            if not is_marked:
                # A mark may lie across the border of two pieces.
                border = before + chunk[:overlap]
                searched = (border,) if is_media else (border, chunk)
                is_marked = any(mark in part for mark in _CREDENTIAL_MARKS for part in searched)
                before = (before + chunk[-overlap:])[-overlap:]
    return FileFacts(digest.hexdigest(), size_bytes, is_marked)


def last_change(path: Path) -> tuple[int, int] | None:
    """Returns what tells, without reading a file, that it was changed: its size and its time.

    Args:
      path: The file; None is returned of one that is not there.
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # reading it says why
        return None
    return found.st_size, found.st_mtime_ns


def _media(file: BinaryIO) -> list[Box]:
    """Returns the boxes with the pictures and the sound of an MP4 or MOV file, in their order."""
    media = [box for box in top_boxes(file) if box.kind == b"mdat"]
    file.seek(0)
    return media


def _is_within(boxes: list[Box], start: int, end: int) -> bool:
    """Returns whether a part of a file lies in one of some boxes, which are in order."""
    place = bisect.bisect_right(boxes, start, key=lambda box: box.start) - 1
    return place >= 0 and end <= boxes[place].end
