import dataclasses
import itertools
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from dfjax.config import CalibrationConfig, VideoConfig
from dfjax.errors import AbandonedError, VideoError, VideoLimitError
from dfjax.faces import searching
from dfjax.faces.detection import FaceDetector
from dfjax.faces.sampled import SampledFrame
from dfjax.inference import begun_file
from dfjax.inference.begun_file import Begun, BegunFile
from dfjax.predictor import Predictor
from dfjax.video.limits import VideoLimits
from dfjax.video.reading import read_frames
from tests.evaluation.clips import EVIDENCE
from tests.tiny import TINY_CONFIG, tiny_detector
from tests.videos import moving_pattern, portrait_frames, write_video

PATIENCE = 20  # seconds


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    face_detector = FaceDetector(TINY_CONFIG.faces)
    return Predictor(tiny_detector(), model_id="tiny", face_detector=face_detector)


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("videos") / "face.mp4", portrait_frames(20))


def test_a_file_that_was_begun_gets_its_answer_and_is_not_read_again(predictor, face, monkeypatch):
    alone = predictor(face)
    with closing(BegunFile(face, predictor.config, "standard")) as begun:
        monkeypatch.setattr(searching, "sample_frames", lambda path, *_: pytest.fail(str(path)))
        (prediction,) = predictor.each([face], begun=begun)
    assert isinstance(prediction, type(alone))
    assert prediction.tracks == alone.tracks
    assert prediction.video == alone.video


def test_other_files_and_those_that_come_again_are_read_as_ever(predictor, face, tmp_path):
    other = write_video(tmp_path / "other.mp4", portrait_frames(10, num_faces=2))
    with closing(BegunFile(face, predictor.config, "standard")) as begun:
        results = list(predictor.each([other, face, face], begun=begun))
    assert [result.tracks for result in results] == [
        predictor(p).tracks for p in (other, face, face)
    ]


def test_the_frames_are_those_that_would_be_read(face):
    with closing(BegunFile(face, TINY_CONFIG, "quick")) as begun:
        known = begun.take(face)
        assert begun.take(face) is None
    assert known is not None and known.sampled is not None
    read = list(read_frames(face, TINY_CONFIG.video))
    assert [frame.timestamp for frame in known.sampled.frames] == [time for time, _ in read]
    assert len(known.sampled.findings.sizes) == len(read)
    for frame, (_, pixels) in zip(known.sampled.frames, read, strict=True):
        np.testing.assert_array_equal(frame.pixels, pixels)


def test_a_video_that_is_looked_at_in_rounds_is_only_probed(tmp_path):
    path = write_video(tmp_path / "long.mp4", moving_pattern(60, 48, 64), fps=1)
    config = dataclasses.replace(
        TINY_CONFIG,
        calibration=CalibrationConfig(evidence=EVIDENCE),
        video=VideoConfig(num_frames=8, burst_frames=2),
    )
    with closing(BegunFile(path, config, "standard")) as begun:
        known = begun.take(path)
    assert known is not None and known.plan.num_frames > 8 and known.sampled is None
    assert known.effort == "standard"
    # A model that does not weigh evidence looks once, however much is asked for.
    plain = dataclasses.replace(config, calibration=CalibrationConfig())
    looks_once = Begun.of(path, plain, "thorough", VideoLimits())
    assert (looks_once.plan, looks_once.effort) == (plain.video, "quick")


def test_why_a_file_cannot_be_read_is_told_in_its_place(predictor, face, tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    with closing(BegunFile(text, predictor.config, "standard")) as begun:
        error, prediction = predictor.each([text, face], begun=begun)
    assert isinstance(error, VideoError)
    assert not isinstance(prediction, Exception)


@pytest.mark.parametrize(
    "limits", [VideoLimits(max_duration=0.1), VideoLimits(max_output_bytes=1000)]
)
def test_a_file_that_is_begun_may_cost_no_more_than_any_other(face, limits):
    with (
        closing(BegunFile(face, TINY_CONFIG, "quick", limits)) as begun,
        pytest.raises(VideoLimitError),
    ):
        begun.take(face)


def test_who_leaves_waits_for_no_more_than_the_next_frame(face, monkeypatch):
    begun_one, asked = threading.Event(), []

    def endless(*_):
        for number in itertools.count():
            asked.append(number)
            begun_one.set()
            yield SampledFrame(float(number), np.zeros((1, 1, 3), np.uint8), np.zeros(1))

    monkeypatch.setattr(begun_file, "sample_frames", endless)
    with closing(BegunFile(face, TINY_CONFIG, "quick")) as begun:
        assert begun_one.wait(PATIENCE)
    with pytest.raises(AbandonedError):
        begun.take(face)
