"""Chooses the clips of each batch: a pure function of the seed and the step.

Every fake is paired with a real clip: the one it was made from if that is known or, for a
self-blend, the clip that is blended. So batches are balanced 1:1 however unbalanced the data is,
and whatever the clips of a pair share (camera, codec, person, background) cannot reveal the label.
"""

import collections
import dataclasses
from collections.abc import Sequence
from typing import Self

import numpy as np

from dfjax.data.clip_row import ClipInfo
from dfjax.errors import TrainingError
from dfjax.train_config import TrainConfig

# Part of a generator's seed: what it is used for.
_FRAMES, _REALS, _FAKES = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class Pair:
    """A real clip and a fake, with the frames to show from each; -1 = absent."""

    real: int  # row of the store
    fake: int | None  # row of the store; None: the real clip is blended with itself
    real_positions: np.ndarray  # int64 [T], into the frames of the real clip
    fake_positions: np.ndarray  # int64 [T], into those of the fake; absent at the same places


@dataclasses.dataclass(frozen=True)
class PairIndex:
    """Clips of one kind, videos or stills, indexed for pairing."""

    clips: Sequence[ClipInfo]
    stills: bool  # the kind
    reals: dict[str, np.ndarray]  # per data set: int64 [R], rows
    fakes: dict[str, list[tuple[int, np.ndarray]]]  # per method: row, and reals to pair it with

    @classmethod
    def of(cls, clips: Sequence[ClipInfo], *, stills: bool) -> Self:
        """Returns the index of the videos, or of the stills, among `clips`.

        A fake is paired with its original, in the same compression, if that is among the clips.
        Otherwise it is paired with any real clip of its data set, in the same compression if there
        is one, or left out if there is no real clip.
        """
        rows = [row for row, clip in enumerate(clips) if (clip.num_frames == 1) == stills]
        reals = collections.defaultdict(list)
        originals = collections.defaultdict(list)
        others = collections.defaultdict(list)
        for row in rows:
            clip = clips[row]
            if clip.is_fake:
                continue
            reals[clip.dataset].append(row)
            originals[clip.dataset, clip.compression, clip.video_id].append(row)
            others[clip.dataset, clip.compression].append(row)
        fakes = collections.defaultdict(list)
        for row in rows:
            clip = clips[row]
            if clip.is_fake:
                beside = originals.get((clip.dataset, clip.compression, clip.original_id))
                beside = beside or others.get((clip.dataset, clip.compression))
                beside = beside or reals.get(clip.dataset, [])
                if beside:
                    fakes[f"{clip.dataset}/{clip.method}"].append((row, np.array(beside)))
        arrays = {name: np.array(rows, np.int64) for name, rows in sorted(reals.items())}
        return cls(clips, stills, arrays, dict(sorted(fakes.items())))

    def is_aligned(self, pair: Pair) -> bool:
        """Whether the pair shows the same moments of the same scene."""
        if pair.fake is None:
            return True
        real, fake = self.clips[pair.real], self.clips[pair.fake]
        return fake.original_id == real.video_id

    def pairs(self, count: int, config: TrainConfig, *, step: int) -> list[Pair]:
        """Returns the pairs of one step.

        A fixed share of them are self-blends; the rest are fakes from the data sets. Data sets take
        turns as sources of self-blends, and methods as sources of fakes; see `_turn` for how often.
        Each cycles through its clips, in a new order every time. No state is kept between steps, so
        a resumed run gets the same pairs as an uninterrupted one.

        Args:
          count: Number of pairs.
          config: Shares, frames and seed.
          step: Number of the step, from 0.

        Raises:
          TrainingError: There are no real clips, or no fakes although some pairs need them.
        """
        if count == 0:
            return []
        num_blended = round(config.self_blended * count)
        if not self.reals or (num_blended < count and not self.fakes):
            what = "single pictures" if self.stills else "videos"
            num_reals = sum(map(len, self.reals.values()))
            raise TrainingError(
                f"the training data has {num_reals} real {what} and "
                f"{sum(map(len, self.fakes.values()))} fake ones that can be paired with a real "
                "one. Both are needed, or only real ones if --self-blended is 1. Add data, or set "
                f"--{'still-' if self.stills else ''}pairs to 0."
            )
        pairs = []
        reals, methods = list(self.reals.values()), list(self.fakes.values())
        for slot in range(count):
            rng = np.random.default_rng((config.seed, _FRAMES, self.stills, step, slot))
            if slot < num_blended:
                rounds = (config.seed, _REALS, self.stills)
                number = step * num_blended + slot
                dataset, turn = _turn(list(map(len, reals)), number, rounds)
                real = reals[dataset][_in_rounds(len(reals[dataset]), turn, (*rounds, dataset))]
                pairs.append(self._pair(int(real), None, config, rng))
                continue
            rounds = (config.seed, _FAKES, self.stills)
            number = step * (count - num_blended) + slot - num_blended
            method, turn = _turn(list(map(len, methods)), number, rounds)
            place = _in_rounds(len(methods[method]), turn, (*rounds, method))
            fake, beside = methods[method][place]
            pairs.append(self._pair(int(rng.choice(beside)), fake, config, rng))
        return pairs

    def _pair(
        self, real: int, fake: int | None, config: TrainConfig, rng: np.random.Generator
    ) -> Pair:
        """Returns the pair, with frames chosen for both clips."""
        of_real = self.clips[real].frame_indices
        of_fake = of_real if fake is None else self.clips[fake].frame_indices
        common, real_places, fake_places = np.intersect1d(
            of_real, of_fake, assume_unique=True, return_indices=True
        )
        if not len(common):  # unrelated clips with no sampled time in common
            shorter = min(len(of_real), len(of_fake))
            real_places = fake_places = np.arange(shorter)
        num_frames = 1 if self.stills else config.clip_frames
        chosen = choose_frames(len(real_places), num_frames, config, rng)
        present = chosen >= 0
        return Pair(
            real,
            fake,
            np.where(present, real_places[chosen], -1),
            np.where(present, fake_places[chosen], -1),
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


def _turn(sizes: Sequence[int], number: int, seed: tuple[int, ...]) -> tuple[int, int]:
    """Returns whose turn it is, and how many turns it has had.

    In a round, each has as many turns as its number of clips has binary digits: four thousand
    pictures must not crowd out two hundred videos, nor may a method known from a single clip be
    shown as often as one known from a hundred. Every round has a new order.

    Args:
      sizes: Number of clips of each, at least 1.
      number: Of the turn, from 0.
      seed: For the order.
    """
    members = np.repeat(np.arange(len(sizes)), [int(size).bit_length() for size in sizes])
    round_, place = divmod(number, len(members))
    order = np.random.default_rng((*seed, len(sizes), round_)).permutation(members)
    whose = int(order[place])
    per_round = int(np.sum(members == whose))
    return whose, round_ * per_round + int(np.sum(order[:place] == whose))


def _in_rounds(size: int, turn: int, seed: tuple[int, ...]) -> int:
    """Returns the index visited at `turn`, if each round visits all indices in a new order."""
    number, place = divmod(turn, size)
    return int(np.random.default_rng((*seed, number)).permutation(size)[place])
