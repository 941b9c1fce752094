"""Files of a tiny CLIP with random weights, as published: both halves, and names with a prefix."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from dfjax.encoder_config import CLIPConfig
from dfjax.models.encoders import CLIP
from dfjax.models.tensors import to_tensors
from tests.models.tiny import filled

OTHERS = {
    "text_model.final_layer_norm.bias": np.zeros(3, np.float32),
    "visual_projection.weight": np.zeros((7, 24), np.float32),
    "logit_scale": np.zeros((), np.float32),
    "vision_model.embeddings.position_ids": np.zeros((1, 17), np.int64),
}
"""Tensors that no encoder needs."""


def write_clip(folder: Path, shape: CLIPConfig) -> Path:
    """Writes the files; returns their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    vision = {
        "image_size": shape.image_size,
        "patch_size": shape.patch_size,
        "hidden_size": shape.hidden_size,
        "num_hidden_layers": shape.num_layers,
        "num_attention_heads": shape.num_heads,
        "intermediate_size": shape.mlp_size,
        "projection_dim": 7,
    }
    values = {"model_type": "clip", "vision_config": vision}
    (folder / "config.json").write_text(json.dumps(values))
    tower = to_tensors(filled(lambda rngs: CLIP(shape, rngs=rngs)), CLIP.published)
    save_file(tower | OTHERS, folder / "model.safetensors")
    return folder
