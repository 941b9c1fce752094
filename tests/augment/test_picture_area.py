"""Where a picture ends in its crop, and filters that stay within it."""

import jax.numpy as jnp
import numpy as np

from dfjax.augment.picture_area import picture_area, smoothed
from dfjax.augment.resample import blur_matrix

SIZE = 32


def _turned_picture() -> np.ndarray:
    """Returns which pixels of a crop show a picture that is turned by 20 degrees: bool [S, S]."""
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2 + 0.5
    cos, sin = np.cos(np.radians(20)), np.sin(np.radians(20))
    return (np.abs(cos * x + sin * y) < 11) & (np.abs(cos * y - sin * x) < 9)


def test_the_area_is_that_of_the_picture_with_what_is_black_in_its_middle():
    shown = _turned_picture()
    clip = np.where(shown[None, ..., None], 90.0, 0.0) * np.ones(3)
    clip[0, 13:19, 14:20] = 0
    np.testing.assert_array_equal(picture_area(jnp.array(clip))[0, ..., 0], shown)


def test_a_picture_that_fills_its_crop_is_all_of_it():
    rng = np.random.default_rng(0)
    clip = rng.uniform(1, 255, (2, SIZE, SIZE, 3))
    clip[:, 5:9, 5:9] = 0
    assert picture_area(jnp.array(clip)).min() == 1


def test_a_filter_takes_nothing_from_around_the_picture():
    shown = _turned_picture()
    clip = jnp.array(np.where(shown[None, ..., None], 90.0, 0.0) * np.ones(3), jnp.float32)
    found = np.asarray(smoothed(clip, blur_matrix(jnp.array(2.0), SIZE), picture_area(clip)))
    np.testing.assert_allclose(found, clip, atol=0.1)
