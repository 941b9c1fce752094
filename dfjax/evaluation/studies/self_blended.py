"""Real clips against fakes blended from them: no known method, and a fake of every person.

The two differ only in the blend: same person, same codec, same frames.
"""

import dataclasses
import functools
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from dfjax.augment.self_blend import self_blend
from dfjax.data.clip_row import ClipRow
from dfjax.data.prepared import padded_landmarks
from dfjax.evaluation import estimates
from dfjax.evaluation.bootstrap import Draws
from dfjax.evaluation.scores import mean_of_frames, video_scores
from dfjax.evaluation.studies.study import Study, StudyContext
from dfjax.evaluation.tables import MEASURES, cell, table
from dfjax.train_config import BlendConfig

METHOD = "self-blended"

_blend = jax.jit(functools.partial(self_blend, config=BlendConfig()))


def self_blended(rows: Iterable[ClipRow], num_frames: int) -> Iterator[ClipRow]:
    """Yields a fake of each real clip after the real clip that it was blended into.

    They are the same on every call.

    Args:
      rows: Prepared clips; fakes are skipped.
      num_frames: Maximum number of frames in a clip.
    """
    base_key = jax.random.key(0)
    for row in rows:
        if row.is_fake:
            continue
        # Padded, so that only one shape is compiled.
        count, size = row.frames.shape[:2]
        clips = np.zeros((1, num_frames, size, size, 3), np.float32)
        clips[0, :count] = row.frames
        frame_mask = np.arange(num_frames)[None] < count
        number = zlib.crc32(f"{row.video}/{row.track_id}".encode())
        keys = jax.random.fold_in(base_key, number)[None]
        blend = _blend(keys, clips, padded_landmarks(row, num_frames)[None], frame_mask)
        real, fake = (np.asarray(part)[0, :count].astype(np.uint8) for part in blend)
        yield dataclasses.replace(row, frames=real)
        yield dataclasses.replace(
            row,
            method=METHOD,
            is_fake=1,
            original_id=row.video_id,
            frames=fake,
        )


class SelfBlendedStudy(Study):
    """How well the detector separates real videos from their self-blended versions."""

    name = "self_blended"
    optional = True

    def measure(self, context: StudyContext) -> dict[str, Any]:
        """Returns the video-level figures.

        Args:
          context: The detector and its data.

        Returns:
          Counts, the figures of `metrics.ranking_measures` for the video scores, and
          `mean_of_frames` with the same figures for that baseline.
        """
        blended = self_blended(context.rows(), context.config.video.num_frames)
        clips = context.score(blended, "Scoring self-blended fakes")
        videos = video_scores(clips, context.calibration)
        baseline = mean_of_frames(clips, context.calibration)
        draws = Draws.of(videos.groups)
        return {
            **videos.counts(),
            **estimates.to_json(estimates.estimate_ranking(videos, draws)),
            "mean_of_frames": estimates.to_json(estimates.estimate_ranking(baseline, draws)),
        }

    def section(self, result: Mapping[str, Any], split: str) -> str:
        """Returns a table of the figures for the model and the mean of frames."""
        keys = [key for key in MEASURES if key in result]
        rows = [
            [MEASURES[key], cell(result[key]), cell(result["mean_of_frames"][key])] for key in keys
        ]
        header = [f"{result['real']} real, {result['fake']} blended", "video", "mean of frames"]
        return f"""## Self-blended fakes

Every real clip, in some cases with other colours and other sharpness, against a version of it that
is blended with itself: no known method, and only the blend differs.

{table(header, rows)}"""
