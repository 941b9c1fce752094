"""Data sets in small: empty files in the layouts in which they are published."""

from collections.abc import Iterable
from pathlib import Path

from dfjax.data.sources import LabelledVideo


def touch(root: Path, *names: str) -> None:
    """Makes empty files, with their folders."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def people_of(videos: Iterable[LabelledVideo]) -> dict[str, set[str]]:
    """Returns who is in the videos of each split."""
    people: dict[str, set[str]] = {}
    for video in videos:
        people.setdefault(video.split, set()).update(video.source_ids)
    return people


def assert_nobody_is_in_two_splits(videos: Iterable[LabelledVideo]) -> None:
    splits = list(people_of(videos).values())
    assert len(splits) > 1
    assert sum(map(len, splits)) == len(set().union(*splits))
