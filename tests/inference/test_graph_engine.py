"""The same network in other runtimes: the same logits, whatever is padded."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from dfjax.config import CalibrationConfig
from dfjax.encoder_config import NormalizationConfig
from dfjax.errors import ModelFormatError
from dfjax.export.describe import calibrations
from dfjax.inference.engine import Engine
from dfjax.inference.evidence import FaceFrames, evidence_of, video_logit
from dfjax.inference.graph_engine import GraphEngine
from dfjax.inference.jax_engine import JaxEngine
from dfjax.inference.probabilities import calibrated_frame_logits
from dfjax.models.detector import Detector
from dfjax.models.graphs import detector as detector_graphs
from dfjax.predictor import Predictor
from dfjax.runtimes.onnx_runtime import OnnxRuntime
from dfjax.runtimes.runtime import RuntimeName, open_runtime
from tests.evaluation.clips import EVIDENCE
from tests.models.tiny import filled
from tests.tiny import TINY_CONFIG, tiny_detector
from tests.videos import portrait_frames, write_video

PROJECT = Path(__file__).resolve().parents[2]

RUNTIMES = ("onnx", pytest.param("openvino", marks=pytest.mark.openvino))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A tiny model, whose encoder has odd sizes on the way, and a video of a face."""
    folder = tmp_path_factory.mktemp("runtimes")
    tiny_detector().save_pretrained(folder / "model")
    write_video(folder / "face.mp4", portrait_frames(20))
    return folder


@pytest.fixture(scope="module")
def reference() -> JaxEngine:
    return JaxEngine(tiny_detector())


@pytest.fixture(scope="module", params=RUNTIMES)
def engine(request, folder) -> GraphEngine:
    return GraphEngine.from_pretrained(folder / "model", open_runtime(request.param))


def _crops(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (number, 32, 32, 3), np.uint8)


def test_the_fingerprint_is_that_of_jax(engine, reference):
    assert engine.digest() == reference.digest()
    assert engine.digest() != JaxEngine(tiny_detector(seed=1)).digest()


@pytest.mark.parametrize("number", [1, 8, 11])
def test_crops_get_the_features_that_jax_gives_them(engine, reference, number):
    features = engine.encode(_crops(number))
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, reference.encode(_crops(number)), rtol=1e-5, atol=1e-5)


def test_clips_get_the_logits_that_jax_gives_them_wherever_frames_are_absent(engine, reference):
    rng = np.random.default_rng(1)
    features = rng.normal(size=(6, 8, 32)).astype(np.float32)
    frame_mask = rng.random((6, 8)) < 0.6
    frame_mask[0], frame_mask[1], frame_mask[2] = True, False, np.arange(8) == 5
    found, expected = (each.score(features, frame_mask) for each in (engine, reference))
    np.testing.assert_allclose(found.frame_logits, expected.frame_logits, atol=1e-5)
    np.testing.assert_allclose(found.clip_logits, expected.clip_logits, atol=1e-5)
    assert not found.frame_logits[~frame_mask].any()


def test_what_an_absent_frame_holds_has_no_effect(engine):
    features = np.random.default_rng(2).normal(size=(1, 5, 32)).astype(np.float32)
    frame_mask = np.array([[False, True, False, True, False]])
    first = engine.score(features, frame_mask)
    features[:, ::2] = np.nan
    second = engine.score(features, frame_mask)
    np.testing.assert_array_equal(second.clip_logits, first.clip_logits)
    cut = engine.score(features[:, 1::2], np.ones((1, 2), bool))
    np.testing.assert_allclose(cut.clip_logits, first.clip_logits, atol=1e-6)


def test_a_model_with_an_lstm_in_one_direction_is_the_same_as_well(tmp_path):
    config = dataclasses.replace(
        TINY_CONFIG, detector=dataclasses.replace(TINY_CONFIG.detector, bidirectional=False)
    )
    detector = filled(lambda rngs: Detector(config, rngs=rngs))
    detector.save_pretrained(tmp_path, dtype="bfloat16")
    engine = GraphEngine.from_pretrained(tmp_path, open_runtime("onnx"))
    reference = JaxEngine(Detector.from_pretrained(tmp_path))
    assert engine.digest() == reference.digest()
    crops, mask = _crops(6), np.array([[True, True, False, True, True, True]])
    np.testing.assert_allclose(
        engine.score(engine.encode(crops)[None], mask).clip_logits,
        reference.score(reference.encode(crops)[None], mask).clip_logits,
        atol=1e-4,
    )


