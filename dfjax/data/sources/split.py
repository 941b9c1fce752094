"""Splits that a data set does not come with: by identity, and the same on every machine."""

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence

from dfjax.data.sources.videos import LabelledVideo

VALIDATION_SHARE = 0.1
"""Of identities or groups, that are held out of training."""


def hash_fraction(name: str) -> float:
    """Returns a number in [0, 1) that is the same for a name everywhere and always."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) / 2**48


def held_out(names: Iterable[str]) -> frozenset[str]:
    """Returns the names that are for validation: a tenth by their hash, and at least one of two.

    Each name's own hash decides, so that a folder which lacks some, or gets more, is split alike.
    """
    by_fraction = {name: hash_fraction(name) for name in names}
    chosen = {name for name, fraction in by_fraction.items() if fraction < VALIDATION_SHARE}
    if not chosen and len(by_fraction) > 1:
        chosen = {min(by_fraction, key=by_fraction.__getitem__)}
    return frozenset(chosen)


def split_by_identity(
    videos: Sequence[LabelledVideo],
) -> tuple[tuple[LabelledVideo, ...], dict[str, str]]:
    """Splits videos so that nobody is in two splits.

    Test videos stay as they are. The others lose those that show someone of the test videos. Of the
    people that are left some are held out for validation; fakes that join one of them with somebody
    of training are lost as well, for face swaps join nearly everybody with everybody, and whole
    connected groups could not be held out.

    Args:
      videos: With `source_ids`, and with the split "test" where the data set says so.

    Returns:
      The videos that are left, in their order, with their splits; keys of those that are not, with
      the reason.
    """
    tested = {name for v in videos if v.split == "test" for name in v.source_ids}
    untested = [v for v in videos if v.split != "test" and tested.isdisjoint(v.source_ids)]
    validation = held_out({name for v in untested for name in v.source_ids})
    kept, dropped = [], {}
    for video in videos:
        people = set(video.source_ids)
        if video.split == "test":
            kept.append(video)
        elif people & tested:
            dropped[video.key] = "shows a person of the test split"
        elif people.isdisjoint(validation):
            kept.append(dataclasses.replace(video, split="train"))
        elif people <= validation:
            kept.append(dataclasses.replace(video, split="validation"))
        else:
            dropped[video.key] = "joins a person of training with one of validation"
    return tuple(kept), dropped
