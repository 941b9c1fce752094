"""The model card: every figure is the checkpoint's own, and the Hub can read it."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import pytest
from huggingface_hub import ModelCard

from dfjax.config import CalibrationConfig, Config
from dfjax.errors import ModelFormatError
from dfjax.hub.card import model_card

CONFIG = dataclasses.replace(
    Config(), calibration=CalibrationConfig(real_below=0.2345, fake_above=0.8321)
)


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif path != ("command",):  # it would show paths of the machine that trained
        yield path, value


def parent_of(training: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    for key in path[:-1]:
        training = training[key]
    return training


def test_every_recorded_figure_is_in_the_card(training: dict[str, Any]):
    text = ModelCard(model_card(CONFIG, training=training)).text
    fractions = "validation"
    for path, value in leaves(training):
        for figure in value if isinstance(value, list) else [value]:
            if path == ("seconds",):
                shown = f"{figure:.0f}"
            elif path[0] == fractions and isinstance(figure, float):
                shown = f"{figure:.3f}"
            else:
                shown = str(figure)
            assert shown in text, path
    assert "0.234" in text and "0.832" in text  # the thresholds of the config


def test_changed_figures_change_the_card(training: dict[str, Any]):
    before = model_card(CONFIG, training=training)
    for path, value in leaves(training):
        if isinstance(value, int | float):
            parent = parent_of(training, path)
            parent[path[-1]] = value + 1
            assert model_card(CONFIG, training=training) != before, path
            parent[path[-1]] = value


def test_the_hub_reads_the_front_matter(training: dict[str, Any]):
    data = ModelCard(model_card(CONFIG, training=training)).data
    assert data["license"] == "cc-by-nc-4.0"
    assert data["library_name"] == "dfjax"
    assert data["pipeline_tag"] == "video-classification"
    assert data["tags"]
    (result,) = data["eval_results"]
    assert result.metric_value == training["validation"]["auc"]
    assert result.dataset_split == "validation"


def test_a_missing_figure_is_named(training: dict[str, Any]):
    for path, value in list(leaves(training)):
        if path[:2] == ("data", "skipped") or path[0] in ("train_config", "versions"):
            continue  # these hold whatever was recorded
        parent = parent_of(training, path)
        del parent[path[-1]]
        with pytest.raises(ModelFormatError, match=f"no `{'.'.join(path)}`"):
            model_card(CONFIG, training=training)
        parent[path[-1]] = value


@pytest.mark.parametrize("value", [math.nan, math.inf, "0.7", True, [0.5, 0.6]])
def test_a_figure_that_is_not_a_finite_number_is_refused(training: dict[str, Any], value: Any):
    training["validation"]["auc"] = value
    with pytest.raises(ModelFormatError, match="validation.auc.*finite number"):
        model_card(CONFIG, training=training)


@pytest.mark.parametrize("value", [0.5, [0.5], [0.5, math.nan], [0.1, 0.5, 0.9]])
def test_an_interval_needs_two_finite_ends(training: dict[str, Any], value: Any):
    training["validation"]["auc_interval"] = value
    with pytest.raises(ModelFormatError, match="validation.auc_interval.*two finite numbers"):
        model_card(CONFIG, training=training)


def test_the_card_admits_an_lstm_that_does_not_help(training: dict[str, Any]):
    assert "does not beat" not in model_card(CONFIG, training=training)
    training["validation"]["auc"] = training["validation"]["auc_mean_of_frames"] - 0.01
    training["validation"]["auc_interval"] = [0.5, 0.9]
    text = model_card(CONFIG, training=training)
    assert "The LSTM does not beat the mean of the frames." in text
    assert "reaches down to chance" in text


def test_the_card_says_what_its_figures_are_not(training: dict[str, Any]):
    text = " ".join(model_card(CONFIG, training=training).split())
    assert "fitted on the same validation videos" in text
    assert "not a measure of unseen data" in text
