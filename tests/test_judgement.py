"""What is said of a video, from the scores of its faces."""

import dataclasses

import numpy as np
import pytest

from dfjax.config import CalibrationConfig
from dfjax.faces.clips import FaceClip, FaceClips
from dfjax.inference.evidence import FaceFrames
from dfjax.judgement import judge
from dfjax.prediction import ModelSummary, Prediction
from dfjax.video.info import describe_frames
from tests.evaluation.clips import EVIDENCE
from tests.tiny import TINY_CONFIG

TIMES = np.arange(8) * 3.0


def _face(track_id: int, height: int, num_frames: int) -> FaceClip:
    return FaceClip(
        track_id=track_id,
        frame_indices=np.arange(num_frames),
        frames=np.zeros((num_frames, 32, 32, 3), np.uint8),
        boxes_xyxy=np.tile(np.array([10, 10, 60, 10 + height]), (num_frames, 1)),
        landmarks=np.zeros((num_frames, 5, 2), np.float32),
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
    prediction = _judged(heights, CalibrationConfig(evidence=EVIDENCE))
    assert [track.left_out for track in prediction.tracks] == reasons
    assert [segment.track for segment in prediction.segments] == named


def test_no_stretch_is_named_that_would_be_called_real():
    (named,) = _judged((80,), CalibrationConfig(evidence=EVIDENCE)).segments
    threshold = named.probability_fake + 1e-6
    calibration = CalibrationConfig(evidence=EVIDENCE, real_below=threshold, fake_above=threshold)
    assert _judged((80,), calibration).segments == ()


def test_a_small_face_has_no_say_in_a_picture_either():
    prediction = _judged((80, 20), CalibrationConfig(evidence=EVIDENCE), num_frames=1)
    assert [track.left_out for track in prediction.tracks] == [None, "small"]


def _judged(
    heights: tuple[int, ...], calibration: CalibrationConfig, *, num_frames: int = 8
) -> Prediction:
    """Judges faces of these heights, each of which is fake in a stretch if there are 8 frames."""
    times = TIMES[:num_frames]
    frames = [np.zeros((120, 160, 3), np.uint8)] * num_frames
    read = FaceClips(
        info=describe_frames(frames, times),
        timestamps=times,
        clips=tuple(_face(number, height, num_frames) for number, height in enumerate(heights)),
        decode_seconds=0.0,
        face_seconds=0.0,
    )
    logits = np.full(8, EVIDENCE.real_level)
    logits[[3, 4]] = EVIDENCE.fake_level + 1
    logits = logits[:num_frames]
    return judge(
        read,
        [FaceFrames(logits, float(logits.mean()), times) for _ in heights],
        dataclasses.replace(TINY_CONFIG, calibration=calibration),
        model=ModelSummary(id="model", revision=None, version="0", digest="0" * 16),
        effort="quick",
    )
