import jax
import numpy as np

from dfjax.augment.donors import donors

SIZE = 64
FACE = np.array([[0.35, 0.4], [0.65, 0.4], [0.5, 0.55], [0.38, 0.7], [0.62, 0.7]], np.float32)


def _dotted(points: np.ndarray, colour: float) -> np.ndarray:
    """Returns a grey picture with a soft dot at each of the points."""
    grid = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), -1) + 0.5
    away = np.linalg.norm(grid[None] - points[:, None, None], axis=-1)
    dots = np.exp(-0.5 * np.square(away / 1.5)).sum(0)
    return np.repeat((60 + colour * dots)[None, :, :, None], 3, axis=-1).astype(np.float32)


def _batch(scales, shifts):
    points = [
        SIZE * (0.5 + scale * (FACE - 0.5)) + shift
        for scale, shift in zip(scales, shifts, strict=True)
    ]
    landmarks = np.stack(points)[:, None].astype(np.float32)
    clips = np.stack([_dotted(p, 40 + 40 * index) for index, p in enumerate(points)])
    return clips, landmarks, np.ones((len(points), 1), bool)


def test_a_donors_landmarks_lie_where_those_of_the_clip_are():
    clips, landmarks, mask = _batch([1.0, 0.7], [(0, 0), (3, -2)])
    found = jax.jit(donors)(clips, landmarks, mask)
    assert found.is_usable.all()
    for donor, points in zip(np.asarray(found.clips), landmarks, strict=True):
        for x, y in points[0]:
            around = donor[0, int(y) - 4 : int(y) + 5, int(x) - 4 : int(x) + 5, 0]
            peak = np.unravel_index(around.argmax(), around.shape)
            assert np.abs(np.array(peak) - 4).max() <= 1


def test_a_donor_has_the_brightness_of_the_clips_face():
    clips, landmarks, mask = _batch([1.0, 1.0], [(0, 0), (0, 0)])
    clips[1] = np.clip(0.5 * clips[1], 0, 255)
    found = np.asarray(jax.jit(donors)(clips, landmarks, mask).clips)
    middle = np.s_[:, 20:44, 20:44]
    for donor, clip in zip(found, clips, strict=True):
        assert abs(donor[middle].mean() - clip[middle].mean()) < 3


def test_the_donor_is_the_other_clip_whose_landmarks_fit_best():
    clips, landmarks, mask = _batch([1.0, 1.0, 1.0], [(0, 0), (0, 0), (0, 0)])
    landmarks[1, 0, 2] += (8, 0)  # a nose to the side: no affine map of the others' landmarks
    clips[0], clips[1], clips[2] = 50.0, 100.0, 150.0
    clips[2, :, :8] = 20.0  # marks the third; colours are adjusted in the middle only
    found = np.asarray(jax.jit(donors)(clips, landmarks, mask).clips)
    assert found[0, 0, 2, 32].mean() < 30  # from the third, not from the second


def test_no_clip_is_its_own_donor_and_none_is_used_without_the_face_in_all_frames():
    clips, landmarks, mask = _batch([1.0], [(0, 0)])
    assert not np.asarray(donors(clips, landmarks, mask).is_usable).any()
    clips, landmarks, _ = _batch([1.0, 1.0], [(0, 0), (0, 0)])
    clips, landmarks = (np.repeat(x, 2, axis=1) for x in (clips, landmarks))
    mask = np.array([[True, True], [True, False]])
    assert np.asarray(donors(clips, landmarks, mask).is_usable).tolist() == [False, True]


def test_absent_faces_give_finite_pictures():
    clips, landmarks, mask = _batch([1.0, 1.0], [(0, 0), (0, 0)])
    found = donors(clips, 0 * landmarks, ~mask)
    assert all(np.isfinite(np.asarray(x)).all() for x in found)
