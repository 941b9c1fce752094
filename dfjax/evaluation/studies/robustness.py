"""How distortions of the videos change the results."""

import collections
import dataclasses
import hashlib
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dfjax.config import CalibrationConfig
from dfjax.data.sources import LabelledVideo
from dfjax.errors import DatasetError
from dfjax.evaluation import estimates
from dfjax.evaluation.bootstrap import Draws
from dfjax.evaluation.calibration import frozen_threshold, threshold_at
from dfjax.evaluation.distortions import (
    DISTORTIONS,
    EVERYDAY,
    EVERYDAY_KIND,
    KINDS,
    UNCHANGED,
    Distortion,
)
from dfjax.evaluation.drawing import entitle
from dfjax.evaluation.scores import scores_of_files
from dfjax.evaluation.studies.distorted_videos import DistortedScore, DistortedScorer
from dfjax.evaluation.studies.study import Study, StudyContext
from dfjax.evaluation.tables import as_percent, cell, table
from dfjax.faces.detection import FaceDetector
from dfjax.inference.probabilities import calibrated_clip_logits
from dfjax.shown_numbers import threshold_percent
from dfjax.video.suffixes import STILL_SUFFIXES

EVERYDAY_RATE = 0.05
"""False-positive rate of the operating point used for everyday treatments."""

OnVideo = Callable[[int, int], None]
"""Called with the number of videos done and the total, over all distortions."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RobustnessStudy(Study):
    """Measures the same videos under each distortion; the fields say how many, and which."""

    name = "robustness"
    optional = True
    needs_files = True

    kinds: tuple[str, ...] = KINDS
    num_videos: int = 100  # maximum over all data sets; balanced over classes and groups

    def check(self, files: Sequence[Sequence[LabelledVideo]], split: str) -> None:
        """Checks that the split has a video, and that one is to be chosen."""
        if self.num_videos < 1:
            raise DatasetError(f"{self.num_videos} videos are to be distorted; needed: at least 1.")
        _require_videos(_videos(files, split))

    def measure(self, context: StudyContext) -> dict[str, Any]:
        """Returns the figures of the split's videos; see `measure_robustness`.

        Results of distorted videos are kept in `context.out` and reused.
        """
        scorer = DistortedScorer(
            context.score,
            context.config,
            FaceDetector(context.config.faces),
            context.out / "distorted" / context.fingerprint,
        )
        return measure_robustness(
            scorer,
            choose_videos(_videos(context.files, context.split), self.num_videos),
            context.calibration,
            kinds=self.kinds,
            on_video=lambda done, total: context.on_progress("Distorting videos", done, total),
        )

    def section(self, result: Mapping[str, Any], split: str) -> str:
        """Returns tables of the distortions and of the everyday treatments."""
        header = ["distortion", "setting", "scored", "AUC", "AUC, mean of frames"]
        header += ["balanced accuracy", "real called fake", "no face", "unreadable"]

        def rows(entries: Iterable[Mapping[str, Any]], *keys: str) -> list[list[Any]]:
            return [
                [
                    f"{row['kind']} {row['severity'] or ''}".strip(),
                    row["setting"],
                    row["scored"],
                    *(cell(row[key]) for key in keys),
                    as_percent(row["no_face_share"]),
                    row["unreadable"],
                ]
                for row in entries
            ]

        counts = f"{result['real']} real and {result['fake']} fake videos of"
        keys = ("auc", "mean_of_frames_auc", "balanced_accuracy", "false_positive_rate")
        text = f"""## Distorted videos

{counts} {result["groups"]} groups of identities, each distorted, then run through face
detection and scored again. Verdicts are at the threshold {result["threshold"]:.3f}; AUC is the mean
over data sets.

{table(header, rows(result["distortions"], *keys))}"""
        if len(result["distortions"]) > 1:
            text += "\n\n![Distorted videos](robustness.png)"
        if result["everyday"]:
            # Older reports, without the rate, were all of models that have a threshold for it.
            rate = result.get("everyday_rate", EVERYDAY_RATE)
            promised = "" if rate is None else f" for {threshold_percent(rate)} false positives"
            header = ["treatment", "setting", "scored", "real called fake", "no face", "unreadable"]
            text += f"""

### Everyday treatments of real videos

{result["real"]} real videos, at the threshold {result["everyday_threshold"]:.3f}{promised}.

