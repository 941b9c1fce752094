"""The figures of a split, from its scored clips, as JSON values.

A figure is an object with `value`, `interval` (95%, over groups of source identities; see
`estimates`) and `reason`, which says why the value or the interval is null. See `report` for the
layout.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dfjax.config import CalibrationConfig
from dfjax.data.clip_row import group_name
from dfjax.data.rows import NO_FACE
from dfjax.evaluation import estimates, metrics
from dfjax.evaluation.bootstrap import NUM_DRAWS, Draws
from dfjax.evaluation.calibration import frozen_threshold
from dfjax.evaluation.estimates import Estimate, Estimates
from dfjax.evaluation.scores import (
    Scores,
    by_video,
    compression_name,
    frame_scores,
    mean_of_frames,
    video_scores,
)
from dfjax.evaluation.scoring import ScoredClip

Skipped = Mapping[str, Mapping[str, Any]]
"""Videos without a clip, by key, with `reason`, `is_fake`, `method` and `group`, as in the report
of `prepare`."""

_WORST = 1e9
"""A logit larger than any that a detector outputs."""


def report(
    scored: Sequence[ScoredClip],
    skipped: Skipped | None,
    calibration: CalibrationConfig,
    *,
    split: str,
    trained_methods: Mapping[str, Sequence[str]] | None = None,
    has_lstm: bool = True,
) -> dict[str, Any]:
    """Returns the figures of one split of one or more data sets.

    Args:
      scored: All clips of the split, from a detector.
      skipped: The videos of the split without a clip; None: not known.
      calibration: The detector's own, used unchanged: nothing is fitted here.
      split: Name of the split.
      trained_methods: Manipulation methods that the detector was trained on, by data set; None: not
        known.
      has_lstm: Whether the detector has an LSTM, which the baseline goes without.

    Returns:
      split, counts: What was scored: videos, clips, frames, real, fake, groups, datasets.
      bootstrap: draws, over: how the intervals were made.
      threshold: The probability_fake above which the figures count a video as called fake, and
        whether the model gives no verdicts (`withheld`).
      video, frame: All figures over all videos, and over the sampled times of all videos.
      mean_of_frames: The baseline that ignores time. For the videos with several frames: how many
        were compared, the model's AUC minus the baseline's (mean over data sets), whether the model
        beats it, and a sentence that says so.
      per_method: Per data set, compression and method, against the real videos of that data set and
        compression.  mean_over_methods: their mean.
      seen_and_unseen: Per data set, the fakes by methods that were in its training data, and those
        by others, against its real videos; null if that is not known.
      per_compression, per_dataset: All figures.  mean_over_datasets: their unweighted mean.
      operating_points: The thresholds of the config and the rates measured at them, means over data
        sets.
      verdicts, verdicts_per_dataset: Counts of real and fake videos by the model's verdict; of a
        data set also how many of them are single pictures, `pictures`.
      confusion: Counts at the threshold.
      reliability: The bins of the calibration error.
      failures: Counts of videos that are unreadable or without a face; AUC, balanced accuracy and
        false-positive rate with them left out, and with each counted as misclassified.
    """
    videos = video_scores(scored, calibration)
    frames = frame_scores(scored, calibration)
    draws = Draws.of(videos.groups)
    threshold = frozen_threshold(calibration)
    is_picture = np.array([clips[0].row.num_frames == 1 for clips in by_video(scored).values()])

    return {
        "split": split,
        "counts": {
            **videos.counts(),
            "clips": len(scored),
            "frames": len(frames),
            "datasets": np.unique(videos.datasets).tolist(),
        },
        "bootstrap": {"draws": NUM_DRAWS, "over": "groups of source identities"},
        "threshold": {
            "value": threshold,
            "withheld": calibration.fake_above == 1.0,
        },
        "video": estimates.to_json(_figures(videos, threshold, draws)),
        "frame": estimates.to_json(_figures(frames, threshold, Draws.of(frames.groups))),
        "mean_of_frames": _baseline(
            videos, mean_of_frames(scored, calibration), draws, _moving(scored), has_lstm=has_lstm
        ),
        **_by_part(videos, threshold, draws),
        "seen_and_unseen": None
        if trained_methods is None
        else _seen_and_unseen(videos, threshold, draws, trained_methods),
        "operating_points": _operating_points(videos, calibration, draws),
        "verdicts": _verdicts(videos, calibration),
        "verdicts_per_dataset": [
            {
                "dataset": name,
                "pictures": int(np.sum(is_picture & (videos.datasets == name))),
                **_verdicts(videos.take(videos.datasets == name), calibration),
            }
            for name in np.unique(videos.datasets).tolist()
        ],
        "confusion": dataclasses.asdict(
            metrics.confusion(videos.is_fake, videos.probabilities, threshold)
        ),
        "reliability": [
            dataclasses.asdict(bin)
            for bin in metrics.reliability(videos.is_fake, videos.probabilities)
        ],
        "failures": _failures(videos, skipped, threshold),
    }


def _figures(scores: Scores, threshold: float, draws: Draws) -> Estimates:
    return {
        **estimates.estimate_ranking(scores, draws),
        **estimates.estimate_decisions(scores, threshold, draws),
    }


def _by_part(videos: Scores, threshold: float, draws: Draws) -> dict[str, Any]:
    """Returns the figures per method, compression and data set, with their means."""

    def figures(rows: np.ndarray) -> Estimates:
        return _figures(videos.take(rows), threshold, draws.take(rows))

    per_dataset = {
        name: figures(np.flatnonzero(videos.datasets == name))
        for name in np.unique(videos.datasets).tolist()
    }
    per_method = _per_method(videos, threshold, draws)
    return {
        "per_method": [{**setting, **estimates.to_json(row)} for setting, row in per_method],
        "mean_over_methods": estimates.to_json(
            estimates.mean_of_each([row for _, row in per_method])
        ),
        "per_compression": [
            {
                "dataset": dataset,
                "compression": compression,
                **videos.take(rows).counts(),
                **estimates.to_json(figures(rows)),
            }
            for dataset, compression in videos.settings
            for rows in [_setting_rows(videos, dataset, compression)]
        ],
        "per_dataset": [
            {
                "dataset": name,
                **videos.take(videos.datasets == name).counts(),
                "real_groups": len(
                    np.unique(videos.groups[(videos.datasets == name) & (videos.is_fake == 0)])
                ),
                **estimates.to_json(row),
            }
            for name, row in per_dataset.items()
        ],
        "mean_over_datasets": estimates.to_json(estimates.mean_of_each([*per_dataset.values()])),
    }


def _setting_rows(videos: Scores, dataset: str, compression: str) -> np.ndarray:
    return np.flatnonzero((videos.datasets == dataset) & (videos.compressions == compression))


def _per_method(
    videos: Scores, threshold: float, draws: Draws
) -> list[tuple[dict[str, Any], Estimates]]:
    """Returns the figures of each method, with its data set, compression, name and counts."""
    table = []
    for dataset, compression in videos.settings:
        rows = _setting_rows(videos, dataset, compression)
        real, fake = rows[videos.is_fake[rows] == 0], rows[videos.is_fake[rows] == 1]
        for method in np.unique(videos.methods[fake]).tolist():
            chosen = np.concatenate([real, fake[videos.methods[fake] == method]])
            setting = {"dataset": dataset, "compression": compression, "method": method}
            scores = videos.take(chosen)
            figures = _figures(scores, threshold, draws.take(chosen))
            table.append(({**setting, **scores.counts()}, figures))
    return table


def _seen_and_unseen(
    videos: Scores, threshold: float, draws: Draws, trained_methods: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """Returns the figures of methods that were trained on, and of those that were not."""
    table = []
    for dataset in np.unique(videos.datasets).tolist():
        is_here, is_fake = videos.datasets == dataset, videos.is_fake == 1
        is_known = np.isin(videos.methods, list(trained_methods.get(dataset, ())))
        for seen in (True, False):
            fakes = is_here & is_fake & (is_known == seen)
            if not fakes.any():
                continue
            rows = np.flatnonzero(fakes | (is_here & ~is_fake))
            scores = videos.take(rows)
            table.append(
                {
                    "dataset": dataset,
                    "seen": seen,
                    "methods": np.unique(videos.methods[fakes]).tolist(),
                    **scores.counts(),
                    **estimates.to_json(_figures(scores, threshold, draws.take(rows))),
                }
            )
    return table


def _moving(scored: Sequence[ScoredClip]) -> np.ndarray:
    """Returns bool [V], True for a video with several frames; a still shows no motion."""
    clips_of = by_video(scored).values()
    return np.array([any(len(c.frame_logits) > 1 for c in clips) for clips in clips_of], bool)


def _baseline(
    videos: Scores, baseline: Scores, draws: Draws, moving: np.ndarray, *, has_lstm: bool
) -> dict[str, Any]:
    """Returns the figures of the mean of frames, and its comparison with the model on videos."""
    rows = np.flatnonzero(moving)
    ours, theirs = (
        estimates.auc_over_datasets(scores.take(rows), draws.take(rows))
        for scores in (videos, baseline)
    )
    difference = (
        ours - theirs if len(rows) else Estimate.absent("there are only pictures, no videos")
    )
    interval = difference.interval
    if not has_lstm:
        beats = None
        sentence = "The model has no LSTM: it is a mean of frames itself."
    elif interval is None:
        beats = None
        sentence = f"Whether the LSTM beats the mean of frames is unknown: {difference.reason}."
    else:
        beats = interval[0] > 0
        gain = "AUC {:+.3f}, 95% interval {:+.3f} to {:+.3f}".format(difference.value, *interval)
        gain += f", {len(rows)} videos"
        if beats:
            sentence = f"The LSTM beats the mean of frames ({gain})."
        elif difference.value > 0:
            sentence = f"The LSTM was not shown to beat the mean of frames ({gain})."
        else:
            sentence = f"The LSTM does not beat the mean of frames ({gain})."
    return {
        **estimates.to_json(estimates.estimate_ranking(baseline, draws)),
        "compared_videos": len(rows),
        "auc_difference": difference.to_json(),
        "lstm_beats_it": beats,
        "sentence": sentence,
    }


def _operating_points(
    videos: Scores, calibration: CalibrationConfig, draws: Draws
) -> list[dict[str, Any]]:
    """Returns the rates at the config's thresholds: means over data sets, as when fitted."""
    parts = [np.flatnonzero(videos.datasets == name) for name in np.unique(videos.datasets)]
    table = []
    for point in calibration.operating_points:
        decided = [
            estimates.estimate_decisions(videos.take(rows), point.fake_above, draws.take(rows))
            for rows in parts
        ]
        rates = ("false_positive_rate", "true_positive_rate")
        table.append(
            {
                "wanted_false_positive_rate": point.false_positive_rate,
                "fake_above": point.fake_above,
                **{name: estimates.mean(row[name] for row in decided).to_json() for name in rates},
            }
        )
    return table


