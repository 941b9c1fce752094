"""Reads published GenD detectors, such as `yermandy/GenD_CLIP_L_14`, as detectors of dfjax.

GenD is CLIP's vision tower with tuned norms, and a linear layer from the features of a frame, with
an L2 norm of 1, to two classes. A video's probability is the mean of its frames'. The config names
the tower and not its shape, which is that of the tensors.

Written from the paper and from the files; imports neither jax nor torch.

Source: Yermakov et al., "Deepfake Detection that Generalizes Across Benchmarks", WACV 2026,
arXiv 2508.06248.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dfjax.config import CalibrationConfig, Config, CropConfig, VideoConfig
from dfjax.encoder_config import CLIPConfig
from dfjax.errors import ModelFormatError
from dfjax.head_config import LinearHeadConfig

MODEL_TYPE = "GenD"
"""The `model_type` in their `config.json`."""

CAVEAT = (
    "This model was published without thresholds, so no verdict is given. Its probabilities are "
    "its own and were not calibrated; `python -m dfjax calibrate` does so on labelled videos."
)

_ENCODER, _TOWER = "feature_extractor.", "vision_model."
_HEAD_WEIGHT, _HEAD_BIAS = "model.linear.weight", "model.linear.bias"  # classes: real, fake
_PATCHES = f"{_ENCODER}{_TOWER}embeddings.patch_embedding.weight"
_POSITIONS = f"{_ENCODER}{_TOWER}embeddings.position_embedding.weight"
_LAYERS = f"{_ENCODER}{_TOWER}encoder.layers."
_PERCEPTRON = "{}{}.mlp.fc1.weight"

_BACKBONES = "openai/clip-vit-"
_HEAD_SIZE = 64  # features of an attention head, in all of these backbones
_HEADS = {"linear": False, "LinearNorm": True}  # whether features are scaled to a norm of 1
_MARGIN = 1.3  # side of the crop over the face box, in the paper


def config_of(
    values: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], where: str
) -> Config:
    """Returns what dfjax needs to run a GenD model. It gives no verdicts before it is calibrated.

    Faces are cropped to 1.3 times their box, as the authors do; theirs are found by another
    detector.

    Args:
      values: Contents of the `config.json`.
      shapes: Those of its tensors, by name.
      where: Location of the files, for error messages.

    Raises:
      ModelFormatError: The backbone or the head is another one, or tensors are missing.
      ValueError: The shape is not one of a CLIP vision tower.
    """
    backbone, head = values.get("backbone"), values.get("head")
    if not isinstance(backbone, str) or not backbone.startswith(_BACKBONES):
        raise ModelFormatError(
            f"{where} has the backbone {backbone!r}; one whose name begins with {_BACKBONES!r} is "
            "needed, as in yermandy/GenD_CLIP_L_14."
        )
    if not isinstance(head, str) or head not in _HEADS:
        raise ModelFormatError(
            f"{where} has the head {head!r}; {' or '.join(map(repr, _HEADS))} is needed."
        )
    encoder = _encoder_config(shapes, where)
    return Config(
        video=VideoConfig(num_frames=32, burst_frames=1),
        crops=CropConfig(
            image_size=encoder.image_size, anchor="box", margin=_MARGIN, smoothing=0.0
        ),
        encoder=encoder,
        detector=LinearHeadConfig(normalized=_HEADS[head]),
        calibration=CalibrationConfig(real_below=0.0, fake_above=1.0, caveat=CAVEAT),
    )


def _encoder_config(shapes: Mapping[str, tuple[int, ...]], where: str) -> CLIPConfig:
    """Returns the shape of the tower, from those of its tensors."""
    layers = {name[len(_LAYERS) :].split(".")[0] for name in shapes if name.startswith(_LAYERS)}
    perceptron = _PERCEPTRON.format(_LAYERS, 0)
    ranks = {_PATCHES: 4, _POSITIONS: 2, perceptron: 2, _HEAD_WEIGHT: 2, _HEAD_BIAS: 1}
    missing = [name for name, rank in ranks.items() if len(shapes.get(name, ())) != rank]
    if missing:
        raise ModelFormatError(
            f"{where} lacks {', '.join(missing)}, or they have another rank than in a GenD model. "
            "Download the files again."
        )
    hidden_size, _, _, patch_size = shapes[_PATCHES]
    grid_size = round(max(0, shapes[_POSITIONS][0] - 1) ** 0.5)
    return CLIPConfig(
        image_size=grid_size * patch_size,
        patch_size=patch_size,
        hidden_size=hidden_size,
        num_layers=len(layers),
        num_heads=max(1, hidden_size // _HEAD_SIZE),
        mlp_size=shapes[perceptron][0],
    )


def detector_tensors(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the tensors of a GenD model under the names of a detector's.

    The logit of a fake is the difference between its two classes' logits, so that the sigmoid of
    one is the softmax of the other. CLIP's projection, which the files hold and GenD does not use,
    is left out.

    Args:
      tensors: All tensors of the files, by name.
    """
    found = {}
    for name, tensor in tensors.items():
        if name == _HEAD_WEIGHT:
            found["temporal.frame_head.kernel"] = _fake_minus_real(tensor)[:, None]
        elif name == _HEAD_BIAS:
            found["temporal.frame_head.bias"] = _fake_minus_real(tensor)[None]
        elif not name.startswith(f"{_ENCODER}visual_projection."):
            inner = name.removeprefix(_ENCODER)
            found[f"encoder.{inner}" if inner.startswith(_TOWER) else name] = tensor
    return found


def _fake_minus_real(classes: np.ndarray) -> np.ndarray:
    """Returns the difference between the two rows; other shapes as they are, to be refused."""
    if len(classes) != 2:
        return classes
    return np.asarray(classes[1], np.float32) - np.asarray(classes[0], np.float32)
