from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw, ImageFont

from dfjax.config import FaceConfig
from dfjax.faces import detection as faces_module
from dfjax.faces import jax_networks
from dfjax.faces.detection import FaceDetector, Faces
from dfjax.faces.pyramid import choose_canvas
from dfjax.video.reading import read_frames
from tests.videos import portrait_boxes, portrait_frames

# Measured by eye in the astronaut's picture: the face from brow to chin, and the five points.
FACE_BOX = np.array([181.0, 60.0, 268.0, 173.0])
FACE_POINTS = np.array([[203.5, 100], [247, 103], [224.5, 127], [202.5, 139], [245, 141]])
FACE_SIDE = 113.0


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return skimage.data.astronaut()


@pytest.fixture(scope="module")
def portrait_faces(detector: FaceDetector, portrait: np.ndarray) -> Faces:
    return detector.detect([portrait])[0]


def turned(portrait: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns the portrait turned about its middle, and where the five points are then."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    picture = Image.fromarray(portrait).rotate(degrees, Image.Resampling.BICUBIC)
    return np.asarray(picture), 256 + (FACE_POINTS - 256) @ turn.T


def written_page() -> np.ndarray:
    page = Image.new("RGB", (1280, 720), "white")
    brush, font = ImageDraw.Draw(page), ImageFont.load_default(24)
    for top in range(0, 720, 28):
        line = "The quick brown fox jumps over the lazy dog 0123456789 @#%& " * 2
        brush.text((5, top), line, fill="black", font=font)
    return np.asarray(page)


def num_compiled_shapes() -> int:
    compiled: Any = jax_networks._compiled()
    return compiled._cache_size()


def assert_equal(first: Faces, second: Faces):
    np.testing.assert_array_equal(first.boxes_xyxy, second.boxes_xyxy)
    np.testing.assert_array_equal(first.landmarks, second.landmarks)
    np.testing.assert_array_equal(first.confidences, second.confidences)


def assert_same_face(found: Faces, boxes: np.ndarray, landmarks: np.ndarray, tolerance: float):
    np.testing.assert_allclose(found.boxes_xyxy, boxes, atol=tolerance)
    np.testing.assert_allclose(found.landmarks, landmarks, atol=tolerance)


def test_a_face_is_found_once_with_its_box_and_five_points(portrait_faces: Faces):
    assert portrait_faces.confidences.shape == (1,)
    assert 0.99 < portrait_faces.confidences[0] <= 1
    assert_same_face(portrait_faces, FACE_BOX[None], FACE_POINTS[None], 0.06 * FACE_SIDE)
    for array in (
        portrait_faces.boxes_xyxy,
        portrait_faces.landmarks,
        portrait_faces.confidences,
    ):
        assert array.dtype == np.float32


@pytest.mark.parametrize("degrees", [-25, -12, 12, 25])
def test_landmarks_turn_with_the_picture(
    detector: FaceDetector, portrait: np.ndarray, degrees: float
):
    picture, points = turned(portrait, degrees)
    found = detector.detect([picture])[0]
    np.testing.assert_allclose(found.landmarks, points[None], atol=0.08 * FACE_SIDE)


def test_a_mirrored_picture_has_mirrored_boxes_and_landmarks(
    detector: FaceDetector, portrait: np.ndarray, portrait_faces: Faces
):
    found = detector.detect([portrait[:, ::-1]])[0]
    # The left eye is the one on the left of the picture, whosever left it is.
    landmarks = portrait_faces.landmarks[:, [1, 0, 2, 4, 3]] * [-1, 1] + [512, 0]
    boxes = portrait_faces.boxes_xyxy[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [512, 0, 512, 0]
    assert_same_face(found, boxes, landmarks, 0.06 * FACE_SIDE)


@pytest.mark.parametrize("dx, dy", [(7, 3), (60, 45), (-110, 20)])
def test_boxes_follow_a_shift_of_the_picture(
    detector: FaceDetector, portrait: np.ndarray, portrait_faces: Faces, dx: int, dy: int
):
    shifted = np.roll(portrait, (dy, dx), axis=(0, 1))
    found = detector.detect([shifted])[0]
    boxes = portrait_faces.boxes_xyxy + [dx, dy, dx, dy]
    assert_same_face(found, boxes, portrait_faces.landmarks + [dx, dy], 0.05 * FACE_SIDE)


@pytest.mark.parametrize("size", [180, 333, 1200])
def test_boxes_are_in_pixels_of_the_frame_given(
    detector: FaceDetector, portrait: np.ndarray, portrait_faces: Faces, size: int
):
    scaled = np.asarray(Image.fromarray(portrait).resize((size, size)))
    found = detector.detect([scaled])[0]
    boxes, landmarks = portrait_faces.boxes_xyxy, portrait_faces.landmarks
    scale = size / 512
    assert_same_face(found, boxes * scale, landmarks * scale, 0.05 * FACE_SIDE * scale)


@pytest.mark.parametrize("size", [(1080, 1920), (720, 406), (480, 640), (300, 1000)])
def test_faces_are_found_in_frames_of_every_shape(
    detector: FaceDetector, portrait: np.ndarray, size: tuple[int, int]
):
    height, width = size
    side = min(size)
    frame = np.zeros((height, width, 3), np.uint8)
    top, left = height - side, width - side
    frame[top:, left:] = np.asarray(Image.fromarray(portrait).resize((side, side)))
    found = detector.detect([frame])[0]
    scale = side / 512
    points = FACE_POINTS * scale + [left, top]
    np.testing.assert_allclose(found.landmarks, points[None], atol=0.08 * FACE_SIDE * scale)


def test_a_frame_alone_equals_the_frame_among_others(
    detector: FaceDetector, portrait: np.ndarray, portrait_faces: Faces
):
    others = [portrait[:, ::-1], portrait[:300], turned(portrait, 10)[0], portrait[40:, :400]]
    frames = [*others, portrait, *others, np.zeros((50, 90, 3), np.uint8)]
    together = detector.detect(frames)
    assert len(together) == len(frames)
    assert_equal(together[4], portrait_faces)
    for frame, found in zip(frames[:4], together[:4], strict=True):
        assert_equal(found, detector.detect([frame])[0])


def test_two_faces_are_found_at_their_places(detector: FaceDetector):
    frames, boxes = portrait_frames(3, num_faces=2), portrait_boxes(3, num_faces=2)
    for found, expected in zip(detector.detect(list(frames)), boxes, strict=True):
        assert len(found.boxes_xyxy) == 2
        order = np.argsort(found.boxes_xyxy[:, 0])
        centres = (found.boxes_xyxy[order, :2] + found.boxes_xyxy[order, 2:]) / 2
        half_sides = (expected[:, 3] - expected[:, 1])[:, None] / 4
        assert (np.abs(centres - (expected[:, :2] + expected[:, 2:]) / 2) < half_sides).all()


def test_faces_under_the_smallest_size_are_left_out(portrait: np.ndarray):
    detectors = [FaceDetector(FaceConfig(min_face_size=size)) for size in (16, 32)]
    counts = []
    for face_side in (24, 27, 38, 44):
        frame = np.full((480, 640, 3), 90, np.uint8)
        side = round(512 * face_side / FACE_SIDE)
        frame[100 : 100 + side, 200 : 200 + side] = np.asarray(
            Image.fromarray(portrait).resize((side, side))
        )
        counts.append([len(d.detect([frame])[0].confidences) for d in detectors])
    assert counts == [[1, 0], [1, 0], [1, 1], [1, 1]]


def test_faces_come_most_confident_first(detector: FaceDetector, portrait: np.ndarray):
    blurred = np.asarray(Image.fromarray(portrait).resize((64, 64)).resize((512, 512)))
    for pair in ([portrait, blurred], [blurred, portrait]):
        confidences = detector.detect([np.concatenate(pair, axis=1)])[0].confidences
        assert len(confidences) == 2
        assert confidences[0] >= confidences[1]


def test_a_grey_picture_of_a_face_has_a_face(detector: FaceDetector, portrait: np.ndarray):
    grey = portrait.mean(axis=2, keepdims=True).astype(np.uint8).repeat(3, axis=2)
    assert len(detector.detect([grey])[0].confidences) == 1


def test_no_face_is_found_where_there_is_none(detector: FaceDetector):
    rng = np.random.default_rng(1)
    frames = [
        rng.integers(0, 256, (360, 640, 3), dtype=np.uint8),
        rng.integers(0, 256, (24, 40, 3), dtype=np.uint8).repeat(20, 0).repeat(20, 1),
        np.zeros((480, 640, 3), np.uint8),
        np.full((640, 360, 3), 255, np.uint8),
        np.full((300, 1000, 3), (224, 172, 140), np.uint8),  # skin, half of the canvas is padding
        np.full((1000, 300, 3), (224, 172, 140), np.uint8),
        written_page(),
        skimage.data.coffee(),
    ]
    assert [len(found.confidences) for found in detector.detect(frames)] == [0] * len(frames)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 3000), (3000, 1), (11, 11), (2000, 3000)])
