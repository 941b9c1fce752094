import dataclasses

import numpy as np

from dfjax.config import CalibrationConfig
from dfjax.evaluation.scores import frame_scores, mean_of_frames, video_scores
from tests.evaluation.clips import scored_clip

CALIBRATION = CalibrationConfig(scale=2.0, bias=1.0, frame_scale=0.5, frame_bias=-1.0)

# One video with two faces, and one with one face.
_FIRST = scored_clip("a", logit=1.0, frame_logits=[1, 2, 3, 4])
_SECOND = scored_clip("a", logit=3.0, frame_logits=[0, 9, 3, 6], track_id=1)
_OTHER = scored_clip("b", logit=-1.0, frame_logits=[-1, -3], is_fake=1, method="Deepfakes")


def test_a_video_has_the_calibrated_score_of_its_highest_face():
    videos = video_scores([_FIRST, _OTHER, _SECOND], CALIBRATION)
    assert videos.videos.tolist() == ["ffpp/youtube/c23/a", "ffpp/Deepfakes/c23/b"]
    assert videos.logits.tolist() == [7.0, -1.0]
    assert videos.is_fake.tolist() == [0, 1]


def test_a_face_that_is_hardly_seen_has_no_say_as_in_the_app():
    brief = scored_clip("a", logit=9.0, frame_logits=[9, 9, 9], track_id=2)
    brief = dataclasses.replace(brief, row=dataclasses.replace(brief.row, num_frames=4))
    small = scored_clip(
        "a", logit=9.0, track_id=3, boxes_xyxy=np.tile(np.array([0, 0, 31, 31]), (4, 1))
    )
    heard = video_scores([brief, _FIRST, small, _OTHER, _SECOND], CALIBRATION)
    assert heard.logits.tolist() == [7.0, -1.0]
    alone = video_scores([brief], CALIBRATION)
    assert alone.logits.tolist() == [19.0]


def test_a_small_face_has_no_say_in_a_picture_either():
    shown = scored_clip("a", logit=1.0, frame_logits=[1.0])
    small = scored_clip(
        "a", logit=9.0, frame_logits=[9.0], track_id=1, boxes_xyxy=np.array([[0, 0, 31, 31]])
    )
    assert video_scores([shown, small], CALIBRATION).logits.tolist() == [3.0]


def test_the_same_id_under_two_methods_is_two_videos():
    clips = [scored_clip("a", method=method, is_fake=1) for method in ("FaceSwap", "Deepfakes")]
    assert len(video_scores(clips, CALIBRATION)) == 2


def test_the_baseline_is_the_mean_over_a_faces_own_frames():
    baseline = mean_of_frames([_FIRST, _OTHER, _SECOND], CALIBRATION)
    assert baseline.logits.tolist() == [2 * 4.5 + 1, 2 * -2 + 1]


def test_a_time_has_the_score_of_the_highest_face_seen_then():
    frames = frame_scores([_FIRST, _OTHER, _SECOND], CALIBRATION)
    np.testing.assert_allclose(frames.logits[:4], 0.5 * np.array([1, 9, 3, 6]) - 1)
    assert frames.videos.tolist() == ["ffpp/youtube/c23/a"] * 4 + ["ffpp/Deepfakes/c23/b"] * 2


def test_re_encoded_versions_count_as_one_compression():
    names = ("c23", "c23-crf31", "c23-crf40", "jpeg-film-crf25")
    clips = [scored_clip(compression=name) for name in names]
    assert video_scores(clips, CALIBRATION).settings == [
        ("ffpp", "c23"),
        ("ffpp", "c23 re-encoded"),
        ("ffpp", "jpeg filmed"),
    ]
