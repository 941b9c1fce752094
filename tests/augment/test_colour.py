import jax.numpy as jnp
import numpy as np

from dfjax.augment.colour import LUMA, hue_saturation_matrix, mix_channels


def _matrix(degrees: float, saturation: float) -> np.ndarray:
    return np.asarray(hue_saturation_matrix(np.radians(degrees), jnp.float32(saturation)))


def test_no_turn_and_no_stretch_change_nothing():
    np.testing.assert_allclose(_matrix(0, 1), np.eye(3), atol=1e-6)


def test_a_third_of_a_turn_makes_green_of_red():
    np.testing.assert_allclose(_matrix(120, 1) @ [1, 0, 0], [0, 1, 0], atol=1e-6)


def test_grey_stays_grey():
    np.testing.assert_allclose(_matrix(33, 1.7) @ [1, 1, 1], [1, 1, 1], atol=1e-6)


def test_without_saturation_the_luminance_is_left():
    np.testing.assert_allclose(_matrix(0, 0) @ [0, 1, 0], np.full(3, LUMA[1]), atol=1e-6)


def test_channels_are_mixed_by_the_rows_of_the_matrix():
    generator = np.random.default_rng(0)
    images, matrix = generator.normal(size=(2, 3, 4, 3)), generator.normal(size=(3, 3))
    mixed = mix_channels(jnp.asarray(images, jnp.float32), jnp.asarray(matrix, jnp.float32))
    np.testing.assert_allclose(mixed, images @ matrix.T, atol=1e-5)
