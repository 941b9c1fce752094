"""An export to StableHLO: what JAX reads back computes the same, whatever is padded."""

import json
from pathlib import Path

import numpy as np
import pytest
from jax import export

from dfjax.export.stablehlo_files import PLATFORMS, STABLEHLO_FILES, export_stablehlo
from tests.tiny import tiny_detector


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stablehlo")
    tiny_detector().save_pretrained(folder / "model")
    export_stablehlo(str(folder / "model"), folder / "exported", name="owner/tiny")
    return folder / "exported"


def test_all_files_are_there_and_one_says_what_the_others_are(folder):
    assert {path.name for path in folder.iterdir()} == set(STABLEHLO_FILES)
    said = json.loads((folder / "detector.json").read_text())
    assert said["model"] == "owner/tiny"
    assert json.loads(said["config"]) == tiny_detector().config.to_dict()


def test_it_runs_on_all_platforms_for_any_number_of_clips_and_frames(folder):
    exported = export.deserialize(bytearray((folder / "detector.stablehlo").read_bytes()))
    assert set(exported.platforms) == set(PLATFORMS) == {"cpu", "cuda", "tpu"}
    clips = np.random.default_rng(3).integers(0, 256, (3, 4, 32, 32, 3), np.uint8)
    frame_mask = np.array([[True] * 4, [True, False, True, False], [False, True, False, False]])
    expected = tiny_detector()(clips, frame_mask)
    _, _, frame_logits, clip_logits = exported.call(clips, frame_mask)
    np.testing.assert_allclose(frame_logits, expected.frame_logits, atol=1e-5)
    np.testing.assert_allclose(clip_logits, expected.clip_logits, atol=1e-5)
