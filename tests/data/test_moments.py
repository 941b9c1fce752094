import dataclasses

import numpy as np

from dfjax.data.moments import is_same_face, same_moments
from tests.evaluation.clips import clip_row


def _sampled_at(times: np.ndarray):
    """Returns a clip of a video with 25 frames a second that shows its face at these times."""
    row = clip_row("000", num_frames=len(times))
    return dataclasses.replace(row, timestamps=np.asarray(times, np.float64), fps=25.0)


def test_frames_are_matched_by_their_times_and_not_by_their_numbers():
    first = _sampled_at(np.arange(8) * 0.5)
    second = _sampled_at(1.0 + np.arange(6) * 0.25)
    of_first, of_second = same_moments(first, second)
    assert (of_first.tolist(), of_second.tolist()) == ([2, 3, 4], [0, 2, 4])
    back = same_moments(second, first)
    assert (back[0].tolist(), back[1].tolist()) == ([0, 2, 4], [2, 3, 4])


def test_half_a_frame_apart_is_another_moment():
    first = _sampled_at(np.arange(4) / 25)
    for shift, count in ((0.4 / 25, 4), (0.6 / 25, 3), (1 / 25, 3)):
        of_first, of_second = same_moments(first, _sampled_at(first.timestamps + shift))
        assert len(of_first) == len(of_second) == count
        apart = first.timestamps[of_first] - first.timestamps[of_second] - shift
        assert np.abs(apart).max() < 0.5 / 25


def test_no_frame_is_matched_twice():
    first = _sampled_at(np.array([0.0, 0.015, 0.5]))
    of_first, of_second = same_moments(first, _sampled_at(np.array([0.01])))
    assert (of_first.tolist(), of_second.tolist()) == ([1], [0])


def test_single_pictures_show_the_same_moment():
    still = dataclasses.replace(_sampled_at(np.zeros(1)), fps=0.0)
    assert [places.tolist() for places in same_moments(still, still)] == [[0], [0]]


def test_a_face_is_the_same_at_the_same_place_of_the_picture_whatever_its_size_in_pixels():
    first = _sampled_at(np.arange(4) / 25)
    places = np.arange(4)
    larger = dataclasses.replace(
        first,
        width=2 * first.width,
        height=2 * first.height,
        boxes_xyxy=2 * first.boxes_xyxy,
    )
    assert is_same_face(first, places, larger, places)
    elsewhere = dataclasses.replace(first, boxes_xyxy=first.boxes_xyxy + 300)
    assert not is_same_face(first, places, elsewhere, places)
    assert not is_same_face(first, places[:0], first, places[:0])
