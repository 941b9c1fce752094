#!/bin/sh
# transformers saves CLIP's vision tower under other tensor names with its projection than without.
#
# One would guess: files whose config.json has the same model_type hold the same tower under the same
# names, so that a reader of one reads the other.
# What happens: CLIPVisionModel writes "embeddings.class_embedding", CLIPVisionModelWithProjection
# "vision_model.embeddings.class_embedding", both with the model_type "clip_vision_model". Only
# "architectures" tells them apart. transformers itself renames while it reads, so either class
# reads either file; whoever reads the safetensors without it has to know both.
# Version: transformers 5.24.0 with torch 2.13.0. Source: models/clip/modeling_clip.py, where the
# tower itself is what CLIPVisionModel is, and an attribute `vision_model` of the other class.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  --extra-index-url https://download.pytorch.org/whl/cpu "torch==2.13.0" "transformers==5.24.0"
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors import safe_open
from transformers import CLIPVisionConfig, CLIPVisionModel, CLIPVisionModelWithProjection

print("transformers", transformers.__version__, "torch", torch.__version__)
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
config = CLIPVisionConfig(
    hidden_size=8,
    intermediate_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    image_size=8,
    patch_size=4,
    projection_dim=4,
)
first = {}
for kind in (CLIPVisionModel, CLIPVisionModelWithProjection):
    saved = Path(sys.argv[1]) / kind.__name__
    kind(config).save_pretrained(saved)
    values = json.loads((saved / "config.json").read_text())
    with safe_open(saved / "model.safetensors", "pt") as tensors:
        first[kind] = min(tensors.keys())
    print(values["model_type"], values["architectures"], first[kind])
    assert values["model_type"] == "clip_vision_model"
    _, info = CLIPVisionModel.from_pretrained(saved, output_loading_info=True)
    assert not info["missing_keys"]
assert first[CLIPVisionModel] == "embeddings.class_embedding"
assert first[CLIPVisionModelWithProjection] == "vision_model.embeddings.class_embedding"
PYTHON
