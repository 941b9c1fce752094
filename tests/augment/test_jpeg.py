import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
from PIL import Image

from dfjax.augment.jpeg import jpeg_round_trip

_round_trip = jax.jit(jpeg_round_trip)


def _pillow(picture: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.float32)


@pytest.mark.parametrize("quality", [10, 35, 50, 75, 95])
def test_a_picture_comes_back_as_from_pillow(quality):
    picture = skimage.data.astronaut()[:240, 100:356]
    ours = np.asarray(_round_trip(jnp.asarray(picture[None], jnp.float32), jnp.float32(quality)))[0]
    expected = _pillow(picture, quality)
    loss = np.abs(expected - picture).mean()
    # The libraries round at other places; what differs is far less than what JPEG itself changes.
    assert np.abs(ours - expected).mean() < min(0.5, 0.25 * loss)
    np.testing.assert_array_equal(ours, ours.round().clip(0, 255))


def test_what_was_coded_once_hardly_changes_when_it_is_coded_again():
    picture = skimage.data.astronaut()[:240, 100:356].astype(np.float32)[None]
    once = _round_trip(picture, jnp.float32(50))
    twice = _round_trip(once, jnp.float32(50))
    assert jnp.abs(twice - once).mean() < 0.3 * jnp.abs(once - picture).mean()


def test_a_size_that_is_no_multiple_of_the_blocks_is_refused():
    with pytest.raises(ValueError, match="40x32; both must be multiples of 16"):
        jpeg_round_trip(jnp.zeros((1, 32, 40, 3)), jnp.float32(50))
