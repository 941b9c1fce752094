"""The reference engine: on any number of devices, and of any kind, it computes the same."""

import copy
import dataclasses
import re
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from dfjax.faces import jax_networks
from dfjax.faces.mtcnn import load_networks
from dfjax.inference.engine import StreamingEngine
from dfjax.inference.jax_engine import JaxEngine
from dfjax.models.detector import Detector
from dfjax.predictor import Predictor
from tests.models.tiny import filled
from tests.tiny import TINY_CONFIG, TINY_RESNET, tiny_detector
from tests.videos import portrait_frames

RNG = np.random.default_rng(0)
CROPS = RNG.integers(0, 256, (3, 32, 32, 3), np.uint8)
FEATURES = RNG.normal(size=(1, 8, TINY_RESNET.widths[-1])).astype(np.float32)
MASK = np.ones((1, 8), bool)


def _exact_and_all(lowered: jax.stages.Lowered) -> tuple[int, int]:
    """Returns how many products and convolutions are of float32 as it is, and how many there are.

    On a CPU they all are in the end, so that only what was asked for can be seen.
    """
    lines = [
        line
        for line in lowered.as_text().splitlines()
        if re.search(r"stablehlo\.(convolution|dot_general)", line)
    ]
    return sum(line.count("HIGHEST") == 2 for line in lines), len(lines)


def test_no_device_is_left_to_round_what_is_computed_in_float32():
    engine = JaxEngine(tiny_detector())
    state = engine._state
    past = engine.remember(FEATURES[0])
    networks = zip(load_networks(), (12, 24, 48), strict=True)
    run: Any = jax_networks._compiled()
    for lowered in (
        engine._encode.lower(state, CROPS),
        engine._score.lower(state, FEATURES, MASK),
        engine._score_after.lower(state, FEATURES, MASK, past),
        engine._remember.lower(state, FEATURES, MASK, past),
        *(
            run.lower(*nnx.split(network), np.zeros((1, size, size, 3), np.uint8))
            for network, size in networks
        ),
    ):
        exact, count = _exact_and_all(lowered)
        assert exact == count > 0


def test_an_encoder_made_for_bfloat16_is_not_held_up():
    encoder = dataclasses.replace(TINY_RESNET, compute_dtype="bfloat16")
    config = dataclasses.replace(TINY_CONFIG, encoder=encoder)
    engine = JaxEngine(filled(lambda rngs: Detector(config, rngs=rngs)))
    exact, count = _exact_and_all(engine._encode.lower(engine._state, CROPS))
    assert exact == 0 < count
    exact, count = _exact_and_all(engine._score.lower(engine._state, FEATURES, MASK))
    assert exact == count > 0


@pytest.fixture(scope="module")
def on_all() -> JaxEngine:
    assert jax.local_device_count() == 8
    return JaxEngine.for_many(tiny_detector())


def test_batches_that_cannot_be_split_over_the_devices_are_filled_up(on_all):
    one, few = JaxEngine(tiny_detector()), copy.copy(on_all)
    few.crops_per_batch = few.clips_per_batch = 1
    features = few.encode(CROPS)
    np.testing.assert_allclose(features, one.encode(CROPS), rtol=1e-5, atol=1e-5)
    found, expected = few.score(FEATURES, MASK), one.score(FEATURES, MASK)
    np.testing.assert_allclose(found.clip_logits, expected.clip_logits, atol=1e-5)
    np.testing.assert_allclose(found.frame_logits, expected.frame_logits, atol=1e-5)


def test_a_camera_is_scored_by_an_engine_of_several_devices_as_by_one_of_one(on_all):
    assert isinstance(on_all, StreamingEngine)
    scorers = [Predictor(of).live() for of in (on_all, tiny_detector())]
    for number, frame in enumerate(portrait_frames(3)):
        found, expected = (scorer(frame, number / 25) for scorer in scorers)
        assert len(found.faces) == len(expected.faces) == 1
        assert found.probability_fake == pytest.approx(expected.probability_fake, abs=1e-5)
