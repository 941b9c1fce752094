"""A long video that lies on its side is searched as it was filmed, whatever else is found in it."""

import dataclasses

import numpy as np
import pytest

from dfjax.config import CalibrationConfig
from dfjax.errors import VideoLimitError
from dfjax.faces.detection import FaceDetector
from dfjax.inference import one_file
from dfjax.predictor import Predictor
from tests.evaluation.clips import EVIDENCE
from tests.tiny import TINY_CONFIG, tiny_detector
from tests.videos import moving_pattern, portrait_frames, write_video

_UPRIGHT = range(110, 140)  # frames, of ten a second


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """With a model of evidence, which looks at long videos in several rounds."""
    detector = tiny_detector()
    detector.config = dataclasses.replace(
        TINY_CONFIG,
        calibration=CalibrationConfig(evidence=EVIDENCE),
        video=dataclasses.replace(TINY_CONFIG.video, burst_frames=4),
    )
    return Predictor(detector, face_detector=FaceDetector(TINY_CONFIG.faces))


def _video(path, rest):
    """Forty seconds, of which three show an upright face."""
    upright = portrait_frames(10, (240, 240))
    frames = (upright[n % 10] if n in _UPRIGHT else rest[n % 10] for n in range(400))
    return write_video(path, frames, 10)


@pytest.fixture(scope="module")
def lying(tmp_path_factory):
    rest = np.rot90(portrait_frames(10, (240, 240)), axes=(1, 2)).copy()
    return _video(tmp_path_factory.mktemp("lying") / "lying.mp4", rest)


def test_a_few_upright_faces_do_not_keep_it_from_being_turned(predictor, lying):
    prediction = predictor(lying, effort="standard")
    seen = [frame.timestamp for frame in prediction.frames]
    assert min(seen) < 1 and max(seen) > 19
    assert len(seen) == 8  # as many as of a short video


def test_where_no_turn_helps_the_faces_that_were_found_stay(predictor, tmp_path):
    path = _video(tmp_path / "rare.mp4", moving_pattern(10, 240, 240))
    seen = [frame.timestamp for frame in predictor(path, effort="standard").frames]
    assert len(seen) >= 4 and min(seen) >= 11 and max(seen) < 14


def test_a_limit_on_time_does_not_take_away_what_was_found(predictor, lying, monkeypatch):
    def too_long(*given, **named):
        raise VideoLimitError("It takes too long.")

    monkeypatch.setattr(one_file, "read_face_clips", too_long)
    seen = [frame.timestamp for frame in predictor(lying, effort="standard").frames]
    assert len(seen) >= 4 and min(seen) >= 11 and max(seen) < 14
