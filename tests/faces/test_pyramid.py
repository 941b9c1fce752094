import jax
import numpy as np
import pytest
from PIL import Image

from dfjax.config import FaceConfig
from dfjax.faces.mtcnn import load_networks
from dfjax.faces.pyramid import choose_canvas, crop_square, make_canvases

SMALL = FaceConfig(image_size=128, min_face_size=16)


def random_frame(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)


def ramp(height: int, width: int) -> np.ndarray:
    """Returns a frame whose red is the column's number and whose green is the row's."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.full_like(x, 9)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("config", [FaceConfig(), SMALL, FaceConfig(min_face_size=12)])
def test_levels_lie_on_the_sheet_and_do_not_overlap(config: FaceConfig):
    for canvas in make_canvases(config):
        width, height = canvas.sheet_size
        covered = np.zeros((height, width), int)
        for level in canvas.levels:
            assert level.left % 2 == level.top % 2 == 0
            assert level.left + level.width <= width and level.top + level.height <= height
            covered[level.top :, level.left :][: level.height, : level.width] += 1
        assert covered.max() == 1
        assert covered.mean() > 0.75  # the rest of P-Net's work is wasted


@pytest.mark.parametrize(
    "size", [(1080, 1920), (1920, 1080), (480, 640), (500, 500), (1, 1), (1, 3000), (3000, 1)]
)
def test_every_frame_fits_a_canvas_by_its_longer_side(size: tuple[int, int]):
    canvas = choose_canvas(np.zeros((*size, 3), np.uint8), FaceConfig())
    picture = canvas.fit(np.zeros((*size, 3), np.uint8))
    assert max(picture.size) == max(canvas.width, canvas.height) == 640
    assert picture.width <= canvas.width and picture.height <= canvas.height


def test_pnet_sees_each_level_as_if_it_were_alone():
    canvas = choose_canvas(random_frame(60, 100), SMALL)
    sheet = canvas.sheet(canvas.fit(random_frame(60, 100)))
    numbers, _ = canvas.windows
    pnet = jax.jit(load_networks()[0].__call__)
    confidences = np.asarray(pnet(sheet[None])[0][0])
    assert confidences.shape == numbers.shape
    for number, level in enumerate(canvas.levels):
        # An even size, so that no window of the level alone hangs over its edge.
        height, width = level.height // 2 * 2, level.width // 2 * 2
        alone = sheet[level.top :, level.left :][:height, :width]
        expected = np.asarray(pnet(alone[None])[0][0])
        assert (numbers == number).sum() == expected.size
        np.testing.assert_allclose(confidences[numbers == number], expected.ravel(), atol=1e-6)


def test_windows_know_where_they_are_on_the_canvas():
    canvas = choose_canvas(ramp(128, 128), SMALL)
    sheet = canvas.sheet(canvas.fit(ramp(128, 128))).astype(np.float64)
    numbers, boxes = canvas.windows
    rows, columns = np.nonzero(numbers >= 0)
    for row, column in list(zip(rows, columns, strict=True))[::37]:
        seen = sheet[2 * row : 2 * row + 12, 2 * column : 2 * column + 12, :2].mean(axis=(0, 1))
        left, top, right, bottom = boxes[row, column]
        # The mean of a ramp is its value at the centre. Smoothing is one-sided at the border.
        np.testing.assert_allclose(
            seen + 0.5, [(left + right) / 2, (top + bottom) / 2], atol=0.06 * (right - left)
        )


def test_the_largest_window_covers_most_of_the_picture():
    for canvas in make_canvases(FaceConfig()):
        _, boxes = canvas.windows
        largest = (boxes[..., 3] - boxes[..., 1]).max()
        assert largest > 0.65 * min(canvas.width, canvas.height)


def test_a_crop_shows_the_pixels_of_its_square():
    frame = ramp(100, 120)
    crop = np.asarray(
        crop_square(frame, Image.fromarray(frame), np.array([20.5, 30.5, 68.5, 78.5]), 24)
    ).astype(np.float64)
    centres = np.arange(24) * 2 + 1
    np.testing.assert_allclose(crop[5, :, 0], 20.5 + centres - 0.5, atol=1)
    np.testing.assert_allclose(crop[:, 5, 1], 30.5 + centres - 0.5, atol=1)


def test_a_crop_is_black_outside_of_the_frame():
    frame = np.full((80, 100, 3), 200, np.uint8)
    picture = Image.fromarray(frame)
    for square in ([-20, -20, 28, 28], [76, 56, 124, 104]):
        crop = np.asarray(crop_square(frame, picture, np.array(square, np.float32), 48))
        inside = crop.min(axis=2) == 200
        assert inside.sum() == (28 * 28 if square[0] < 0 else 24 * 24)
        assert crop[~inside].max() == 0


@pytest.mark.parametrize("square", [[100, 60, 130, 90], [-5, -5, 25, 25], [285, 145, 315, 175]])
def test_a_small_square_is_cut_from_the_larger_frame(square: list[int]):
    frame = np.zeros((640, 1280, 3), np.uint8)
    frame[:, ::2] = 255  # one-pixel stripes: grey in the picture, which has a quarter of the size
    picture = Image.fromarray(frame).resize((320, 160), Image.Resampling.BOX)
    side = (square[2] - square[0]) * 4
    crop = np.asarray(crop_square(frame, picture, np.array(square, np.float32), side))
    left = max(0, -square[0] * 4)
    stripes = crop[side // 3, left : left + 20, 0]
    assert set(stripes.tolist()) == {0, 255}
    outside = max(0, -square[0], -square[1], square[2] - 320, square[3] - 160) * 4
    assert np.count_nonzero(crop.max(axis=(0, 2)) == 0) >= outside
