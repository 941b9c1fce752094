"""Chooses the clips of each batch: a pure function of the seed and the step.

Every fake is paired with a real clip: the one it was made from if that is known or, for a
self-blend, the clip that is blended. So batches are balanced 1:1 however unbalanced the data is,
and whatever the clips of a pair share (camera, codec, person, background) cannot reveal the label.

A fake whose original is missing stands beside a real clip of the same people. Beside others it
stands only if there is no other fake of its method, for then its people do reveal the label. Such
fakes have one turn in a round, all methods of a data set together; and methods of which few people
are known share theirs, for a detector soon knows those by heart.
"""

import collections
import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np

from dfjax.data.clip_row import ClipInfo
from dfjax.data.moments import is_same_face, same_moments
from dfjax.errors import TrainingError
from dfjax.evaluation.scores import compression_name
from dfjax.train_config import TrainConfig

# Part of a generator's seed: what it is used for.
_FRAMES, _REALS, _FAKES = 0, 1, 2

STRANGERS = "beside others"
"""In the place of the method, for the fakes of a data set that stand beside other people."""

FEW = "known from few people"
"""Likewise, for the fakes of all methods of a data set of which there are few groups of people."""

_FEW_GROUPS = 4
"""A method with at least as many has turns of its own."""


@dataclasses.dataclass(frozen=True)
class Pair:
    """A real clip and a fake, with the frames to show from each; -1 = absent."""

    real: int  # row of the store
    fake: int | None  # row of the store; None: the real clip is blended with itself
    real_positions: np.ndarray  # int64 [T], into the frames of the real clip
    fake_positions: np.ndarray  # int64 [T], into those of the fake; absent at the same places
    is_aligned: bool  # whether both show the same moments of one face


@dataclasses.dataclass(frozen=True)
class Source:
    """Clips of one kind, such as the fakes by one method, by the people whom they show."""

    groups: tuple[tuple[Any, ...], ...]  # for each `ClipInfo.group`, what is taken at its turns
    most_turns: int | None = None

    @classmethod
    def of(cls, members: Iterable[tuple[str, Any]], *, most_turns: int | None = None) -> Self:
        """Returns the source of (group, member)s, in the order in which groups come first."""
        groups = collections.defaultdict(list)
        for group, member in members:
            groups[group].append(member)
        return cls(tuple(map(tuple, groups.values())), most_turns)

    def __len__(self) -> int:
        return sum(map(len, self.groups))

    @property
    def turns(self) -> int:
        """How many turns it has in a round: the square root of the number of its groups.

        Four thousand pictures must not crowd out two hundred videos, nor may a method that is
        known from one person be shown as often as one known from a hundred.
        """
        turns = max(1, round(math.sqrt(len(self.groups))))
        return turns if self.most_turns is None else min(turns, self.most_turns)

    def at(self, turn: int, seed: tuple[int, ...]) -> Any:
        """Returns whom it shows at a turn: each group once in a round, with its clips in turn."""
        number, _ = divmod(turn, len(self.groups))
        group = _in_rounds(len(self.groups), turn, seed)
        members = self.groups[group]
        return members[_in_rounds(len(members), number, (*seed, group))]


