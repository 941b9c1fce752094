"""The config: its way to config.json and back, and what it refuses."""

import dataclasses
import json
import math

import pytest

from dfjax.config import CalibrationConfig, Config, CropConfig, VideoConfig
from dfjax.encoder_config import ResNetConfig
from dfjax.json_values import dumps

CHANGED = Config(
    video=VideoConfig(num_frames=7),
    crops=CropConfig(margin=1.5),
    encoder=ResNetConfig(depths=(1, 2), widths=(16, 32), compute_dtype="bfloat16"),
    calibration=CalibrationConfig(scale=2.0, false_positive_rate=0.05),
)


@pytest.mark.parametrize("config", [Config(), CHANGED], ids=["default", "changed"])
def test_a_config_goes_through_json_unchanged(config):
    assert Config.from_dict(json.loads(dumps(config.to_dict()))) == config


def test_a_config_read_from_json_can_be_hashed():
    assert hash(Config.from_dict(json.loads(dumps(CHANGED.to_dict())))) == hash(CHANGED)


def test_fields_that_are_absent_take_their_defaults():
    config = Config.from_dict({"crops": {"anchor": "landmarks", "margin": 1.5}})
    assert config == dataclasses.replace(Config(), crops=CropConfig(margin=1.5))


def test_crops_that_name_no_anchor_are_those_of_an_older_model_around_the_box():
    assert Config.from_dict({"crops": {"margin": 1.3}}).crops.anchor == "box"
    with pytest.raises(ValueError, match="'box' was expected"):
        Config.from_dict({"crops": {"anchor": "nose"}})


def test_a_whole_number_is_taken_for_a_float():
    margin = Config.from_dict({"crops": {"margin": 2}}).crops.margin
    assert margin == 2.0 and isinstance(margin, float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"colour": 1}, "config has unknown fields colour; known are video"),
        ({"crops": {"size": 1}}, "config.crops has unknown fields size; known are image_size"),
        ({"crops": 224}, "config.crops is 224; an object was expected"),
        ({"crops": {"image_size": 224.0}}, "config.crops.image_size is 224.0; int was expected"),
        ({"crops": {"image_size": True}}, "config.crops.image_size is True; int was expected"),
        ({"crops": {"margin": "wide"}}, "config.crops.margin is 'wide'; float was expected"),
        ({"crops": {"margin": True}}, "config.crops.margin is True; float was expected"),
        ({"crops": {"margin": None}}, "config.crops.margin is None; float was expected"),
        ({"detector": {"bidirectional": 1}}, "config.detector.bidirectional is 1; bool was"),
        (
            {"encoder": {"type": "resnet", "depths": 3}},
            "config.encoder.depths is 3; a list was expected",
        ),
        (
            {"encoder": {"type": "resnet", "depths": [3, "4"]}},
            r"config.encoder.depths\[1\] is '4'; int was",
        ),
        (
            {"encoder": {"type": "resnet", "normalization": {"mean": [0.5, 0.5]}}},
            "config.encoder.normalization.mean has 2 entries; 3",
        ),
        ({"encoder": {"depths": [3]}}, "encoder's type is None; known are .*resnet"),
        ({"encoder": {"type": "transformer"}}, "encoder's type is 'transformer'; known are"),
        ({"calibration": {"false_positive_rate": "low"}}, "false_positive_rate is 'low'; float"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_unknown_field_or_a_value_of_another_type_is_refused_by_name(values, message):
    with pytest.raises(ValueError, match=message):
        Config.from_dict(values)


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("video", "num_frames", 0),
        ("video", "num_frames", 10**9),
        ("video", "max_frame_pixels", 10**12),
        ("faces", "image_size", 10**6),
        ("tracks", "max_tracks", 10**6),
        ("crops", "image_size", 10**6),
        ("faces", "min_face_size", 11),
        ("faces", "pyramid_factor", 0.99),
        ("faces", "thresholds", [0.5, 0.5, 1.0]),
        ("tracks", "min_overlap", 1.0),
        ("tracks", "max_size_ratio", 0.5),
        ("tracks", "max_gap", -1),
        ("tracks", "max_tracks", 0),
        ("crops", "image_size", 8),
        ("crops", "margin", 0.0),
        ("crops", "smoothing", -0.1),
        ("detector", "hidden_size", 0),
        ("detector", "dropout", 1.0),
        ("calibration", "scale", 0.0),
        ("calibration", "frame_scale", -1.0),
        ("calibration", "real_below", 0.9),
        ("calibration", "fake_above", 1.1),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(section, field, value):
    with pytest.raises(ValueError, match=field):
        Config.from_dict({section: {field: value}})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("widths", [16, 32, 64, 10]),
        ("depths", []),
        ("compute_dtype", "float16"),
        ("normalization", {"std": [0.2, 0.0, 0.2]}),
    ],
)
def test_a_value_of_the_encoder_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match="std" if field == "normalization" else field):
        Config.from_dict({"encoder": {"type": "resnet", field: value}})


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("values", "field"),
    [
        (lambda x: {"calibration": {"bias": x}}, "CalibrationConfig.bias"),
        (lambda x: {"calibration": {"frame_bias": x}}, "CalibrationConfig.frame_bias"),
        (lambda x: {"calibration": {"false_positive_rate": x}}, "false_positive_rate"),
        (lambda x: {"crops": {"margin": x}}, "CropConfig.margin"),
        (lambda x: {"faces": {"thresholds": [0.5, x, 0.5]}}, "FaceConfig.thresholds"),
        (
            lambda x: {"encoder": {"type": "resnet", "normalization": {"mean": [x, 0.5, 0.5]}}},
            "NormalizationConfig.mean",
        ),
        (
            lambda x: {
                "calibration": {"operating_points": [{"false_positive_rate": 0.1, "fake_above": x}]}
            },
            "OperatingPoint.fake_above",
        ),
    ],
)
def test_a_number_that_is_not_finite_is_refused_by_name(values, field, number):
    with pytest.raises(ValueError, match=field):
        Config.from_dict(values(number))


def test_a_model_whose_crops_would_fill_the_memory_is_refused():
    Config.from_dict({"video": {"num_frames": 1024}, "crops": {"image_size": 224}})
    with pytest.raises(ValueError, match="1024 frames with 8 faces each.* bytes; at most"):
        Config.from_dict({"video": {"num_frames": 1024}, "crops": {"image_size": 512}})


def test_limits_that_older_models_carry_are_left_out_and_other_unknown_fields_are_not():
    older = {"video": {"num_frames": 7, "max_file_bytes": 10**15, "max_decode_seconds": 1e9}}
    assert Config.from_dict(older) == Config(video=VideoConfig(num_frames=7))
    with pytest.raises(ValueError, match="unknown fields max_hours"):
        Config.from_dict({"video": {"max_hours": 1}})


def test_json_that_no_other_program_could_read_is_not_written():
    with pytest.raises(ValueError, match="JSON"):
        dumps({"scale": float("nan")})
