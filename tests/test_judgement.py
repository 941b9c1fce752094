"""What is said of a video, from the scores of its faces."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from dfjax.config import CalibrationConfig
from dfjax.faces.clips import FaceClip, FaceClips
from dfjax.inference.evidence import FaceFrames
from dfjax.judgement import judge
from dfjax.prediction import ModelSummary, Prediction
from dfjax.video.info import describe_frames
from dfjax.words import translated
from tests.evaluation.clips import EVIDENCE
from tests.tiny import TINY_CONFIG

TIMES = np.arange(8) * 3.0

_UNCALIBRATED = CalibrationConfig()


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


def test_who_has_no_say_does_not_move_the_verdict():
    clips = [_face(0, 80, 8), _face(1, 20, 8)]
    assert _judged_by_levels(clips, [0.0, 9.0]).probability_fake == 0.5
    alone = _judged_by_levels(clips[1:], [9.0]).probability_fake
    assert alone is not None and alone > 0.9


def test_a_face_that_is_shown_enlarged_has_no_say():
    enlarged = dataclasses.replace(_face(1, 80, 8), scales=np.full(8, 4.0))
    prediction = _judged_by_levels([_face(0, 80, 8), enlarged], [0.0, 9.0])
    assert [track.left_out for track in prediction.tracks] == [None, "small"]
    assert prediction.probability_fake == 0.5


@pytest.mark.parametrize(
    ("levels", "height", "is_said"),
    [
        ((-3.0, 9.0), 80, True),
        ((-3.0, -3.0), 80, False),  # the other would be called real too
        ((3.0, 9.0), 80, False),  # nothing is called real
        ((-3.0, 9.0), 20, False),  # a figure in the background
    ],
)
def test_a_video_is_not_called_real_without_a_word_on_a_brief_face_that_would_not_be(
    levels, height, is_said
):
    num_frames = 2 if height == 80 else 8
    prediction = _judged_by_levels([_face(0, 80, 8), _face(1, height, num_frames)], levels)
    assert prediction.tracks[1].left_out == ("short" if height == 80 else "small")
    said = [warning for warning in prediction.warnings if "too briefly" in warning]
    assert len(said) == is_said
    for warning in said:
        assert "At 0.0 s" in warning and translated(warning) is not None


def test_a_face_in_all_frames_of_its_shot_has_a_say():
    brief = dataclasses.replace(_face(1, 80, 2), shot_frames=2)
    prediction = _judged_by_levels([_face(0, 80, 8), brief], [0.0, 9.0])
    assert [track.left_out for track in prediction.tracks] == [None, None]
    assert prediction.probability_fake is not None and prediction.probability_fake > 0.9


def test_the_frames_have_a_calibration_of_their_own():
    calibration = CalibrationConfig(scale=2.0, bias=1.0, frame_scale=0.5, frame_bias=-1.0)
    prediction = _judged_by_levels([_face(0, 80, 8)], [2.0], calibration=calibration)
    assert prediction.frames[0].probability_fake == pytest.approx(0.5)
    assert prediction.probability_fake == pytest.approx(1 / (1 + np.exp(-5)))


def test_stretches_come_in_the_order_of_time_by_the_clock_of_a_player():
    clips, faces = [_face(3, 80, 8), _face(7, 80, 8)], []
    for fake in ([5, 6], [1, 2]):
        logits = np.full(8, EVIDENCE.real_level)
        logits[fake] = EVIDENCE.fake_level + 1
        faces.append(FaceFrames(logits, float(logits.mean()), TIMES))
    calibration = CalibrationConfig(evidence=EVIDENCE)
    prediction = _judgement(clips, faces, TIMES, calibration, delay=20.0, duration=24.0)
    named = [(segment.track, segment.start, segment.end) for segment in prediction.segments]
    assert named == [(7, 21.5, 27.5), (3, 33.5, 39.5)]
    assert [(track.id, track.start, track.end) for track in prediction.tracks] == [
        (3, 20.0, 41.0),
        (7, 20.0, 41.0),
    ]
    assert prediction.video.duration == 44.0
    assert set(prediction.clips) == {3, 7}


def test_frames_that_show_a_face_are_told_by_time_and_how_many_they_are():
    late = dataclasses.replace(_face(0, 80, 2), frame_indices=np.array([6, 7]))
    early = dataclasses.replace(_face(1, 80, 1), frame_indices=np.array([1]))
    prediction = _judged_by_levels([late, early], [0.0, 0.0], duration=24.0, width=640)
    assert [frame.timestamp for frame in prediction.frames] == TIMES[[1, 6, 7]].tolist()
    assert (prediction.video.frames_scored, prediction.coverage.frames_sampled) == (3, 8)
    assert any("only 3 of 8 frames" in warning for warning in prediction.warnings)
    assert (prediction.video.width, prediction.video.height) == (640, 120)
    assert prediction.coverage.effort == "thorough"
    seconds = prediction.seconds
    assert (seconds.decode, seconds.faces, seconds.score) == (1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    ("before", "after", "longest"), [(7.0, 1.0, 7.0), (1.0, 8.0, 8.0), (1.0, 1.0, 2.96)]
)
def test_what_lies_before_the_first_look_and_after_the_last_one_was_not_looked_at(
    before, after, longest
):
    """By the clock of a player, which begins before the delay, or at any time for a camera."""
    times = before + np.array([0.0, 0.04, 3.0, 3.04])
    of_file = {"duration": float(times[-1]) + after, "clock_start": 100.0, "delay": 20.0}
    times += 100.0
    coverage = _judged_by_levels([_face(0, 80, 4)], [0.0], times, **of_file).coverage
    assert (coverage.looks, coverage.frames_sampled) == (2, 4)
    assert coverage.longest_gap == pytest.approx(longest)


def _judged(
    heights: tuple[int, ...], calibration: CalibrationConfig, *, num_frames: int = 8
) -> Prediction:
    """Judges faces of these heights, each of which is fake in a stretch if there are 8 frames."""
    times = TIMES[:num_frames]
    logits = np.full(8, EVIDENCE.real_level)
    logits[[3, 4]] = EVIDENCE.fake_level + 1
    logits = logits[:num_frames]
    return _judgement(
        [_face(number, height, num_frames) for number, height in enumerate(heights)],
        [FaceFrames(logits, float(logits.mean()), times) for _ in heights],
        times,
        calibration,
    )


def _judged_by_levels(
    clips: Sequence[FaceClip],
    levels: Sequence[float],
    times: np.ndarray = TIMES,
    calibration: CalibrationConfig = _UNCALIBRATED,
    **of_file: Any,
) -> Prediction:
    """Judges faces of which all frames have the same logit."""
    faces = [
        FaceFrames(np.full(len(clip.frame_indices), level), level, times[clip.frame_indices])
        for clip, level in zip(clips, levels, strict=True)
    ]
    return _judgement(clips, faces, times, calibration, **of_file)


def _judgement(
    clips: Sequence[FaceClip],
    faces: Sequence[FaceFrames],
    times: np.ndarray,
    calibration: CalibrationConfig,
    **of_file: Any,
) -> Prediction:
    info = describe_frames([np.zeros((120, 160, 3), np.uint8)] * len(times), times)
    read = FaceClips(
        info=dataclasses.replace(info, **of_file),
        timestamps=times,
        bursts=np.zeros(len(times), np.int64),
        clips=tuple(clips),
        decode_seconds=1.0,
        face_seconds=2.0,
    )
    return judge(
        read,
        faces,
        dataclasses.replace(TINY_CONFIG, calibration=calibration),
        model=ModelSummary(id="model", revision=None, version="0", digest="0" * 16),
        effort="thorough",
        score_seconds=3.0,
    )
