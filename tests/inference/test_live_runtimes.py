"""Cameras in every runtime, beside checks of files."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dfjax.inference.live import LiveScore
from dfjax.predictor import Predictor
from tests.tiny import tiny_detector
from tests.videos import portrait_frames, write_video

NUM_FRAMES = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("live")
    tiny_detector().save_pretrained(folder / "model")
    write_video(folder / "face.mp4", portrait_frames(12))
    return folder


@pytest.fixture(
    scope="module", params=["jax", "onnx", pytest.param("openvino", marks=pytest.mark.openvino)]
)
def predictor(request, folder) -> Predictor:
    return Predictor.from_pretrained(folder / "model", runtime=request.param)


def _watch(predictor: Predictor) -> list[LiveScore]:
    scorer = predictor.live()
    return [scorer(frame, n / 4) for n, frame in enumerate(portrait_frames(NUM_FRAMES))]


def test_a_camera_and_a_file_in_two_threads_get_what_each_gets_alone(predictor, folder):
    watched, checked = _watch(predictor), predictor(folder / "face.mp4")
    assert watched[-1].probability_fake is not None
    assert all(len(score.faces) == 1 for score in watched)
    with ThreadPoolExecutor(2) as threads:
        camera = threads.submit(_watch, predictor)
        file = threads.submit(predictor, folder / "face.mp4")
    assert camera.result() == watched
    assert file.result().frames == checked.frames
    assert file.result().probability_fake == checked.probability_fake


def test_a_camera_takes_faces_one_by_one_and_files_go_on_in_batches(predictor):
    before = predictor.engine.crops_per_batch
    assert predictor.live()._engine.crops_per_batch == 1
    assert predictor.engine.crops_per_batch == before > 1
