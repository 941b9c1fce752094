"""The published files: nothing is lost in them, and no half or foreign model loads."""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.core import Tracer
from safetensors.numpy import load_file, save_file

from dfjax.config import Config, DetectorConfig
from dfjax.errors import ModelFormatError
from dfjax.models import model_files
from dfjax.models.detector import Detector
from dfjax.models.encoders import ResNet, load_encoder
from dfjax.models.temporal import TemporalModel
from dfjax.predictor import Predictor
from tests.models.tiny import MODEL_CONFIG, assert_same_weights, make_detector

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
NORM = "encoder.resnet.embedder.embedder.normalization.weight"
KERNEL = "encoder.resnet.embedder.embedder.convolution.weight"


@pytest.fixture
def copied(saved, tmp_path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copied"))


def edit(file: Path, **changes) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize("max_shard_size", ["1GB", "10KB"])
def test_a_saved_model_loads_with_the_same_weights_and_config(detector, tmp_path, max_shard_size):
    detector.save_pretrained(tmp_path, max_shard_size=max_shard_size)
    loaded = Detector.from_pretrained(tmp_path)
    assert loaded.config == MODEL_CONFIG
    assert_same_weights(loaded, detector)


def test_a_loaded_model_gives_bit_identical_logits(detector, saved):
    rng = np.random.default_rng(0)
    clips = rng.integers(0, 256, size=(2, 3, 32, 32, 3), dtype=np.uint8)
    frame_mask = np.array([[True, True, True], [True, False, True]])
    graph, state = nnx.split(detector)
    loaded_graph, loaded_state = nnx.split(Detector.from_pretrained(saved))
    assert loaded_graph == graph
    run = jax.jit(lambda state: nnx.merge(graph, state)(clips, frame_mask))
    jax.tree.map(np.testing.assert_array_equal, run(loaded_state), run(state))


def test_the_same_model_is_saved_as_the_same_bytes(detector, saved, tmp_path):
    detector.save_pretrained(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {file.name for file in saved.iterdir()}
    for file in saved.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()


def test_shards_are_named_and_indexed_as_on_the_hub(detector, saved, tmp_path):
    detector.save_pretrained(tmp_path, max_shard_size="10KB")
    shards = sorted(file.name for file in tmp_path.glob("*.safetensors"))
    total = len(shards)
    assert total > 1
    assert shards == [f"model-{i + 1:05d}-of-{total:05d}.safetensors" for i in range(total)]
    index = json.loads((tmp_path / INDEX).read_text())
    assert index["weight_map"].keys() == load_file(saved / SINGLE).keys()
    for name, shard in index["weight_map"].items():
        assert name in load_file(tmp_path / shard)


def test_everybody_may_read_the_files(saved):
    os.umask(umask := os.umask(0))
    assert {file.stat().st_mode & 0o777 for file in saved.iterdir()} == {0o666 & ~umask}


def test_config_json_says_everything_that_inference_needs(saved):
    values = json.loads((saved / "config.json").read_text())
    assert values["schema_version"] == 2 and values["dfjax_version"]
    assert values["architectures"] == ["dfjax.Detector"] and values["model_type"] == "dfjax"
    assert values["id2label"] == {"0": "real", "1": "fake"}
    assert values["label2id"] == {"real": 0, "fake": 1}
    for field in dataclasses.fields(Config):
        assert field.name in values


def test_a_model_of_the_first_layout_still_loads(copied):
    values = json.loads((copied / "config.json").read_text())
    encoder = values["encoder"]
    values["normalization"] = encoder.pop("normalization")
    assert encoder.pop("type") == "resnet"
    (copied / "config.json").write_text(json.dumps({**values, "schema_version": 1}))
    assert Detector.from_pretrained(copied).config == MODEL_CONFIG


@pytest.mark.parametrize(
    "text",
    [
        '{"model_type": ' + "[" * 100_000,
        '{"a": 1' + ', "b": ' + "{" * 3 + "}" * 2,
        '{"a": ' + "1" * 5000 + "}",
    ],
)
def test_json_that_is_cut_off_or_without_end_is_refused_in_words(copied, text):
    (copied / "config.json").write_text(text)
    with pytest.raises(ModelFormatError, match="is not valid JSON"):
        Detector.from_pretrained(copied)


def test_a_number_that_no_float_holds_is_refused_in_words(copied):
    text = (copied / "config.json").read_text()
    assert '"bias": -0.2' in text
    (copied / "config.json").write_text(text.replace('"bias": -0.2', f'"bias": 1{"0" * 400}'))
    with pytest.raises(ModelFormatError, match="calibration.bias is too large"):
        Detector.from_pretrained(copied)


def test_transformers_reads_the_preprocessor_and_prepares_a_crop_as_the_model_does(saved):
    from transformers import AutoImageProcessor

    processor = AutoImageProcessor.from_pretrained(saved)
    crop = np.random.default_rng(0).integers(0, 256, size=(32, 32, 3), dtype=np.uint8)
    prepared = processor(images=crop, return_tensors="np")["pixel_values"][0]
    mean, std = dataclasses.astuple(MODEL_CONFIG.encoder.normalization)
    expected = (crop / 255 - np.array(mean)[None, None]) / np.array(std)[None, None]
    np.testing.assert_allclose(prepared.transpose(1, 2, 0), expected, atol=1e-5)
    photograph = np.zeros((50, 70, 3), np.uint8)
    assert processor(images=photograph, return_tensors="np")["pixel_values"].shape[2:] == (32, 32)


def test_what_float16_holds_exactly_is_stored_so_and_the_rest_is_not_rounded(tmp_path):
    detector = make_detector()
    assert isinstance(detector.encoder, ResNet)
    kernel = detector.encoder.embedder.kernel
    kernel[...] = kernel[...].astype(jnp.float16).astype(jnp.float32)
    detector.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / SINGLE)
    assert tensors[KERNEL].dtype == np.float16
    half = {name for name, tensor in tensors.items() if tensor.dtype != np.float32}
    assert half == {KERNEL}
    assert_same_weights(Detector.from_pretrained(tmp_path), detector)


@pytest.mark.parametrize(("dtype", "error"), [("float16", 1e-3), ("bfloat16", 8e-3)])
def test_a_half_precision_model_loads_into_float32(detector, tmp_path, dtype, error):
    detector.save_pretrained(tmp_path, dtype=dtype)
    for name, tensor in load_file(tmp_path / SINGLE).items():
        assert tensor.dtype == (dtype if tensor.ndim > 1 else "float32"), name
    loaded, expected = nnx.state(Detector.from_pretrained(tmp_path)), nnx.state(detector)
    assert {leaf.dtype for leaf in jax.tree.leaves(loaded)} == {jnp.dtype(jnp.float32)}
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=error, atol=1e-6), loaded, expected
    )


