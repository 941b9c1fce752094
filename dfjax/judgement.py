"""From the scores of a video's faces to what dfjax says about it."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from dfjax.config import CalibrationConfig, Config
from dfjax.faces.clips import FaceClip, FaceClips
from dfjax.faces.voting import LeftOut, left_out
from dfjax.inference.evidence import (
    Evidence,
    FaceFrames,
    evidence_of,
    named_stretch,
    video_logit,
)
from dfjax.inference.probabilities import (
    calibrated_frame_logits,
    probabilities,
)
from dfjax.prediction import (
    Coverage,
    Decision,
    FrameScore,
    Label,
    ModelSummary,
    Prediction,
    Seconds,
    Segment,
    TrackFrameScore,
    TrackScore,
    VideoSummary,
)
from dfjax.prediction_warnings import LOOK_GAP, prediction_warnings, unheard_warnings
from dfjax.provenance import Origin
from dfjax.video.sampling import Effort


def judge(
    read: FaceClips,
    faces: Sequence[FaceFrames],
    config: Config,
    *,
    model: ModelSummary,
    effort: Effort,
    score_seconds: float = 0.0,
    origin: Origin | None = None,
) -> Prediction:
    """Returns the prediction for a video.

    Args:
      read: Its faces.
      faces: The detector's logits of each of them.
      config: The model's.
      model: Names it.
      effort: With which the video was read.
      score_seconds: How long it took to score the faces.
      origin: Which file it is, and what it says of itself; None: it is none, but frames in memory.
    """
    calibration, info = config.calibration, read.info
    # From here on, times are those that a player shows.
    read = dataclasses.replace(read, timestamps=read.timestamps + info.delay)
    faces = [face._replace(timestamps=face.timestamps + info.delay) for face in faces]
    evidence = [evidence_of(face, calibration) for face in faces]
    reasons = left_out(
        read.clips,
        [clip.shot_frames or len(read.timestamps) for clip in read.clips],
        [clip.scales for clip in read.clips],
    )
    decision = Decision.from_calibration(calibration)
    probability = None
    if faces:
        heard = [said for said, reason in zip(evidence, reasons, strict=True) if reason is None]
        probability = float(probabilities(video_logit(heard, calibration)))
    label: Label = "no_face" if probability is None else decision.label(probability)
    tracks = tuple(
        _track(*each, calibration)
        for each in zip(read.clips, faces, evidence, reasons, strict=True)
    )
    frames = _highest_per_time(tracks)
    return Prediction(
        label=label,
        probability_fake=probability,
        decision=decision,
        frames=frames,
        tracks=tracks,
        segments=_segments(read.clips, faces, evidence, reasons, calibration),
        video=VideoSummary(
            name=info.name,
            duration=info.delay + info.duration,
            fps=info.fps,
            width=info.width,
            height=info.height,
            frames_scored=len(frames),
            sha256=origin.file.sha256 if origin else None,
            size_bytes=origin.file.size_bytes if origin else None,
            codec=info.codec if origin else None,
            container=info.container if origin else None,
        ),
        coverage=_coverage(read, effort),
        model=model,
        checked_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        provenance=origin.provenance if origin else None,
        warnings=(
            *prediction_warnings(read, len(frames), config),
            *unheard_warnings(label, tracks, decision),
        ),
        seconds=Seconds(decode=read.decode_seconds, faces=read.face_seconds, score=score_seconds),
        clips={clip.track_id: clip.frames for clip in read.clips},
        clock_start=float(info.start) - info.delay,
    )


def _track(
    clip: FaceClip,
    face: FaceFrames,
    evidence: Evidence,
    reason: LeftOut | None,
    calibration: CalibrationConfig,
) -> TrackScore:
    """Returns the calibrated scores of one face."""
    of_frames = probabilities(calibrated_frame_logits(face.frame_logits, calibration))
    times = face.timestamps.tolist()
    rows = zip(times, of_frames.tolist(), clip.boxes_xyxy.tolist(), strict=True)
    return TrackScore(
        id=clip.track_id,
        probability_fake=float(probabilities(video_logit([evidence], calibration))),
        start=times[0],
        end=times[-1],
        frames=tuple(
            TrackFrameScore(timestamp=time, probability_fake=probability, box_xyxy=tuple(box))
            for time, probability, box in rows
        ),
        left_out=reason,
    )


def _segments(
    clips: Sequence[FaceClip],
    faces: Sequence[FaceFrames],
    evidence: Sequence[Evidence],
    reasons: Sequence[LeftOut | None],
    calibration: CalibrationConfig,
) -> tuple[Segment, ...]:
    """Returns the stretches to name of the faces that have a say, by time."""
    segments = []
    for clip, face, said, reason in zip(clips, faces, evidence, reasons, strict=True):
        named = named_stretch(said, calibration) if reason is None else None
        if named is None:
            continue
        start, end = named.stretch.between(face.timestamps)
        segments.append(
            Segment(
                track=clip.track_id,
                start=start,
                end=end,
                probability_fake=named.probability_fake,
            )
        )
    return tuple(sorted(segments, key=lambda segment: (segment.start, segment.track)))


def _coverage(read: FaceClips, effort: Effort) -> Coverage:
    """Returns how much of a video was looked at."""
    start = read.info.clock_start + read.info.delay
    end = start + read.info.duration
    gaps = np.diff(np.concatenate([[start], read.timestamps, [end]]))
    return Coverage(
        effort=effort,
        frames_sampled=len(read.timestamps),
        looks=1 + int(np.count_nonzero(np.diff(read.timestamps) > LOOK_GAP)),
        longest_gap=float(gaps.max()),
    )


def _highest_per_time(tracks: Sequence[TrackScore]) -> tuple[FrameScore, ...]:
    """Returns one row per time at which a face was scored: the highest over the faces."""
    highest: dict[float, float] = {}
    for track in tracks:
        for frame in track.frames:
            known = highest.get(frame.timestamp, 0.0)
            highest[frame.timestamp] = max(known, frame.probability_fake)
    return tuple(FrameScore(timestamp=t, probability_fake=p) for t, p in sorted(highest.items()))
