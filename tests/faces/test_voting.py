import numpy as np

from dfjax.faces.clips import FaceClip
from dfjax.faces.voting import left_out


def _clip(num_frames: int = 8, height: int = 100) -> FaceClip:
    boxes = np.tile([0, 0, height, height], (num_frames, 1))
    return FaceClip(
        track_id=0,
        frame_indices=np.arange(num_frames),
        frames=np.zeros((num_frames, 8, 8, 3), np.uint8),
        boxes_xyxy=boxes,
        landmarks=np.zeros((num_frames, 5, 2), np.float32),
    )


def test_a_face_that_is_hardly_seen_has_no_say_beside_one_that_is_seen_well():
    assert left_out([_clip(), _clip(num_frames=3), _clip(height=31)]) == [None, "short", "small"]


def test_a_face_that_fills_a_shot_that_was_looked_at_once_has_a_say():
    clips = [_clip(), _clip(num_frames=1), _clip(num_frames=1)]
    assert left_out(clips, [8, 1, 20]) == [None, None, "short"]
    assert left_out(clips, [None, None, None]) == [None, "short", "short"]


def test_where_no_face_is_seen_well_all_have_a_say():
    assert left_out([_clip(num_frames=1), _clip(height=20)]) == [None, None]
    assert left_out([]) == []
