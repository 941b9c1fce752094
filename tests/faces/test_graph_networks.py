"""MTCNN in other runtimes: the same faces, and crops that no eye can tell apart."""

import numpy as np
import pytest

from dfjax.config import Config
from dfjax.faces.clips import FaceClips, face_clips
from dfjax.faces.detection import FaceDetector
from dfjax.faces.graph_networks import GraphNetworks
from dfjax.faces.jax_networks import JaxNetworks
from dfjax.runtimes.runtime import open_runtime
from tests.videos import portrait_frames

RUNTIMES = ("onnx", pytest.param("openvino", marks=pytest.mark.openvino))


@pytest.fixture(scope="module", params=RUNTIMES)
def networks(request) -> GraphNetworks:
    return GraphNetworks(open_runtime(request.param))


@pytest.fixture(scope="module")
def reference() -> JaxNetworks:
    return JaxNetworks()


def _pictures(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (*shape, 3), np.uint8)


def test_the_networks_say_what_they_say_in_jax(networks, reference):
    sheets, small, large = _pictures(3, 40, 52), _pictures(35, 24, 24), _pictures(9, 48, 48)
    for found, expected in (
        (networks.start_pnet(sheets)(), reference.start_pnet(sheets)()),
        (networks.rnet(small), reference.rnet(small)),
        (networks.onet(large), reference.onet(large)),
    ):
        for a, b in zip(found, expected, strict=True):
            assert a.shape == b.shape and a.dtype == b.dtype == np.float32
            np.testing.assert_allclose(a, b, atol=5e-6)


def _clips(networks) -> FaceClips:
    config = Config()
    frames = list(portrait_frames(8, size=(540, 720)))
    detector = FaceDetector(config.faces, networks=networks)
    return face_clips(frames, np.arange(8) / 25, config, detector)


def test_crops_are_those_of_jax_but_for_a_fraction_of_a_pixel(networks, reference):
    (found,), (expected,) = _clips(networks).clips, _clips(reference).clips
    np.testing.assert_array_equal(found.frame_indices, expected.frame_indices)
    assert np.abs(found.boxes_xyxy - expected.boxes_xyxy).max() <= 1  # rounded to pixels
    assert np.abs(found.landmarks - expected.landmarks).max() < 0.2
    differences = np.abs(found.frames.astype(int) - expected.frames)
    assert differences.mean() < 0.5 and differences.max() <= 24
