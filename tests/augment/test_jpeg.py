import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from dfjax.augment.jpeg import _CHROMA, _LUMA, _scaled, jpeg_round_trip

_round_trip = jax.jit(jpeg_round_trip)


def _saved(picture: np.ndarray, quality: int) -> JpegImageFile:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    file.seek(0)
    return JpegImageFile(file)


def _pillow(picture: np.ndarray, quality: int) -> np.ndarray:
    return np.asarray(_saved(picture, quality), np.float32)


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 75, 95, 100])
def test_the_steps_of_quantization_are_those_that_pillow_writes(quality):
    tables = _saved(np.zeros((16, 16, 3), np.uint8), quality).quantization
    for off in (-0.4, 0.0, 0.4):  # a quality is drawn as a fraction
        for number, table in enumerate((_LUMA, _CHROMA)):
            np.testing.assert_array_equal(
                _scaled(table, jnp.float32(quality + off)), tables[number]
            )


def test_colours_are_halved_and_doubled_as_by_pillow_and_none_is_favoured():
    picture = np.random.default_rng(0).integers(0, 256, (240, 256, 3), np.uint8)
    ours = np.asarray(_round_trip(jnp.asarray(picture[None], jnp.float32), jnp.float32(95)))[0]
    expected = _pillow(picture, 95)
    assert np.abs(ours - expected).mean() < 1
    np.testing.assert_allclose(ours.mean((0, 1)), expected.mean((0, 1)), atol=0.05)


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