@dataclasses.dataclass(frozen=True)
class PairIndex:
    """Clips of one kind, videos or stills, indexed for pairing."""

    clips: Sequence[ClipInfo]
    stills: bool  # the kind
    reals: dict[str, Source]  # per data set: rows
    fakes: dict[str, Source]  # per data set and method: rows, each with reals to pair it with

    @classmethod
    def of(cls, clips: Sequence[ClipInfo], *, stills: bool) -> Self:
        """Returns the index of the videos, or of the stills, among `clips`.

        A fake is paired with its original, in the same compression, if that is among the clips,
        else with a real clip of the same people. A method of which no fake can be paired so is
        paired with any real clips of its data set, in the same compression if there are such, else
        with those that were encoded again as well, or as little. All other fakes are left out.
        """
        rows = [row for row, clip in enumerate(clips) if (clip.num_frames == 1) == stills]
        reals = collections.defaultdict(list)
        akin = collections.defaultdict(list)  # by what they share with a fake
        alike = collections.defaultdict(list)  # as they are, or encoded again
        for row in rows:
            clip = clips[row]
            if clip.is_fake:
                continue
            reals[clip.dataset].append(row)
            alike[clip.dataset, compression_name(clip.compression)].append(row)
            setting = clip.dataset, clip.compression
            for shared in (("video", clip.video_id), ("group", clip.group), ()):
                akin[setting, shared].append(row)
        fakes = collections.defaultdict(list)
        alone = []
        for row in rows:
            clip = clips[row]
            if not clip.is_fake:
                continue
            setting = clip.dataset, clip.compression
            beside = akin.get((setting, ("video", clip.original_id)))
            beside = beside or akin.get((setting, ("group", clip.group)))
            if beside:
                member = clip.group, (row, np.array(beside))
                fakes[f"{clip.dataset}/{clip.method}"].append(member)
            else:
                kind = clip.dataset, compression_name(clip.compression)
                others = akin.get((setting, ())) or alike.get(kind) or reals.get(clip.dataset)
                alone.append((row, others))
        known = set(fakes)
        for name in sorted(known):
            if len({group for group, _ in fakes[name]}) < _FEW_GROUPS:
                members = fakes.pop(name)
                dataset = clips[members[0][1][0]].dataset
                fakes[f"{dataset}/{FEW}"] += members
        strangers = collections.defaultdict(list)
        for row, beside in alone:
            clip = clips[row]
            if beside and f"{clip.dataset}/{clip.method}" not in known:
                member = clip.group, (row, np.array(beside))
                strangers[f"{clip.dataset}/{STRANGERS}"].append(member)
        return cls(
            clips,
            stills,
            {
                name: Source.of((clips[row].group, row) for row in of_set)
                for name, of_set in sorted(reals.items())
            },
            {name: Source.of(members) for name, members in sorted(fakes.items())}
            | {name: Source.of(of, most_turns=1) for name, of in sorted(strangers.items())},
        )

    def shown(self, config: TrainConfig) -> set[int]:
        """Returns the rows of the clips that come up in some step.

        Args:
          config: The share of pairs that are self-blends.
        """
        share = config.share_blended(stills=self.stills)
        rows: set[int] = set()
        if share > 0:
            rows.update(row for of in self.reals.values() for group in of.groups for row in group)
        if share < 1:
            for of in self.fakes.values():
                for fake, beside in (member for group in of.groups for member in group):
                    rows.update((fake, *beside.tolist()))
        return rows

    def pairs(self, count: int, config: TrainConfig, *, step: int) -> list[Pair]:
        """Returns the pairs of one step.

        A fixed share of them are self-blends; the rest are fakes from the data sets. Data sets take
        turns as sources of self-blends, and methods as sources of fakes; see `Source` for how
        often, and for how each cycles through its people. No state is kept between steps, so a
        resumed run gets the same pairs as an uninterrupted one.

        Args:
          count: Number of pairs.
          config: Shares, frames and seed.
          step: Number of the step, from 0.

        Raises:
          TrainingError: There are no real clips, or no fakes although some pairs need them.
        """
        if count == 0:
            return []
        share = config.share_blended(stills=self.stills)
        if not self.reals or (share < 1 and not self.fakes):
            what, prefix = ("single pictures", "still-") if self.stills else ("videos", "")
            num_reals = sum(map(len, self.reals.values()))
            raise TrainingError(
                f"the training data has {num_reals} real {what} and "
                f"{sum(map(len, self.fakes.values()))} fake ones that can be paired with a real "
                f"one. Both are needed, or only real ones if --{prefix}self-blended is 1. Add "
                f"data, or set --{prefix}pairs to 0."
            )
        # Whole pairs are blended, and over the steps as many as the share says.
        before, after = (math.floor(share * count * end + 1e-6) for end in (step, step + 1))
        num_blended = after - before
        pairs = []
        for slot in range(count):
            rng = np.random.default_rng((config.seed, _FRAMES, self.stills, step, slot))
            if slot < num_blended:
                real = _take(self.reals, before + slot, (config.seed, _REALS, self.stills))
                pairs.append(self._pair(real, None, config, rng))
            else:
                number = step * count - before + slot - num_blended
                fake, beside = _take(self.fakes, number, (config.seed, _FAKES, self.stills))
                pairs.append(self._pair(int(rng.choice(beside)), fake, config, rng))
        # Dealt out, so that every part of a step has its share of self-blends.
        parts = config.accumulation
        return [pair for part in range(parts) for pair in pairs[part::parts]]

    def _pair(
        self, real: int, fake: int | None, config: TrainConfig, rng: np.random.Generator
    ) -> Pair:
        """Returns the pair, with frames chosen for both clips."""
        of_real = self.clips[real]
        of_fake = of_real if fake is None else self.clips[fake]
        real_places = fake_places = np.arange(len(of_real.timestamps))
        is_aligned = True
        if fake is not None:
            is_aligned = False
            if of_fake.original_id == of_real.video_id:
                real_places, fake_places = same_moments(of_real, of_fake)
                is_aligned = is_same_face(of_real, real_places, of_fake, fake_places)
            shorter = min(len(of_real.timestamps), len(of_fake.timestamps))
            # Of videos of different length few moments coincide, and always the same ones.
            if not is_aligned or len(real_places) < shorter / 2:  # or they show other people
                is_aligned = False
                real_places = fake_places = np.arange(shorter)
        num_frames = 1 if self.stills else config.clip_frames
        chosen = choose_frames(len(real_places), num_frames, config, rng)
        present = chosen >= 0
        return Pair(
            real,
            fake,
            np.where(present, real_places[chosen], -1),
            np.where(present, fake_places[chosen], -1),
            is_aligned,
        )


