"""Which clips make which batch: a pure function of the seed and the step.

Every fake is paired with a real clip: the one that it was made from if that is known, or, for a
self-blend, the clip that is blended. So a batch is 1:1 whatever the imbalance of the data, and what
the two have in common (camera, codec, person, background) cannot reveal the label.
"""

import collections
import dataclasses
from collections.abc import Sequence
from typing import Self

import numpy as np

from dfjax.data.clip_row import ClipInfo
from dfjax.errors import TrainingError
from dfjax.train_config import TrainConfig

# Which draw a generator is for.
_FRAMES, _REALS, _FAKES = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class Pair:
    """A real clip with a fake, and which of their frames are shown; -1 = absent."""

    real: int  # row of the store
    fake: int | None  # row of the store; None: the real clip is blended with itself
    real_positions: np.ndarray  # int64 [T], into the frames of the real clip
    fake_positions: np.ndarray  # int64 [T], into those of the fake, absent where the other is


@dataclasses.dataclass(frozen=True)
class PairIndex:
    """Clips of one kind, videos or stills, sorted into what pairs are made of."""

    clips: Sequence[ClipInfo]
    stills: bool  # the kind
    reals: dict[str, np.ndarray]  # per data set: int64 [R], rows
    fakes: dict[str, list[tuple[int, np.ndarray]]]  # per method: row, and the reals beside it

    @classmethod
    def of(cls, clips: Sequence[ClipInfo], *, stills: bool) -> Self:
        """Returns the index of the videos, or of the stills, among `clips`.

        A fake is paired with its original in the same compression, if that is present. Otherwise it
        is paired with any real clip of its data set and compression, or left out if there is none.
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
                beside = beside or others.get((clip.dataset, clip.compression), [])
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

        A fixed share of them are self-blends, the rest are fakes of the data sets. Self-blends take
        the data sets in turn, and each goes round through its real clips: of two hundred videos and
        four thousand pictures that were filmed, both kinds are seen. Fakes take the methods in
        turn, and each goes round through its clips. Every round has its own order. Nothing is
        remembered between steps: a resumed run asks for the step at which it stopped, and gets the
        pairs it would have got.

        Args:
          count: How many.
          config: Shares, frames and seed.
          step: From 0.

        Raises:
          TrainingError: There is no real clip, or no fake while not all pairs are self-blends.
        """
        if count == 0:
            return []
        num_blended = round(config.self_blended * count)
        if not self.reals or (num_blended < count and not self.fakes):
            what = "single pictures" if self.stills else "videos"
            num_reals = sum(map(len, self.reals.values()))
            raise TrainingError(
                f"of {what}, the training data has {num_reals} real ones and "
                f"{sum(map(len, self.fakes.values()))} fakes with a real one beside them. Real "
                "ones are needed, and fakes unless --self-blended is 1. Or set "
                f"--{'still-' if self.stills else ''}pairs to 0."
            )
        pairs = []
        reals, methods = list(self.reals.values()), list(self.fakes.values())
        for slot in range(count):
            rng = np.random.default_rng((config.seed, _FRAMES, self.stills, step, slot))
            if slot < num_blended:
                turn, dataset = divmod(step * num_blended + slot, len(reals))
                rounds = (config.seed, _REALS, self.stills, dataset)
                real = reals[dataset][_in_rounds(len(reals[dataset]), turn, rounds)]
                pairs.append(self._pair(int(real), None, config, rng))
                continue
            turn, method = divmod(step * (count - num_blended) + slot - num_blended, len(methods))
            rounds = (config.seed, _FAKES, self.stills, method)
            fake, beside = methods[method][_in_rounds(len(methods[method]), turn, rounds)]
            pairs.append(self._pair(int(rng.choice(beside)), fake, config, rng))
        return pairs

    def _pair(
        self, real: int, fake: int | None, config: TrainConfig, rng: np.random.Generator
    ) -> Pair:
        """Returns the pair with frames chosen for both."""
        of_real = self.clips[real].frame_indices
        of_fake = of_real if fake is None else self.clips[fake].frame_indices
        common, real_places, fake_places = np.intersect1d(
            of_real, of_fake, assume_unique=True, return_indices=True
        )
        if not len(common):  # two strangers that are never seen at the same time
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
    """Returns which frames of a clip are shown: int64 [num_frames], -1 where none is.

    They are taken at an even stride, from a random start; then some are dropped, and some replaced
    by the one before, as cameras and encoders do. The first is always there.

    Args:
      available: Frames that there are, at least 1.
      num_frames: Frames that are shown; those beyond `available` are absent.
      config: Stride and the chances to drop and repeat.
      rng: Draws all of this.
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


def _in_rounds(size: int, turn: int, seed: tuple[int, ...]) -> int:
    """Returns the place that comes at `turn`, when each round visits all places in a new order."""
    number, place = divmod(turn, size)
    return int(np.random.default_rng((*seed, number)).permutation(size)[place])
