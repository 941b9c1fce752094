"""What a file is as a file: its size and its digest, which say exactly which file was judged."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from dfjax.video.formats import reading

_CHUNK_BYTES = 1 << 20

_CREDENTIAL_MARKS = (
    bytes.fromhex("63327061 0011 0010 8000 00aa00389b71"),  # the type of a C2PA manifest store
    b"dcterms:provenance",
)
"""One of them is in every file that has Content Credentials, or says where they are.

Source: the C2PA technical specification, "C2PA box details" and "Embedding by reference".
"""


class FileFacts(NamedTuple):
    """A file as a row of bytes."""

    sha256: str  # of its bytes, 64 hex digits
    size_bytes: int
    may_have_credentials: bool  # whether its Content Credentials (C2PA) are worth looking for


def read_file_facts(path: Path) -> FileFacts:
    """Returns the facts about a file, read once from its beginning to its end, piece by piece.

    Args:
      path: The file.

    Raises:
      VideoError: It is missing, a folder, not a plain file, or cannot be read.
    """
    digest, size_bytes, is_marked, before = hashlib.sha256(), 0, False, b""
    overlap = max(map(len, _CREDENTIAL_MARKS)) - 1
    with reading(path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
            if not is_marked:
                # A mark may lie across the border of two pieces.
                border = before + chunk[:overlap]
                is_marked = any(mark in chunk or mark in border for mark in _CREDENTIAL_MARKS)
                before = (before + chunk[-overlap:])[-overlap:]
    return FileFacts(digest.hexdigest(), size_bytes, is_marked)
