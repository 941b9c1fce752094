"""Videos composed of scored clips: calls of several people, montages, and fakes that are short."""

import collections
import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from dfjax.config import CalibrationConfig
from dfjax.data.moments import same_moments
from dfjax.evaluation.scoring import ScoredClip, main_faces
from dfjax.inference.evidence import Bursts, FaceFrames, corrected_logits
from dfjax.video.sampling import GRID_SECONDS

SHOT = 5.0  # seconds, of a video of one person after the other

_MIN_BURSTS = 4  # of a clip that is shown
_LEAST_BURSTS = 8  # of a video, however short
_FRAME_SECONDS = 0.04  # from frame to frame within a burst
_USUAL_BURST = 4  # frames, for a model without evidence


@dataclasses.dataclass(frozen=True)
class Person:
    """A real clip of someone, and fakes of it: the frame logits of each burst."""

    group: str
    bursts: Sequence[np.ndarray]
    fakes: Sequence[tuple[Sequence[np.ndarray], Sequence[np.ndarray]]]
    """For each, the bursts of the real clip that it has too, and its own at these moments."""


People = Mapping[str, Sequence[Person]]
"""Clips by group of identities."""


@dataclasses.dataclass(frozen=True)
class ComposedVideo:
    """A video: its faces, whose they are, and which is fake, where."""

    faces: Sequence[FaceFrames]
    groups: Sequence[str]
    fake: int | None = None
    stretch: tuple[float, float] | None = None  # seconds


def people_of(scored: Sequence[ScoredClip], calibration: CalibrationConfig) -> People:
    """Returns the real clips of several bursts, by group of identities.

    Args:
      scored: All clips of a split.
      calibration: The model's; its evidence says how many frames are a burst.
    """
    evidence = calibration.evidence
    burst_frames = evidence.burst_frames if evidence else _USUAL_BURST
    faces = main_faces(scored)

    def setting(clip: ScoredClip, video: str) -> tuple[str, str, str]:
        return clip.row.dataset, clip.row.compression, video

    fakes = collections.defaultdict(list)
    for clip in faces:
        if clip.row.is_fake:
            fakes[setting(clip, clip.row.original_id)].append(clip)
    people = collections.defaultdict(list)
    for clip in faces:
        if clip.row.is_fake:
            continue
        (bursts,) = _bursts([clip], [np.arange(len(clip.frame_logits))], burst_frames)
        if len(bursts) < _MIN_BURSTS:
            continue
        own = []
        for fake in fakes[setting(clip, clip.row.video_id)]:
            real, faked = _bursts([clip, fake], same_moments(clip.row, fake.row), burst_frames)
            if len(real) >= _MIN_BURSTS:
                own.append((real, faked))
        people[clip.row.group].append(Person(clip.row.group, bursts, own))
    return dict(people)


def _bursts(
    clips: Sequence[ScoredClip], frames: Sequence[np.ndarray], burst_frames: int
) -> list[list[np.ndarray]]:
    """Returns for each clip the frame logits of each burst, with the LSTM's correction in them.

    Args:
      clips: Clips that show the same moments.
      frames: For each, int64 [n], positions of the frames of these moments.
      burst_frames: Most frames of a burst.
    """
    times = clips[0].row.timestamps[frames[0]]
    if not len(times):
        return [[] for _ in clips]
    starts = Bursts.of(times, times, burst_frames).starts
    return [
        np.split(corrected_logits(clip.frame_logits, clip.clip_logit)[of_clip], starts[1:])
        for clip, of_clip in zip(clips, frames, strict=True)
    ]


def _draw(
    people: Mapping[str, Sequence[Person]], count: int, rng: np.random.Generator
) -> list[Person]:
    """Returns clips of different people."""
    groups = rng.choice(sorted(people), count, replace=False)
    return [people[group][int(rng.integers(len(people[group])))] for group in groups.tolist()]


def _shown(
    person: Person,
    seconds: float,
    rng: np.random.Generator,
    *,
    start: float = 0.0,
    fake: tuple[float, float] | None = None,
) -> FaceFrames:
    """Returns a face that is shown for some time, over and over again from a random moment on.

    Args:
      person: Whose clip.
      seconds: How long it is shown.
      rng: Source of randomness.
      start: When it begins to be shown, seconds.
      fake: When it is fake, seconds; None: never.
    """
    num_bursts = max(_LEAST_BURSTS, math.ceil(seconds / GRID_SECONDS))
    times = start + np.arange(num_bursts) * (seconds / num_bursts)
    first = int(rng.integers(len(person.bursts)))
    real = faked = person.bursts
    if fake is not None:
        real, faked = person.fakes[int(rng.integers(len(person.fakes)))]
    logits, stamps = [], []
    for number, time in enumerate(times.tolist()):
        inside = fake is not None and fake[0] <= time < fake[1]
        bursts = faked if inside else real
        burst = bursts[(first + number) % len(bursts)]
        logits.append(burst)
        stamps.append(time + np.arange(len(burst)) * _FRAME_SECONDS)
    frame_logits = np.concatenate(logits)
    return FaceFrames(frame_logits, float(frame_logits.mean()), np.concatenate(stamps))


def call(people: People, num_faces: int, seconds: float, rng: np.random.Generator) -> ComposedVideo:
    """Returns a video call of real people."""
    chosen = _draw(people, num_faces, rng)
    return ComposedVideo([_shown(person, seconds, rng) for person in chosen], _groups(chosen))


def montage(people: People, num_shots: int, rng: np.random.Generator) -> ComposedVideo:
    """Returns a video of real people, one after the other."""
    chosen = _draw(people, num_shots, rng)
    faces = [_shown(person, SHOT, rng, start=SHOT * n) for n, person in enumerate(chosen)]
    return ComposedVideo(faces, _groups(chosen))


def whole_fake(pairs: People, rng: np.random.Generator) -> ComposedVideo:
    """Returns a fake as it is, of the length of a clip."""
    (person,) = _draw(pairs, 1, rng)
    return ComposedVideo([_shown(person, SHOT, rng, fake=(0.0, SHOT))], [person.group], fake=0)


def in_stretch(
    pairs: People, seconds: float, stretch: float, rng: np.random.Generator
) -> ComposedVideo:
    """Returns a video of one person, fake in one stretch."""
    (person,) = _draw(pairs, 1, rng)
    start = float(rng.uniform(0, seconds - stretch))
    fake = start, start + stretch
    return ComposedVideo(
        [_shown(person, seconds, rng, fake=fake)], [person.group], fake=0, stretch=fake
    )


def one_fake(
    people: People, pairs: People, num_faces: int, rng: np.random.Generator
) -> ComposedVideo:
    """Returns a video call of people, one of whom is fake."""
    (faked,) = _draw(pairs, 1, rng)
    others = {group: clips for group, clips in people.items() if group != faked.group}
    chosen = _draw(others, num_faces - 1, rng)
    faces = [_shown(person, SHOT, rng) for person in chosen]
    place = int(rng.integers(num_faces))
    faces.insert(place, _shown(faked, SHOT, rng, fake=(0.0, SHOT)))
    return ComposedVideo(faces, _groups([faked, *chosen]), fake=place)


def _groups(people: Sequence[Person]) -> list[str]:
    return [person.group for person in people]
