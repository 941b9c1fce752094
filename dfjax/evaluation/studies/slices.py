"""Figures for parts of a split: small and large faces, dark and bright ones, and so on."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dfjax.evaluation import estimates
from dfjax.evaluation.bootstrap import Draws
from dfjax.evaluation.calibration import frozen_threshold
from dfjax.evaluation.drawing import draw_intervals, entitle, one_panel
from dfjax.evaluation.scores import Scores, video_scores
from dfjax.evaluation.scoring import ScoredClip, main_faces
from dfjax.evaluation.studies.study import Study, StudyContext
from dfjax.evaluation.tables import MEASURES, as_it_is, cell, table

NUM_BINS = 4
"""Number of quantile bins for a numeric property."""

MAX_CATEGORIES = 12
"""Attributes with more values than this are not used for slicing."""

ABSENT = "not given"
"""The category of videos whose source does not give an attribute."""


_MEASURES: tuple[tuple[str, str, Callable[[ScoredClip], float]], ...] = (
    ("face size", "pixels of the video", lambda clip: clip.face_size),
    ("sharpness", "variance of the crop's Laplacian", lambda clip: clip.look.sharpness),
    ("brightness", "mean luma of the crop, 0 to 255", lambda clip: clip.look.brightness),
    ("frame rate", "frames per second", lambda clip: clip.row.fps),
    ("duration", "seconds", lambda clip: clip.row.duration),
)


@dataclasses.dataclass(frozen=True)
class Split:
    """Assigns each of N videos to a named part."""

    part_of: np.ndarray  # int64 [N], index into `labels`
    labels: Sequence[str]


class SlicesStudy(Study):
    """Figures by properties of a video's main face, and by each attribute from the source."""

    name = "slices"

    def measure(self, context: StudyContext) -> list[dict[str, Any]]:
        """Returns the figures of each part of the split.

        Args:
          context: The detector and its data.

        Returns:
          Per property `by`, `unit` (null: a category) and `parts`; a property that does not split
          the videos has no parts, but a `reason`. A part has a `label`, counts, and the figures
          `auc`, `false_positive_rate` and `true_positive_rate` at the frozen threshold.
        """
        clips = main_faces(context.scored)
        videos = video_scores(context.scored, context.calibration)
        draws = Draws.of(videos.groups)
        threshold = frozen_threshold(context.calibration)

        def entry(by: str, unit: str | None, split: Split | str) -> dict[str, Any]:
            if isinstance(split, str):
                return {"by": by, "unit": unit, "parts": [], "reason": split}
            parts = [
                {"label": label, **_figures(videos.take(rows), draws.take(rows), threshold)}
                for part, label in enumerate(split.labels)
                for rows in [np.flatnonzero(split.part_of == part)]
            ]
            return {"by": by, "unit": unit, "parts": parts, "reason": None}

        entries = [
            entry(name, unit, split_by_number(np.array([measure(clip) for clip in clips])))
            for name, unit, measure in _MEASURES
        ]
        for name in sorted({name for clip in clips for name in clip.row.attributes}):
            values = [clip.row.attributes.get(name) for clip in clips]
            entries.append(entry(name, None, split_by_attribute(values)))
        return entries

    def section(self, result: Sequence[Mapping[str, Any]], split: str) -> str:
        """Returns the table of all parts, and the reasons for properties without parts."""
        keys = ("auc", "false_positive_rate", "true_positive_rate")
        header = ["by", "part", "real", "fake", *(MEASURES[key] for key in keys)]
        rows = [
            [
                entry["by"] if entry["unit"] is None else f"{entry['by']}, {entry['unit']}",
                part["label"],
                part["real"],
                part["fake"],
                *(cell(part[key]) for key in keys),
            ]
            for entry in result
            for part in entry["parts"]
        ]
        skipped = "".join(
            f"- Not by {as_it_is(entry['by'])}: {as_it_is(entry['reason'])}.\n"
            for entry in result
            if not entry["parts"]
        )
        return f"""## Parts of the split {split}

By properties of a video's main face, in parts with about equally many videos, and by attributes
that the data set gives.

{table(header, rows) if rows else ""}

{skipped}
{"![Parts](slices.png)" if rows else ""}"""

    def pictures(self, result: Sequence[Mapping[str, Any]], caption: str) -> dict[str, Figure]:
        """Returns a plot of the AUC of each part, if there are parts."""
        has_parts = any(entry["parts"] for entry in result)
        return {"slices": draw_slices(result, caption)} if has_parts else {}


