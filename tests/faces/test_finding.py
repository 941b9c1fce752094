import numpy as np
import pytest
import skimage.data
from PIL import Image

from dfjax.faces.detection import NUM_FRAMES, FaceDetector, Faces
from dfjax.faces.finding import find_in_pictures, find_in_video
from tests.videos import moving_pattern, portrait_frames


def _video(pictures):
    """Returns pictures with times so far apart that each is searched by itself."""
    return enumerate(map(np.asarray, pictures))


@pytest.fixture(scope="module")
def face_detector() -> FaceDetector:
    return FaceDetector()


def _tight(face_detector, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns a picture that a face fills, and where its landmarks are: float [5, 2].

    Args:
      face_detector: Finds the face in a larger picture.
      share: Half of the picture's side, over the height of the face.
    """
    portrait = portrait_frames(1)[0]
    (whole,) = face_detector.detect([portrait])
    left, top, right, bottom = whole.boxes_xyxy[0]
    half = int(share * (bottom - top))
    x, y = int((left + right) / 2) - half, int((top + bottom) / 2) - half
    tight = Image.fromarray(portrait[y : y + 2 * half, x : x + 2 * half]).resize((128, 128))
    return np.asarray(tight), (whole.landmarks[0] - [x, y]) * 128 / (2 * half)


def test_a_face_that_fills_its_picture_is_found_all_the_same(face_detector):
    tight, expected = _tight(face_detector, 0.3)  # from brows to chin
    (missed,) = face_detector.detect([tight])
    assert len(missed.boxes_xyxy) == 0
    (found,) = find_in_pictures([tight], face_detector)
    assert len(found.boxes_xyxy) == 1
    np.testing.assert_allclose(found.landmarks[0], expected, atol=0.03 * 128)
    (box,) = found.boxes_xyxy
    assert (box[:2] < found.landmarks[0].min(0)).all()
    assert (found.landmarks[0].max(0) < box[2:]).all()


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
    dark[:9, -99:] = 255  # a clock that was written into it, for one
    room = np.pad(dark, ((180, 180), (180, 180), (0, 0)), constant_values=127)
    assert all(len(faces.boxes_xyxy) == 0 for faces in face_detector.detect([dark, room]))
    (found,) = find_in_pictures([dark], face_detector)
    (expected,) = face_detector.detect([portrait])
    assert len(found.boxes_xyxy) == 1
    np.testing.assert_allclose(found.landmarks, expected.landmarks, atol=0.02 * 360)


def test_a_picture_gives_the_same_alone_and_among_others(face_detector):
    portrait, (tight, _) = portrait_frames(1)[0], _tight(face_detector, 0.35)
    pictures = [moving_pattern(1, 90, 120)[0], (portrait // 16).astype(np.uint8), tight]
    pictures += [np.rot90(portrait[:360, 60:420], turns) for turns in (1, 2, 3)]
    pictures += [np.rot90(tight, turns) for turns in (1, 2, 3)]
    several = find_in_pictures(pictures, face_detector)
    assert {faces.quarter_turns for faces in several} == {0, 1, 2, 3}
    for picture, found in zip(pictures, several, strict=True):
        (alone,) = find_in_video(_video([picture]), face_detector)
        np.testing.assert_array_equal(alone.landmarks, found.landmarks)
        assert alone.quarter_turns == found.quarter_turns


def test_no_more_pictures_are_enlarged_at_a_time_than_the_detector_works_on(monkeypatch):
    detector, at_once = FaceDetector(), []

    def nothing(pictures):
        at_once.append([picture.shape[0] for picture in pictures])
        none = np.zeros((0, 4), np.float32)
        return [Faces(none, np.zeros((0, 5, 2), np.float32), none[:, 0]) for _ in pictures]

    monkeypatch.setattr(detector, "detect", nothing)
    find_in_video(_video(moving_pattern(18, 90, 120)), detector)
    enlarged = [sizes for sizes in at_once if 210 in sizes]
    assert sum(map(len, enlarged)) == 2 * 18 and max(map(len, enlarged)) == NUM_FRAMES


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


@pytest.mark.parametrize(
    "num_turned, expected", [(8, [(1, 1)] * 8), (6, [(0, 1)] * 3 + [(0, 0)] * 5)]
)
def test_few_faces_of_another_attempt_give_way_to_plainly_more_in_turned_frames(
    monkeypatch, num_turned, expected
):
    """The stub of a detector finds three faces where there is room, and more once turned."""
    detector, side, grey = FaceDetector(), 20, 100
    none = Faces(np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), np.zeros(0))
    face = Faces(np.array([[4, 4, 9, 9]], np.float32), np.full((1, 5, 2), 6.0), np.array([0.99]))

    def found(picture):
        room = (len(picture) - side) // 2
        inner = picture[room : room + side, room : room + side, 0]
        number, most = (inner[0, 0], 3) if room else (inner[-1, 0], num_turned)
        return face if number < most and inner[9, 9] == grey else none

    monkeypatch.setattr(detector, "detect", lambda pictures: [*map(found, pictures)])
    frames = np.full((8, side, side, 3), grey, np.uint8)
    frames[:, 0, 0] = np.arange(8)[:, None]  # a quarter turn takes it to the lower left
    faces = find_in_video(_video(frames), detector)
    assert [(each.quarter_turns, len(each.boxes_xyxy)) for each in faces] == expected


@pytest.mark.parametrize(
    "num_upright, num_turned, confidence, turns",
    [(8, 32, 0.99, 0), (7, 32, 0.99, 1), (0, 32, 0.99, 1), (7, 32, 0.95, 0), (0, 4, 0.99, 0)],
)
@pytest.mark.parametrize("most_frames", [32, None])
def test_frames_are_turned_only_if_few_show_a_face_and_certain_ones_come_of_it(
    monkeypatch, num_upright, num_turned, confidence, turns, most_frames
):
    """The stub of a detector finds a face in some wide frames, and in more high ones."""
    detector = FaceDetector()
    points = np.full((1, 5, 2), 6.0)
    face = Faces(np.array([[4, 4, 9, 9]], np.float32), points, np.array([confidence]))
    none = Faces(np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), np.zeros(0))

    def found(picture):
        most = num_turned if picture.shape[0] > picture.shape[1] else num_upright
        return face if picture.max() <= most else none

    monkeypatch.setattr(detector, "detect", lambda pictures: [*map(found, pictures)])
    frames = np.zeros((32, 20, 30, 3), np.uint8)
    frames[:, 0, 0, 0] = np.arange(1, 33)
    faces = find_in_video(_video(frames), detector, most_frames=most_frames)
    num_faces = 32 if turns else num_upright
    assert sum(len(each.boxes_xyxy) for each in faces) == num_faces
    assert {each.quarter_turns for each in faces} == {turns}
    assert all((each.confidences == confidence).all() for each in faces)


def test_a_picture_on_its_head_is_found_among_others(face_detector):
    portrait, pattern = portrait_frames(1)[0][:360, 60:420], moving_pattern(1, 200, 200)[0]
    found = find_in_pictures([pattern, np.rot90(portrait, 2), portrait], face_detector)
    assert [len(faces.boxes_xyxy) for faces in found] == [0, 1, 1]
    assert [faces.quarter_turns for faces in found] == [0, 2, 0]


def test_a_face_that_is_mistaken_in_a_turned_picture_gives_way_to_a_certain_one(face_detector):
    turned = np.rot90(skimage.data.astronaut(), 3)
    (mistaken,) = face_detector.detect([turned])
    assert len(mistaken.boxes_xyxy) == 1 and mistaken.confidences[0] < 0.98
    told = []

    def tell(faces, are_done):
        told.append(are_done)

    (alone,) = find_in_video(_video([turned]), face_detector, tell, most_frames=1)
    (among_others,) = find_in_pictures([turned], face_detector)
    for found in (alone, among_others):
        assert found.quarter_turns == 1 and found.confidences.max() > 0.98
    assert told == [False]  # else its crop would be encoded before the face is known


@pytest.mark.real_clips
def test_photographs_are_turned_as_they_have_to_be(face_detector, real_clips):
    photographs = sorted((real_clips / "data" / "faces" / "real").iterdir())[::40][:20]
    upright = [np.asarray(Image.open(path).convert("RGB")) for path in photographs]
    turned = {
        n: find_in_pictures([np.rot90(each, n) for each in upright], face_detector)
        for n in range(4)
    }
    assert not any(faces.quarter_turns for faces in turned[0])
    wrong = sum(faces.quarter_turns != 4 - n for n in (1, 2, 3) for faces in turned[n])
    assert wrong <= 3  # of 60; as many as 10 where only pictures without any face were turned


def test_where_nobody_is_no_turn_finds_anyone(face_detector):
    found = find_in_video(_video(moving_pattern(4, 240, 320)), face_detector)
    assert [len(faces.boxes_xyxy) for faces in found] == [0] * 4