def _verdicts(videos: Scores, calibration: CalibrationConfig) -> dict[str, dict[str, int]]:
    """Returns how many real and fake videos got each verdict."""
    probabilities = videos.probabilities
    is_answer = {
        "real": probabilities < calibration.real_below,
        "fake": probabilities > calibration.fake_above,
    }
    is_answer["uncertain"] = ~(is_answer["real"] | is_answer["fake"])
    return {
        label: {
            answer: int(np.sum(given & (videos.is_fake == number)))
            for answer, given in is_answer.items()
        }
        for number, label in enumerate(("real", "fake"))
    }


def _failures(videos: Scores, skipped: Skipped | None, threshold: float) -> dict[str, Any]:
    """Returns how the videos without a score affect the figures."""
    if skipped is None:
        return {
            "known": False,
            "reason": "the data set has no report of the videos that were left out",
        }
    no_face = sum(entry["reason"] == NO_FACE for entry in skipped.values())
    total = len(videos) + len(skipped)
    with_wrong = _with_failures_wrong(videos, skipped)
    both_ways = {
        name: _figures(scores, threshold, Draws.of(scores.groups))
        for name, scores in (("left_out", videos), ("counted_as_wrong", with_wrong))
    }
    return {
        "known": True,
        "no_face": no_face,
        "unreadable": len(skipped) - no_face,
        "no_face_share": no_face / total if total else None,
        **{
            name: {
                key: figures[key].to_json()
                for key in ("auc", "balanced_accuracy", "false_positive_rate")
            }
            for name, figures in both_ways.items()
        },
    }


def _with_failures_wrong(videos: Scores, skipped: Skipped) -> Scores:
    """Returns the videos plus those without a score, each as wrong as it can be."""
    is_fake = np.array([int(entry["is_fake"]) for entry in skipped.values()], np.int64)
    parts = [key.split("/", 3) for key in skipped]

    def column(values: Sequence[str], kept: np.ndarray) -> np.ndarray:
        return np.concatenate([kept, np.array(values, dtype=str)])

    return Scores(
        videos=column([*skipped], videos.videos),
        datasets=column([dataset for dataset, *_ in parts], videos.datasets),
        methods=column([method for _, method, *_ in parts], videos.methods),
        compressions=column([compression_name(part[2]) for part in parts], videos.compressions),
        groups=column(
            [
                group_name(dataset, entry["group"])
                for (dataset, *_), entry in zip(parts, skipped.values(), strict=True)
            ],
            videos.groups,
        ),
        is_fake=np.concatenate([videos.is_fake, is_fake]),
        logits=np.concatenate([videos.logits, np.where(is_fake == 1, -_WORST, _WORST)]),
    )
