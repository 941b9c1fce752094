import dataclasses
import math
from typing import Literal

import numpy as np
import pytest
import skimage.data
from PIL import Image

from dfjax.config import CropConfig
from dfjax.faces.crops import crop_latest, crop_track, crop_transforms
from dfjax.faces.tracks import FaceTrack

# Landmarks of an upright face, relative to the middle of its box, in longer sides of the box.
FACE = np.array([[-0.18, -0.1], [0.18, -0.1], [0.0, 0.08], [-0.14, 0.25], [0.14, 0.25]])
UNSMOOTHED = CropConfig(smoothing=0.0)


def turn(points: np.ndarray, roll: float) -> np.ndarray:
    """Returns `points` [..., 2] turned to the right in the picture, as a head leans."""
    cos, sin = math.cos(roll), math.sin(roll)
    return points @ np.array([[cos, sin], [-sin, cos]])


def make_track(
    middles: np.ndarray,
    sides: float | np.ndarray,
    rolls: float | np.ndarray = 0.0,
    *,
    frame_indices: np.ndarray | None = None,
) -> FaceTrack:
    """Returns a track of faces at `middles` [N, 2] whose boxes are `sides` high, and less wide."""
    middles = np.asarray(middles, np.float64)
    sides = np.broadcast_to(np.asarray(sides, np.float64), len(middles))
    rolls = np.broadcast_to(np.asarray(rolls, np.float64), len(middles))
    half = np.stack([0.4 * sides, 0.5 * sides], axis=-1)
    landmarks = [
        middle + side * turn(FACE, roll)
        for middle, side, roll in zip(middles, sides, rolls, strict=True)
    ]
    return FaceTrack(
        id=0,
        frame_indices=np.arange(len(middles)) if frame_indices is None else frame_indices,
        boxes_xyxy=np.concatenate([middles - half, middles + half], axis=1).astype(np.float32),
        landmarks=np.stack(landmarks).astype(np.float32),
        confidences=np.ones(len(middles), np.float32),
        quarter_turns=np.zeros(len(middles), np.int64),
    )


def one_face(x: float, y: float, side: float, roll: float = 0.0) -> FaceTrack:
    return make_track(np.array([[x, y]]), side, roll)


def crop_one(frame: np.ndarray, track: FaceTrack, config: CropConfig = CropConfig()) -> np.ndarray:
    clip, _ = crop_track([frame], track, np.zeros(1), config)
    return clip[0].astype(np.float64)