{table(header, rows(result["everyday"], "false_positive_rate"))}"""
        return text

    def pictures(self, result: Mapping[str, Any], caption: str) -> dict[str, Figure]:
        """Returns a plot of the figures by severity, if any distortion has severities."""
        if len(result["distortions"]) == 1:
            return {}
        return {"robustness": draw_robustness(result, caption)}


def measure_robustness(
    scorer: DistortedScorer,
    videos: Sequence[LabelledVideo],
    calibration: CalibrationConfig,
    *,
    kinds: Sequence[str] = KINDS,
    on_video: OnVideo | None = None,
) -> dict[str, Any]:
    """Returns figures of the same videos under each distortion.

    Args:
      scorer: Scores distorted videos with the detector.
      videos: Videos of one split.
      calibration: The detector's calibration.
      kinds: A subset of `KINDS`.
      on_video: Called to report progress.

    Returns:
      Counts of the videos. `distortions`: a row for the unchanged videos and for every kind and
      severity, with `setting`, `auc`, `mean_of_frames_auc` and their `auc_difference`,
      `balanced_accuracy` and `false_positive_rate` at the frozen threshold, over videos with a
      face, `no_face_share` and `unreadable`. `everyday`: the same for each treatment, over the real
      videos only, with the `false_positive_rate` at `everyday_threshold`, the threshold of the
      operating point for `everyday_rate`, or else the frozen one, where the rate is null.

    Raises:
      DatasetError: A kind is unknown, or there are no videos.
    """
    unknown = sorted(set(kinds) - {*KINDS})
    if unknown:
        raise DatasetError(
            f"There is no distortion {', '.join(unknown)}; known are {', '.join(KINDS)}."
        )
    _require_videos(videos)
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
    rates = {point.false_positive_rate for point in calibration.operating_points}
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
        "everyday_rate": EVERYDAY_RATE if EVERYDAY_RATE in rates else None,
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


def draw_robustness(robustness: Mapping[str, Any], caption: str) -> Figure:
    """Returns a plot of the figures of each kind of distortion by severity.

    Args:
      robustness: The result of `measure_robustness`.
      caption: Names the data.
    """
    unchanged, *distorted = robustness["distortions"]
    kinds = list(dict.fromkeys(row["kind"] for row in distorted))
    columns = min(4, len(kinds))
    lines = -(-len(kinds) // columns)
    size = max(6.2, 3.1 * columns), 2.6 * lines + 1.2  # room for caption and legend
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    curves = (
        ("AUC", "C0-", lambda row: row["auc"]["value"]),
        ("balanced accuracy", "C2--", lambda row: row["balanced_accuracy"]["value"]),
        ("real videos called fake", "C3-", lambda row: row["false_positive_rate"]["value"]),
        ("no face found", "k:", lambda row: row["no_face_share"]),
    )
    for axes, kind in zip(panels, kinds, strict=False):
        rows = [unchanged, *(row for row in distorted if row["kind"] == kind)]
        severities = [row["severity"] for row in rows]
        for name, style, value in curves:
            values = np.array([value(row) for row in rows], np.float64)  # None becomes NaN: a gap
            axes.plot(severities, values, style, marker="o", markersize=3, label=name)
        axes.set_title(f"{kind}, by severity", fontsize="medium")
        axes.set(ylim=(-0.03, 1.03), xticks=range(6), xticklabels=["none", *range(1, 6)])
        axes.grid(color="0.9")
    for axes in panels[len(kinds) :]:
        axes.remove()
    ncols = 4 if columns > 2 else 2
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=ncols)
    counts = f"{robustness['real']} real and {robustness['fake']} fake distorted"
    entitle(figure, f"{counts}, threshold {robustness['threshold']:.2f}", caption)
    return figure


def choose_videos(videos: Sequence[LabelledVideo], count: int) -> list[LabelledVideo]:
    """Returns up to `count` of the videos, half real and half fake; the choice is deterministic.

    Within a class, groups of identities and methods take turns, so that a few videos cover as many
    people and methods as possible.
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


def _videos(files: Sequence[Sequence[LabelledVideo]], split: str) -> list[LabelledVideo]:
    """Returns what can be distorted of a split: stills cannot be re-encoded as video."""
    return [
        video
        for video in itertools.chain.from_iterable(files)
        if video.split == split and video.path.suffix.lower() not in STILL_SUFFIXES
    ]


def _require_videos(videos: Sequence[LabelledVideo]) -> None:
    if not videos:
        raise DatasetError("The split has only stills or nothing; distortions need videos.")


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
    scored = [(video, outcome) for video, outcome in pairs if outcome.logit is not None]
    unreadable = sum(outcome.unreadable for outcome in outcomes)
    no_face = len(videos) - len(scored) - unreadable
    found = [video for video, _ in scored]
    logits = np.array([outcome.logit for _, outcome in scored], np.float64)
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