def test_it_is_an_engine_and_refuses_what_the_reference_refuses(engine, reference):
    assert isinstance(engine, Engine) and isinstance(reference, Engine)
    assert not isinstance(tiny_detector(), Engine)
    for each in (engine, reference):
        with pytest.raises(ValueError, match=r"uint8 \[N,32,32,3\] is needed"):
            each.encode(np.zeros((1, 16, 16, 3), np.uint8))
        with pytest.raises(ValueError, match="at least one"):
            each.encode(np.zeros((0, 32, 32, 3), np.uint8))
        with pytest.raises(ValueError, match="bool"):
            each.score(np.zeros((1, 8, 32), np.float32), np.ones((1, 8), int))
    for shape, of_mask in (((1, 8, 32), (1, 7)), ((1, 8, 31), (1, 8)), ((1, 0, 32), (1, 0))):
        with pytest.raises(ValueError, match=r"\[B,T\] are needed"):
            engine.score(np.zeros(shape, np.float32), np.ones(of_mask, bool))


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_features_that_were_kept_as_other_numbers_are_scored_as_in_jax(engine, reference, dtype):
    features = np.random.default_rng(4).normal(size=(2, 5, 32)).astype(dtype)
    found, expected = (each.score(features, np.ones((2, 5), bool)) for each in (engine, reference))
    np.testing.assert_allclose(found.clip_logits, expected.clip_logits, atol=1e-5)


def test_an_encoder_without_a_graph_is_named_with_what_to_do(folder, monkeypatch):
    monkeypatch.setattr(detector_graphs, "_ENCODERS", {NormalizationConfig: None})
    with pytest.raises(ModelFormatError, match="ResNetConfig.*NormalizationConfig.*runtime jax"):
        GraphEngine.from_pretrained(folder / "model", open_runtime("onnx"))


def test_tensors_that_do_not_fit_are_all_listed(folder, tmp_path):
    (tmp_path / "config.json").write_text((folder / "model" / "config.json").read_text())
    tensors = load_file(folder / "model" / "model.safetensors")
    tensors["temporal.surplus"] = tensors.pop("temporal.norm.scale")
    tensors["temporal.attention.kernel"] = np.full_like(
        tensors["temporal.attention.kernel"], np.nan
    )
    save_file(tensors, tmp_path / "model.safetensors")
    listed = "missing: temporal.norm.scale; unknown: temporal.surplus; not finite: .*attention"
    with pytest.raises(ModelFormatError, match=listed):
        GraphEngine.from_pretrained(tmp_path, open_runtime("onnx"))


def _probability(folder: Path, runtime: RuntimeName) -> float:
    predictor = Predictor.from_pretrained(folder / "model", runtime=runtime)
    probability = predictor(folder / "face.mp4").probability_fake
    assert probability is not None
    return probability


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_video_gets_the_probability_that_jax_gives_it(folder, name):
    assert _probability(folder, name) == pytest.approx(_probability(folder, "jax"), abs=3e-3)


WITHOUT_JAX = """
import sys
checkpoint = sys.argv[1]
sys.modules |= dict.fromkeys(("jax", "jaxlib", "flax"))  # None: an import of it fails
from dfjax.__main__ import main
sys.argv = ["dfjax", "predict", "face.mp4", "--model", "model", "--json", "-"]
code = main()
assert "httpx" not in sys.modules and "scipy.optimize" not in sys.modules
from dfjax.predictor import Predictor
shipped = Predictor.from_pretrained(checkpoint)
assert shipped.evaluation["model"]["fingerprint"] == shipped.model.digest
shipped.live().warm_up()  # as the page does
import app, dfjax.page.blocks, dfjax.page.server, dfjax.page.example_videos
sys.exit(code)
"""


def test_with_another_runtime_nothing_imports_jax_on_the_page_or_in_the_shell_or_before_a_camera(
    folder, reference, monkeypatch
):
    monkeypatch.setenv("DFJAX_RUNTIME", "onnx")
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    command = [sys.executable, "-c", WITHOUT_JAX, PROJECT / "checkpoint"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"]["digest"] == reference.digest()


@pytest.mark.parametrize("evidence", [None, EVIDENCE], ids=["highest face", "evidence"])
def test_a_picture_has_the_probabilities_that_an_export_gives_it(evidence):
    calibration = CalibrationConfig(
        evidence=evidence, scale=2, bias=-1, frame_scale=0.4, frame_bias=0.7
    )
    config = dataclasses.replace(TINY_CONFIG, calibration=calibration)
    of_export = calibrations(cast(Any, SimpleNamespace(config=config)))
    for logit in (-3.0, 0.2, 4.0):
        of_face = evidence_of(FaceFrames(np.array([logit]), logit, np.zeros(1)), calibration)
        for kind, expected in (
            ("clips", video_logit([of_face], calibration)),
            ("frames", calibrated_frame_logits(logit, calibration)),
        ):
            scale, bias = of_export[kind]
            assert scale * logit + bias == pytest.approx(expected)


def test_an_encoder_in_two_parts_is_the_same_and_only_the_second_may_be_rounded(folder, reference):
    loaded = []

    class Rounding(OnnxRuntime):
        """ONNX Runtime, which could round, and notes what it was allowed to."""

        rounds = True

        def load(self, model: bytes, *, may_round: bool = False):
            loaded.append(may_round)
            return super().load(model)

    engine = GraphEngine.from_pretrained(folder / "model", Rounding())
    assert loaded == [False, True, False]  # two parts, and what follows the encoder
    features = engine.encode(_crops(3))
    np.testing.assert_allclose(features, reference.encode(_crops(3)), rtol=1e-5, atol=1e-5)
