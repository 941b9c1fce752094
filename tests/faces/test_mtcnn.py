import functools
import hashlib
import importlib.metadata
import io
import shutil
import sys
from pathlib import Path

import jax
import joblib
import numpy as np
import pytest
import skimage.data
from PIL import Image

from dfjax.errors import DfjaxError, ModelFormatError
from dfjax.faces import mtcnn_weights
from dfjax.faces.mtcnn import load_networks

# A square around the astronaut's face, and points measured by eye in the picture, all in pixels.
FACE_SQUARE = np.array([168.0, 60.0, 281.0, 173.0])
FACE_POINTS = np.array([[203.5, 100], [247, 103], [224.5, 127], [202.5, 139], [245, 141]])

WEIGHTS = Path(str(importlib.metadata.distribution("mtcnn").locate_file("mtcnn/assets/weights")))


def published(name: str) -> list[np.ndarray]:
    """Returns the arrays of one network in double precision, read by the test's own means."""
    content = io.BytesIO((WEIGHTS / f"{name}.lz4").read_bytes())
    return [array.astype(np.float64) for array in joblib.load(content)]


@functools.cache
def compiled():
    """Returns the three networks as compiled functions."""
    return tuple(jax.jit(network.__call__) for network in load_networks())


def conv(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Convolution of [H,W,C] without padding, pixel by pixel."""
    size = kernel.shape[0]
    height, width = x.shape[0] - size + 1, x.shape[1] - size + 1
    out = np.zeros((height, width, kernel.shape[3]))
    for i in range(height):
        for j in range(width):
            out[i, j] = np.einsum("hwc,hwco->o", x[i : i + size, j : j + size], kernel) + bias
    return out


def prelu(x: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + slopes.reshape(-1) * np.minimum(x, 0)


def max_pool(x: np.ndarray, size: int, out_height: int, out_width: int) -> np.ndarray:
    """Pools every second window; one that hangs over the right or lower edge takes what is there.

    So padding at the left and upper edge never happens. It would only for 3-pixel windows on an
    odd side; the sides here are 22 and 46.
    """
    out = np.zeros((out_height, out_width, x.shape[2]))
    for i in range(out_height):
        for j in range(out_width):
            out[i, j] = x[2 * i : 2 * i + size, 2 * j : 2 * j + size].max(axis=(0, 1))
    return out


def second_probability(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits)
    return powers[..., 1] / powers.sum(axis=-1)


def column_by_column(x: np.ndarray) -> np.ndarray:
    return np.array([v for j in range(x.shape[1]) for i in range(x.shape[0]) for v in x[i, j]])


def reference_pnet(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    w = published("pnet")
    x = prelu(conv((image - 127.5) / 128, w[0], w[1]), w[2])
    x = max_pool(x, 2, -(-x.shape[0] // 2), -(-x.shape[1] // 2))
    x = prelu(conv(x, w[3], w[4]), w[5])
    x = prelu(conv(x, w[6], w[7]), w[8])
    return second_probability(conv(x, w[11], w[12])), conv(x, w[9], w[10])


def reference_rnet(crop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    w = published("rnet")
    x = max_pool(prelu(conv((crop - 127.5) / 128, w[0], w[1]), w[2]), 3, 11, 11)
    x = max_pool(prelu(conv(x, w[3], w[4]), w[5]), 3, 4, 4)
    x = prelu(conv(x, w[6], w[7]), w[8])
    x = prelu(column_by_column(x) @ w[9] + w[10], w[11])
    return second_probability(x @ w[14] + w[15]), x @ w[12] + w[13]


def reference_onet(crop: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    w = published("onet")
    x = max_pool(prelu(conv((crop - 127.5) / 128, w[0], w[1]), w[2]), 3, 23, 23)
    x = max_pool(prelu(conv(x, w[3], w[4]), w[5]), 3, 10, 10)
    x = max_pool(prelu(conv(x, w[6], w[7]), w[8]), 2, 4, 4)
    x = prelu(conv(x, w[9], w[10]), w[11])
    x = prelu(column_by_column(x) @ w[12] + w[13], w[14])
    points = x @ w[17] + w[18]
    landmarks = np.stack([points[:5], points[5:]], axis=-1)
    return second_probability(x @ w[19] + w[20]), x @ w[15] + w[16], landmarks


def random_images(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)


def portrait_crop(size: int, square: np.ndarray = FACE_SQUARE) -> np.ndarray:
    left, top, right, bottom = map(float, square)
    picture = Image.fromarray(skimage.data.astronaut())
    picture = picture.resize(
        (size, size), Image.Resampling.BILINEAR, box=(left, top, right, bottom)
    )
    return np.asarray(picture)


@pytest.mark.parametrize("height, width", [(12, 12), (30, 38), (31, 37)])
def test_pnet_equals_plain_numpy(height: int, width: int):
    images = random_images(2, height, width, 3)
    confidences, offsets = compiled()[0](images)
    for n, image in enumerate(images):
        expected_confidences, expected_offsets = reference_pnet(image.astype(np.float64))
        np.testing.assert_allclose(confidences[n], expected_confidences, atol=2e-6)
        np.testing.assert_allclose(offsets[n], expected_offsets, atol=2e-6)


def test_rnet_equals_plain_numpy():
    crops = np.concatenate([random_images(2, 24, 24, 3), portrait_crop(24)[None]])
    confidences, offsets = compiled()[1](crops)
    for n, crop in enumerate(crops):
        expected_confidence, expected_offsets = reference_rnet(crop.astype(np.float64))
        np.testing.assert_allclose(confidences[n], expected_confidence, atol=2e-6)
        np.testing.assert_allclose(offsets[n], expected_offsets, atol=2e-6)


def test_onet_equals_plain_numpy():
    crops = np.concatenate([random_images(2, 48, 48, 3), portrait_crop(48)[None]])
    confidences, offsets, landmarks = compiled()[2](crops)
    for n, crop in enumerate(crops):
        expected = reference_onet(crop.astype(np.float64))
        np.testing.assert_allclose(confidences[n], expected[0], atol=2e-6)
        np.testing.assert_allclose(offsets[n], expected[1], atol=2e-6)
        np.testing.assert_allclose(landmarks[n], expected[2], atol=2e-6)


def test_pnet_scores_a_window_by_its_twelve_pixels_alone():
    image = random_images(1, 40, 60, 3)
    confidences, offsets = compiled()[0](image)
    assert confidences.shape == (1, 15, 25)
    i, j = 6, 19
    alone = compiled()[0](image[:, 2 * i : 2 * i + 12, 2 * j : 2 * j + 12])
    np.testing.assert_allclose(alone[0][0, 0, 0], confidences[0, i, j], atol=1e-6)
    np.testing.assert_allclose(alone[1][0, 0, 0], offsets[0, i, j], atol=1e-6)


def test_onet_puts_the_landmarks_on_eyes_nose_and_mouth():
    _, _, landmarks = compiled()[2](np.stack([portrait_crop(48)] * 3))
    side = FACE_SQUARE[2] - FACE_SQUARE[0]
    points = FACE_SQUARE[:2] + side * np.asarray(landmarks[0])
    np.testing.assert_allclose(points, FACE_POINTS, atol=0.035 * side)


def test_onet_doubts_a_face_with_red_and_blue_swapped():
    jitter = np.random.default_rng(0).uniform(-8, 8, (15, 4))
    crops = np.stack([portrait_crop(48, FACE_SQUARE + shift) for shift in jitter])

    def doubt(crops: np.ndarray) -> float:
        """Returns the geometric mean of what is left of 1 beside the confidences."""
        confidences = [compiled()[2](part)[0] for part in np.split(crops, 5)]
        return float(np.exp(np.log(1 - np.concatenate(confidences).astype(np.float64)).mean()))

    assert doubt(crops[..., ::-1]) > 2 * doubt(crops)


def test_the_package_that_carries_the_weights_is_not_imported():
    load_networks()
    assert "mtcnn" not in sys.modules


class Installed:
    """What `importlib.metadata` would say of another installation of the package."""

    version = "9.9"

    def __init__(self, folder: Path):
        self.folder = folder

    def locate_file(self, path: str) -> Path:
        return self.folder / path


@pytest.fixture
def other_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights that dfjax takes for the installed ones; empty at first."""
    folder = tmp_path / "mtcnn" / "assets" / "weights"
    folder.mkdir(parents=True)
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Installed(tmp_path))
    return folder


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch):
    def distribution(name: str):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", distribution)
    with pytest.raises(DfjaxError, match=r"not installed.*pip install.*mtcnn==1\.0\.0"):
        load_networks.__wrapped__()


def test_missing_weights_are_named_with_their_remedy(other_installation: Path):
    with pytest.raises(ModelFormatError, match=r"mtcnn 9\.9 .*pnet\.lz4.*pip install"):
        load_networks.__wrapped__()


def test_changed_weights_are_refused_before_they_are_unpickled(
    other_installation: Path, monkeypatch: pytest.MonkeyPatch
):
    changed = (WEIGHTS / "pnet.lz4").read_bytes() + b"\0"
    (other_installation / "pnet.lz4").write_bytes(changed)
    monkeypatch.setattr(joblib, "load", lambda file: pytest.fail("it was unpickled"))
    with pytest.raises(ModelFormatError, match=r"pnet\.lz4 of mtcnn 9\.9 is not"):
        load_networks.__wrapped__()


def test_arrays_of_another_network_are_refused(
    other_installation: Path, monkeypatch: pytest.MonkeyPatch
):
    path = other_installation / "pnet.lz4"
    shutil.copy(WEIGHTS / "rnet.lz4", path)
    known = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(mtcnn_weights._SHA256, "pnet.lz4", known)
    with pytest.raises(ModelFormatError, match=r"PNet got arrays of shapes .*it needs"):
        load_networks.__wrapped__()
