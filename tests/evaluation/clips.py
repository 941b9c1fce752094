"""Clips with known labels and scores, without pixels."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from dfjax.config import CalibrationConfig, EvidenceConfig
from dfjax.data.clip_row import ClipRow
from dfjax.evaluation.scoring import Look, ScoredClip, Scorer
from dfjax.evaluation.studies.study import ScoreFunction, StudyContext
from dfjax.inference.jax_engine import JaxEngine
from dfjax.models.detector import Detector
from tests.tiny import TINY_CONFIG


def clip_row(
    video_id: str = "000", *, num_frames: int = 4, size: int = 32, **fields: Any
) -> ClipRow:
    """Returns a clip that shows its face in every frame; pixels are drawn from `video_id`."""
    generator = np.random.default_rng([*video_id.encode()])
    row = ClipRow(
        dataset="ffpp",
        method="youtube",
        compression="c23",
        video_id=video_id,
        split="validation",
        source_ids=(video_id,),
        group=f"ffpp/{video_id}",
        original_id="",
        is_fake=0,
        track_id=0,
        num_frames=num_frames,
        width=640,
        height=480,
        fps=25.0,
        duration=4.0,
        attributes={},
        frame_indices=np.arange(num_frames),
        timestamps=np.arange(num_frames) / 2,
        boxes_xyxy=np.tile(np.array([100, 100, 200, 220]), (num_frames, 1)),
        landmarks=np.full((num_frames, 5, 2), size / 2, np.float32),
        frames=generator.integers(0, 256, (num_frames, size, size, 3)).astype(np.uint8),
    )
    return dataclasses.replace(row, **fields)


def scored_clip(
    video_id: str = "000", *, logit: float = 0.0, frame_logits: Any = None, **fields: Any
) -> ScoredClip:
    """Returns a clip with the given logits; those of its frames are the clip's, if not given."""
    frames = np.full(4, logit) if frame_logits is None else np.asarray(frame_logits, np.float64)
    row = clip_row(video_id, num_frames=len(frames), size=8, **fields)
    return ScoredClip(
        row=dataclasses.replace(row, frames=row.frames[:0]),
        look=Look(sharpness=100.0, brightness=128.0),
        frame_logits=frames,
        clip_logit=logit,
    )


def scored_set(
    num_groups: int = 20,
    *,
    apart: float = 2.0,
    methods: tuple[str, ...] = ("Deepfakes", "FaceSwap"),
    dataset: str = "ffpp",
    seed: int = 0,
) -> list[ScoredClip]:
    """Returns per group of identities one real video and a fake of each method.

    Logits are normal with deviation 1 and means 0 and `apart`; those of frames have more noise.
    """
    generator = np.random.default_rng(seed)
    clips = []
    for group in range(num_groups):
        for is_fake, method in [(0, "youtube"), *((1, method) for method in methods)]:
            logit = float(apart * is_fake + generator.normal())
            clips.append(
                scored_clip(
                    f"{group:03}",
                    logit=logit,
                    frame_logits=logit + generator.normal(size=4),
                    dataset=dataset,
                    method=method,
                    group=f"{dataset}/{group:03}",
                    original_id=f"{group:03}" if is_fake else "",
                    is_fake=is_fake,
                )
            )
    return clips


class StripeScorer(Scorer):
    """Stands for a detector that sees the stripe of `write_prepared`, or for one that is blind."""

    def __init__(self, by_stripe: bool):
        self.by_stripe = by_stripe

    def __call__(self, rows, *, on_clip=None):
        return [
            ScoredClip(
                row=dataclasses.replace(row, frames=row.frames[:0]),
                look=Look(sharpness=0.0, brightness=0.0),
                frame_logits=row.frames[:, 15, :, 0].mean(axis=1)
                if self.by_stripe
                else np.zeros(len(row.frames)),
                clip_logit=0.0,
            )
            for row in rows
        ]


def stripe_score(by_stripe: bool) -> ScoreFunction:
    """Returns what a `StripeScorer` gives, as studies are given it."""
    return lambda rows, stage=None: StripeScorer(by_stripe)(rows)


def study_context(**fields: Any) -> StudyContext:
    """Returns what a study may use, without any data but what is given."""
    empty = {
        "score": stripe_score(by_stripe=True),
        "config": dataclasses.replace(
            TINY_CONFIG, calibration=fields.pop("calibration", CalibrationConfig())
        ),
        "scored": (),
        "rows": lambda: iter(()),
        "sources": (),
        "split": "validation",
        "out": Path("not-used"),
        "fingerprint": "model-data",
    }
    return StudyContext(**(empty | fields))


def score_clips(detector: Detector, rows: Iterable[ClipRow]) -> list[ScoredClip]:
    """Returns the rows' clips with the detector's logits, in order."""
    return Scorer(JaxEngine(detector))(rows)


EVIDENCE = EvidenceConfig(
    real_level=-1.0,
    fake_level=2.0,
    person_spread=1.0,
    burst_noise=0.4,
    noise_spread=0.8,
    burst_share=0.7,
    change_share=0.3,
    change_spread=0.8,
    face_exponent=1.0,
)


def evidence_frames(
    rng: np.random.Generator,
    num_bursts: int,
    *,
    fake: slice = slice(0, 0),
    spacing: float = 3.0,
    real_level: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Frame logits and times of a face as the model of evidence has it, in bursts of 4 frames.

    Args:
      rng: Source of randomness.
      num_bursts: At least 2.
      fake: Those of the bursts that are a fake's.
      spacing: From burst to burst, seconds.
      real_level: Of the bursts that are real; None: drawn.
    """
    config = EVIDENCE
    level = config.real_level + config.person_spread * rng.normal()
    levels = np.full(num_bursts, level if real_level is None else real_level)
    levels[fake] = config.fake_level + config.person_spread * rng.normal()
    if rng.random() < config.change_share:
        length = int(np.exp(rng.uniform(0, np.log(num_bursts))))
        start = int(rng.integers(num_bursts - length + 1))
        levels[start : start + length] += config.change_spread * rng.normal()
    noise = config.burst_noise**2 * np.exp(config.noise_spread * rng.normal())
    bursts = levels + np.sqrt(config.burst_share * noise) * rng.normal(size=num_bursts)
    alone = np.sqrt(4 * (1 - config.burst_share) * noise)
    frames = np.repeat(bursts, 4) + alone * rng.normal(size=4 * num_bursts)
    times = np.repeat(spacing * np.arange(num_bursts), 4) + np.tile(np.arange(4) / 25, num_bursts)
    return frames, times


def evidence_clips(num_people: int, *, seed: int = 0, dataset: str = "ffpp") -> list[ScoredClip]:
    """A real clip and a fake of it for each person, as the model of evidence has them."""
    rng = np.random.default_rng(seed)
    clips = []
    for person in range(num_people):
        for is_fake in (0, 1):
            frames, times = evidence_frames(rng, 8, fake=slice(0, 8 * is_fake), spacing=0.75)
            clip = scored_clip(
                f"{person}{'f' * is_fake}",
                logit=float(frames.mean()),
                frame_logits=frames,
                is_fake=is_fake,
                dataset=dataset,
                group=f"{dataset}/{person}",
                original_id=str(person) if is_fake else "",
                method="Deepfakes" if is_fake else "youtube",
            )
            clips.append(
                dataclasses.replace(clip, row=dataclasses.replace(clip.row, timestamps=times))
            )
    return clips
