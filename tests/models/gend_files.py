"""Tiny, random files in the layout of `yermandy/GenD_CLIP_L_14`."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from dfjax.encoder_config import CLIPConfig
from dfjax.models.encoders import CLIP
from dfjax.models.tensors import to_tensors
from tests.models.tiny import filled

ENCODER = CLIPConfig(
    image_size=32, patch_size=8, hidden_size=64, num_layers=1, num_heads=1, mlp_size=32
)

CONFIG = {
    "architectures": ["GenD"],
    "backbone": "openai/clip-vit-large-patch14",
    "dtype": "float32",
    "head": "LinearNorm",
    "model_type": "GenD",
    "transformers_version": "4.56.2",
}


def write_gend(folder: Path, *, direction: np.ndarray | None = None, **changes: str) -> Path:
    """Writes a GenD model whose tower is `ENCODER`; returns its folder.

    Args:
      folder: Where to.
      direction: float [64], in which fakes lie; None: a random one.
      **changes: Of the config.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    tower = to_tensors(filled(lambda rngs: CLIP(ENCODER, rngs=rngs)), CLIP.published)
    tensors = {f"feature_extractor.{name}": tensor for name, tensor in tower.items()}
    tensors["feature_extractor.visual_projection.weight"] = np.zeros((8, 64), np.float32)
    tensors["model.linear.weight"] = 4 * rng.normal(size=(2, 64)).astype(np.float32)
    tensors["model.linear.bias"] = rng.normal(size=2).astype(np.float32)
    if direction is not None:
        tensors["model.linear.weight"] = np.stack([-direction, direction]).astype(np.float32)
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    return folder
