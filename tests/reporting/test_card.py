"""The model card: every figure is the checkpoint's own, and the Hub can read it."""

import dataclasses
import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
import tyro
from huggingface_hub import ModelCard

import train
from dfjax.commands.evaluate import Evaluate
from dfjax.commands.prepare import Prepare
from dfjax.config import CalibrationConfig, Config
from dfjax.data import sources
from dfjax.data.sources import DatasetLayout, Source, title
from dfjax.errors import ModelFormatError
from dfjax.evaluation.calibration import calibrate_on
from dfjax.evaluation.figures import report
from dfjax.reporting.card import model_card
from tests.evaluation.clips import EVIDENCE, scored_set

CONFIG = dataclasses.replace(
    Config(), calibration=CalibrationConfig(real_below=0.2345, fake_above=0.8321)
)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yields the values that are recorded; those that say that nothing is absent are none."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, item in enumerate(value):
            yield from leaves(item, (*path, number))
    elif path != ("command",) and value is not None:  # it would show paths of a machine
        yield path, value


def parent_of(training: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        training = training[key]
    return training


def shown(path: tuple[Any, ...], figure: Any) -> str:
    """Returns how a value stands in the card."""
    match path:
        case ("seconds",):
            return f"{figure:.0f}"
        case ("rounding", *_):
            return f"{figure:.5f}"
        case ("validation", *_, "wanted_false_positive_rate"):
            return f"{figure:.0%}"
        case ("validation", *_) if isinstance(figure, float):
            return f"{figure:.3f}"
        case ("validation", *_, "dataset" | "datasets"):
            return title(figure)
    return str(figure)


def test_every_recorded_figure_is_in_the_card(training: dict[str, Any]):
    text = ModelCard(model_card(CONFIG, training=training)).text
    for path, value in leaves(training):
        if path[-1] == "known":
            continue  # else the sentence about failures would be another
        for figure in value if isinstance(value, list) else [value]:
            assert shown(path, figure) in text, path
    assert "0.234" in text and "0.832" in text  # the thresholds of the config


def test_changed_figures_change_the_card(training: dict[str, Any]):
    before = model_card(CONFIG, training=training)
    for path, value in leaves(training):
        if isinstance(value, int | float) and not isinstance(value, bool):
            parent = parent_of(training, path)
            parent[path[-1]] = value + 1
            assert model_card(CONFIG, training=training) != before, path
            parent[path[-1]] = value


def test_what_a_report_gives_is_what_the_card_takes(training: dict[str, Any]):
    clips = scored_set(20) + scored_set(20, dataset="celebdf")
    calibration = calibrate_on(clips, max_false_positive_rate=0.05, max_false_negative_rate=0.05)
    trained = {"ffpp": ["Deepfakes"]}
    training["validation"] = report(
        clips, {}, calibration, split="validation", trained_methods=trained
    )
    text = model_card(CONFIG, training=training)
    assert f"{training['validation']['video']['auc']['value']:.3f} (" in text
    counts = training["validation"]["verdicts_per_dataset"][1]["real"]
    shares = " | ".join(f"{counts[name] / 20:.1%}" for name in ("real", "uncertain", "fake"))
    assert f"| FaceForensics++ | real | 20 | {shares} |" in text
    assert "| FaceForensics++ | yes | Deepfakes | 20 | 20 |" in text
    assert "| FaceForensics++ | no | FaceSwap | 20 | 20 |" in text
    assert "Celeb-DF" in text
    assert not re.search(r"\b(nan|None)\b", text)


def test_runs_before_are_listed_once_with_what_each_went_on_from(training: dict[str, Any]):
    text = model_card(CONFIG, training=training)
    assert (
        "It started from the mean of the weights of (1) and (2):\n\n"
        "1. step 877 of `python train.py --out middle`, from (2)\n"
        "2. step 879 of `python train.py --out first`\n"
    ) in text
    training["started_from"] = training["started_from"][:1]
    training["started_from"][0]["command"] = "python train.py --about-data 'It is.' --out middle"
    assert "`python train.py --out middle`" in model_card(CONFIG, training=training)
    assert "It started from (1):\n\n1. step 877" in model_card(CONFIG, training=training)
    training["started_from"] = [{"command": None, "step": None, "started_from": None}]
    assert "from (1):\n\n1. a model without a training" in model_card(CONFIG, training=training)
    training["started_from"] = []
    assert "It started from" not in model_card(CONFIG, training=training)


def test_the_licence_is_what_the_run_was_told(training: dict[str, Any]):
    assert "And the Bit Goes Down" in model_card(CONFIG, training=training)
    for licence, sentence in (("mit", "Weights: mit."), ("other", "ask whoever published them")):
        card = ModelCard(model_card(CONFIG, training=training | {"license": licence}))
        assert card.data["license"] == licence
        assert sentence in card.text
        assert "And the Bit Goes Down" not in card.text and "CC BY-NC" not in card.text


def test_the_card_says_how_faces_make_a_video_s_score(training: dict[str, Any]):
    evidence = dataclasses.replace(CONFIG.calibration, evidence=EVIDENCE)
    weighed = dataclasses.replace(CONFIG, calibration=evidence)
    assert "the highest score is the video's" in model_card(CONFIG, training=training)
    assert "weighs all stretches of all faces" in model_card(weighed, training=training)


def test_an_lstm_whose_share_is_zero_is_not_said_to_correct_scores(training: dict[str, Any]):
    assert "corrected by a bidirectional LSTM" in model_card(CONFIG, training=training)
    training["correction_share"] = 0.0
    text = model_card(CONFIG, training=training)
    assert "frames of a face is their mean. " in text and "corrected by" not in text
    assert "is multiplied by 0.00" in text


def test_the_commands_of_the_card_are_shown_with_their_line_breaks(training: dict[str, Any]):
    _, _, rest = model_card(CONFIG, training=training).partition("## Train a better one")
    commands = rest.split("```")[1].strip().replace("\\\n", " ").splitlines()
    assert len(commands) == 4 and all(command.startswith("python ") for command in commands)
    assert "--augment-ramp 1000" in commands[2]  # else nothing is learnt from ImageNet
    kinds = ((Prepare, 4), (Prepare, 4), (train.Arguments, 2), (Evaluate, 4))
    for (kind, num_before), command in zip(kinds, commands, strict=True):
        tyro.cli(kind, args=command.split()[num_before:])


def test_the_hub_reads_the_front_matter(training: dict[str, Any]):
    data = ModelCard(model_card(CONFIG, training=training)).data
    assert data["license"] == "cc-by-nc-4.0"
    assert data["library_name"] == "dfjax"
    assert data["pipeline_tag"] == "video-classification"
    assert data["tags"]
    (result,) = data["eval_results"]
    assert result.metric_value == training["validation"]["per_dataset"][0]["auc"]["value"]
    assert result.dataset_split == "validation"


def test_a_missing_figure_is_named(training: dict[str, Any]):
    for path, value in list(leaves(training)):
        if path[:2] == ("data", "skipped") or path[0] in ("train_config", "versions"):
            continue  # these hold whatever was recorded
        if path[-1] in ("known", "about") or path[0] in (
            "start_share",
            "correction_share",
            "rounding",
            "started_from",
        ):
            continue  # of a model that has none, nothing is said
        parent = parent_of(training, path)
        del parent[path[-1]]
        with pytest.raises(ModelFormatError, match=f"no `{'.'.join(map(str, path))}`"):
            model_card(CONFIG, training=training)
        parent[path[-1]] = value


@pytest.mark.parametrize("value", [math.nan, math.inf, "0.7", True, [0.5, 0.6]])
def test_a_figure_that_is_not_a_finite_number_is_refused(training: dict[str, Any], value: Any):
    training["validation"]["video"]["auc"]["value"] = value
    with pytest.raises(ModelFormatError, match="validation.video.auc.value.*finite number"):
        model_card(CONFIG, training=training)


@pytest.mark.parametrize("value", [0.5, [0.5], [0.5, math.nan], [0.1, 0.5, 0.9]])
def test_an_interval_needs_two_finite_ends(training: dict[str, Any], value: Any):
    training["validation"]["video"]["auc"]["interval"] = value
    with pytest.raises(ModelFormatError, match="validation.video.auc.*(two finite|a list)"):
        model_card(CONFIG, training=training)


def test_a_figure_that_could_not_be_measured_is_told_with_the_reason(training: dict[str, Any]):
    absent = {"value": None, "interval": None, "reason": "there is no fake video"}
    training["validation"]["video"]["auc"] = absent
    training["validation"]["per_dataset"][0]["auc"] = absent
    card = ModelCard(model_card(CONFIG, training=training))
    assert "— (there is no fake video)" in card.text
    assert card.data.to_dict().get("model-index") is None


@pytest.mark.parametrize(
    ("settings", "words", "absent"),
    [
        ({"trained_stages": 0}, "the encoder keeps its ImageNet weights", "blended with"),
        ({"trained_stages": 3}, "The last 3 of the encoder's stem", "**baseline**"),
        (
            {"trained_stages": 2, "self_blended": 0.4},
            "40% of the fakes it was trained on were real clips",
            "frames only",
        ),
        (
            {"self_blended": 0.4, "still_self_blended": 0.6, "still_pairs": 8},
            "with themselves. Of single pictures, 60% were.",
            "frames only",
        ),
        (
            {"self_blended": 0.4, "blend": {"swapped": 0.3, "generated": 0.25}},
            "Of the blends without a generator's traces, 30% were with another person's face.",
            "frames only",
        ),
        (
            {"self_blended": 0.4, "blend": {"swapped": 0.3}},
            "Face X-Ray for More General Face Forgery Detection",
            "frames only",
        ),
        (
            {"trained_stages": 2, "partial_fakes": 0.25},
            "probability of 25%, a fake",
            "blended with",
        ),
    ],
)
def test_the_card_says_what_was_trained_on_what(training, settings, words, absent):
    training["train_config"] = settings
    text = " ".join(ModelCard(model_card(CONFIG, training=training)).text.split())
    assert words in text
    assert absent not in text.lower()


def test_the_card_admits_that_weights_were_chosen_by_the_videos_they_are_measured_on(training):
    assert "selected on them" not in model_card(CONFIG, training=training)
    training["published"] = "best"
    text = " ".join(model_card(CONFIG, training=training).split())
    assert "the published weights were selected on them" in text
    assert "the best on validation" in text


def test_the_card_says_what_its_figures_are_not(training: dict[str, Any]):
    text = " ".join(model_card(CONFIG, training=training).split())
    assert "fitted on the same validation videos" in text
    assert "not a measure of unseen data" in text


def test_only_the_data_sets_that_were_used_are_cited(training: dict[str, Any]):
    training["data"]["name"] = "DFDC face crops jpeg, FaceForensics++ c23"
    text = model_card(CONFIG, training=training)
    assert "The terms of FaceForensics++, DFDC face crops also apply" in text
    assert "Celeb-DF" not in text


@pytest.mark.parametrize("citation", [None, "A. Toymaker, Toy Talk, 2026: clips."])
def test_a_data_set_that_was_added_is_in_the_card_with_its_citation(
    training: dict[str, Any], monkeypatch, citation
):
    toys = DatasetLayout(
        name="toys",
        read=lambda root: Source(name="toys", options={}, videos=()),
        summary="dolls that talk.",
        title="Toy Talk",
        citation=citation,
    )
    monkeypatch.setattr(sources, "LAYOUTS", (*sources.LAYOUTS, toys))
    training["data"]["name"] = "Toy Talk original"
    training["validation"]["counts"]["datasets"] = ["toys"]
    card = model_card(CONFIG, training=training)
    assert "The terms of Toy Talk also apply" in card
    assert (f"- {citation}" in card) == (citation is not None)