def draw_slices(table: Sequence[Mapping[str, Any]], caption: str) -> Figure:
    """Returns a plot of the AUC of each part of the split with its interval.

    Args:
      table: The result of the study.
      caption: Names the data.
    """
    labels, figures = [], []
    for entry in table:
        for part in entry["parts"]:
            counts = f"{part['real']} real, {part['fake']} fake"
            labels.append(f"{entry['by']} {part['label']} ({counts})")
            figures.append(part["auc"])
    figure, axes = one_panel(7.5, 1.2 + 0.3 * len(labels))
    draw_intervals(axes, labels, figures)
    axes.set(xlabel="AUC, 95% interval")
    entitle(figure, "Parts of the data", caption)
    return figure


def split_by_number(values: np.ndarray) -> Split | str:
    """Returns quantile bins of values, float [N], or the reason why there is only one."""
    if not len(values):
        return "there are no videos"
    rounded = np.array([float(f"{value:.3g}") for value in values])
    if rounded.min() == rounded.max():
        return f"all videos have the value {rounded[0]:g}"
    inner = np.quantile(rounded, np.arange(1, NUM_BINS) / NUM_BINS, method="higher")
    # No value is below the lowest. If many share it (stills have duration 0), they form a part
    # separate from the rest.
    inner[inner == rounded.min()] = rounded[rounded > rounded.min()].min()
    # If many share a value, some bins are empty.
    _, part_of = np.unique(np.searchsorted(inner, rounded, side="right"), return_inverse=True)
    members = [rounded[part_of == part] for part in range(part_of.max() + 1)]
    return Split(part_of, [f"{part.min():g} to {part.max():g}" for part in members])


def split_by_attribute(values: Sequence[Any]) -> Split | str:
    """Returns a part for each value of an attribute, or bins if it has many numeric values.

    Args:
      values: JSON values, None if a video lacks the attribute. Numbers may be text, as in tables.
    """
    numbers = [_number(value) for value in values if value is not None]
    finite = [number for number in numbers if math.isfinite(number)]
    if len(finite) == len(numbers) and len(set(finite)) > NUM_BINS:
        return _with_absent(split_by_number(np.array(finite, np.float64)), values)
    names = [ABSENT if value is None else str(value) for value in values]
    labels, part_of = np.unique(names, return_inverse=True)
    if len(labels) == 1:
        return f"all videos have the value {labels[0]}"
    if len(labels) > MAX_CATEGORIES:
        return f"it has {len(labels)} values; the limit is {MAX_CATEGORIES}"
    return Split(part_of, labels.tolist())


def _number(value: Any) -> float:
    """Returns a JSON value as a number, NaN if it is none."""
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return math.nan


def _with_absent(split: Split | str, values: Sequence[Any]) -> Split | str:
    """Returns a split of the given values, with the videos that have none as its last part."""
    is_given = np.array([value is not None for value in values])
    if isinstance(split, str) or is_given.all():
        return split
    part_of = np.full(len(values), len(split.labels))
    part_of[is_given] = split.part_of
    return Split(part_of, [*split.labels, ABSENT])


def _figures(videos: Scores, draws: Draws, threshold: float) -> dict[str, Any]:
    decided = estimates.estimate_decisions(videos, threshold, draws)
    return {
        **videos.counts(),
        "auc": estimates.estimate_ranking(videos, draws)["auc"].to_json(),
        "false_positive_rate": decided["false_positive_rate"].to_json(),
        "true_positive_rate": decided["true_positive_rate"].to_json(),
    }
