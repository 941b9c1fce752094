"""What is said of a video, from the scores of its faces."""

import dataclasses

import numpy as np
import pytest

from dfjax.config import CalibrationConfig
from dfjax.faces.clips import FaceClip, FaceClips
from dfjax.inference.evidence import FaceFrames
from dfjax.judgement import judge
from dfjax.prediction import ModelSummary
from dfjax.video.info import describe_frames
from tests.evaluation.clips import EVIDENCE
from tests.tiny import TINY_CONFIG

TIMES = np.arange(8) * 3.0


def _face(track_id: int, height: int) -> FaceClip:
    return FaceClip(
        track_id=track_id,
        frame_indices=np.arange(8),
        frames=np.zeros((8, 32, 32, 3), np.uint8),
        boxes_xyxy=np.tile(np.array([10, 10, 60, 10 + height]), (8, 1)),
        landmarks=np.zeros((8, 5, 2), np.float32),
    )


@pytest.mark.parametrize(
    ("heights", "reasons", "named"),
    [
        ((80, 20), [None, "small"], [0]),
        ((20, 80), ["small", None], [1]),
        ((20, 20), [None, None], [0, 1]),  # none is seen better than the other
    ],
)
def test_stretches_are_named_only_of_faces_that_have_a_say(heights, reasons, named):
    calibration = CalibrationConfig(evidence=EVIDENCE)
    frames = [np.zeros((120, 160, 3), np.uint8)] * 8
    read = FaceClips(
        info=describe_frames(frames, TIMES),
        timestamps=TIMES,
        clips=tuple(_face(number, height) for number, height in enumerate(heights)),
        decode_seconds=0.0,
        face_seconds=0.0,
    )
    logits = np.full(8, EVIDENCE.real_level)
    logits[[3, 4]] = EVIDENCE.fake_level + 1
    prediction = judge(
        read,
        [FaceFrames(logits, float(logits.mean()), TIMES) for _ in heights],
        dataclasses.replace(TINY_CONFIG, calibration=calibration),
        model=ModelSummary(id="model", revision=None, version="0", digest="0" * 16),
        effort="quick",
    )
    assert [track.left_out for track in prediction.tracks] == reasons
    assert [segment.track for segment in prediction.segments] == named
