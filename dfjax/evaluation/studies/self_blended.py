"""Real clips against fakes that are blended from them: fakes of no known method, of every person.

Nothing but the blend tells the two apart: same person, same codec, same frames.
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
    """Yields of each real clip a fake, always the same one.

    Args:
      rows: Prepared clips; fakes are passed over.
      num_frames: That a clip has at most.
    """
    base_key = jax.random.key(0)
    for row in rows:
        if row.is_fake:
            continue
        # Padded, so that one shape is compiled.
        count, size = row.frames.shape[:2]
        clips = np.zeros((1, num_frames, size, size, 3), np.float32)
        clips[0, :count] = row.frames
        frame_mask = np.arange(num_frames)[None] < count
        number = zlib.crc32(f"{row.video}/{row.track_id}".encode())
        keys = jax.random.fold_in(base_key, number)[None]
        blended = np.asarray(
            _blend(keys, clips, padded_landmarks(row, num_frames)[None], frame_mask)
        )[0, :count]
        yield dataclasses.replace(
            row,
            method=METHOD,
            is_fake=1,
            original_id=row.video_id,
            frames=blended.round().clip(0, 255).astype(np.uint8),
        )


class SelfBlendedStudy(Study):
    """How well real videos are told from their self-blended versions."""

    name = "self_blended"
    optional = True

    def measure(self, context: StudyContext) -> dict[str, Any]:
        """Returns the figures of videos.

        Args:
          context: The detector and its data.

        Returns:
          Counts, the figures of `metrics.ranking_measures` for the video scores, and
          `mean_of_frames` with the same for that baseline.
        """
        clips = [clip for clip in context.scored if not clip.row.is_fake]
        blended = self_blended(context.rows(), context.config.video.num_frames)
        clips += context.score(blended, "Scoring self-blended fakes")
        videos = video_scores(clips, context.calibration)
        baseline = mean_of_frames(clips, context.calibration)
        draws = Draws.of(videos.groups)
        return {
            **videos.counts(),
            **estimates.to_json(estimates.estimate_ranking(videos, draws)),
            "mean_of_frames": estimates.to_json(estimates.estimate_ranking(baseline, draws)),
        }

    def section(self, result: Mapping[str, Any], split: str) -> str:
        """Returns how well the blends are told from the real clips."""
        keys = [key for key in MEASURES if key in result]
        rows = [
            [MEASURES[key], cell(result[key]), cell(result["mean_of_frames"][key])] for key in keys
        ]
        header = [f"{result['real']} real, {result['fake']} blended", "video", "mean of frames"]
        return f"""## Self-blended fakes

Every real clip against one blended from itself: no known method, and nothing but the blend to tell.

{table(header, rows)}"""
