from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from dfjax.faces.detection import FaceDetector, Faces
from dfjax.faces.following import batches, detect_in_video
from tests.videos import moving_pattern, portrait_frames


@pytest.fixture(scope="module")
def face_detector() -> FaceDetector:
    return FaceDetector()


class _Counting:
    """A detector that counts the frames that it searches as a whole."""

    def __init__(self, face_detector: FaceDetector):
        self.searched = 0
        self.refine = face_detector.refine
        self._detect = face_detector.detect

    def detect(self, frames):
        self.searched += len(frames)
        return self._detect(frames)


def test_of_four_frames_in_a_row_one_is_searched_and_faces_are_found_in_all(face_detector):
    frames = list(portrait_frames(8, num_faces=2))
    times = [*np.arange(4) / 25, *(1 + np.arange(4) / 25)]
    counting: Any = _Counting(face_detector)
    found = detect_in_video(frames, times, counting)
    assert counting.searched == 2
    for followed, searched in zip(found, face_detector.detect(frames), strict=True):
        side = np.ptp(searched.boxes_xyxy[0, ::2])
        order = np.argsort(followed.boxes_xyxy[:, 0]), np.argsort(searched.boxes_xyxy[:, 0])
        np.testing.assert_allclose(
            followed.landmarks[order[0]], searched.landmarks[order[1]], atol=0.04 * side
        )


def test_frames_further_apart_are_all_searched(face_detector):
    frames = list(portrait_frames(4))
    counting: Any = _Counting(face_detector)
    found = detect_in_video(frames, [0.0, 0.1, 0.2, 0.3], counting)
    assert counting.searched == 4
    for one, other in zip(found, face_detector.detect(frames), strict=True):
        np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)


def test_a_frame_that_has_lost_its_face_or_never_had_one_is_searched(face_detector):
    portrait, nobody = portrait_frames(1)[0], moving_pattern(1, 480, 640)[0]
    elsewhere = np.roll(portrait, 250, axis=1)
    frames = [portrait, elsewhere, nobody, portrait]
    found = detect_in_video(frames, [*np.arange(4) / 25], face_detector)
    for one, other in zip(found, face_detector.detect(frames), strict=True):
        np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)


class _Walk:
    """Finds faces at given places, as far as it searches or is asked near enough."""

    def __init__(self, lefts: Sequence[Sequence[float]]):
        self.lefts, self.searched = lefts, []

    def detect(self, frames):
        self.searched += [int(frame[0, 0, 0]) for frame in frames]
        return [self._at(self.lefts[int(frame[0, 0, 0])]) for frame in frames]

    def refine(self, frames, places):
        near = [
            [
                left
                for left in self.lefts[int(frame[0, 0, 0])]
                if np.abs(boxes[:, 0] - left).min() < 15
            ]
            for frame, boxes in zip(frames, places, strict=True)
        ]
        return list(map(self._at, near))

    @staticmethod
    def _at(lefts: Sequence[float]) -> Faces:
        boxes = np.array([[left, 0, left + 30, 40] for left in lefts], np.float32)
        return Faces(boxes, np.zeros((len(lefts), 5, 2)), np.ones(len(lefts)))


@pytest.mark.parametrize(
    "places, searched",
    [
        ([[0, 200], [10, 200], [20, 200], [30, 200]], [0]),  # where it was in the frame before
        ([[0, 200], [50, 200], [60, 200], [70, 200]], [0, 1]),  # one of two is lost
    ],
)
def test_a_face_is_followed_from_frame_to_frame_and_one_that_is_lost_is_searched_for(
    places, searched
):
    walk: Any = _Walk(places)
    frames = [np.full((2, 2, 3), n, np.uint8) for n in range(4)]
    found = detect_in_video(frames, [n / 25 for n in range(4)], walk)
    assert [faces.boxes_xyxy[:, 0].tolist() for faces in found] == places
    assert walk.searched == searched


def test_faces_do_not_depend_on_how_frames_are_handed_over(face_detector):
    frames, times = list(portrait_frames(10)), [*np.arange(6) / 25, *(2 + np.arange(4) / 25)]
    together = detect_in_video(frames, times, face_detector)
    groups = list(batches(zip(times, frames, strict=True), 3))
    assert [len(group) for group in groups] == [4, 6]
    in_groups = [
        faces
        for group in groups
        for faces in detect_in_video(
            [picture for _, picture in group], [time for time, _ in group], face_detector
        )
    ]
    for one, other in zip(in_groups, together, strict=True):
        np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)
