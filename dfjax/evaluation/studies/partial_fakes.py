"""Partial fakes, manipulated in some frames only: do frame scores show which frames?

They are built from pairs of a fake and its original, which show the same moments of the same scene.
"""

import dataclasses
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dfjax.data.clip_row import ClipRow
from dfjax.data.moments import is_same_face, same_moments
from dfjax.data.store import ClipStore
from dfjax.evaluation import estimates, metrics
from dfjax.evaluation.bootstrap import Draws
from dfjax.evaluation.estimates import Estimate
from dfjax.evaluation.scores import Scores
from dfjax.evaluation.scoring import ScoredClip
from dfjax.evaluation.studies.study import Study, StudyContext
from dfjax.evaluation.tables import as_percent, cell, table

MIN_SHARE, MAX_SHARE = 0.25, 0.75
"""Range for the share of a clip's frames that are manipulated."""

MIN_FRAMES = 4
"""Frames that the two clips of a pair must have in common."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PartialFake:
    """A clip with the frames of an original, and in one segment those of its fake."""

    row: ClipRow  # of the fake, with the frames that both clips have
    frame_is_fake: np.ndarray  # bool [n]


def partial_fakes(source: str, split: str) -> Iterator[PartialFake]:
    """Yields a partial fake for each fake of a data set whose original is present.

    It is the same on every call. The two clips are those of the main faces. A pair is left out if
    it has fewer than `MIN_FRAMES` frames in common, or shows two different faces.

    Args:
      source: As for `open_rows`.
      split: Such as "validation".

    Raises:
      DatasetError: As for `open_rows`.
    """
    store = ClipStore([source], split)
    originals = {
        (clip.dataset, clip.compression, clip.video_id): number
        for number, clip in enumerate(store.clips)
        if not clip.is_fake
    }
    for number, clip in enumerate(store.clips):
        original = originals.get((clip.dataset, clip.compression, clip.original_id))
        if clip.is_fake and original is not None:
            partial = blend_in_time(_with_pictures(store, number), _with_pictures(store, original))
            if partial is not None:
                yield partial


def _with_pictures(store: ClipStore, number: int) -> ClipRow:
    clip = store.clips[number]
    frames, landmarks = store.read(number, np.arange(len(clip.frame_indices)))
    return ClipRow(**vars(clip), landmarks=landmarks, frames=frames)


def blend_in_time(fake: ClipRow, original: ClipRow) -> PartialFake | None:
    """Returns the original with one segment of the fake, or None if the two do not match."""
    of_fake, of_original = same_moments(fake, original)
    count = len(of_fake)
    if count < MIN_FRAMES or not is_same_face(fake, of_fake, original, of_original):
        return None
    generator = np.random.default_rng(zlib.crc32(fake.video.encode()))
    shortest, longest = int(np.ceil(MIN_SHARE * count)), int(MAX_SHARE * count)
    length = int(generator.integers(shortest, longest, endpoint=True))
    start = int(generator.integers(0, count - length, endpoint=True))
    is_fake = (np.arange(count) >= start) & (np.arange(count) < start + length)
    frames = np.where(
        is_fake[:, None, None, None], fake.frames[of_fake], original.frames[of_original]
    )
    row = dataclasses.replace(
        fake,
        frame_indices=fake.frame_indices[of_fake],
        timestamps=fake.timestamps[of_fake],
        boxes_xyxy=fake.boxes_xyxy[of_fake],
        landmarks=fake.landmarks[of_fake],
        frames=frames,
    )
    return PartialFake(row=row, frame_is_fake=is_fake)


class PartialFakesStudy(Study):
    """How well frame scores separate the manipulated frames of partial fakes from the others."""

    name = "partial_fakes"

    def measure(self, context: StudyContext) -> dict[str, Any]:
        """Returns the frame-level figures.

        Args:
          context: The detector and its data.

        Returns:
          `clips`, `frames`, `manipulated_share`; `auc` over the frames of all clips together, and
          `auc_within_clips`, the mean over clips of the AUC over each clip's frames.
        """
        labels: list[np.ndarray] = []

        def rows() -> Iterator[ClipRow]:
            for source in context.sources:
                for partial in partial_fakes(source, context.split):
                    labels.append(partial.frame_is_fake)
                    yield partial.row

        clips = context.score(rows(), "Scoring partial fakes")
        if not clips:
            absent = Estimate.absent(
                "no fake of the split has its original in the data set"
            ).to_json()
            return {
                "clips": 0,
                "frames": 0,
                "manipulated_share": None,
                "auc": absent,
                "auc_within_clips": absent,
            }
        frames = _frames(clips, labels)
        auc = estimates.estimate_ranking(frames, Draws.of(frames.groups))["auc"]
        within = np.array(
            [
                metrics.ranking_measures(is_fake.astype(int), clip.frame_logits)["auc"]
                for clip, is_fake in zip(clips, labels, strict=True)
            ]
        )
        return {
            "clips": len(clips),
            "frames": len(frames),
            "manipulated_share": round(float(frames.is_fake.mean()), 6),
            "auc": auc.to_json(),
            "auc_within_clips": estimates.mean_over(
                within, [clip.row.group for clip in clips]
            ).to_json(),
        }

    def section(self, result: Mapping[str, Any], split: str) -> str:
        """Returns a table of the frame-level AUCs."""
        intro = """## Partial fakes

Originals with one segment replaced by the same frames of their fake: do frame scores show which
frames are manipulated?"""
        if not result["clips"]:
            return f"{intro} Not measured: {result['auc']['reason']}."
        rows = [
            ["AUC over all frames", cell(result["auc"])],
            ["AUC within a clip, mean over clips", cell(result["auc_within_clips"])],
        ]
        header = f"{result['clips']} clips, {result['frames']} frames, "
        header += f"{as_percent(result['manipulated_share'])} of them manipulated"
        return f"{intro}\n\n{table([header, 'value'], rows)}"


def _frames(clips: Sequence[ScoredClip], labels: Sequence[np.ndarray]) -> Scores:
    """Returns one score per frame, with the label of that frame."""
    counts = [len(clip.frame_logits) for clip in clips]

    def column(name: str) -> np.ndarray:
        return np.repeat([getattr(clip.row, name) for clip in clips], counts)

    return Scores(
        videos=column("video"),
        datasets=column("dataset"),
        methods=column("method"),
        compressions=column("compression"),
        groups=column("group"),
        is_fake=np.concatenate(labels).astype(np.int64),
        logits=np.concatenate([clip.frame_logits for clip in clips]),
    )
