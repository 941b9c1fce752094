"""Whom a model was trained on: a file beside its weights, with digests in the place of names."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from dfjax.data.clip_row import ClipInfo, group_name
from dfjax.files import write_text_atomically

TRAINED_ON_FILE = "trained_on.txt"
"""In the checkpoint: a line for each group and each video that the weights were trained on, also by
the runs that they come from. Names of people are not readable in it; but who knows a name, and what
the data set was called, can find out whether it is there."""

INCOMPLETE = "incomplete"
"""A line of the file: a model that the weights come from does not say whom it was trained on."""


def digests(clip: ClipInfo) -> frozenset[str]:
    """Returns what stands for a clip: a digest of its group, and one of its video.

    The video is the same in every compression, and if its group was given another name.
    """
    names = ("group", clip.group), ("video", group_name(clip.dataset, clip.method), clip.video_id)
    return frozenset(hashlib.sha256("/".join(name).encode()).hexdigest()[:12] for name in names)


def read_trained_on(folder: Path) -> frozenset[str]:
    """Returns the lines of a model's file; `INCOMPLETE` alone if it has none, as older models."""
    try:
        return frozenset((folder / TRAINED_ON_FILE).read_text(encoding="utf-8").split())
    except FileNotFoundError:
        return frozenset((INCOMPLETE,))


def write_trained_on(folder: Path, lines: Iterable[str]) -> None:
    """Writes the file.

    Args:
      folder: That of the model.
      lines: The `digests` of all clips, and `INCOMPLETE` if there may have been others.
    """
    write_text_atomically(folder / TRAINED_ON_FILE, "".join(f"{line}\n" for line in sorted(lines)))