def test_a_value_too_large_for_float16_is_refused(tmp_path):
    detector = make_detector()
    assert isinstance(detector.temporal, TemporalModel)
    detector.temporal.projection.kernel[...] = jnp.full((32, 8), 1e5)
    with pytest.raises(ValueError, match="temporal.projection.kernel.* 100000, too large"):
        detector.save_pretrained(tmp_path, dtype="float16")
    detector.save_pretrained(tmp_path)  # "auto" keeps it in float32
    assert_same_weights(Detector.from_pretrained(tmp_path), detector)


def test_a_model_with_nan_is_refused_and_the_one_before_is_left(detector, copied):
    broken = make_detector()
    assert isinstance(broken.temporal, TemporalModel)
    broken.temporal.correction_head.kernel[...] = jnp.full((12, 1), jnp.nan)
    with pytest.raises(ValueError, match="temporal.correction_head.kernel.*not finite"):
        broken.save_pretrained(copied)
    assert_same_weights(Detector.from_pretrained(copied), detector)


def test_an_unknown_dtype_is_refused(detector, tmp_path):
    with pytest.raises(ValueError, match="'int8'; one of auto, float32"):
        detector.save_pretrained(tmp_path, dtype="int8")


def test_saving_again_leaves_nothing_of_the_old_model_and_keeps_other_files(tmp_path):
    make_detector().save_pretrained(tmp_path, max_shard_size="10KB")
    (tmp_path / "README.md").write_text("model card")
    other = make_detector(seed=1)
    other.save_pretrained(tmp_path)
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {"README.md", "config.json", "preprocessor_config.json", SINGLE}
    assert_same_weights(Detector.from_pretrained(tmp_path), other)


