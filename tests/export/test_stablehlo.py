"""An export to StableHLO: what JAX reads back computes the same, whatever is padded."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from jax import export

from dfjax.errors import ExportError
from dfjax.export.compare import Reference
from dfjax.export.stablehlo_files import PLATFORMS, STABLEHLO_FILES, export_stablehlo
from tests.models.gend_files import write_gend
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


def test_no_device_is_left_to_round_what_the_files_compute(folder):
    """TPUs and GPUs would; on a CPU, only what the files ask for can be seen."""
    for name in STABLEHLO_FILES[:-1]:
        module = export.deserialize(bytearray((folder / name).read_bytes())).mlir_module()
        products = re.findall(r"stablehlo\.(?:convolution|dot_general).*", module)
        assert products and all(line.count("HIGHEST") == 2 for line in products)


def test_a_vision_transformer_is_written_as_well_for_any_number_of_clips(tmp_path):
    found = export_stablehlo(str(write_gend(tmp_path / "gend")), tmp_path / "exported")
    assert found["stablehlo"] < 1e-5


@pytest.mark.parametrize("how", ["differs", "is interrupted"])
def test_an_export_that_is_not_finished_leaves_the_one_before_as_it_was(
    folder, tmp_path, monkeypatch, how
):
    shutil.copytree(folder, tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    tiny_detector(seed=1).save_pretrained(tmp_path / "other")

    def fails(*given):
        raise KeyboardInterrupt if how == "is interrupted" else ExportError("It differs.")

    monkeypatch.setattr(Reference, "compare", fails)
    with pytest.raises((KeyboardInterrupt, ExportError)):
        export_stablehlo(str(tmp_path / "other"), tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