def apply(transforms: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.einsum("nij,nj->ni", transforms[:, :, :2], points) + transforms[:, :, 2]


def move_picture(
    picture: np.ndarray, scale: float, roll: float, to: tuple[float, float]
) -> np.ndarray:
    """Returns `picture` scaled and turned about (225, 120), which comes to `to`."""
    cos, sin = math.cos(roll) / scale, math.sin(roll) / scale
    x, y = to
    back = (cos, sin, 225 - cos * x - sin * y, -sin, cos, 120 + sin * x - cos * y)
    moved = Image.fromarray(picture).transform(
        (720, 640), Image.Transform.AFFINE, back, Image.Resampling.BICUBIC
    )
    return np.asarray(moved)


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return skimage.data.astronaut()


def test_around_a_box_the_margin_is_what_the_config_says():
    config = CropConfig(image_size=200, margin=1.6, anchor="box")
    (transform,) = crop_transforms(one_face(300, 200, 100), np.zeros(1), config)
    corners = np.array([[260.0, 150.0, 1.0], [340.0, 250.0, 1.0]]) @ transform.T
    half = 200 / 1.6 / 2  # the longer side of the box takes the crop's side over the margin
    np.testing.assert_allclose(corners[:, 1], [100 - half, 100 + half])
    np.testing.assert_allclose(corners[:, 0], [100 - 0.8 * half, 100 + 0.8 * half])


def test_the_middle_of_the_box_is_the_middle_of_the_crop_however_the_head_leans():
    for roll in (-0.4, 0.0, 0.3):
        config = CropConfig(image_size=224, anchor="box")
        transforms = crop_transforms(one_face(300, 200, 100, roll), np.zeros(1), config)
        np.testing.assert_allclose(apply(transforms, np.array([[300, 200]])), [[112, 112]])


@pytest.mark.parametrize("roll", [-0.4, 0.0, 0.3])
def test_around_landmarks_the_crop_does_not_depend_on_the_box(roll: float):
    track = one_face(300, 200, 100, roll)
    smaller = dataclasses.replace(
        track,
        boxes_xyxy=np.array([[262, 150, 330, 240]], np.float32),  # as in a tight picture
    )
    np.testing.assert_array_equal(
        crop_transforms(track, np.zeros(1)), crop_transforms(smaller, np.zeros(1))
    )


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_eyes_and_mouth_come_to_the_same_places_however_large_the_face_is(scale: float):
    placed = []
    for size in (1.0, scale):
        track = one_face(300 * size, 200 * size, 100 * size, 0.2)
        transforms = crop_transforms(track, np.zeros(1))
        placed += [apply(transforms, track.landmarks[:, n]) for n in range(5)]
    np.testing.assert_allclose(placed[:5], placed[5:], atol=1e-3)


def test_turning_a_head_does_not_bring_its_face_nearer():
    sides = []
    for turned in (1.0, 0.6, 0.2):
        track = one_face(300, 200, 100)
        landmarks = track.landmarks.copy()
        landmarks[..., 0] = 300 + turned * (landmarks[..., 0] - 300)
        track = dataclasses.replace(track, landmarks=landmarks)
        (transform,) = crop_transforms(track, np.zeros(1))
        sides.append(transform[0, 0])
    assert max(sides) / min(sides) < 1.25


def test_landmarks_in_one_place_give_a_crop_of_finite_size():
    track = one_face(300, 200, 100)
    same = dataclasses.replace(track, landmarks=np.full_like(track.landmarks, 250))
    (transform,) = crop_transforms(same, np.zeros(1))
    assert transform[0, 0] == pytest.approx(128 / 50)  # half of the box's longer side


def test_nodding_does_not_bring_the_face_nearer():
    sides = []
    for seen in (1.0, 0.7, 0.4):
        track = one_face(300, 200, 100)
        landmarks = track.landmarks.copy()
        landmarks[..., 1] = 200 + seen * (landmarks[..., 1] - 200)
        (transform,) = crop_transforms(dataclasses.replace(track, landmarks=landmarks), np.zeros(1))
        sides.append(transform[0, 0])
    assert max(sides) / min(sides) < 1.01


@pytest.mark.parametrize("roll", [-1.4, -0.9, 0.9, 1.4])
def test_a_head_that_leans_further_than_a_detector_sees_is_turned_by_an_eighth(roll: float):
    (transform,) = crop_transforms(one_face(300, 200, 100, roll), np.zeros(1))
    turned = math.degrees(math.atan2(transform[0, 1], transform[0, 0]))
    assert turned == pytest.approx(math.copysign(45, roll))


@pytest.mark.parametrize("roll", [-0.5, -0.1, 0.2, 0.6])
def test_the_line_of_the_eyes_becomes_level(roll: float):
    track = one_face(300, 200, 100, roll)
    transforms = crop_transforms(track, np.zeros(1))
    left_eye = apply(transforms, track.landmarks[:, 0])
    right_eye = apply(transforms, track.landmarks[:, 1])
    np.testing.assert_allclose(left_eye[0, 1], right_eye[0, 1], atol=1e-3)
    assert left_eye[0, 0] < right_eye[0, 0]
    assert left_eye[0, 1] < 64


def test_a_profile_whose_eyes_coincide_stays_upright():
    rng = np.random.default_rng(0)
    track = one_face(300, 200, 100)
    profile = track.landmarks.copy()
    profile[:, [0, 1, 3, 4], 0] = 290
    for _ in range(20):  # the eyes' tiny line points anywhere
        profile[:, :2] = np.array([290.0, 190.0]) + rng.normal(0, 2, (1, 2, 2))
        shaken = dataclasses.replace(track, landmarks=profile)
        (transform,) = crop_transforms(shaken, np.zeros(1))
        assert abs(math.degrees(math.atan2(transform[0, 1], transform[0, 0]))) < 6


def test_senseless_landmarks_turn_the_crop_by_no_more_than_an_eighth():
    track = one_face(300, 200, 100)
    for landmarks in (track.landmarks[:, ::-1], np.zeros_like(track.landmarks)):
        odd = dataclasses.replace(track, landmarks=landmarks)
        (transform,) = crop_transforms(odd, np.zeros(1))
        roll = math.degrees(math.atan2(transform[0, 1], transform[0, 0]))
        assert abs(roll) <= 45 + 1e-9


@pytest.mark.parametrize(
    ("scale", "roll", "to"),
    [
        (1.0, 0.0, (300.0, 260.0)),
        (1.0, 0.0, (300.4, 260.7)),
        (1.4, 0.0, (360.0, 300.0)),
        (1.0, 0.3, (360.0, 300.0)),
        (1.7, -0.25, (340.0, 310.0)),
    ],
)
def test_a_moved_picture_gives_nearly_the_same_crop(
    portrait: np.ndarray, scale: float, roll: float, to: tuple[float, float]
):
    expected = crop_one(portrait, one_face(225, 120, 130))
    moved = move_picture(portrait, scale, roll, to)
    crop = crop_one(moved, one_face(*to, 130 * scale, roll))
    assert np.abs(crop - expected).mean() < 3
    # A pixel's shift would be seen: the bound above is no accident of a smooth picture.
    assert np.abs(np.roll(expected, 2, axis=1) - expected).mean() > 5


def test_the_crop_shows_what_pillow_shows_of_the_same_square(portrait: np.ndarray):
    config = CropConfig(image_size=224, margin=1.3, anchor="box")
    crop = crop_one(portrait, one_face(225, 120, 100), config)
    square = Image.fromarray(portrait).resize(
        (224, 224), Image.Resampling.BICUBIC, box=(160, 55, 290, 185)
    )
    np.testing.assert_allclose(crop, np.asarray(square), atol=1)


@pytest.mark.parametrize("roll", [0.0, 0.2])
def test_a_fine_pattern_becomes_grey_not_moire(roll: float):
    y, x = np.mgrid[:900, :900]
    stripes = np.where((x + y) % 2 == 0, 255, 0).astype(np.uint8)
    wave = np.round(127.5 + 127 * np.sin(2 * np.pi * x / 3.3)).astype(np.uint8)
    for pattern in (stripes, wave):
        crop = crop_one(np.repeat(pattern[..., None], 3, axis=-1), one_face(450, 450, 550, roll))
        assert abs(crop.mean() - 127.5) < 2
        assert crop.std() < 3


@pytest.mark.parametrize("roll", [0.0, 0.2])
def test_what_lies_outside_the_frame_is_black_and_the_rest_is_unmoved(
    portrait: np.ndarray, roll: float
):
    padded = np.pad(portrait, ((100, 100), (100, 100), (0, 0)))
    for x, y in ((20, 120), (225, 10), (500, 505), (-60, 200)):
        crop = crop_one(portrait, one_face(x, y, 100, roll))
        expected = crop_one(padded, one_face(x + 100, y + 100, 100, roll))
        np.testing.assert_allclose(crop, expected, atol=1)
    assert not crop_one(portrait, one_face(-200, 200, 100, roll)).any()


def test_absent_frames_are_zero_and_masked(portrait: np.ndarray):
    present = np.array([1, 2, 5])
    track = make_track(np.full((3, 2), [225, 120]), 100, frame_indices=present)
    clip, frame_mask = crop_track([portrait] * 7, track, np.arange(7) * 0.2)
    assert (clip.dtype, clip.shape) == (np.uint8, (7, 128, 128, 3))
    assert (frame_mask.dtype, np.flatnonzero(frame_mask).tolist()) == (np.bool_, present.tolist())
    assert not clip[~frame_mask].any()
    assert all(crop.any() for crop in clip[frame_mask])


def test_the_same_frames_give_the_same_crops_to_the_bit(portrait: np.ndarray):
    rng = np.random.default_rng(0)
    track = make_track(225 + rng.normal(0, 5, (6, 2)), 100, rng.normal(0, 0.2, 6))
    times = np.arange(6) * 0.1
    first, _ = crop_track([portrait] * 6, track, times)
    second, _ = crop_track([portrait.copy() for _ in range(6)], track, times)
    np.testing.assert_array_equal(first, second)


def test_frames_and_times_of_different_numbers_are_refused(portrait: np.ndarray):
    with pytest.raises(ValueError, match="one per frame"):
        crop_track([portrait] * 2, one_face(225, 120, 100), np.zeros(1))


def test_smoothing_calms_a_trembling_detector():
    rng = np.random.default_rng(0)
    times = np.arange(100) / 25
    true = np.full((100, 2), [300.0, 200.0])
    track = make_track(
        true + rng.normal(0, 2, (100, 2)),
        100 + rng.normal(0, 2, 100),
        rng.normal(0, 0.03, 100),
    )

    def shaking(config: CropConfig) -> np.ndarray:
        transforms = crop_transforms(track, times, config)
        place = apply(transforms, true + np.array([40.0, 40.0]))
        return np.linalg.norm(np.diff(place, axis=0), axis=1)

    assert shaking(CropConfig()).mean() < 0.3 * shaking(UNSMOOTHED).mean()


def test_steady_motion_is_followed_without_lag_even_at_ends_and_beside_gaps():
    frame_indices = np.array([0, 1, 2, 3, 9, 10, 11, 20, 21])
    times = np.cumsum(np.linspace(0.03, 0.06, 24))  # a variable frame rate
    elapsed = times[frame_indices]
    middles = np.stack([300 + 200 * elapsed, 200 - 90 * elapsed], axis=-1)
    track = make_track(
        middles, 100 * np.exp(0.3 * elapsed), 0.2 * elapsed, frame_indices=frame_indices
    )
    np.testing.assert_allclose(
        crop_transforms(track, times),
        crop_transforms(track, times, UNSMOOTHED),
        rtol=1e-4,
        atol=1e-2,
    )


def test_samples_far_apart_are_left_as_they_are():
    rng = np.random.default_rng(0)
    track = make_track(rng.uniform(200, 400, (8, 2)), rng.uniform(80, 160, 8))
    times = np.arange(8) * 2.0
    np.testing.assert_allclose(
        crop_transforms(track, times), crop_transforms(track, times, UNSMOOTHED), atol=1e-9
    )


def test_the_crop_of_the_latest_frame_is_the_last_of_the_tracks_crops():
    frames = [np.roll(skimage.data.astronaut(), 3 * n, axis=1) for n in range(4)]
    track = make_track(np.array([[225.0 + 3 * n, 120] for n in range(4)]), 110, rolls=0.1)
    times = np.arange(4) / 8
    clip, _ = crop_track(frames, track, times)
    np.testing.assert_array_equal(crop_latest(frames[-1], track, times), clip[-1])


@pytest.mark.parametrize("anchor", ["landmarks", "box"])
@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("roll", [0.0, 0.3])
def test_a_picture_that_lies_on_its_side_gives_the_crop_of_the_upright_one(
    portrait: np.ndarray, turns: int, roll: float, anchor: Literal["landmarks", "box"]
):
    config = CropConfig(anchor=anchor)
    upright = one_face(225, 120, 130, roll)
    height, width = portrait.shape[:2]
    lying = upright
    for _ in range(4 - turns):  # turned to the left once, (x, y) is (y, width - x)
        boxes = lying.boxes_xyxy
        x, y = lying.landmarks[..., 0], lying.landmarks[..., 1]
        lying = dataclasses.replace(
            lying,
            landmarks=np.stack([y, width - x], axis=-1),
            boxes_xyxy=np.stack(
                [boxes[:, 1], width - boxes[:, 2], boxes[:, 3], width - boxes[:, 0]], axis=-1
            ),
        )
        height, width = width, height
    lying = dataclasses.replace(lying, quarter_turns=np.array([turns]))
    picture = np.ascontiguousarray(np.rot90(portrait, 4 - turns))
    difference = crop_one(picture, lying, config) - crop_one(portrait, upright, config)
    assert np.abs(difference).mean() < 0.5