@pytest.mark.parametrize("num_renames", [0, 1, 2, 3, 4])
def test_a_crash_while_saving_never_leaves_a_mixture_that_loads(monkeypatch, tmp_path, num_renames):
    make_detector().save_pretrained(tmp_path, max_shard_size="15KB")
    left, replace = [None] * num_renames, Path.replace

    def failing(self, target):
        if not left:
            raise OSError("no space left on device")
        left.pop()
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OSError, match="no space"):
        make_detector(seed=1).save_pretrained(tmp_path, max_shard_size="15KB")
    with pytest.raises(ModelFormatError, match="config.json"):
        Detector.from_pretrained(tmp_path)


def test_loading_draws_no_initial_weights(monkeypatch, saved):
    def normal(key, shape, dtype):
        assert isinstance(key, Tracer), "weights were drawn that are not used"
        return jnp.zeros(shape, dtype)

    monkeypatch.setattr(jax.random, "normal", normal)
    Detector.from_pretrained(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id2label": {"0": "fake", "1": "real"}}, "id2label.*'0': 'fake'.*a positive logit means"),
        ({"label2id": {"fake": 0, "real": 1}}, "label2id.*a positive logit means fake"),
        ({"id2label": None}, "id2label None"),
        ({"schema_version": 3}, "schema_version 3.*reads 1 to 2. Upgrade dfjax"),
        ({"schema_version": True}, "schema_version True"),
        ({"schema_version": None}, "schema_version None"),
        ({"model_type": "resnet"}, "model_type 'resnet'; 'dfjax' is needed"),
        ({"heads": 3}, "unknown fields heads"),
        ({"crops": {"margin": -1}}, "CropConfig.margin is -1"),
        ({"video": {"num_frames": "many"}}, "config.video.num_frames is 'many'"),
        ({"detector": {"type": []}}, r"the detector's type is \[\]"),
        ({"detector": {"hidden_size": 1 << 62}}, "DetectorConfig.hidden_size is 4,.* 65,536"),
        ({"encoder": {"type": "resnet", "embedding_size": 0}}, "ResNetConfig.embedding_size is 0"),
        ({"encoder": {"type": "resnet", "depths": [0, 1, 1, 1]}}, r"depths is \(0, .* at least 1"),
        ({"encoder": {"type": "resnet", "depths": [10**6, 1, 1, 1]}}, "their sum at most 200"),
        ({"encoder": {"type": "resnet", "widths": [4, 4, 4, 1 << 20]}}, "at most 65,536"),
        ({"encoder": {"type": "clip", "num_layers": 10**6}}, "CLIPConfig.num_layers is 1,000,000"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_config_that_does_not_fit_is_refused(copied, changes, message):
    edit(copied / "config.json", **changes)
    with pytest.raises(ModelFormatError, match=message):
        Detector.from_pretrained(copied)


def test_a_config_of_another_shape_than_the_tensors_is_refused(copied):
    values = json.loads((copied / "config.json").read_text())
    edit(copied / "config.json", detector=values["detector"] | {"projection_size": 9})
    needed = r"temporal.projection.kernel \(found \[32, 8\], needed \[32, 9\]\)"
    with pytest.raises(ModelFormatError, match=needed):
        Detector.from_pretrained(copied)


@pytest.mark.parametrize("runtime", ["jax", "onnx"])
def test_tensors_that_a_config_promises_do_not_fill_the_memory(copied, runtime):
    values = json.loads((copied / "config.json").read_text())
    widths = [65_536 for _ in values["encoder"]["widths"]]  # gigabytes for each block
    edit(copied / "config.json", encoder=values["encoder"] | {"widths": widths})
    with pytest.raises(ModelFormatError, match="of the wrong shape.*needed .16384, 16384"):
        Predictor.from_pretrained(copied, runtime=runtime)


def test_every_missing_and_unknown_tensor_is_named(copied):
    tensors = load_file(copied / SINGLE)
    tensors["extra"] = tensors.pop(KERNEL)
    del tensors[NORM]
    save_file(tensors, copied / SINGLE)
    with pytest.raises(ModelFormatError, match=f"missing: {KERNEL}, {NORM}; unknown: extra"):
        Detector.from_pretrained(copied)


def damage(folder: Path, how: str) -> None:
    file = folder / SINGLE
    match how:
        case "cut short":
            file.write_bytes(file.read_bytes()[:-100])
        case "not safetensors":
            file.write_bytes(b"\x80\x04K\x01.")  # a pickle
        case "gone":
            file.unlink()
        case "no config":
            (folder / "config.json").unlink()
        case "config is no JSON":
            (folder / "config.json").write_text("{")
        case "config is a list":
            (folder / "config.json").write_text("[]")
        case "config is binary":
            (folder / "config.json").write_bytes(b"\xff\xfe")
        case "a type that numpy lacks":
            header = b'{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}'
            file.write_bytes(len(header).to_bytes(8, "little") + header + b"1")
        case "two models":
            (folder / INDEX).write_text("{}")
        case "weights are a folder":
            file.unlink()
            file.mkdir()
        case "config is a folder":
            (folder / "config.json").unlink()
            (folder / "config.json").mkdir()
        case "evidence without figures":
            values = json.loads((folder / "config.json").read_text())
            values["calibration"]["evidence"] = {}
            (folder / "config.json").write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("cut short", "model.safetensors is damaged"),
        ("not safetensors", "model.safetensors is damaged or not a safetensors file"),
        ("gone", "has no model.safetensors"),
        ("no config", "has no config.json.*complete folder"),
        ("config is no JSON", "is not valid JSON"),
        ("config is a list", "contains a list"),
        ("config is binary", "is not valid JSON"),
        ("a type that numpy lacks", "has tensors of a type that numpy lacks"),
        ("two models", "has both"),
        ("weights are a folder", "model.safetensors cannot be read: it is a folder"),
        ("config is a folder", "config.json cannot be read: it is a folder"),
        ("evidence without figures", r"calibration.evidence lacks burst_noise, "),
    ],
)
def test_a_damaged_folder_is_refused(copied, how, message):
    damage(copied, how)
    with pytest.raises(ModelFormatError, match=message):
        Detector.from_pretrained(copied)


