"""Do heat maps show what makes a frame look fake? Their test against other areas and known masks.

A heat map always looks convincing: it lies on a face, and faces are what one looks at. So it is
compared with what it would be if it knew nothing of this frame: its own shape at another place, and
the map of another face. Only a map that beats both may be shown to anybody.

Sources: deletion and insertion, Petsiuk et al., "RISE", BMVC 2018; the pointing game, Zhang et al.,
"Top-down Neural Attention by Excitation Backprop", 2016; against other maps, after Adebayo et al.,
"Sanity Checks for Saliency Maps", NeurIPS 2018.
"""

import dataclasses
import functools
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from scipy.ndimage import distance_transform_edt

from dfjax.augment.self_blend import blend_parts
from dfjax.data.clip_row import ClipRow
from dfjax.data.prepared import padded_landmarks
from dfjax.evaluation import estimates
from dfjax.evaluation.occlusion import blur, covered, heat_map, hottest, with_areas
from dfjax.evaluation.studies.study import ScoreFunction, Study, StudyContext
from dfjax.evaluation.tables import cell, table
from dfjax.train_config import BlendConfig

AREA = 0.2
"""Share of the crop that is deleted, or inserted: the hottest of a map."""

MAX_MASK = 0.6
"""Masks that fill more of a crop are hit by anything, and are left out of the pointing game."""

_NUM_AREAS = 7  # that a map's own area is compared with, of each kind
_SEAM = 1 / 16  # distance from a mask's edge that belongs to its seam, as a share of the side

_blend = jax.jit(functools.partial(blend_parts, config=BlendConfig()))


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Suspect:
    """The most suspicious frame of a clip that the detector takes for fake."""

    row: ClipRow  # without its frames
    crop: np.ndarray  # uint8 [S, S, 3]
    logit: float
    mask: np.ndarray | None  # bool [S, S], what was blended in; None: not known
    map: np.ndarray  # float32 [S, S]


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeatMapsStudy(Study):
    """Whether heat maps show what makes frames look fake."""

    name = "heat_maps"
    optional = True

    num_clips: int = 40
    """Most clips of either kind: fakes of the data sets, and self-blended ones."""

    def measure(self, context: StudyContext) -> dict[str, Any]:
        """Measures maps of the most suspicious frames that the detector takes for fake.

        Args:
          context: The detector and its data.

        Returns:
          `fakes` and `blends`, each with `frames` and, under `deletion` and `insertion`, how often
          the map's own area changes the logit more than an area of the same size: `moved`, its own
          at another place, or `other`, that of another face's map. `pointing`, for the `mask` of
          what was blended in and for the `seam` around it: `frames`, how often the hottest place of
          the `own` map lies in it, that of the `other` maps, and the `difference`. `passed`:
          whether all but the seam is better than chance.
        """
        rng = np.random.default_rng(0)
        fakes = _suspects(
            context, ((row, None) for row in self._chosen(context, is_fake=1)), "fakes"
        )
        blends = _suspects(
            context, _self_blended(context, self._chosen(context, is_fake=0)), "blends"
        )
        result: dict[str, Any] = {
            "area": AREA,
            "fakes": _areas(fakes, context.score, rng),
            "blends": _areas(blends, context.score, rng),
            "pointing": {"mask": _pointing(blends), "seam": _pointing(blends, around=_SEAM)},
        }
        return {**result, "passed": _passed(result)}

    def section(self, result: Mapping[str, Any], split: str) -> str:
        """Returns a table of the comparisons."""
        verdict = (
            "All of it is better than chance."
            if result["passed"]
            else "Not all of it is better than chance, so no heat map is shown to anybody."
        )
        intro = f"""## Heat maps

Does covering the hottest {result["area"]:.0%} of a frame make it look more real (deletion), and
showing nothing else make it look fake (insertion)? The figures say how often more so than an area
of the same size does: the same one moved elsewhere, or that of another face's map; 0.5 is chance.
And does the hottest place lie in what was blended in, more often than that of another face's map?
{verdict}"""
        rows = [
            [f"{kind}, {test}", cell(part[test]["moved"]), cell(part[test]["other"])]
            for kind, key in (("fakes", "fakes"), ("self-blended", "blends"))
            for part in [result[key]]
            for test in ("deletion", "insertion")
        ]
        counts = f"{result['fakes']['frames']} fakes, {result['blends']['frames']} self-blended"
        areas = table([counts, "against moved areas", "against other maps"], rows)
        pointing = result["pointing"]
        points = table(
            [f"hottest place of {pointing['mask']['frames']} maps", "in the mask", "at its seam"],
            [
                [name, cell(pointing["mask"][key]), cell(pointing["seam"][key])]
                for name, key in (
                    ("own map", "own"),
                    ("other faces' maps", "other"),
                    ("difference", "difference"),
                )
            ],
        )
        return f"{intro}\n\n{areas}\n\n{points}"

    def _chosen(self, context: StudyContext, *, is_fake: int) -> Iterator[ClipRow]:
        """Yields some of the clips, spread over the identities as evenly as their numbers allow."""
        known = [
            clip.row
            for clip in context.scored
            if clip.row.is_fake == is_fake and (not is_fake or clip.frame_logits.max() > 0)
        ]
        order = np.random.default_rng(0).permutation(len(known))
        nth: dict[str, int] = {}  # clips taken of a group
        ranked = []
        for place in order:
            group = known[place].group
            nth[group] = nth.get(group, 0) + 1
            ranked.append((nth[group], len(ranked), known[place]))
        chosen = {
            (row.video, row.track_id)
            for _, _, row in sorted(ranked, key=lambda r: r[:2])[: self.num_clips]
        }
        for row in context.rows():
            if (row.video, row.track_id) in chosen:
                yield row


