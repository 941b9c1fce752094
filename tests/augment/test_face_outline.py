import functools

import jax
import numpy as np
import pytest

from dfjax.augment.face_outline import draw_outline, inside_distance, place_outline

SIZE = 96
UNIT = 27.0  # pixels from the eyes to the mouth

# Eyes, nose and mouth corners of a head that looks into the camera: right, down, to the camera.
HEAD = np.array(
    [[-0.46, 0, 0], [0.46, 0, 0], [0, 0.53, 0.45], [-0.38, 1, 0], [0.38, 1, 0]], np.float64
)


def _landmarks(yaw: float, roll: float) -> np.ndarray:
    """Returns the landmarks of a head turned by `yaw` and leaning by `roll` degrees: [1, 5, 2]."""
    yaw, roll = np.radians([yaw, roll])
    x, y, depth = HEAD.T
    turned = np.stack([x * np.cos(yaw) + depth * np.sin(yaw), y - 0.5], axis=-1)
    lean = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    return (SIZE / 2 + UNIT * turned @ lean.T)[None].astype(np.float32)


@functools.cache
def _outlines() -> jax.Array:
    return jax.jit(jax.vmap(draw_outline))(jax.random.split(jax.random.key(0), 64))


def _distances(landmarks: np.ndarray) -> np.ndarray:
    """Returns how deep each pixel lies in each outline on one face: [64, SIZE, SIZE]."""
    return np.asarray(_distances_of(_outlines(), landmarks))


@jax.jit
def _distances_of(outlines: jax.Array, landmarks: jax.Array) -> jax.Array:
    polygons = jax.vmap(place_outline, in_axes=(0, None))(outlines, landmarks)
    return inside_distance(polygons[:, 0], SIZE)


@pytest.mark.parametrize("roll", [-40, 0, 40])
@pytest.mark.parametrize("yaw", [-60, -30, 0, 30, 60])
def test_every_outline_lies_on_the_face(yaw, roll):
    landmarks = _landmarks(yaw, roll)
    distances = _distances(landmarks)
    eyes, mouth = landmarks[0, :2].mean(0), landmarks[0, 3:].mean(0)
    x, y = np.floor(eyes + 0.8 * (mouth - eyes)).astype(int)
    assert distances[:, y, x].min() > 0
    corners = distances[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.max() < 0
    # From a mouth to a whole face, in squares of the distance between eyes and mouth.
    areas = (distances > 0).sum((1, 2)) / UNIT**2
    assert areas.min() > 0.2
    assert areas.max() < 6.5


def test_outlines_are_of_many_forms():
    areas = np.sort((_distances(_landmarks(0, 0)) > 0).sum((1, 2)))
    assert areas[-1] > 4 * areas[0]
    assert len(np.unique(areas)) > 50


def test_a_turned_face_reaches_further_on_the_side_that_is_seen():
    inside = _distances(_landmarks(50, 0)) > 0
    inside = inside[inside.sum((1, 2)) > 2 * UNIT**2]  # a mouth ends before the cheek does
    middle = SIZE // 2  # of the eyes, however the head is turned
    on_the_left = inside[:, :, :middle].sum((1, 2))
    on_the_right = inside[:, :, middle:].sum((1, 2))
    assert (on_the_left > on_the_right).all()


@pytest.mark.parametrize("direction", [1, -1])
def test_the_distance_to_a_circle_is_that_to_its_middle(direction):
    angles = direction * np.linspace(0, 2 * np.pi, 48, endpoint=False)
    circle = 50 + 30 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    measure = jax.jit(inside_distance, static_argnums=1)
    distances = np.asarray(measure(circle[None].astype(np.float32), SIZE))[0]
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    expected = 30 - np.hypot(x - 50, y - 50)
    off_middle = np.abs(expected) < 25  # at its very middle a distance has a peak, here rounded
    np.testing.assert_allclose(distances[off_middle], expected[off_middle], atol=0.15)


def test_absent_landmarks_give_numbers():
    assert np.isfinite(_distances(np.zeros((1, 5, 2), np.float32))).all()
