"""What distortions of the videos do to the answers."""

import collections
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dfjax.config import CalibrationConfig
from dfjax.data.sources import LabelledVideo
from dfjax.errors import DatasetError
from dfjax.evaluation import estimates
from dfjax.evaluation.bootstrap import Draws
from dfjax.evaluation.calibration import frozen_threshold, threshold_at
from dfjax.evaluation.scores import scores_of_files
from dfjax.evaluation.studies.distorted_videos import DistortedScore, DistortedScorer
from dfjax.evaluation.studies.distortions import DISTORTIONS, EVERYDAY, UNCHANGED, Distortion
from dfjax.inference.probabilities import calibrated_clip_logits

EVERYDAY_KIND = "everyday"
"""Stands for all of `EVERYDAY` where kinds are named."""

EVERYDAY_RATE = 0.05
"""False-positive rate of the operating point at which everyday treatments are counted."""

OnVideo = Callable[[int, int], None]
"""Called with the number of videos done and the number in all, over all distortions."""


def measure_robustness(
    scorer: DistortedScorer,
    videos: Sequence[LabelledVideo],
    calibration: CalibrationConfig,
    *,
    kinds: Sequence[str] = (*DISTORTIONS, EVERYDAY_KIND),
    on_video: OnVideo | None = None,
) -> dict[str, Any]:
    """Returns figures of the same videos under each distortion.

    Args:
      scorer: With the detector.
      videos: Of one split.
      calibration: The detector's own.
      kinds: Names of `DISTORTIONS`, or `EVERYDAY_KIND`.
      on_video: Told how far the run is.

    Returns:
      Counts of the videos; `distortions`: a row for the unchanged videos and for every kind and
      severity, with `setting`, `auc`, `mean_of_frames_auc` and their `auc_difference`,
      `balanced_accuracy` and `false_positive_rate` at the frozen threshold, over videos with a
      face, `no_face_share` and `unreadable`; `everyday`: likewise a
      row per treatment, over the real videos alone, with the `false_positive_rate` at
      `everyday_threshold`, that of the operating point for 5%.

    Raises:
      DatasetError: A kind is unknown, or there are no videos.
    """
    unknown = sorted(set(kinds) - {*DISTORTIONS, EVERYDAY_KIND})
    if unknown:
        raise DatasetError(
            f"There is no distortion {', '.join(unknown)}; known are "
            f"{', '.join((*DISTORTIONS, EVERYDAY_KIND))}."
        )
    if not videos:
        raise DatasetError("The split has no video that could be distorted; stills have no codec.")
    levels = [level for kind in kinds if kind in DISTORTIONS for level in DISTORTIONS[kind]]
    treatments = EVERYDAY if EVERYDAY_KIND in kinds else ()
    reals = [video for video in videos if not video.is_fake]
    jobs = [(level, videos) for level in (UNCHANGED, *levels)]
    jobs += [(treatment, reals) for treatment in treatments]
    total = sum(len(members) for _, members in jobs)
    num_done = 0
    outcomes = {}
    for distortion, members in jobs:

        def report(done: int, before: int = num_done) -> None:
            if on_video is not None:
                on_video(before + done, total)

        outcomes[distortion.name] = scorer.outcomes(members, distortion, report)
        num_done += len(members)
    threshold = frozen_threshold(calibration)
    everyday_threshold = threshold_at(calibration, EVERYDAY_RATE)
    untreated = [o for o, v in zip(outcomes[UNCHANGED.name], videos, strict=True) if not v.is_fake]
    return {
        "videos": len(videos),
        "real": len(reals),
        "fake": len(videos) - len(reals),
        "groups": len({(video.dataset, video.group) for video in videos}),
        "threshold": threshold,
        "distortions": [
            _row(level, videos, outcomes[level.name], calibration, threshold)
            for level in (UNCHANGED, *levels)
        ],
        "everyday_threshold": everyday_threshold,
        "everyday": [
            _row(treatment, reals, results, calibration, everyday_threshold)
            for treatment, results in [
                (UNCHANGED, untreated),
                *((treatment, outcomes[treatment.name]) for treatment in treatments),
            ]
        ]
        if treatments
        else [],
    }


def choose_videos(videos: Sequence[LabelledVideo], count: int) -> list[LabelledVideo]:
    """Returns at most `count` of the videos, half real and half fake, always the same.

    Within a class, groups of identities and methods are taken in turn, so that few videos show as
    many people and methods as they can.
    """
    chosen: list[LabelledVideo] = []
    for is_fake, wanted in ((False, count // 2), (True, count - count // 2)):
        waiting = sorted((v for v in videos if v.is_fake == is_fake), key=_lot)
        taken: collections.Counter = collections.Counter()
        for _ in range(min(wanted, len(waiting))):
            video = min(waiting, key=lambda v: (taken[v.dataset, v.group], taken[v.method]))
            waiting.remove(video)
            taken.update([(video.dataset, video.group), video.method])
            chosen.append(video)
    return chosen


def _lot(video: LabelledVideo) -> str:
    return hashlib.sha256(video.key.encode()).hexdigest()


def _row(
    distortion: Distortion,
    videos: Sequence[LabelledVideo],
    outcomes: Sequence[DistortedScore],
    calibration: CalibrationConfig,
    threshold: float,
) -> dict[str, Any]:
    """Returns the figures of one distortion."""
    pairs = zip(videos, outcomes, strict=True)
    scored = [(video, outcome) for video, outcome in pairs if outcome.clip_logit is not None]
    unreadable = sum(outcome.unreadable for outcome in outcomes)
    no_face = len(videos) - len(scored) - unreadable
    found = [video for video, _ in scored]
    logits = np.array([outcome.clip_logit for _, outcome in scored], np.float64)
    scores = scores_of_files(found, calibrated_clip_logits(logits, calibration))
    baseline = scores_of_files(found, np.array([o.frame_logit for _, o in scored], np.float64))
    draws = Draws.of(scores.groups)
    auc, baseline_auc = (estimates.auc_over_datasets(each, draws) for each in (scores, baseline))
    decided = estimates.estimate_decisions(scores, threshold, draws)
    return {
        "kind": distortion.kind,
        "severity": distortion.severity,
        "setting": distortion.setting,
        "scored": len(scored),
        "no_face_share": round(no_face / len(videos), 6) if videos else None,
        "unreadable": unreadable,
        "auc": auc.to_json(),
        "mean_of_frames_auc": baseline_auc.to_json(),
        "auc_difference": (auc - baseline_auc).to_json(),
        "balanced_accuracy": decided["balanced_accuracy"].to_json(),
        "false_positive_rate": decided["false_positive_rate"].to_json(),
    }
