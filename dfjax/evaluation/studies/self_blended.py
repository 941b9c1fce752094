"""Real clips against fakes that are blended from them: fakes of no known method, of every person.

Nothing but the blend tells the two apart: same person, same codec, same frames.
"""

import dataclasses
import functools
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import numpy as np

from dfjax.augment.self_blend import self_blend
from dfjax.config import CalibrationConfig
from dfjax.data.prepared import ClipRow, padded_landmarks
from dfjax.evaluation import estimates
from dfjax.evaluation.bootstrap import Draws
from dfjax.evaluation.scores import mean_of_frames, video_scores
from dfjax.evaluation.scoring import OnClip, ScoredClip, Scorer
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


def measure_self_blended(
    scorer: Scorer,
    rows: Iterable[ClipRow],
    scored: Iterable[ScoredClip],
    calibration: CalibrationConfig,
    num_frames: int,
    *,
    on_clip: OnClip | None = None,
) -> dict[str, Any]:
    """Returns how well real videos are told from their self-blended versions.

    Args:
      scorer: With the detector.
      rows: Prepared clips of a split.
      scored: The same clips, scored.
      calibration: The detector's own.
      num_frames: That a clip has at most.
      on_clip: Told how far the run is.

    Returns:
      Counts, the figures of `metrics.ranking_measures` for the video scores, and `mean_of_frames`
      with the same for that baseline.
    """
    clips = [clip for clip in scored if not clip.row.is_fake]
    clips += scorer(self_blended(rows, num_frames), on_clip=on_clip)
    videos, baseline = video_scores(clips, calibration), mean_of_frames(clips, calibration)
    draws = Draws.of(videos.groups)
    return {
        **videos.counts(),
        **estimates.to_json(estimates.estimate_ranking(videos, draws)),
        "mean_of_frames": estimates.to_json(estimates.estimate_ranking(baseline, draws)),
    }
