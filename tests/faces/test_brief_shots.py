"""A face that is there whenever its shot is looked at is real, however few looks that are."""

import numpy as np
import pytest

from dfjax.config import Config, TrackConfig
from dfjax.faces.clips import face_clips
from dfjax.faces.tracks import linked_faces
from dfjax.faces.voting import left_out
from tests.faces.test_read_again import OneFace
from tests.faces.test_tracks import film, seen_at, still_at

_NUM_LOOKS = 20
_CUTS = np.arange(_NUM_LOOKS) * 3.0


def _looks(burst_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns when frames are looked at, and their shots: two looks at the first, one at others."""
    timestamps = (_CUTS[:, None] + np.arange(burst_frames) / 25).ravel()
    return timestamps, np.maximum(0, np.repeat(np.arange(_NUM_LOOKS), burst_frames) - 1)


@pytest.mark.parametrize("burst_frames", [1, 2, 4])
def test_who_is_in_all_frames_of_a_shot_is_kept(burst_frames):
    timestamps, shots = _looks(burst_frames)
    linked = linked_faces(film([still_at(300)], timestamps), timestamps, shots=shots, at_once=True)
    assert len(linked.tracks) == _NUM_LOOKS - 1
    assert linked.num_frames == len(timestamps)


@pytest.mark.parametrize("burst_frames, kept", [(1, True), (2, False), (4, False)])
def test_who_is_in_one_frame_of_a_burst_only_is_kept_if_it_has_no_other(burst_frames, kept):
    timestamps, shots = _looks(burst_frames)
    flash = seen_at(still_at(900), timestamps[[8 * burst_frames]].tolist())
    linked = linked_faces(
        film([still_at(300), flash], timestamps), timestamps, shots=shots, at_once=True
    )
    assert len(linked.tracks) == _NUM_LOOKS - 1 + kept


def test_who_is_in_one_frame_of_each_of_two_bursts_is_no_face():
    timestamps, _ = _looks(4)
    flashes = seen_at(still_at(900), timestamps[[20, 24]].tolist())
    linked = linked_faces(film([still_at(300), flashes], timestamps), timestamps)
    assert len(linked.tracks) == 1


def test_who_is_in_all_of_a_burst_that_comes_after_a_cut_is_kept():
    timestamps, _ = _looks(4)
    cut, numbers = 4 * 8 + 2, np.arange(len(timestamps))  # half of a burst
    shots = (numbers >= cut).astype(np.int64) + (numbers >= cut + 2)
    brief = seen_at(still_at(900), timestamps[cut : cut + 2].tolist())
    linked = linked_faces(film([brief, still_at(300)], timestamps), timestamps, shots=shots)
    assert any(0 in track.landmarks for track in linked.tracks)


def test_who_is_in_all_of_a_shot_of_a_short_video_that_a_pair_of_frames_shows_has_a_say():
    timestamps = (np.arange(8)[:, None] * 2.5 + np.arange(2) / 25).ravel()
    frames = [np.full((96, 128, 3), 200 * (n // 2 == 3), np.uint8) for n in range(16)]
    clips = face_clips(frames, timestamps, Config(), OneFace()).clips
    seen = [(len(clip.frame_indices), clip.shot_frames) for clip in clips]
    assert seen == [(6, 6), (2, 2), (8, 8)]
    assert left_out(clips, [clip.shot_frames for clip in clips]) == [None] * 3


@pytest.mark.parametrize("spacing, least", [(0.04, 3), (0.3, 3), (0.4, 2), (0.5, 2), (0.6, 1)])
def test_evenly_sampled_a_face_must_be_seen_as_often_as_one_that_stays_a_second(spacing, least):
    timestamps = np.arange(32) * spacing
    assert TrackConfig().min_frames == 3
    for num_frames in (1, 2, 3):
        brief = seen_at(still_at(900), timestamps[10 : 10 + num_frames].tolist())
        linked = linked_faces(film([still_at(300), brief], timestamps), timestamps)
        assert len(linked.tracks) == 1 + (num_frames >= least)