def choose_frames(
    available: int, num_frames: int, config: TrainConfig, rng: np.random.Generator
) -> np.ndarray:
    """Chooses the frames of a clip to show: int64 [num_frames], -1 for an absent frame.

    They are taken at an even stride from a random start; then some are dropped, and some replaced
    by the previous one, as happens in cameras and encoders. The first is always present.

    Args:
      available: Number of frames in the clip, at least 1.
      num_frames: Number of frames to show; those beyond `available` are absent.
      config: Stride, and the probabilities of dropping and repeating frames.
      rng: Source of randomness.
    """
    longest = max(1, (available - 1) // max(1, num_frames - 1))
    stride = int(rng.integers(1, min(config.max_stride, longest) + 1))
    shown = min(num_frames, (available - 1) // stride + 1)
    start = int(rng.integers(0, available - (shown - 1) * stride))
    chosen = np.full(num_frames, -1, np.int64)
    chosen[:shown] = start + stride * np.arange(shown)
    repeated = rng.random(num_frames) < config.repeat_frames
    dropped = rng.random(num_frames) < config.drop_frames
    for place in range(1, shown):
        if repeated[place]:
            chosen[place] = chosen[place - 1]
    chosen[1:][dropped[1:]] = -1
    return chosen


def _take(sources: dict[str, Source], number: int, seed: tuple[int, ...]) -> Any:
    """Returns what comes at a turn, counted over all sources from 0.

    Every round, in which each source has its turns, has a new order.
    """
    known = list(sources.values())
    members = np.repeat(np.arange(len(known)), [source.turns for source in known])
    round_, place = divmod(number, len(members))
    order = np.random.default_rng((*seed, len(known), round_)).permutation(members)
    whose = int(order[place])
    turn = round_ * known[whose].turns + int(np.sum(order[:place] == whose))
    return known[whose].at(turn, (*seed, whose))


def _in_rounds(size: int, turn: int, seed: tuple[int, ...]) -> int:
    """Returns the index visited at `turn`, if each round visits all indices in a new order."""
    number, place = divmod(turn, size)
    return int(np.random.default_rng((*seed, number)).permutation(size)[place])
