import numpy as np
import pytest
from PIL import Image

from dfjax.faces.detection import FaceDetector
from dfjax.faces.precropped import detect_in_crops
from tests.videos import moving_pattern, portrait_frames


@pytest.fixture(scope="module")
def face_detector() -> FaceDetector:
    return FaceDetector()


def test_a_face_that_fills_its_picture_is_found_all_the_same(face_detector):
    portrait = portrait_frames(1)[0]
    (whole,) = face_detector.detect([portrait])
    left, top, right, bottom = whole.boxes_xyxy[0]
    half = int(0.3 * (bottom - top))  # from brows to chin
    x, y = int((left + right) / 2) - half, int((top + bottom) / 2) - half
    tight = Image.fromarray(portrait[y : y + 2 * half, x : x + 2 * half]).resize((128, 128))
    (missed,) = face_detector.detect([np.asarray(tight)])
    assert len(missed.boxes_xyxy) == 0
    (found,) = detect_in_crops([np.asarray(tight)], face_detector)
    assert len(found.boxes_xyxy) == 1
    expected = (whole.landmarks[0] - [x, y]) * 128 / (2 * half)
    np.testing.assert_allclose(found.landmarks[0], expected, atol=0.03 * 128)


def test_faces_come_in_the_order_of_the_pictures(face_detector):
    portrait, pattern = portrait_frames(1)[0][:360, 60:420], moving_pattern(1, 200, 200)[0]
    found = detect_in_crops([pattern, portrait, pattern], face_detector)
    assert [len(faces.boxes_xyxy) for faces in found] == [0, 1, 0]
    (alone,) = face_detector.detect([portrait])
    np.testing.assert_array_equal(found[1].boxes_xyxy, alone.boxes_xyxy)
    assert detect_in_crops([], face_detector) == []
