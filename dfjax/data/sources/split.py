"""Makes splits for data sets that come without: by identity, and the same on every machine."""

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence

from dfjax.data.sources.videos import LabelledVideo

VALIDATION_SHARE = 0.1
"""Share of identities or groups that is held out of training, unless another one is asked for."""

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
"""The splits by what people call them, in lower case."""


def hash_fraction(name: str) -> float:
    """Returns a number in [0, 1) that depends only on the name, on every machine."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) / 2**48


def held_out(names: Iterable[str], share: float = VALIDATION_SHARE) -> frozenset[str]:
    """Returns the names that are for validation, chosen by hash: at least one if there are two.

    Each name is decided by its own hash, so the split stays the same when names are added or
    missing: unless all hashes are above the share, as may be with few names.

    Args:
      names: Identities or groups.
      share: Of the names, about as many are held out.
    """
    by_fraction = {name: hash_fraction(name) for name in names}
    chosen = {name for name, fraction in by_fraction.items() if fraction < share}
    if not chosen and len(by_fraction) > 1:
        chosen = {min(by_fraction, key=by_fraction.__getitem__)}
    return frozenset(chosen)


def split_by_identity(
    videos: Sequence[LabelledVideo],
) -> tuple[tuple[LabelledVideo, ...], dict[str, str]]:
    """Splits videos so that nobody is in two splits.

    Test videos stay as they are. Other videos that show somebody from a test video are dropped. Of
    the remaining people, some are held out for validation; fakes that link one of them with
    somebody in training are dropped too, because face swaps link nearly everybody, and whole
    connected groups would be too large to hold out.

    Args:
      videos: With `source_ids`, and with the split "test" where the data set says so.

    Returns:
      The videos that are kept, in order, with their splits; and the keys of the dropped ones, with
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
            dropped[video.key] = "shows a person from the test split"
        elif people.isdisjoint(validation):
            kept.append(dataclasses.replace(video, split="train"))
        elif people <= validation:
            kept.append(dataclasses.replace(video, split="validation"))
        else:
            dropped[video.key] = "shows both a training and a validation person"
    return tuple(kept), dropped
