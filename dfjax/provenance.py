"""What a file says of its own origin: its Content Credentials (C2PA), if it has any.

They are read in a process of its own, with limits, and without the network: credentials that lie
elsewhere are not fetched, and there is no list of signers to be trusted. "Valid" therefore means
that the file has not been changed since it was signed, not that the signer is who they say.
"""

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from dfjax.errors import VideoError
from dfjax.video.confinement import confine
from dfjax.video.file_facts import FileFacts, read_file_facts
from dfjax.video.formats import open_plain

Status = Literal["absent", "valid", "broken", "remote", "unreadable", "not_read"]
"""What became of a file's credentials:

- absent: it has none, as most files;
- valid: they are signed, and neither they nor the file was changed since;
- broken: the file or its credentials were changed after they were signed, or the signature is none;
- remote: the file names an address for them, which is not asked;
- unreadable: there seem to be some, but they cannot be read within the limits;
- not_read: the package that reads them is not installed (the extra `provenance`).
"""

AI_SOURCE_TYPES = frozenset(
    ("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "trainedAlgorithmicData")
)
"""Digital source types (IPTC, C2PA) of what generative AI made, all of it or a part."""

_SECONDS = 30.0  # for one file
_CPU_SECONDS = 60.0
_MAX_ANSWER_BYTES = 1 << 16
_MAX_LETTERS, _MAX_ITEMS = 200, 20  # of what a file says, and how many of a kind


@dataclasses.dataclass(frozen=True, kw_only=True)
class Provenance:
    """What a file's Content Credentials (C2PA) say. It has no part in the verdict."""

    status: Status
    signer: str | None = None  # as the signing certificate names it; nobody has checked the name
    signed_at: str | None = None  # ISO 8601, by a time-stamping authority; None: not stated
    tool: str | None = None  # the program or camera that wrote them
    made_with_ai: bool | None = None  # whether they say so of any part; None: nothing was read
    source_types: tuple[str, ...] = ()  # IPTC digital source types, such as "digitalCapture"
    problems: tuple[
        str, ...
    ] = ()  # C2PA codes of what failed, such as "assertion.dataHash.mismatch"


class Origin(NamedTuple):
    """Which file was read, and what it says of where it is from."""

    file: FileFacts
    provenance: Provenance


def read_origin(path: Path, container: str | None = None) -> Origin:
    """Returns the facts about a file, and what its Content Credentials say.

    Args:
      path: The file.
      container: As for `read_file_facts`.

    Raises:
      VideoError: The file is missing or cannot be read.
    """
    facts = read_file_facts(path, container)
    return Origin(facts, read_provenance(path, facts))


def read_provenance(path: Path, facts: FileFacts) -> Provenance:
    """Returns what the Content Credentials of a file say.

    Args:
      path: The file.
      facts: What `read_file_facts` returned for it: most files have nothing to be read.
    """
    if not facts.may_have_credentials:
        return Provenance(status="absent")
    home = importlib.util.find_spec("c2pa")
    if home is None or home.origin is None:
        return Provenance(status="not_read")
    try:
        found = json.loads(_run_reader(path, Path(home.origin).parents[1]))
    except (VideoError, OSError):  # the file is gone, or no process starts; it has a verdict anyway
        return Provenance(status="unreadable")
    except (ValueError, RecursionError):  # it was ended, or its answer cut off
        return Provenance(status="unreadable")
    return _checked(found)


def _run_reader(path: Path, packages: Path) -> bytes:
    """Returns what the reader prints, cut off where that is too much.

    Args:
      path: The file, which the reader gets as its standard input.
      packages: The folder in which the package `c2pa` is.
    """
    program = Path(__file__).with_name("provenance_reader.py")
    with open_plain(path) as file:
        process = subprocess.Popen(
            [sys.executable, "-P", "-B", os.fspath(program)],
            bufsize=0,
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # A process that reads strangers' files gets none of our secrets.
            env={"PYTHONPATH": os.fspath(packages)},
        )
    confine(process.pid, max_pixels=0, cpu_seconds=_CPU_SECONDS, writes_file=False)
    timer = threading.Timer(_SECONDS, process.kill)
    timer.start()
    try:
        assert process.stdout is not None
        answer = b""
        while len(answer) <= _MAX_ANSWER_BYTES and (part := process.stdout.read(1 << 16)):
            answer += part
        return answer[:_MAX_ANSWER_BYTES]
    finally:
        timer.cancel()
        process.kill()
        process.communicate()


def _checked(found: Any) -> Provenance:
    """Returns what the reader answered, of which nothing is believed but its form."""
    if not isinstance(found, dict) or found.get("status") not in get_args(Status):
        return Provenance(status="unreadable")
    status: Status = found["status"]
    if status not in ("valid", "broken"):
        return Provenance(status=status)
    source_types = _texts(found.get("source_types"))
    return Provenance(
        status=status,
        signer=_text(found.get("signer")),
        signed_at=_text(found.get("signed_at")),
        tool=_text(found.get("tool")),
        made_with_ai=not AI_SOURCE_TYPES.isdisjoint(source_types),
        source_types=source_types,
        problems=_texts(found.get("problems")),
    )


def _texts(values: Any) -> tuple[str, ...]:
    texts = map(_text, values[:_MAX_ITEMS]) if isinstance(values, list) else ()
    return tuple(text for text in texts if text)


def _text(value: Any) -> str | None:
    """Returns a short text that can be displayed; None if there is none."""
    if not isinstance(value, str):
        return None
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value)
    return shown[:_MAX_LETTERS].strip() or None
