import jax
import numpy as np

from dfjax.augment.bilateral import bilateral
from dfjax.augment.colour import LUMA

SIZE = 24
SIGMA, CONTRAST = 1.3, 20.0
_bilateral = jax.jit(bilateral)


def _smooth(images: np.ndarray) -> np.ndarray:
    return np.asarray(_bilateral(images.astype(np.float32), SIGMA, CONTRAST))


def _along_columns(image: np.ndarray) -> np.ndarray:
    """Returns one pass over [S, S, 3], pixel by pixel."""
    luma = image @ np.array(LUMA)
    smooth = np.empty_like(image)
    for y, x in np.ndindex(*luma.shape):
        rows = np.clip(np.arange(y - 4, y + 5), 0, SIZE - 1)
        distance, difference = np.arange(-4, 5) / SIGMA, (luma[rows, x] - luma[y, x]) / CONTRAST
        weights = np.exp(-(distance**2 + difference**2) / 2)
        smooth[y, x] = weights @ image[rows, x] / weights.sum()
    return smooth


def test_each_pixel_is_the_weighted_mean_of_its_column_and_then_of_its_row():
    images = np.random.default_rng(0).uniform(0, 255, (2, SIZE, SIZE, 3))
    for image, smooth in zip(images, _smooth(images), strict=True):
        expected = _along_columns(_along_columns(image).swapaxes(0, 1)).swapaxes(0, 1)
        np.testing.assert_allclose(smooth, expected, atol=1e-3)


def test_texture_goes_and_an_edge_stays():
    texture = np.random.default_rng(1).normal(0, 5, (SIZE, SIZE, 1)) * np.ones(3)
    edge = np.where(np.arange(SIZE) < SIZE // 2, 50, 200)[:, None] * np.ones(3)
    smooth = _smooth(edge + texture)
    assert (smooth - edge).std() < 0.5 * texture.std()
    assert np.abs(smooth - edge).max() < 10
