import numpy as np
import pytest
from PIL import Image

from dfjax.resampling import resize, sample_affine

IN_PLACE = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def shifted(x: float, y: float) -> np.ndarray:
    return IN_PLACE + np.array([[0, 0, x], [0, 0, y]])


def turned(angle: float, around: float) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    back = np.array([[cos, -sin, 0], [sin, cos, 0]])
    back[:, 2] = around - back[:, :2] @ [around, around]
    return back


@pytest.fixture(scope="module")
def smooth() -> np.ndarray:
    """A picture without fine detail and far from black and white."""
    noise = np.random.default_rng(0).integers(80, 176, (12, 12, 3), np.uint8)
    return np.asarray(Image.fromarray(noise).resize((96, 96), Image.Resampling.BICUBIC))


def test_whole_pixels_move_exactly():
    picture = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    moved = sample_affine(picture, shifted(7, 3), (30, 20))
    np.testing.assert_array_equal(moved, picture[3:23, 7:37])


@pytest.mark.parametrize("shift", [(0.5, 0.5), (0.25, 0.8)])
def test_both_functions_have_the_same_kernel(smooth, shift):
    x, y = 10 + shift[0], 10 + shift[1]
    resized = resize(smooth, (64, 64), (x, y, x + 64, y + 64))
    moved = sample_affine(smooth, shifted(x, y), (64, 64))
    np.testing.assert_allclose(moved.astype(int), resized, atol=1)  # Pillow rounds twice
    transformed = Image.fromarray(smooth).transform(
        (64, 64), Image.Transform.AFFINE, (1, 0, x, 0, 1, y), Image.Resampling.BICUBIC
    )
    assert np.abs(moved.astype(int) - np.asarray(transformed)).max() > 1


def test_values_are_rounded_and_not_cut_off(smooth):
    flat = np.full((40, 40, 3), 77, np.uint8)
    assert np.unique(sample_affine(flat, turned(0.3, 20), (40, 40))).tolist() == [77]
    inside = slice(30, 66)
    change = sample_affine(smooth, turned(0.02, 48), (96, 96)).astype(float) - smooth
    assert abs(change[inside, inside].mean()) < 0.1


def test_beyond_the_edges_the_outermost_pixels_are_repeated():
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    far = sample_affine(picture, shifted(-100, 200), (4, 4))
    assert (far == picture[-1, 0]).all()
    near = sample_affine(picture, shifted(-2, 0), (8, 8))
    np.testing.assert_array_equal(near[:, :2], np.repeat(picture[:, :1], 2, axis=1))


def test_a_picture_of_the_right_size_is_returned_as_it_is(smooth):
    assert resize(smooth, (96, 96)) is smooth


@pytest.mark.parametrize("shift", [-2.6, -1.4, -0.3, 0.3, 1.4, 2.6])
def test_beyond_the_edges_it_is_as_if_the_outermost_pixels_went_on(smooth, shift):
    height, width = smooth.shape[:2]
    wide = np.pad(smooth, ((8, 8), (8, 8), (0, 0)), mode="edge")
    there = np.array([[1, 0, shift], [0, 1, -shift]])
    expected = sample_affine(wide, there, (width + 16, height + 16))[8:-8, 8:-8]
    np.testing.assert_array_equal(sample_affine(smooth, there, (width, height)), expected)