def _self_blended(
    context: StudyContext, rows: Iterable[ClipRow]
) -> Iterator[tuple[ClipRow, np.ndarray]]:
    """Yields a fake of each real clip, and where it was blended in: bool [n, S, S]."""
    num_frames = context.config.video.num_frames
    for row in rows:
        count, size = row.frames.shape[:2]
        clips = np.zeros((1, num_frames, size, size, 3), np.float32)
        clips[0, :count] = row.frames
        key = jax.random.fold_in(
            jax.random.key(1), zlib.crc32(f"{row.video}/{row.track_id}".encode())
        )
        parts = _blend(
            key[None],
            clips,
            padded_landmarks(row, num_frames)[None],
            np.arange(num_frames)[None] < count,
        )
        sources, targets, masks = (np.asarray(part)[0, :count] for part in parts)
        blended = targets + masks * (sources - targets)
        masks = masks[..., 0] > 0.5 * masks.max()
        yield dataclasses.replace(row, frames=blended.round().clip(0, 255).astype(np.uint8)), masks


def _suspects(
    context: StudyContext, clips: Iterable[tuple[ClipRow, np.ndarray | None]], kind: str
) -> list[_Suspect]:
    """Returns the most suspicious frame of each clip with a positive logit, and its heat map."""
    suspects = []
    known = {(clip.row.video, clip.row.track_id): clip.frame_logits for clip in context.scored}
    for row, masks in clips:
        is_new = masks is not None  # else it is a clip of the data set, and has its logits
        logits = (
            _frame_logits(context.score, row, row.frames)
            if is_new
            else known[row.video, row.track_id]
        )
        best = int(np.argmax(logits))
        if logits[best] > 0:
            crop = row.frames[best]
            drops = logits[best] - _frame_logits(context.score, row, covered(crop))
            suspects.append(
                _Suspect(
                    row=dataclasses.replace(row, frames=row.frames[:0].copy()),
                    crop=crop,
                    logit=float(logits[best]),
                    mask=None if masks is None else masks[best],
                    map=heat_map(drops, len(crop)),
                )
            )
        context.on_progress(f"Heat maps of {kind}", len(suspects), None)
    return suspects


