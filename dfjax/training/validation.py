"""Scores the validation clips during a run, sharing them out among the processes."""

import itertools
import pickle
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from sklearn.metrics import roc_auc_score

from dfjax.config import CalibrationConfig
from dfjax.data.prepared import read_all_clips
from dfjax.evaluation.scores import Scores, video_scores
from dfjax.evaluation.scoring import ScoredClip, Scorer
from dfjax.inference.jax_engine import JaxEngine

SPLIT = "validation"


class Validation:
    """The validation clips of prepared data sets, and the engine that scores them."""

    def __init__(self, sources: Sequence[str], engine: JaxEngine, *, mirror_bursts: bool):
        """Stores the data sets and the engine; nothing is read yet.

        Args:
          sources: As for `open_rows`; each has the split "validation".
          engine: An engine for a detector of the same shape; its weights are replaced.
          mirror_bursts: As for `Scorer`.
        """
        self._sources, self._engine = sources, engine
        self._scorer = Scorer(engine, mirror_bursts=mirror_bursts)

    def score(self, variables: Any) -> list[ScoredClip]:
        """Returns all clips with their logits, in the same order in every process.

        Args:
          variables: The detector's variables, in the form of `nnx.state`.
        """
        if jax.process_count() > 1:  # from the devices of all processes to this one's
            variables = jax.tree.map(np.asarray, variables)
        rows = read_all_clips(self._sources, SPLIT)
        mine = itertools.islice(rows, jax.process_index(), None, jax.process_count())
        self._engine.load(variables)
        scored = self._scorer(mine)
        return scored if jax.process_count() == 1 else interleave(_gather(scored))


def per_dataset(scored: Sequence[ScoredClip]) -> dict[str, Scores]:
    """Returns the uncalibrated video scores of each data set that has both labels."""
    videos = video_scores(scored, CalibrationConfig())
    of_each = {str(name): videos.take(videos.datasets == name) for name in set(videos.datasets)}
    return {name: of for name, of in sorted(of_each.items()) if len(set(of.is_fake)) == 2}


def auc(scores: Scores) -> float:
    """Returns the ROC AUC: how often a fake scores higher than a real video."""
    return float(roc_auc_score(scores.is_fake, scores.logits))


def _gather(scored: list[ScoredClip]) -> list[list[ScoredClip]]:
    """Returns the clips scored by each process. Unpickling is safe: all bytes are from this run."""
    mine = np.frombuffer(pickle.dumps(scored), np.uint8)
    sizes = np.asarray(multihost_utils.process_allgather(np.array(len(mine)))).reshape(-1)
    padded = np.zeros(int(sizes.max()), np.uint8)
    padded[: len(mine)] = mine
    everything = np.asarray(multihost_utils.process_allgather(padded))
    return [pickle.loads(row[:size].tobytes()) for row, size in zip(everything, sizes, strict=True)]


def interleave(shares: list[list[ScoredClip]]) -> list[ScoredClip]:
    """Returns the clips in the order of the data sets."""
    turns = itertools.zip_longest(*shares)
    return [clip for turn in turns for clip in turn if clip is not None]
