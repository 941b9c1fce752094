import numpy as np

from dfjax.faces.boxes import move_edges, overlaps, suppress, to_squares

SIDE_BY_SIDE = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], np.float64)


def test_overlap_is_shared_over_joint_area():
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]], np.float64)
    expected = [[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(overlaps(boxes), expected)


def test_a_box_inside_another_overlaps_wholly_by_the_smaller_area():
    boxes = np.array([[0, 0, 20, 20], [5, 5, 10, 10]], np.float64)
    assert overlaps(boxes)[0, 1] == 25 / 400
    assert overlaps(boxes, of_smaller=True)[0, 1] == 1


def test_a_box_without_area_overlaps_nothing():
    boxes = np.array([[0, 0, 10, 10], [5, 5, 5, 5], [8, 8, 2, 2]], np.float64)
    assert not overlaps(boxes)[1:].any()
    assert not overlaps(boxes, of_smaller=True)[1:].any()


def test_only_kept_boxes_suppress_others():
    # The first drops the second, which therefore cannot drop the third.
    kept = suppress(SIDE_BY_SIDE, np.array([0.9, 0.8, 0.7]), max_overlap=0.3)
    assert kept.tolist() == [0, 2]


def test_the_most_confident_box_wins_wherever_it_stands():
    kept = suppress(SIDE_BY_SIDE, np.array([0.7, 0.9, 0.8]), max_overlap=0.3)
    assert kept.tolist() == [1]


def test_boxes_are_kept_by_falling_confidence_up_to_a_limit():
    boxes = np.array([[0, 0, 1, 1], [5, 5, 6, 6], [9, 9, 10, 10]], np.float64)
    confidences = np.array([0.5, 0.9, 0.7])
    assert suppress(boxes, confidences, 0.5).tolist() == [1, 2, 0]
    assert suppress(boxes, confidences, 0.5, max_boxes=2).tolist() == [1, 2]


def test_no_boxes_give_no_boxes():
    none = np.zeros((0, 4))
    assert suppress(none, np.zeros(0), 0.5).shape == (0,)
    assert to_squares(none).shape == move_edges(none, none).shape == (0, 4)


def test_a_square_keeps_the_centre_and_the_longer_side():
    boxes = np.array([[10, 20, 20, 50], [0, 0, 40, 10]], np.float64)
    np.testing.assert_array_equal(to_squares(boxes), [[0, 20, 30, 50], [0, -15, 40, 25]])


def test_edges_move_by_shares_of_their_own_side():
    moved = move_edges(np.array([[10.0, 20.0, 20.0, 60.0]]), np.array([[0.1, 0.25, -0.2, 0.5]]))
    np.testing.assert_allclose(moved, [[11, 30, 18, 80]])
