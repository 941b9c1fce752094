import dataclasses
from collections.abc import Sequence

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


def _with_sizes(sizes: Sequence[tuple[int, int]]) -> FaceClip:
    boxes = np.array([[0, 0, width, height] for width, height in sizes])
    return dataclasses.replace(_clip(len(sizes)), boxes_xyxy=boxes)


def test_a_face_that_is_hardly_seen_has_no_say_beside_one_that_is_seen_well():
    assert left_out([_clip(), _clip(num_frames=3), _clip(height=31)]) == [None, "short", "small"]


def test_a_face_that_is_just_seen_well_enough_has_a_say():
    assert left_out([_clip(), _clip(num_frames=4), _clip(height=32)]) == [None, None, None]


def test_how_high_a_face_is_in_most_frames_says_whether_it_is_small():
    """How wide it is does not, nor how high it is on average."""
    wide = _with_sizes([(100, 31)] * 8)
    mostly_low = _with_sizes([(9, 31)] * 5 + [(9, 400)] * 3)
    assert left_out([_clip(), wide, mostly_low]) == [None, "small", "small"]


def test_a_face_that_fills_a_shot_that_was_looked_at_once_has_a_say():
    clips = [_clip(), _clip(num_frames=1), _clip(num_frames=1)]
    assert left_out(clips, [8, 1, 20]) == [None, None, "short"]
    assert left_out(clips, [None, None, None]) == [None, "short", "short"]


def test_where_no_face_is_seen_well_all_have_a_say():
    assert left_out([_clip(num_frames=1), _clip(height=20)]) == [None, None]
    assert left_out([]) == []
