"""A file gets the same score from `predict` as from `prepare` and `evaluate`."""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dfjax.config import Config
from dfjax.data.prepare import prepare
from dfjax.data.prepared import read_clips
from dfjax.data.sources import Source, read_source
from dfjax.evaluation.scores import video_scores
from dfjax.evaluation.scoring import Scorer
from dfjax.inference.jax_engine import JaxEngine
from dfjax.models.detector import Detector
from dfjax.prediction import Prediction
from dfjax.predictor import Predictor

CHECKPOINT = Path(__file__).parents[2] / "checkpoint"
EVERY = 25
"""Of the originals that are held out; `DFJAX_ALL_CROPS=1` takes them all, which takes minutes."""


def _some_validation_crops(root: Path) -> Source:
    source = read_source("dfdc-faces", root)
    validation = [video for video in source.videos if video.split == "validation"]
    groups = sorted({video.group for video in validation})
    chosen = groups if os.environ.get("DFJAX_ALL_CROPS") else groups[::EVERY]
    videos = tuple(video for video in validation if video.group in chosen)
    return Source(name=source.name, options=source.options, videos=videos)


@pytest.mark.real_clips
def test_face_crops_get_the_same_scores_from_both_roads_and_nearly_all_get_one(
    real_clips, tmp_path
):
    source = _some_validation_crops(real_clips / "data" / "dfdc_faces")
    detector = Detector.from_pretrained(CHECKPOINT)
    engine = JaxEngine.for_many(detector)
    config: Config = detector.config
    prepare(source, tmp_path / "crops", config)
    scored = Scorer(engine)(read_clips(str(tmp_path / "crops"), "validation"))
    evaluated = video_scores(scored, config.calibration)
    by_key = dict(zip(evaluated.videos.tolist(), evaluated.probabilities.tolist(), strict=True))

    predictor = Predictor(detector)
    answers: dict[str, float | None] = {}
    results = predictor.each([video.path for video in source.videos])
    for video, result in zip(source.videos, results, strict=True):
        assert isinstance(result, Prediction), result
        answers[video.key] = result.probability_fake
    missing = [key for key, probability in answers.items() if probability is None]
    assert len(missing) < 0.01 * len(answers)
    both = sorted(by_key.keys() - set(missing))
    assert len(both) == len(answers) - len(missing)
    is_fake = {video.key: video.is_fake for video in source.videos}
    truth = [is_fake[key] for key in both]
    aucs = [roc_auc_score(truth, [road[key] for key in both]) for road in (by_key, answers)]
    assert abs(aucs[0] - aucs[1]) < 0.01
    # Only a picture with a second face may differ: in the app the highest of all faces counts.
    differences = np.abs([by_key[key] - (answers[key] or 0) for key in both])
    assert np.mean(differences < 1e-4) > 0.95
