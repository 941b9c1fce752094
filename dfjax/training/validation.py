"""How far a run has come: scores of the validation clips, each scored by one of the processes."""

import itertools
import pickle
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from sklearn.metrics import roc_auc_score

from dfjax.config import CalibrationConfig
from dfjax.data.prepared import read_clips
from dfjax.evaluation.scores import Scores, video_scores
from dfjax.evaluation.scoring import ScoredClip, Scorer
from dfjax.inference.jax_engine import JaxEngine

SPLIT = "validation"


class Validation:
    """The validation clips of some prepared data sets, and what scores them."""

    def __init__(self, sources: Sequence[str], engine: JaxEngine):
        """Takes the data sets.

        Args:
          sources: As for `open_rows`; each has the split "validation".
          engine: Of the shape of the detector; its weights are replaced.
        """
        self._sources, self._engine = sources, engine

    def score(self, variables: Any) -> list[ScoredClip]:
        """Returns all clips with their logits, in the same order in every process.

        Args:
          variables: Of the detector, as `nnx.state` gives them.
        """
        if jax.process_count() > 1:  # from all processes' devices to those of this one
            variables = jax.tree.map(np.asarray, variables)
        rows = itertools.chain.from_iterable(read_clips(s, SPLIT) for s in self._sources)
        mine = itertools.islice(rows, jax.process_index(), None, jax.process_count())
        self._engine.load(variables)
        scored = Scorer(self._engine)(mine)
        return scored if jax.process_count() == 1 else interleave(_gather(scored))


def per_dataset(scored: Sequence[ScoredClip]) -> dict[str, Scores]:
    """Returns the scores of the videos, uncalibrated, of each data set that has both labels."""
    videos = video_scores(scored, CalibrationConfig())
    of_each = {str(name): videos.take(videos.datasets == name) for name in set(videos.datasets)}
    return {name: of for name, of in sorted(of_each.items()) if len(set(of.is_fake)) == 2}


def auc(scores: Scores) -> float:
    """Returns how often a fake scores above a real."""
    return float(roc_auc_score(scores.is_fake, scores.logits))


def _gather(scored: list[ScoredClip]) -> list[list[ScoredClip]]:
    """Returns what every process scored. The bytes come from processes of this very run."""
    mine = np.frombuffer(pickle.dumps(scored), np.uint8)
    sizes = np.asarray(multihost_utils.process_allgather(np.array(len(mine)))).reshape(-1)
    padded = np.zeros(int(sizes.max()), np.uint8)
    padded[: len(mine)] = mine
    everything = np.asarray(multihost_utils.process_allgather(padded))
    return [pickle.loads(row[:size].tobytes()) for row, size in zip(everything, sizes, strict=True)]


def interleave(shares: list[list[ScoredClip]]) -> list[ScoredClip]:
    """Returns the clips in the order in which they stand in the data sets."""
    turns = itertools.zip_longest(*shares)
    return [clip for turn in turns for clip in turn if clip is not None]
