"""GenD's files: the detector gives what torch gives, and no verdict before it is calibrated."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from dfjax.config import CropConfig
from dfjax.errors import ModelFormatError
from dfjax.head_config import LinearHeadConfig
from dfjax.inference.engine import score_faces
from dfjax.inference.jax_engine import JaxEngine
from dfjax.models.detector import Detector
from dfjax.models.gend import CAVEAT
from dfjax.predictor import Predictor
from tests.models.gend_files import CONFIG, ENCODER, write_gend
from tests.models.reference import relative_error
from tests.models.tiny import assert_same_weights
from tests.videos import portrait_frames, write_video

CROPS = np.random.default_rng(3).integers(0, 256, (5, 32, 32, 3), np.uint8)


@pytest.mark.parity
@pytest.mark.parametrize("head", ["linear", "LinearNorm"])
def test_files_written_by_torch_give_its_probabilities_of_frames_and_of_the_video(tmp_path, head):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file as save_torch_file
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
    from transformers.utils.constants import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

    torch.manual_seed(0)
    tower = CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            image_size=32,
            patch_size=8,
            hidden_size=128,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=48,
            projection_dim=16,
        )
    ).eval()
    linear = torch.nn.Linear(128, 2)
    with torch.no_grad():
        for parameter in [*tower.parameters(), *linear.parameters()]:
            parameter.add_(0.2 * torch.randn_like(parameter))
    tensors = {f"feature_extractor.{name}": x for name, x in tower.state_dict().items()}
    tensors |= {f"model.linear.{name}": x for name, x in linear.state_dict().items()}
    save_torch_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | {"head": head}))

    pixels = (CROPS / 255 - OPENAI_CLIP_MEAN) / OPENAI_CLIP_STD
    with torch.no_grad():
        pixels = torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32))
        features = tower.vision_model(pixels).pooler_output
        if head == "LinearNorm":
            features = torch.nn.functional.normalize(features, dim=-1)
        logits = linear(features)
        of_frames = logits.softmax(-1)[:, 1].numpy()

    engine = JaxEngine(Detector.from_pretrained(tmp_path))
    places = [np.arange(5)]
    ((frame_logits, clip_logit),) = score_faces(engine, [engine.encode(CROPS)], places)
    assert relative_error(frame_logits, (logits[:, 1] - logits[:, 0]).numpy()) < 1e-4
    np.testing.assert_allclose(1 / (1 + np.exp(-frame_logits)), of_frames, rtol=1e-4)
    assert 1 / (1 + np.exp(-clip_logit)) == pytest.approx(of_frames.mean(), rel=1e-4)


@pytest.fixture(scope="module")
def gend(tmp_path_factory) -> Path:
    return write_gend(tmp_path_factory.mktemp("gend") / "tiny")


def test_its_faces_are_cropped_as_in_the_paper_and_its_shape_is_that_of_the_tensors(gend):
    config = Detector.from_pretrained(gend).config
    assert config.encoder == ENCODER
    assert config.detector == LinearHeadConfig(normalized=True)
    assert config.crops == CropConfig(image_size=32, anchor="box", margin=1.3, smoothing=0.0)
    assert (config.video.num_frames, config.video.burst_frames) == (32, 1)


def test_a_video_gets_probabilities_of_each_frame_and_no_verdict(gend, tmp_path):
    write_video(tmp_path / "clip.mp4", portrait_frames(10))
    prediction = Predictor.from_pretrained(gend)(tmp_path / "clip.mp4")
    assert prediction.label == "uncertain" and prediction.decision.is_withheld
    assert prediction.decision.false_positive_rate is None
    assert CAVEAT in prediction.warnings
    of_frames = [frame.probability_fake for frame in prediction.frames]
    assert len(of_frames) > 1 and prediction.probability_fake == pytest.approx(np.mean(of_frames))


def test_saved_as_a_detector_of_dfjax_it_is_the_same(gend, tmp_path):
    detector = Detector.from_pretrained(gend)
    detector.save_pretrained(tmp_path)
    again = Detector.from_pretrained(tmp_path)
    assert again.config == detector.config
    assert_same_weights(again, detector)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"backbone": "facebook/dinov3-vitl16"}, "backbone 'facebook/dinov3-vitl16'.*is needed"),
        ({"head": "MLP"}, "head 'MLP'; 'linear' or 'LinearNorm' is needed"),
        ({"head": []}, r"head \[\]; 'linear' or 'LinearNorm' is needed"),
    ],
)
def test_another_backbone_or_head_is_refused(tmp_path, changes, expected):
    with pytest.raises(ModelFormatError, match=expected):
        Detector.from_pretrained(write_gend(tmp_path, **changes))


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("model.linear.bias", None, "lacks model.linear.bias, or they have another rank"),
        ("model.linear.weight", (), "lacks model.linear.weight, or they have another rank"),
        ("model.linear.weight", (3, 64), "of the wrong shape: temporal.frame_head.kernel"),
        ("model.other", (3,), "unknown: model.other"),
        (
            "feature_extractor.vision_model.embeddings.position_embedding.weight",
            None,
            "lacks feature_extractor.vision_model.embeddings.position_embedding.weight",
        ),
        (
            "feature_extractor.vision_model.embeddings.position_embedding.weight",
            (0, 64),
            "CLIPConfig.image_size is 0",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(tmp_path, name, shape, expected):
    file = write_gend(tmp_path) / "model.safetensors"
    tensors = load_file(file)
    tensors.pop(name, None)
    if shape is not None:
        tensors[name] = np.zeros(shape, np.float32)
    save_file(tensors, file)
    with pytest.raises(ModelFormatError, match=expected):
        Detector.from_pretrained(tmp_path)
