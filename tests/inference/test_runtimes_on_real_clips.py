"""The runtimes on real videos and pictures, from the file to the verdict."""

from pathlib import Path

import numpy as np
import pytest

from dfjax.data.sources import read_source
from dfjax.predictor import Predictor

CHECKPOINT = Path(__file__).parents[2] / "checkpoint"

EVERY = 120  # of the face crops of DFDC that are held out

VIDEO = "talk_d18.mp4"

MOST, MOST_ON_AVERAGE = {"onnx": 0.02, "openvino": 0.01, "openvino-bf16": 0.02}, 0.003
"""By how much a probability may differ from that in JAX.

From the same crops it is less than 0.00001 in float32, and 0.01 in bfloat16. The rest comes from
boxes that lie elsewhere, which shows most in pictures, where nothing is averaged over frames."""


@pytest.fixture(scope="module")
def files(real_clips) -> list[Path]:
    source = read_source("dfdc-faces", real_clips / "data" / "dfdc_faces")
    pictures = [video.path for video in source.videos if video.split == "validation"]
    return [*pictures[::EVERY], real_clips / "data" / "clips" / VIDEO]


@pytest.fixture(scope="module")
def expected(files):
    predictor = Predictor.from_pretrained(CHECKPOINT, runtime="jax")
    return [predictor(file) for file in files]


@pytest.mark.real_clips
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.openvino] if "openvino" in name else [])
        for name in MOST
    ],
)
def test_verdicts_are_those_of_jax_and_probabilities_nearly(files, expected, name):
    predictor = Predictor.from_pretrained(CHECKPOINT, runtime=name)
    found = [predictor(file) for file in files]
    assert len(found) > 6
    assert [each.label for each in found] == [each.label for each in expected]
    differences = [
        abs(a.probability_fake - b.probability_fake)
        for a, b in zip(found, expected, strict=True)
        if a.probability_fake is not None and b.probability_fake is not None
    ]
    assert np.max(differences) <= MOST[name] and np.mean(differences) <= MOST_ON_AVERAGE
