import dataclasses
import json

import pytest

from dfjax.json_values import to_json_value
from dfjax.train_config import AugmentConfig, BlendConfig, TrainConfig


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("learning_rate", 0.0),
        ("self_blended", 1.5),
        ("ema_decay", 1.0),
        ("trained_stages", -1),
        ("max_false_positive_rate", 5),
        ("max_false_positive_rate", 0.0),
        ("max_false_negative_rate", 1.0),
        ("seed", -1),
    ],
)
def test_values_out_of_range_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        TrainConfig(**{field: value})


@pytest.mark.parametrize(
    ("train", "field", "value"),
    [
        ("norms", "trained_stages", 3),
        ("norms", "layer_decay", 0.9),
        ("stages", "alignment_weight", 1.0),
    ],
)
def test_what_would_do_nothing_is_refused(train, field, value):
    with pytest.raises(ValueError, match=f"{field} is {value}, which does nothing"):
        TrainConfig(**{"train": train, field: value})


def test_a_step_without_pairs_is_refused():
    with pytest.raises(ValueError, match="something to learn from"):
        TrainConfig(pairs=0, still_pairs=0)


def test_pairs_that_cannot_be_split_into_parts_are_refused_with_a_number_that_can():
    with pytest.raises(ValueError, match="multiple of 3"):
        TrainConfig(pairs=8, accumulation=3)


@pytest.mark.parametrize(
    ("config", "field", "value"),
    [
        (BlendConfig, "drifting", -0.1),
        (BlendConfig, "partial_share", (0.8, 0.2)),
        (AugmentConfig, "jpeg", 2.0),
        (AugmentConfig, "jpeg_quality", (0.0, 50.0)),
        (AugmentConfig, "max_zoom", 0.5),
    ],
)
def test_ranges_of_what_is_drawn_are_refused_by_name(config, field, value):
    with pytest.raises(ValueError, match=field):
        config(**{field: value})


def test_a_run_is_recorded_with_every_field():
    values = json.loads(json.dumps(to_json_value(TrainConfig())))
    assert values["blend"].keys() == {field.name for field in dataclasses.fields(BlendConfig)}
    assert values["augment"].keys() == {field.name for field in dataclasses.fields(AugmentConfig)}


@pytest.mark.parametrize(
    "values",
    [
        {"learning_rate": float("nan")},
        {"weight_decay": float("inf")},
        {"publish": "worst"},
        {"compute_dtype": "float16"},
    ],
)
def test_what_is_no_number_or_no_word_that_is_offered_is_refused_by_name(values):
    (field,) = values
    with pytest.raises(ValueError, match=f"TrainConfig.{field}"):
        TrainConfig(**values)
