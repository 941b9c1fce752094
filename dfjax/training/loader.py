"""Loads batches of pairs, decoded in advance by threads, and measures the time spent waiting."""

import collections
import dataclasses
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from dfjax.data.store import ClipStore
from dfjax.errors import TrainingError
from dfjax.train_config import TrainConfig
from dfjax.training.pairs import Pair, PairIndex

AHEAD = 2
"""Batches to prepare in advance, in addition to the one that each thread is working on."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class PairBatch:
    """Pairs in A parts of P, each of T frames; P is split over the axis `data`."""

    real: Any  # uint8 [A,P,T,S,S,3] RGB
    fake: Any  # uint8 [A,P,T,S,S,3]; zeros if the real clip is to be blended with itself
    landmarks: Any  # float32 [A,P,T,5,2] of the real clip, xy in crop pixels
    frame_mask: Any  # bool [A,P,T], True = present in both
    is_blended: Any  # bool [A,P], True = the fake is to be made from the real clip
    is_aligned: Any  # bool [A,P], True = both show the same moments of one face


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Batch:
    """The data for one step."""

    step: Any  # int32 [], the step that the batch is for
    clips: PairBatch | None
    stills: PairBatch | None  # T is 1


class Loader:
    """Provides the batches of a run, starting from any step.

    The pairs in a batch are a pure function of the config and the step, so neither the number of
    threads nor the step at which a run is resumed makes a difference. With several processes, each
    decodes only its own part of every batch.
    """

    def __init__(
        self, store: ClipStore, config: TrainConfig, mesh: Mesh, *, image_size: int, workers: int
    ):
        """Sorts the clips into pairs.

        Args:
          store: The training clips.
          config: How to make batches.
          mesh: The devices, along the axis `data`.
          image_size: Side of the crops, pixels.
          workers: Number of decoding threads.

        Raises:
          TrainingError: A batch cannot be split over the devices, or there is nothing to pair.
        """
        self._store, self._config, self._image_size = store, config, image_size
        self._workers = workers
        self._sharding = NamedSharding(mesh, PartitionSpec(None, "data"))
        self._replicated = NamedSharding(mesh, PartitionSpec())
        self._kinds = {
            "clips": (PairIndex.of(store.clips, stills=False), config.pairs),
            "stills": (PairIndex.of(store.clips, stills=True), config.still_pairs),
        }
        for name, (index, count) in self._kinds.items():
            if count // config.accumulation % mesh.size:
                option = {"clips": "--pairs", "stills": "--still-pairs"}[name]
                raise TrainingError(
                    f"{count} pairs in {config.accumulation} parts cannot be split over "
                    f"{mesh.size} devices. Use a multiple of {config.accumulation * mesh.size} as "
                    f"{option}."
                )
            index.pairs(count, config, step=0)  # raises here, not in a thread, if data is missing
        self.waited = 0.0  # total time spent waiting for batches, seconds

    def batches(self, start: int) -> Iterator[Batch]:
        """Yields the batches from step `start` to the end of the run, on the devices."""
        executor = ThreadPoolExecutor(self._workers, thread_name_prefix="loader")
        pending: collections.deque[Future[Batch]] = collections.deque()
        steps = iter(range(start, self._config.steps))
        try:
            while True:
                while len(pending) < self._workers + AHEAD:
                    step = next(steps, None)
                    if step is None:
                        break
                    pending.append(executor.submit(self._make, step))
                if not pending:
                    return
                asked = time.perf_counter()
                batch = pending.popleft().result()
                self.waited += time.perf_counter() - asked
                yield batch
        finally:
            executor.shutdown(wait=True, cancel_futures=True)

    def _make(self, step: int) -> Batch:
        parts = {
            name: self._stack(index.pairs(count, self._config, step=step))
            for name, (index, count) in self._kinds.items()
        }
        number = jax.device_put(np.int32(step), self._replicated)
        return Batch(step=number, **parts)

    def _stack(self, pairs: Sequence[Pair]) -> PairBatch | None:
        """Reads this process's share of the pairs and moves it to its devices."""
        if not pairs:
            return None
        num_parts = self._config.accumulation
        per_part = len(pairs) // num_parts
        mine = per_part // jax.process_count()
        first = jax.process_index() * mine
        columns: dict[str, list[Any]] = collections.defaultdict(list)
        for part in range(num_parts):
            for pair in pairs[part * per_part + first : part * per_part + first + mine]:
                real, landmarks = self._read(pair.real, pair.real_positions)
                fake = np.zeros_like(real)
                if pair.fake is not None:
                    fake, _ = self._read(pair.fake, pair.fake_positions)
                columns["real"].append(real)
                columns["fake"].append(fake)
                columns["landmarks"].append(landmarks)
                columns["frame_mask"].append(pair.real_positions >= 0)
                columns["is_blended"].append(pair.fake is None)
                columns["is_aligned"].append(pair.is_aligned)
        arrays = {}
        for name, rows in columns.items():
            local = np.stack(rows).reshape(num_parts, mine, *np.shape(rows[0]))
            shape = (num_parts, per_part, *local.shape[2:])
            arrays[name] = jax.make_array_from_process_local_data(self._sharding, local, shape)
        return PairBatch(**arrays)

    def _read(self, row: int, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the frames and landmarks at `positions`, with zeros for absent frames."""
        size = self._image_size
        frames = np.zeros((len(positions), size, size, 3), np.uint8)
        landmarks = np.zeros((len(positions), 5, 2), np.float32)
        present = positions >= 0
        wanted, back = np.unique(positions[present], return_inverse=True)
        found, found_landmarks = self._store.read(row, wanted)
        if found.shape[1:] != frames.shape[1:]:
            clip = self._store.clips[row]
            raise TrainingError(
                f"the clip of {clip.video} has crops of {found.shape[1:3]} pixels; the others have "
                f"{size}. Prepare all data sets with the same --image-size."
            )
        frames[present], landmarks[present] = found[back], found_landmarks[back]
        return frames, landmarks
