"""An export to ONNX: what the files say and compute, without dfjax, in Python and in Node."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import jax
import numpy as np
import onnx
import pytest
from flax import nnx
from PIL import Image

from dfjax.__main__ import main
from dfjax.errors import ExportError
from dfjax.evaluation.run import fingerprint
from dfjax.export import compare
from dfjax.export.describe import mirror_rule
from dfjax.export.onnx_files import ONNX_FILES, check_onnx, export_onnx
from dfjax.faces.mtcnn import load_networks
from dfjax.models.detector import Detector
from dfjax.runtimes.runtime import open_runtime
from dfjax.version import __version__
from tests.conftest import NODE_MODULES
from tests.models.tiny import filled
from tests.tiny import TINY_CONFIG, tiny_detector

PROJECT = Path(__file__).resolve().parents[2]

SIZE, NUM_FRAMES = 32, 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A tiny model, its export in `exported`, and two face crops."""
    folder = tmp_path_factory.mktemp("export")
    tiny_detector().save_pretrained(folder / "model")
    export_onnx(str(folder / "model"), folder / "exported")
    for number, crop in enumerate(_crops(), start=1):
        Image.fromarray(crop).save(folder / f"face{number}.png")
    (folder / "crops.bin").write_bytes(_crops().tobytes())
    return folder


def _crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (NUM_FRAMES, SIZE, SIZE, 3), np.uint8)


def _expected() -> float:
    output = tiny_detector()(_crops()[None], np.ones((1, NUM_FRAMES), bool))
    return float(jax.nn.sigmoid(output.clip_logits)[0])  # the tiny calibration changes nothing


def _readme_block(language: str) -> str:
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(rf"```{language}\n((?:(?!```).)*onnxruntime.*?)```", text, re.DOTALL)
    return block


def test_the_command_writes_the_files_and_says_how_well_they_agree(
    folder, tmp_path, monkeypatch, capsys
):
    arguments = ["export", str(folder / "model"), "--format", "onnx", "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", ["dfjax", *arguments])
    monkeypatch.setenv("COLUMNS", "40")
    assert main() == 0
    assert {path.name for path in tmp_path.iterdir()} == set(ONNX_FILES)
    *files, checked = capsys.readouterr().out.splitlines()[: len(ONNX_FILES) + 1]
    assert [line.split()[1] for line in files] == [str(tmp_path / name) for name in ONNX_FILES]
    assert "Checked in onnx: probabilities differ from those in JAX by up to" in checked


def test_the_files_keep_the_rules_of_onnx(folder):
    for name in ONNX_FILES:
        model = onnx.load(folder / "exported" / name)
        onnx.checker.check_model(model, full_check=True)  # raises
        assert {node.domain for node in model.graph.node} == {""}  # no operators of a vendor


def test_the_file_says_what_it_was_made_of_and_how_to_use_it(folder):
    models = (onnx.load(folder / "exported" / name) for name in ONNX_FILES)
    said, *of_mtcnn = ({each.key: each.value for each in model.metadata_props} for model in models)
    assert of_mtcnn == [{"dfjax_version": said["dfjax_version"]}] * 3
    detector = Detector.from_pretrained(folder / "model")
    assert (said["model"], said["dfjax_version"]) == ("model", __version__)
    assert said["digest"] == fingerprint(nnx.state(detector), detector.config)
    assert json.loads(said["config"]) == detector.config.to_dict()
    assert json.loads(said["id2label"]) == {"0": "real", "1": "fake"}
    assert "positive logit means 'fake'" in said["label_rule"]
    assert "scaled to 32 pixels" in said["crop_rule"] and "2.5 times" in said["crop_rule"]
    assert said["mirror_rule"] == "Crops are shown as they are."


def test_files_are_compared_with_numbers_that_no_device_has_rounded(monkeypatch):
    """TPUs and GPUs do so unless they are asked against it while a function is traced."""
    asked, config = [], cast(Any, jax.config)

    def recorded(run):
        def traced(*args):
            asked.append(config.jax_default_matmul_precision)
            return run(*args)

        return traced

    networks = [SimpleNamespace(__call__=recorded(each.__call__)) for each in load_networks()]
    monkeypatch.setattr(compare, "load_networks", lambda: networks)
    monkeypatch.setattr(Detector, "__call__", recorded(Detector.__call__))
    compare.Reference(tiny_detector())
    assert asked == ["highest"] * 4


def test_the_files_say_which_crops_are_mirrored():
    calibration = dataclasses.replace(TINY_CONFIG.calibration, mirror_bursts=True)
    video = dataclasses.replace(TINY_CONFIG.video, burst_frames=4)
    rule = mirror_rule(dataclasses.replace(TINY_CONFIG, video=video, calibration=calibration))
    assert "bursts of 4" in rule and "every other burst are mirrored" in rule


def test_a_model_made_for_bfloat16_is_compared_in_the_float32_that_its_files_compute_in(tmp_path):
    encoder = dataclasses.replace(TINY_CONFIG.encoder, compute_dtype="bfloat16")
    config = dataclasses.replace(TINY_CONFIG, encoder=encoder)
    filled(lambda rngs: Detector(config, rngs=rngs)).save_pretrained(tmp_path / "model")
    assert max(export_onnx(str(tmp_path / "model"), tmp_path / "exported").values()) < 1e-5


def test_a_file_that_computes_something_else_is_refused(folder, tmp_path):
    for name in ONNX_FILES:
        (tmp_path / name).write_bytes((folder / "exported" / name).read_bytes())
    with pytest.raises(ExportError, match="the ONNX export.*run by onnx, differs from"):
        check_onnx(tiny_detector(seed=1), tmp_path)


@pytest.mark.parametrize(
    "num_clips, shape",
    [(2, (6, 2)), (2, (3, 4)), (2, (12, 1)), (2, (4, 3)), (2, (1, 6)), (1, (2, 6)), (1, (1, 1))],
)
def test_a_mask_that_does_not_fit_the_clips_is_refused(folder, num_clips, shape):
    size = TINY_CONFIG.crops.image_size
    run = open_runtime("onnx").load((folder / "exported" / "detector.onnx").read_bytes())
    with pytest.raises(Exception, match="[Rr]eshape"):
        run(np.zeros((num_clips, 6, size, size, 3), np.uint8), np.ones(shape, bool))


def test_an_export_over_a_folder_of_the_same_name_names_that(folder, tmp_path):
    (tmp_path / "detector.onnx").mkdir()
    with pytest.raises(IsADirectoryError, match="'.*/detector.onnx'"):
        export_onnx(str(folder / "model"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["detector.onnx"]


def test_what_the_readme_shows_for_python_runs_without_dfjax(folder):
    block = _readme_block("python")
    assert len([line for line in block.splitlines() if line]) <= 10
    code = f"import sys\nsys.modules['dfjax'] = None\n{block}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(_expected(), abs=1e-5)


@pytest.mark.node
def test_what_the_readme_shows_for_node_gives_the_same(folder):
    code = (
        f"{_readme_block('js')}\n"
        "const pixels = new Uint8Array(require('fs').readFileSync('crops.bin'));\n"
        f"score(pixels, {NUM_FRAMES}, {SIZE}).then((found) => console.log(found));"
    )
    done = subprocess.run(
        ["node", "-e", code],
        cwd=folder,
        env={**os.environ, "NODE_PATH": str(NODE_MODULES)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(_expected(), abs=1e-5)
