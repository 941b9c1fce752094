"""A video gets one score, whoever asks: the app from its file, or the evaluation once prepared."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfjax.config import CalibrationConfig
from dfjax.data.prepare import prepare
from dfjax.data.prepared import read_clips
from dfjax.data.sources import read_source
from dfjax.evaluation.scores import Scores, frame_scores, video_scores
from dfjax.evaluation.scoring import ScoredClip, Scorer
from dfjax.inference.jax_engine import JaxEngine
from dfjax.models.detector import Detector
from dfjax.prediction import Prediction
from dfjax.predictor import Predictor
from tests.evaluation.clips import EVIDENCE
from tests.tiny import TINY_CONFIG, tiny_detector
from tests.videos import portrait_frames, write_video

CALIBRATION = CalibrationConfig(
    scale=2.3, bias=-1.1, frame_scale=0.4, frame_bias=0.7, real_below=0.2, fake_above=0.8
)
"""Each far from what changes nothing, and from the others."""

FILES = ("real/one.mp4", "real/still.png", "fake/two.mp4", "fake/still.png")


@pytest.fixture(
    scope="module",
    params=[None, EVIDENCE],
    ids=["by the highest face", "by all the evidence, mirrored"],
)
def detector(request) -> Detector:
    detector = tiny_detector()
    calibration = dataclasses.replace(
        CALIBRATION, evidence=request.param, mirror_bursts=request.param is not None
    )
    detector.config = dataclasses.replace(TINY_CONFIG, calibration=calibration)
    return detector


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for label in ("real", "fake"):
        (folder / label).mkdir()
    write_video(folder / "real/one.mp4", portrait_frames(30))
    write_video(folder / "fake/two.mp4", portrait_frames(30, num_faces=2))
    picture = portrait_frames(1)[0]
    Image.fromarray(picture).save(folder / "real/still.png")
    Image.fromarray(255 - (255 - picture) // 2).save(folder / "fake/still.png")
    return folder


@pytest.fixture(scope="module")
def predictions(detector, folder) -> dict[str, Prediction]:
    predictor = Predictor(detector)
    return {name: predictor(folder / name) for name in FILES}


@pytest.fixture(scope="module")
def scored(detector, folder, tmp_path_factory) -> list[ScoredClip]:
    out = tmp_path_factory.mktemp("prepared")
    source = read_source("folder", folder, name="ours")
    prepare(source, out, detector.config)
    engine = JaxEngine.for_many(detector)
    splits = {video.split for video in source.videos}
    rows = [row for split in sorted(splits) for row in read_clips(str(out), split)]
    return Scorer(engine)(rows)


def _of(scores: Scores, name: str) -> Scores:
    label, file = name.split("/")
    of_file = np.char.find(scores.videos, file.split(".")[0]) >= 0
    return scores.take(of_file & (scores.is_fake == (label == "fake")))


@pytest.mark.parametrize("name", FILES)
def test_a_file_and_its_prepared_clips_get_the_same_probability(
    detector, predictions, scored, name
):
    of_video = _of(video_scores(scored, detector.config.calibration), name)
    assert len(of_video) == 1
    prediction = predictions[name]
    assert prediction.probability_fake == pytest.approx(of_video.probabilities[0], abs=1e-6)


@pytest.mark.parametrize("name", FILES)
def test_and_so_does_each_of_its_frames(predictions, scored, name):
    of_frames = _of(frame_scores(scored, CALIBRATION), name)
    found = [frame.probability_fake for frame in predictions[name].frames]
    np.testing.assert_allclose(found, of_frames.probabilities, rtol=0, atol=1e-6)
