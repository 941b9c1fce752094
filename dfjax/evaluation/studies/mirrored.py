"""Does the answer depend on which way round a face is? And is the mean of both ways better?

A selfie camera mirrors, and so does training, but the encoder's answers still differ. The mean over
a crop and its mirror image is the same for both, and takes the encoder twice as long.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dfjax.data.clip_row import ClipRow
from dfjax.data.sources import title
from dfjax.evaluation import estimates
from dfjax.evaluation.bootstrap import Draws
from dfjax.evaluation.scores import Scores, by_video, heard_clips, video_scores
from dfjax.evaluation.scoring import ScoredClip
from dfjax.evaluation.studies.study import Study, StudyContext
from dfjax.evaluation.tables import cell, table
from dfjax.inference.mirroring import mirrorings
from dfjax.prediction import Decision


def mirrored(rows: Iterable[ClipRow]) -> Iterator[ClipRow]:
    """Yields the clips with their crops mirrored left to right; the landmarks stay as they are."""
    for row in rows:
        yield dataclasses.replace(row, frames=np.ascontiguousarray(row.frames[:, :, ::-1]))


class MirroredStudy(Study):
    """What mirroring changes, and what averaging over both images would gain."""

    name = "mirrored"
    optional = True

    def measure(self, context: StudyContext) -> dict[str, Any]:
        """Scores the mirror image of every crop, and compares.

        Args:
          context: The detector and its data.

        Returns:
          `per_dataset`: for each data set and for their mean, counts, `auc` of the clips as they
          are, `auc_of_mean` of the mean over both images, and the latter's `gain`. `both_ways`: how
          many videos and pictures the model scores both ways round, so that nothing can change;
          of the others, of which there are `one_way`, `changed`: share of those whose verdict the
          mirror image changes; `reversed`: from real to fake or from fake to real;
          `probability_change`: median change of `probability_fake`. If there are no others, all
          are counted.
        """
        other = context.score(mirrored(context.rows()), "Scoring mirror images")
        both = [_mean(*pair) for pair in zip(context.scored, other, strict=True)]
        as_is, flipped, averaged = (
            video_scores(clips, context.calibration) for clips in (context.scored, other, both)
        )
        decision = Decision.from_calibration(context.calibration)
        labels = [
            np.array([decision.label(probability) for probability in scores.probabilities])
            for scores in (as_is, flipped)
        ]
        changed = labels[0] != labels[1]
        is_reversed = changed & (labels[0] != "uncertain") & (labels[1] != "uncertain")
        apart = np.abs(as_is.probabilities - flipped.probabilities)
        one_way = ~_are_scored_both_ways(context)
        counted = one_way if one_way.any() else np.ones_like(one_way)
        changed, is_reversed, apart = changed[counted], is_reversed[counted], apart[counted]
        groups = as_is.groups[counted].tolist()
        return {
            "per_dataset": _per_dataset(as_is, averaged),
            "one_way": int(one_way.sum()),
            "both_ways": int((~one_way).sum()),
            "changed": estimates.mean_over(changed.astype(np.float64), groups).to_json(),
            "reversed": estimates.mean_over(is_reversed.astype(np.float64), groups).to_json(),
            "probability_change": round(float(np.median(apart)), 6),
        }

    def section(self, result: Mapping[str, Any], split: str) -> str:
        """Returns the sentence on changed verdicts, and a table of the gain per data set."""
        header = ["data", "real", "fake", "AUC", "AUC of the mean", "gain"]
        rows = [
            [
                "mean" if row["dataset"] is None else title(row["dataset"]),
                "" if row["dataset"] is None else row["real"],
                "" if row["dataset"] is None else row["fake"],
                *(cell(row[key]) for key in ("auc", "auc_of_mean", "gain")),
            ]
            for row in result["per_dataset"]
        ]
        # Reports from before mirrored bursts lack the counts.
        one_way, both_ways = result.get("one_way", 0), result.get("both_ways", 0)
        counted, others = "the videos", ""
        if both_ways:
            counted = f"{one_way} videos" if one_way else counted
            others = (
                f" {both_ways} {'others' if one_way else 'of them'} are pictures and videos of a "
                "single burst of frames, which are scored both ways round, so that nothing changes."
            )
        return f"""## Mirror images

Mirroring the crops changes the verdict on a share of {cell(result["changed"])} of {counted}; of
{cell(result["reversed"])}, from real to fake or back. The median change of the probability is
{result["probability_change"]:.3f}.{others} The mean of a crop and its mirror image does not depend
on which way round it is, and takes the encoder twice as long.

{table(header, rows)}"""


def _are_scored_both_ways(context: StudyContext) -> np.ndarray:
    """Returns of which videos every crop is scored both ways round: bool [V], as `video_scores`."""
    take_turns, in_a_row = context.calibration.mirror_bursts, context.config.video.burst_frames
    num_ways = [
        len(mirrorings(np.arange(clips[0].row.num_frames) // in_a_row, take_turns=take_turns))
        for clips in by_video(heard_clips(context.scored)).values()
    ]
    return np.array(num_ways) > 1


def _mean(clip: ScoredClip, other: ScoredClip) -> ScoredClip:
    """Returns a clip with the mean of two clips' logits."""
    return dataclasses.replace(
        clip,
        frame_logits=(clip.frame_logits + other.frame_logits) / 2,
        clip_logit=(clip.clip_logit + other.clip_logit) / 2,
    )


def _per_dataset(as_is: Scores, averaged: Scores) -> Sequence[dict[str, Any]]:
    draws = Draws.of(as_is.groups)
    rows, aucs = [], []
    for dataset in np.unique(as_is.datasets):
        members = np.flatnonzero(as_is.datasets == dataset)
        before, after = (
            estimates.estimate_ranking(scores.take(members), draws.take(members))["auc"]
            for scores in (as_is, averaged)
        )
        if before.is_measured:
            aucs.append((before, after))
            rows.append({"dataset": str(dataset), **as_is.take(members).counts()})
    if len(rows) > 1:
        befores, afters = zip(*aucs, strict=True)
        aucs.append((estimates.mean(befores), estimates.mean(afters)))
        rows.append({"dataset": None})
    return [
        {
            **row,
            "auc": before.to_json(),
            "auc_of_mean": after.to_json(),
            "gain": (after - before).to_json(),
        }
        for row, (before, after) in zip(rows, aucs, strict=True)
    ]
