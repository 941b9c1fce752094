import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from dfjax.augment.resample import (
    blur_matrix,
    gather_bilinear,
    low_resolution_matrix,
    pixel_middles,
    resample,
    sampling_matrix,
)
from tests.augment.faces import face_frame

SIZE = 48
GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize("new_size", [20, 48, 77])
def test_sampling_on_another_grid_is_pillows_bicubic_resize(new_size):
    step = SIZE / new_size
    positions = (np.arange(new_size, dtype=np.float32) + 0.5) * step
    matrix = jax.jit(sampling_matrix, static_argnums=1)(positions, SIZE, stretch=max(1.0, step))
    frame = face_frame(SIZE)
    resized = jax.jit(resample)(frame[None], matrix, matrix)[0]
    inside = np.flatnonzero((positions >= 0.5) & (positions <= SIZE - 0.5))
    for channel in range(3):
        plane = Image.fromarray(frame[..., channel])  # mode F: Pillow computes in floats
        expected = np.asarray(plane.resize((new_size, new_size), Image.Resampling.BICUBIC))
        np.testing.assert_allclose(
            resized[..., channel][np.ix_(inside, inside)],
            expected[np.ix_(inside, inside)],
            atol=1e-3,
        )


def test_positions_beyond_the_border_give_the_border():
    matrix = np.asarray(sampling_matrix(jnp.array([-7.0, SIZE + 3.0]), SIZE))
    np.testing.assert_allclose(matrix, np.eye(SIZE)[[0, -1]], atol=1e-6)


def test_a_blur_has_the_standard_deviation_that_was_asked_for():
    row = np.asarray(blur_matrix(jnp.float32(2.5), 61), np.float64)[30]
    offsets = np.arange(61) - 30
    np.testing.assert_allclose([row.sum(), row @ offsets**2], [1.0, 2.5**2], rtol=1e-3)


def test_no_blur_and_full_resolution_change_nothing_at_all():
    for matrix in (blur_matrix(jnp.float32(0), SIZE), low_resolution_matrix(jnp.float32(1), SIZE)):
        np.testing.assert_array_equal(matrix, np.eye(SIZE))


def test_a_low_resolution_takes_fine_patterns_and_leaves_coarse_ones():
    matrix = np.asarray(low_resolution_matrix(jnp.float32(0.3), SIZE))
    places = np.arange(SIZE)
    fine, coarse = np.cos(np.pi * places), np.cos(2 * np.pi * places / SIZE)
    assert np.abs(matrix @ fine)[4:-4].max() < 0.05
    assert np.abs(matrix @ coarse - coarse).max() < 0.05


def test_gathering_is_scipys_linear_interpolation():
    images = GENERATOR.uniform(0, 255, (2, 20, 30, 3)).astype(np.float32)
    positions = GENERATOR.uniform(-4, 34, (2, 9, 11, 2)).astype(np.float32)
    gathered = jax.jit(gather_bilinear)(images, positions)
    for t, channel in np.ndindex(2, 3):
        rows_columns = np.moveaxis(positions[t, ..., ::-1] - 0.5, -1, 0)
        expected = ndimage.map_coordinates(
            images[t, ..., channel], rows_columns, order=1, mode="nearest"
        )
        np.testing.assert_allclose(gathered[t, ..., channel], expected, atol=1e-3)


def test_gathering_at_the_middles_of_pixels_gives_the_picture_itself():
    frames = face_frame(SIZE)[None]
    gathered = jax.jit(gather_bilinear)(frames, pixel_middles(SIZE)[None])
    np.testing.assert_array_equal(gathered, frames)


def test_matrices_act_on_rows_and_columns():
    images = GENERATOR.normal(size=(2, 5, 7, 3)).astype(np.float32)
    rows, columns = GENERATOR.normal(size=(4, 5)), GENERATOR.normal(size=(6, 7))
    mixed = jax.jit(resample)(images, rows.astype(np.float32), columns.astype(np.float32))
    for t, channel in np.ndindex(2, 3):
        expected = rows @ images[t, ..., channel] @ columns.T
        np.testing.assert_allclose(mixed[t, ..., channel], expected, rtol=1e-4, atol=1e-4)