def _areas(
    suspects: Sequence[_Suspect], score: ScoreFunction, rng: np.random.Generator
) -> dict[str, Any]:
    """Returns how often the own area of a map changes the logit more than other areas do."""
    better: dict[str, dict[str, list[float]]] = {
        test: {"moved": [], "other": []} for test in ("deletion", "insertion")
    }
    for suspect in suspects:
        size = len(suspect.crop)
        others = [
            suspects[n].map
            for n in rng.permutation(len(suspects))
            if suspects[n].row.group != suspect.row.group
        ][:_NUM_AREAS]
        moved = [
            np.roll(suspect.map, rng.integers(size // 8, size - size // 8, 2), (0, 1))
            for _ in range(_NUM_AREAS)
        ]
        areas = np.stack([hottest(map, AREA) for map in (suspect.map, *moved, *others)])
        plain, blurred = suspect.crop, blur(suspect.crop)
        mixed = [with_areas(plain, blurred, areas), with_areas(blurred, plain, areas)]
        deleted, inserted = np.split(_frame_logits(score, suspect.row, np.concatenate(mixed)), 2)
        for test, change in (("deletion", suspect.logit - deleted), ("insertion", inserted)):
            wins = (change[0] > change[1:]) + 0.5 * (change[0] == change[1:])
            better[test]["moved"].append(float(wins[: len(moved)].mean()))
            if others:
                better[test]["other"].append(float(wins[len(moved) :].mean()))
    groups = [suspect.row.group for suspect in suspects]
    return {
        "frames": len(suspects),
        **{
            test: {against: _mean(values, groups).to_json() for against, values in of_test.items()}
            for test, of_test in better.items()
        },
    }


def _pointing(suspects: Sequence[_Suspect], around: float | None = None) -> dict[str, Any]:
    """Returns how often the hottest place of a map lies in what was blended in.

    Args:
      suspects: Those whose mask is known, and not too large, count.
      around: Take what is at most so far from the edge of the mask instead, as a share of the side.
    """
    masks, peaks, groups = [], [], []
    for suspect in suspects:
        if suspect.mask is not None and 0 < suspect.mask.mean() <= MAX_MASK:
            masks.append(suspect.mask if around is None else _seam(suspect.mask, around))
            peaks.append(np.unravel_index(np.argmax(suspect.map), suspect.map.shape))
            groups.append(suspect.row.group)
    hits = np.array([[float(mask[peak]) for peak in peaks] for mask in masks])
    own = np.diag(hits) if len(masks) > 1 else np.zeros(0)
    other = (hits.sum(axis=1) - own) / (len(masks) - 1) if len(masks) > 1 else np.zeros(0)
    own_share, other_share = _mean(own, groups), _mean(other, groups)
    return {
        "frames": len(masks),
        "own": own_share.to_json(),
        "other": other_share.to_json(),
        "difference": (own_share - other_share).to_json(),
    }


def _seam(mask: np.ndarray, around: float) -> np.ndarray:
    """Returns what is near the edge of a mask: bool [S, S]."""
    inside, outside = (np.asarray(distance_transform_edt(side)) for side in (mask, ~mask))
    return np.maximum(inside, outside) <= around * len(mask)


def _frame_logits(score: ScoreFunction, row: ClipRow, crops: np.ndarray) -> np.ndarray:
    """Returns the frame logits of crops, each scored as if it were alone in its clip: float64 [n].

    Args:
      score: Scores clips.
      row: Any clip of at least one frame, for all that is not pixels.
      crops: uint8 [n, S, S, 3].
    """
    alone = dataclasses.replace(
        row,
        num_frames=1,
        frame_indices=np.zeros(1, np.int64),
        timestamps=np.zeros(1),
        boxes_xyxy=row.boxes_xyxy[:1],
        landmarks=row.landmarks[:1],
    )
    clips = score(dataclasses.replace(alone, frames=crop[None]) for crop in crops)
    return np.concatenate([clip.frame_logits for clip in clips])


def _mean(values: Sequence[float] | np.ndarray, groups: Sequence[str]) -> estimates.Estimate:
    if not len(values) or len(values) < len(groups):
        return estimates.Estimate.absent(
            "there are too few frames that the detector takes for fake"
        )
    return estimates.mean_over(np.array(values), groups)


def _passed(result: Mapping[str, Any]) -> bool:
    """Returns whether every comparison is better than chance, by its whole interval."""
    areas = [
        result[kind][test][against]
        for kind in ("fakes", "blends")
        for test in ("deletion", "insertion")
        for against in ("moved", "other")
    ]
    pointing = result["pointing"]["mask"]["difference"]
    floors = [(figure, 0.5) for figure in areas] + [(pointing, 0.0)]
    return all(figure["interval"] and figure["interval"][0] > floor for figure, floor in floors)
