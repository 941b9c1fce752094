"""Every crop of a video is encoded once, many of them while it is still being read."""

import dataclasses
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from dfjax.config import VideoConfig
from dfjax.faces.clips import FaceClip, FaceClips
from dfjax.faces.held_frames import AheadCrop
from dfjax.inference.face_scorer import FaceScorer
from dfjax.inference.jax_engine import JaxEngine
from dfjax.inference.one_file import READING_SHARE
from dfjax.models.detector import Detector
from dfjax.prediction import Prediction
from dfjax.predictor import Predictor
from dfjax.video.info import describe_frames
from tests.models.tiny import filled
from tests.tiny import TINY_CONFIG
from tests.videos import portrait_frames, write_video


class _Noting(JaxEngine):
    """Notes the sizes of batches, and in which thread they were encoded."""

    def __init__(self, *, mirror_bursts: bool = True):
        video = VideoConfig(num_frames=32, burst_frames=4)
        calibration = dataclasses.replace(TINY_CONFIG.calibration, mirror_bursts=mirror_bursts)
        config = dataclasses.replace(TINY_CONFIG, video=video, calibration=calibration)
        super().__init__(filled(lambda rngs: Detector(config, rngs=rngs)))
        self.batches: list[int] = []
        self.threads: set[str] = set()

    def encode(self, crops: np.ndarray) -> np.ndarray:
        self.batches.append(len(crops))
        self.threads.add(threading.current_thread().name)
        return super().encode(crops)


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Path:
    """Two people for 24 seconds, so that the frames that are looked at are far from each other."""
    turn = portrait_frames(60, num_faces=2)
    frames = (turn[n % 60 if n // 60 % 2 == 0 else 59 - n % 60] for n in range(240))
    return write_video(tmp_path_factory.mktemp("people") / "two.mp4", frames, fps=10)


def _crops(num: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num, 32, 32, 3), np.uint8)


def _read(crops: np.ndarray) -> FaceClips:
    """Returns one face that these crops show, for which two seconds were spent."""
    times = np.arange(len(crops)) / 25
    clip = FaceClip(
        track_id=0,
        frame_indices=np.arange(len(crops)),
        frames=crops,
        boxes_xyxy=np.tile([0, 0, 32, 32], (len(crops), 1)),
        landmarks=np.zeros((len(crops), 5, 2), np.float32),
    )
    info = describe_frames([np.zeros((32, 32, 3), np.uint8)] * len(crops), times)
    return FaceClips(
        info=info,
        timestamps=times,
        bursts=np.arange(len(crops)) // 4,
        clips=(clip,),
        decode_seconds=1.0,
        face_seconds=2.0,
    )


def _ahead(crops: np.ndarray, first: int = 0) -> list[AheadCrop]:
    return [AheadCrop((first + n) // 4, crop) for n, crop in enumerate(crops)]


def _no_report(fraction: float, stage: str) -> None:
    del fraction, stage


def test_what_was_encoded_ahead_gives_the_same_logits_and_is_not_encoded_again():
    read, plain, engine = _read(_crops(20)), _Noting(), _Noting()
    expected = FaceScorer(plain)(read, _no_report)
    scorer = FaceScorer(engine)
    scorer.encode_ahead(_ahead(read.clips[0].frames[:5]))
    assert engine.batches == []  # it waits until a batch is full
    scorer.encode_ahead(_ahead(read.clips[0].frames[5:18], 5))
    assert engine.batches == [8, 8]
    scorer.encode_ahead(_ahead(read.clips[0].frames[:16]))  # as where a picture stands still
    assert engine.batches == [8, 8]
    scored = scorer(read, _no_report)
    assert engine.batches == [8, 8, 4] == plain.batches
    scorer.encode_ahead(_ahead(_crops(26)[20:], 20))  # no crop waits any more
    assert engine.batches == [8, 8, 4]
    np.testing.assert_array_equal(scored.faces[0].frame_logits, expected.faces[0].frame_logits)
    assert scored.faces[0].clip_logit == expected.faces[0].clip_logit
    assert scorer(read, _no_report).faces[0].clip_logit == expected.faces[0].clip_logit
    assert engine.batches == [8, 8, 4]


def test_crops_that_were_given_for_nothing_change_nothing():
    crops, engine = _crops(30), _Noting()
    scorer = FaceScorer(engine)
    scorer.encode_ahead(_ahead(crops[20:], 20))
    scored = scorer(_read(crops[:8]), _no_report)
    alone = FaceScorer(_Noting())(_read(crops[:8]), _no_report)
    assert scored.faces[0].clip_logit == alone.faces[0].clip_logit
    assert engine.batches == [8, 8]


def test_frames_that_show_the_same_are_encoded_once():
    engine, crops = _Noting(mirror_bursts=False), np.repeat(_crops(2), 6, axis=0)
    scored = FaceScorer(engine)(_read(crops), _no_report)
    assert engine.batches == [2]
    assert len(set(scored.faces[0].frame_logits.tolist())) > 1  # their neighbours differ


def test_crops_are_not_copied_all_at_once():
    """A crowd in a long video has gigabytes of them."""
    crops = _crops(400)
    scorer, read = FaceScorer(_Noting()), _read(crops)
    scorer(_read(crops[:8]), _no_report)  # compiles
    tracemalloc.start()
    scorer(read, _no_report)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < crops.nbytes / 2


def test_the_time_that_encoding_ahead_takes_counts_as_scoring():
    read, scorer = _read(_crops(16)), FaceScorer(_Noting())
    scorer.encode_ahead(_ahead(read.clips[0].frames))
    scored = scorer(read, _no_report)
    ahead = 2.0 - scored.read.face_seconds
    assert 0 < ahead < scored.seconds and scored.read.decode_seconds == 1.0
    nobody = scorer(_read(_crops(16)), _no_report)
    assert nobody.seconds > scored.seconds


def test_a_video_is_encoded_while_it_is_read_but_many_only_where_one_is_finished(people):
    engine = _Noting()
    predictor = Predictor(engine)
    num_encoded: dict[float, int] = {}  # by the fraction that is done

    def note(fraction: float, stage: str) -> None:
        del stage
        num_encoded.setdefault(fraction, len(engine.batches))

    alone = predictor(people, effort="quick", on_progress=note)
    num_crops = sum(len(track.frames) for track in alone.tracks)
    assert len(alone.tracks) == 2 and sum(engine.batches) == num_crops == 64
    assert num_encoded[READING_SHARE] == 6  # those of all frames but the last eight
    many = list(predictor.each([people, people], effort="quick"))
    assert engine.threads == {threading.main_thread().name}
    each = [*predictor.each([people], effort="quick"), *many]
    assert len(engine.threads) == 2  # nobody else wants the engine
    assert engine.batches == [8] * 8 * 4
    assert len(each) == 3
    for prediction in each:
        assert isinstance(prediction, Prediction)
        assert prediction.probability_fake == pytest.approx(alone.probability_fake, abs=1e-6)