def test_sizes_that_no_one_expects_give_an_answer(detector: FaceDetector, size: tuple[int, int]):
    frame = np.random.default_rng(2).integers(0, 20, (*size, 3), dtype=np.uint8)
    found = detector.detect([frame])[0]
    assert found.boxes_xyxy.shape == (0, 4) and found.landmarks.shape == (0, 5, 2)


def test_a_face_cut_by_the_edge_stays_in_the_frame_by_its_centre(
    detector: FaceDetector, portrait: np.ndarray
):
    over_the_edge = 0
    for cut in range(180, 270, 6):
        (found,) = detector.detect([portrait[:300, :cut]])
        centres = (found.boxes_xyxy[:, :2] + found.boxes_xyxy[:, 2:]) / 2
        assert (centres < [cut, 300]).all() and (centres >= 0).all()
        over_the_edge += np.count_nonzero(found.boxes_xyxy[:, 2] > cut)
    assert over_the_edge > 0


def test_no_frames_give_no_faces(detector: FaceDetector):
    assert detector.detect([]) == []


@pytest.mark.parametrize(
    "frame, found",
    [
        (np.zeros((20, 20, 3), np.float32), r"float32 \[20, 20, 3\]"),
        (np.zeros((20, 20), np.uint8), r"uint8 \[20, 20\]"),
        (np.zeros((20, 20, 4), np.uint8), r"uint8 \[20, 20, 4\]"),
        (np.zeros((0, 20, 3), np.uint8), r"uint8 \[0, 20, 3\]"),
        ([[1, 2, 3]], "list"),
    ],
)
def test_a_wrong_frame_is_named(detector: FaceDetector, frame: np.ndarray, found: str):
    good = np.zeros((20, 20, 3), np.uint8)
    with pytest.raises(ValueError, match=rf"Frame 1 is {found}; it must be .*uint8 \[H,W,3\]"):
        detector.detect([good, frame])


