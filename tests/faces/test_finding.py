import numpy as np
import pytest
from PIL import Image

from dfjax.faces.detection import FaceDetector
from dfjax.faces.finding import find_in_pictures, find_in_video
from tests.videos import moving_pattern, portrait_frames


def _video(pictures):
    """Returns pictures with times so far apart that each is searched by itself."""
    return enumerate(map(np.asarray, pictures))


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
    (found,) = find_in_pictures([np.asarray(tight)], face_detector)
    assert len(found.boxes_xyxy) == 1
    expected = (whole.landmarks[0] - [x, y]) * 128 / (2 * half)
    np.testing.assert_allclose(found.landmarks[0], expected, atol=0.03 * 128)


def test_faces_come_in_the_order_of_the_pictures(face_detector):
    portrait, pattern = portrait_frames(1)[0][:360, 60:420], moving_pattern(1, 200, 200)[0]
    found = find_in_pictures([pattern, portrait, pattern], face_detector)
    assert [len(faces.boxes_xyxy) for faces in found] == [0, 1, 0]
    (alone,) = face_detector.detect([portrait])
    np.testing.assert_array_equal(found[1].boxes_xyxy, alone.boxes_xyxy)
    assert find_in_pictures([], face_detector) == []


def test_a_dark_face_that_fills_its_picture_is_found_in_a_third_attempt(face_detector):
    portrait = portrait_frames(1)[0][:360, 60:420]
    dark = (portrait // 16).astype(np.uint8)
    room = np.pad(dark, ((180, 180), (180, 180), (0, 0)), constant_values=127)
    assert all(len(faces.boxes_xyxy) == 0 for faces in face_detector.detect([dark, room]))
    (found,) = find_in_pictures([dark], face_detector)
    (expected,) = face_detector.detect([portrait])
    assert len(found.boxes_xyxy) == 1
    np.testing.assert_allclose(found.landmarks, expected.landmarks, atol=0.02 * 360)


def test_a_picture_gives_the_same_alone_and_among_others(face_detector):
    pictures = [moving_pattern(1, 90, 120)[0], (portrait_frames(1)[0] // 16).astype(np.uint8)]
    for picture, found in zip(pictures, find_in_pictures(pictures, face_detector), strict=True):
        (alone,) = find_in_video(_video([picture]), face_detector)
        np.testing.assert_array_equal(alone.landmarks, found.landmarks)


def test_a_video_is_searched_again_only_if_no_frame_shows_a_face(face_detector):
    portrait = portrait_frames(1)[0][:360, 60:420]
    dark = (portrait // 16).astype(np.uint8)
    found = find_in_video(_video([portrait, dark]), face_detector)
    assert [len(faces.boxes_xyxy) for faces in found] == [1, 0]
    found = find_in_video(_video([dark] * 9), face_detector)
    assert [len(faces.boxes_xyxy) for faces in found] == [1] * 9


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_video_that_lies_on_its_side_is_searched_as_it_was_filmed(face_detector, turns):
    frames = portrait_frames(6)
    upright = find_in_video(_video(frames), face_detector)
    assert not any(faces.quarter_turns for faces in upright)
    found = find_in_video(_video(np.rot90(frame, turns) for frame in frames), face_detector)
    # So many to the left as are missing from a whole turn.
    assert {faces.quarter_turns for faces in found} == {4 - turns}
    for there, here in zip(found, upright, strict=True):
        height, width = frames[0].shape[:2]
        x, y = here.landmarks[0].T
        for _ in range(turns):
            # A quarter turn to the left.
            x, y, height, width = y, width - x, width, height
        np.testing.assert_allclose(there.landmarks[0], np.stack([x, y], axis=-1), atol=1)
        left, top, right, bottom = there.boxes_xyxy[0]
        assert left < there.landmarks[0, :, 0].min() < there.landmarks[0, :, 0].max() < right
        assert top < there.landmarks[0, :, 1].min() < there.landmarks[0, :, 1].max() < bottom


def test_a_picture_on_its_head_is_found_among_others(face_detector):
    portrait, pattern = portrait_frames(1)[0][:360, 60:420], moving_pattern(1, 200, 200)[0]
    found = find_in_pictures([pattern, np.rot90(portrait, 2), portrait], face_detector)
    assert [len(faces.boxes_xyxy) for faces in found] == [0, 1, 1]
    assert [faces.quarter_turns for faces in found] == [0, 2, 0]


def test_where_nobody_is_no_turn_finds_anyone(face_detector):
    found = find_in_video(_video(moving_pattern(4, 240, 320)), face_detector)
    assert all(len(faces.boxes_xyxy) == 0 for faces in found)
