import json

import numpy as np
import pytest

from dfjax.evaluation.protocol import highest_per_video, report


def _videos(scores):
    count = len(scores)
    return highest_per_video(
        videos=[f"v{i}" for i in range(count)],
        methods=["youtube", "Deepfakes", "youtube", "FaceSwap"][:count],
        groups=["a", "a", "b", "b"][:count],
        is_fake=np.array([0, 1, 0, 1][:count]),
        scores=np.array(scores),
    )


def test_a_video_has_the_score_of_its_highest_face():
    videos = highest_per_video(
        videos=["x", "y", "x"],
        methods=["m", "n", "m"],
        groups=["a", "b", "a"],
        is_fake=np.array([1, 0, 1]),
        scores=np.array([0.2, 0.4, 0.9]),
    )
    assert videos.videos == ("x", "y")
    assert videos.scores.tolist() == [0.9, 0.4]
    assert videos.is_fake.tolist() == [1, 0]


def test_the_report_is_json_and_its_figures_are_those_of_the_scores():
    figures = report(_videos([0.2, 0.9, 0.6, 0.4]), _videos([0.1, 0.9, 0.2, 0.8]), fake_above=0.5)
    assert json.loads(json.dumps(figures)) == figures
    assert figures["auc"] == pytest.approx(0.75)
    assert figures["auc_mean_of_frames"] == 1.0
    assert figures["per_method"]["Deepfakes"] == {"auc": 1.0, "videos": 1}
    assert figures["per_method"]["FaceSwap"]["auc"] == pytest.approx(0.5)
    assert figures["confusion"] == {
        "true_real": 1,
        "false_fake": 1,
        "false_real": 1,
        "true_fake": 1,
    }
    assert (figures["videos"], figures["real"], figures["fake"], figures["groups"]) == (4, 2, 2, 2)