def test_a_file_that_may_not_be_read_is_not_called_missing(copied, monkeypatch):
    def refuses(path):  # as safetensors does of a file without the right to read it
        raise FileNotFoundError("No such file or directory")

    monkeypatch.setattr(model_files, "load_file", refuses)
    with pytest.raises(ModelFormatError, match="model.safetensors cannot be read"):
        Detector.from_pretrained(copied)


@pytest.mark.parametrize(
    ("weight_map", "message"),
    [
        (None, "has no weight_map"),
        ({"a": "../model.safetensors"}, "names '../model.safetensors'"),
        ({"a": "weights.bin"}, "names 'weights.bin'"),
        ({"a": "model-00001-of-00002.safetensors"}, "has no model-00001-of-00002.safetensors"),
        ({"a": "model-00001-of-00001.safetensors"}, "differ in: a, encoder"),
    ],
)
def test_an_index_that_does_not_fit_is_refused(copied, weight_map, message):
    (copied / SINGLE).rename(copied / "model-00001-of-00001.safetensors")
    (copied / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(ModelFormatError, match=message):
        Detector.from_pretrained(copied)


@pytest.mark.real_clips
def test_a_frozen_resnet_50_is_saved_byte_for_byte_as_its_source(real_clips, tmp_path):
    folder = real_clips / "weights" / "resnet-50"
    source = load_file(folder / SINGLE)
    encoder = load_encoder(folder)
    config = Config(detector=DetectorConfig(projection_size=8, hidden_size=6))
    Detector(config, rngs=nnx.Rngs(0), encoder=encoder).save_pretrained(tmp_path)
    stored = {}
    for file in tmp_path.glob("model-*.safetensors"):
        assert file.stat().st_size < 16.1e6
        stored |= load_file(file)
    published = {name.removeprefix("encoder."): tensor for name, tensor in stored.items()
                 if name.startswith("encoder.")}  # fmt: skip
    assert len(published) == 53 * 5
    for name, tensor in published.items():
        assert tensor.dtype == source[name].dtype, name
        assert tensor.tobytes() == source[name].tobytes(), name


def test_what_a_killed_save_left_is_removed_by_the_next(detector, tmp_path):
    (tmp_path / ".saving-abc").mkdir()
    (tmp_path / ".saving-abc" / "model.safetensors").write_bytes(b"half")
    detector.save_pretrained(tmp_path)
    assert not list(tmp_path.glob(".saving-*"))
