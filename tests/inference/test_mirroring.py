"""Every other burst of a video is scored as its mirror image, and a picture both ways round."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from dfjax.config import Config, VideoConfig
from dfjax.evaluation.scoring import Scorer
from dfjax.faces.clips import FaceClip, FaceClips
from dfjax.faces.held_frames import AheadCrop
from dfjax.inference.engine import FaceLogits
from dfjax.inference.evidence import FaceFrames
from dfjax.inference.face_scorer import FaceScorer
from dfjax.inference.jax_engine import JaxEngine
from dfjax.inference.mirroring import mean_logits, mirrorings
from dfjax.models.detector import Detector
from dfjax.video.info import describe_frames
from tests.evaluation.clips import clip_row
from tests.models.tiny import filled
from tests.tiny import TINY_CONFIG


class _Noting(JaxEngine):
    """Keeps the crops that it encodes."""

    def __init__(self, *, mirror_bursts: bool):
        config = dataclasses.replace(
            TINY_CONFIG,
            video=VideoConfig(num_frames=32, burst_frames=4),
            calibration=dataclasses.replace(TINY_CONFIG.calibration, mirror_bursts=mirror_bursts),
        )
        super().__init__(filled(lambda rngs: Detector(config, rngs=rngs)))
        self.encoded: list[np.ndarray] = []

    def encode(self, crops: np.ndarray) -> np.ndarray:
        self.encoded += list(crops)
        return super().encode(crops)


def _crops(num: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num, 32, 32, 3), np.uint8)


def _read(
    crops: np.ndarray, bursts: np.ndarray | None = None, seen: Sequence[int] | None = None
) -> FaceClips:
    """Returns a face that is seen in all frames, or in some."""
    times = np.arange(len(crops)) / 25
    indices = np.arange(len(crops)) if seen is None else np.array(seen)
    clip = FaceClip(
        track_id=0,
        frame_indices=indices,
        frames=crops[indices],
        boxes_xyxy=np.tile([0, 0, 32, 32], (len(indices), 1)),
        landmarks=np.zeros((len(indices), 5, 2), np.float32),
    )
    return FaceClips(
        info=describe_frames([np.zeros((32, 32, 3), np.uint8)] * len(crops), times),
        timestamps=times,
        bursts=np.arange(len(crops)) // 4 if bursts is None else bursts,
        clips=(clip,),
        decode_seconds=0.0,
        face_seconds=0.0,
    )


def _score(engine: JaxEngine, read: FaceClips) -> FaceFrames:
    (face,) = FaceScorer(engine)(read, lambda fraction, stage: None).faces
    return face


@pytest.mark.parametrize("num_frames", [1, 3])
def test_what_is_seen_in_one_burst_gets_the_same_answer_as_its_mirror_image(num_frames):
    crops = _crops(num_frames)
    for mirror_bursts in (True, False):
        engine = _Noting(mirror_bursts=mirror_bursts)
        face, other = (_score(engine, _read(seen)) for seen in (crops, crops[:, :, ::-1]))
        apart = [abs(face.clip_logit - other.clip_logit)]
        apart += np.abs(face.frame_logits - other.frame_logits).tolist()
        assert face.frame_logits.shape == (num_frames,)
        assert max(apart) < 1e-5 if mirror_bursts else min(apart) > 1e-4


def test_bursts_of_a_video_take_turns_at_no_cost():
    crops = _crops(16)
    for mirror_bursts, expected in (
        (True, [*crops[:4], *crops[4:8, :, ::-1], *crops[8:12], *crops[12:, :, ::-1]]),
        (False, crops),
    ):
        engine = _Noting(mirror_bursts=mirror_bursts)
        scorer = FaceScorer(engine)
        scorer.encode_ahead([AheadCrop(n // 4, crop) for n, crop in enumerate(crops[:8])])
        scorer(_read(crops), lambda fraction, stage: None)
        np.testing.assert_array_equal(engine.encoded, expected)


@pytest.fixture(scope="module")
def engine() -> _Noting:
    return _Noting(mirror_bursts=True)


@pytest.mark.parametrize("seen", [(0, 1, 2), (3, 4, 5, 12)])
def test_a_face_that_comes_and_goes_is_turned_by_the_bursts_of_its_video(engine, seen):
    """Not by its own, in the evaluation as in the app."""
    crops = _crops(16)
    read = _read(crops, seen=seen)
    (clip,) = read.clips
    row = clip_row(num_frames=16, frame_indices=clip.frame_indices, frames=clip.frames)
    expected = [crops[n, :, ::-1] if n // 4 % 2 else crops[n] for n in seen]
    for score in (lambda: _score(engine, read), lambda: Scorer(engine)([row])):
        engine.encoded.clear()
        score()
        np.testing.assert_array_equal(engine.encoded, expected)


def test_the_evaluation_scores_a_very_short_clip_both_ways_as_the_app_does(engine):
    crops = _crops(3)
    (clip,) = Scorer(engine)([clip_row(num_frames=3, frames=crops)])
    face = _score(engine, _read(crops))
    np.testing.assert_allclose(clip.frame_logits, face.frame_logits, atol=1e-5)
    assert clip.clip_logit == pytest.approx(face.clip_logit, abs=1e-5)


def test_a_new_calibration_may_do_without_mirroring(engine):
    crops = _crops(8)
    engine.encoded.clear()
    Scorer(engine, mirror_bursts=False)([clip_row(num_frames=8, frames=crops)])
    np.testing.assert_array_equal(engine.encoded, crops)


def test_a_burst_that_is_read_later_leaves_the_others_as_they_were():
    """Its frames lie between those that were read before, which are not encoded again."""
    crops, engine = _crops(12), _Noting(mirror_bursts=True)
    scorer = FaceScorer(engine)
    scorer.encode_ahead([AheadCrop(n // 4, crop) for n, crop in enumerate(crops[:8])])
    between = np.concatenate([crops[:4], crops[8:], crops[4:8]])
    scorer(_read(between, np.repeat([0, 2, 1], 4)), lambda fraction, stage: None)
    np.testing.assert_array_equal(engine.encoded, [*crops[:4], *crops[4:8, :, ::-1], *crops[8:]])


def test_a_face_that_is_scored_both_ways_has_the_mean_of_its_logits():
    both = [FaceLogits(np.array([1.0, 3.0]), 5.0), FaceLogits(np.array([2.0, 5.0]), -1.0)]
    frame_logits, clip_logit = mean_logits(both)
    assert frame_logits.tolist() == [1.5, 4.0] and clip_logit == 2.0
    assert mean_logits(both[:1]) is both[0]


def test_a_few_frames_of_a_second_burst_are_enough_to_take_turns():
    (mirrored,) = mirrorings(np.array([0, 0, 0, 0, 1]), take_turns=True)
    assert mirrored.tolist() == [False] * 4 + [True]


def test_models_from_before_see_all_frames_as_they_are():
    values = Config().to_dict()
    del values["calibration"]["mirror_bursts"]
    assert not Config.from_dict(values).calibration.mirror_bursts
