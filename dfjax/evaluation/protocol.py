"""From scored clips to scored videos, and from those to the figures that are reported."""

import collections
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from dfjax.evaluation.metrics import NUM_BOOTSTRAP, bootstrap_interval, confusion, roc_auc


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoScores:
    """V videos with one score each."""

    videos: tuple[str, ...]
    methods: tuple[str, ...]
    groups: tuple[str, ...]  # videos of one group share identities
    is_fake: np.ndarray  # int [V]
    scores: np.ndarray  # float64 [V], higher means fake


def highest_per_video(
    *,
    videos: Sequence[str],
    methods: Sequence[str],
    groups: Sequence[str],
    is_fake: np.ndarray,
    scores: np.ndarray,
) -> VideoScores:
    """Returns per video the score of its highest face, as the app decides it.

    Args:
      videos: N keys, one per clip.
      methods: N.
      groups: N.
      is_fake: [N].
      scores: [N].
    """
    rows: dict[str, int] = {}
    for row, video in enumerate(videos):
        if video not in rows or scores[row] > scores[rows[video]]:
            rows[video] = row
    kept = list(rows.values())
    return VideoScores(
        videos=tuple(rows),
        methods=tuple(methods[row] for row in kept),
        groups=tuple(groups[row] for row in kept),
        is_fake=np.asarray(is_fake)[kept],
        scores=np.asarray(scores, np.float64)[kept],
    )


def report(videos: VideoScores, baseline: VideoScores, *, fake_above: float) -> dict[str, Any]:
    """Returns the figures of a split, as JSON values.

    Args:
      videos: Calibrated probabilities of the detector, higher means fake.
      baseline: Scores of the same videos by the mean over frames, from the same checkpoint.
      fake_above: Threshold of the confusion counts, on the probabilities.
    """
    auc, auc_interval = auc_with_interval(videos)
    mean_auc, mean_interval = auc_with_interval(baseline)
    counts = confusion(videos.is_fake, videos.scores, fake_above)
    return {
        "videos": len(videos.videos),
        "real": int(np.sum(videos.is_fake == 0)),
        "fake": int(np.sum(videos.is_fake == 1)),
        "groups": len(set(videos.groups)),
        "auc": auc,
        "auc_interval": auc_interval,
        "auc_mean_of_frames": mean_auc,
        "auc_mean_of_frames_interval": mean_interval,
        "num_bootstrap": NUM_BOOTSTRAP,
        "interval_over": "groups of source identities",
        "threshold": fake_above,
        "confusion": dataclasses.asdict(counts),
        "balanced_accuracy": counts.balanced_accuracy,
        "per_method": _per_method(videos),
    }


def auc_with_interval(videos: VideoScores) -> tuple[float, list[float]]:
    """Returns the AUC and the two ends of its 95% interval over groups of identities."""
    interval = bootstrap_interval(roc_auc, videos.is_fake, videos.scores, videos.groups)
    return roc_auc(videos.is_fake, videos.scores), list(interval)


def _per_method(videos: VideoScores) -> dict[str, dict[str, Any]]:
    """Returns for each way of manipulation its AUC against all real videos, and its count."""
    rows = collections.defaultdict(list)
    for row, method in enumerate(videos.methods):
        if videos.is_fake[row]:
            rows[method].append(row)
    real = np.flatnonzero(videos.is_fake == 0).tolist()
    return {
        method: {
            "auc": roc_auc(videos.is_fake[real + fake], videos.scores[real + fake]),
            "videos": len(fake),
        }
        for method, fake in sorted(rows.items())
    }