def test_nothing_is_compiled_after_the_warm_up(detector: FaceDetector, portrait: np.ndarray):
    detector.warm_up()
    compiled = num_compiled_shapes()
    for height, width in [(512, 512), (100, 512), (512, 100), (400, 512), (512, 290), (7, 9)]:
        detector.detect([portrait[:height, :width]] * (height % 6 + 1))
    FaceDetector().detect([portrait])
    assert num_compiled_shapes() == compiled


def test_a_frame_full_of_proposals_costs_no_more_than_the_limit(monkeypatch: pytest.MonkeyPatch):
    cut = {24: 0, 48: 0}
    crop_square = faces_module.crop_square

    def counted(frame, picture, square, size):
        cut[size] += 1
        assert square[2] - square[0] <= 2 * max(picture.size)
        return crop_square(frame, picture, square, size)

    monkeypatch.setattr(faces_module, "crop_square", counted)
    greedy = FaceDetector(FaceConfig(thresholds=(1e-6, 1e-6, 0.9)))
    rng = np.random.default_rng(4)
    greedy.detect([rng.integers(0, 256, (64, 64, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)])
    assert cut[24] == faces_module._MAX_PROPOSALS
    # O-Net looks twice, the second time at what is left after suppression.
    assert faces_module._MAX_REFINED < cut[48] <= 2 * faces_module._MAX_REFINED


@pytest.mark.real_clips
def test_faces_are_found_in_real_clips(detector: FaceDetector, real_clips: Path):
    root = real_clips / "data" / "ffpp"
    paths = (
        sorted(root.rglob("c23/videos/*.mp4"))[::25] + sorted(root.rglob("c40/videos/*.mp4"))[::12]
    )
    counts = []
    for path in paths:
        frames = [frame for _, frame in read_frames(path, timestamps=np.array([0.5, 1.5, 2.5]))]
        counts += [len(found.confidences) for found in detector.detect(frames)]
    assert len(counts) > 25
    assert np.mean(np.array(counts) > 0) >= 0.98
    assert np.mean(counts) < 1.5  # most clips show one person


def test_a_face_is_refined_from_about_where_it_was(detector, portrait, portrait_faces):
    for shift, scale in ((0, 1.0), (12, 1.0), (-8, 1.15)):
        middle, half = (FACE_BOX[:2] + FACE_BOX[2:]) / 2 + shift, scale * FACE_SIDE / 2
        (found,) = detector.refine([portrait], [np.concatenate([middle - half, middle + half])])
        assert len(found.boxes_xyxy) == 1
        moved = np.abs(found.landmarks[0] - portrait_faces.landmarks[0]).max()
        assert moved < 0.04 * FACE_SIDE


def test_where_no_face_is_none_is_refined(detector, portrait):
    nobody, nowhere = np.array([[20, 380, 120, 480]]), np.zeros((0, 4))
    for found in detector.refine([portrait, portrait], [nobody, nowhere]):
        assert not len(found.boxes_xyxy)


class _Cascade:
    """Networks that take some windows of a square frame for faces, without a look at it."""

    def __init__(self, windows: list[tuple[int, int]], offsets: list[list[list[float]]]):
        """Takes windows, as level and place in the canvas, and what O-Net says at each run."""
        canvas = choose_canvas(np.zeros((640, 640, 3), np.uint8), FaceConfig())
        levels, boxes = canvas.windows
        self._confidences = np.zeros((1, *levels.shape), np.float32)
        for level, place in windows:
            away = np.abs(boxes[..., :2] - place).max(-1) + 1e6 * (levels != level)
            self._confidences[0].flat[np.argmin(away)] = 0.9
        self._offsets, self.seen = iter(offsets), []

    def start_pnet(self, sheets):
        return lambda: (self._confidences, np.zeros((*self._confidences.shape, 4), np.float32))

    def rnet(self, crops):
        return np.full(len(crops), 0.99, np.float32), np.zeros((len(crops), 4), np.float32)

    def onet(self, crops):
        self.seen.append(len(crops))
        offsets = np.array(next(self._offsets), np.float32)
        points = np.full((len(crops), 5, 2), 0.5, np.float32)
        return np.full(len(crops), 0.99, np.float32), offsets, points

    def found(self) -> np.ndarray:
        """Returns the boxes of the faces in the frame."""
        networks: Any = self
        (faces,) = FaceDetector(networks=networks).detect([np.zeros((640, 640, 3), np.uint8)])
        return faces.boxes_xyxy


STAY = [0.0, 0.0, 0.0, 0.0]


def test_a_small_window_within_a_large_one_is_looked_at_closely_and_makes_no_second_face():
    cascade = _Cascade([(4, 200), (2, 220)], [[STAY, STAY], [STAY]])
    assert len(cascade.found()) == 1
    assert cascade.seen == [2, 1]


def test_two_windows_that_turn_out_to_show_one_face_make_one():
    windows = [(3, 100), (5, 260)]
    assert len(_Cascade(windows, [[STAY, STAY], [STAY, STAY]]).found()) == 2
    into_the_other = [2.4, 2.4, 2.4, 2.4]
    assert len(_Cascade(windows, [[STAY, STAY], [into_the_other, STAY]]).found()) == 1


@pytest.mark.parametrize("beyond", [[-1.7, 0.0, -1.7, 0.0], [0.0, 6.0, 0.0, 6.0]])
def test_a_face_whose_middle_turns_out_to_be_beyond_the_frame_is_none(beyond):
    assert len(_Cascade([(3, 100)], [[STAY], [STAY]]).found()) == 1
    assert len(_Cascade([(3, 100)], [[STAY], [beyond]]).found()) == 0


def test_a_face_may_be_larger_than_the_frame_but_not_without_end():
    half_as_large_again, thrice_as_large = ([-n, -n, n, n] for n in (1.8, 4.0))
    (box,) = _Cascade([(5, 180)], [[half_as_large_again], [STAY]]).found()
    assert 640 < box[2] - box[0] < 2 * 640
    assert len(_Cascade([(5, 180)], [[thrice_as_large]]).found()) == 0
