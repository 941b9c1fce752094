"""The model that the project ships, on the road that a user's video travels."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors
from flax import nnx

from dfjax.evaluation.tables import as_percent, cell
from dfjax.hub.model import check_model_folder
from dfjax.models.detector import Detector
from dfjax.models.evaluation_file import EVALUATION_FILE
from dfjax.models.fingerprint import fingerprint
from dfjax.models.pretrained import read_config
from dfjax.predictor import Predictor
from dfjax.reporting.card import model_card
from dfjax.reporting.results import results_table
from tests.videos import moving_pattern, portrait_frames, write_video

CHECKPOINT = Path(__file__).resolve().parents[2] / "checkpoint"


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.from_pretrained(CHECKPOINT)


@pytest.fixture(scope="module")
def record() -> dict:
    return json.loads((CHECKPOINT / "training.json").read_text())


@pytest.fixture(scope="module")
def evaluation() -> dict:
    return json.loads((CHECKPOINT / EVALUATION_FILE).read_text())


def test_the_model_card_says_what_training_recorded_and_evaluation_found(record, evaluation):
    assert (CHECKPOINT / "README.md").read_text() == model_card(
        read_config(CHECKPOINT), training=record, evaluation=evaluation
    )


def test_the_table_of_the_project_is_that_of_the_evaluation(evaluation):
    readme = (CHECKPOINT.parent / "README.md").read_text()
    assert results_table(evaluation) in readme


def _cells(value) -> Iterator[str]:
    """Yields every figure of a report, as a table shows it."""
    if isinstance(value, dict):
        if {"value", "interval"} <= value.keys():
            yield cell(value)
        for item in value.values():
            yield from _cells(item)
    elif isinstance(value, list):
        for item in value:
            yield from _cells(item)


def test_what_the_docs_say_is_reached_is_what_the_evaluation_found(evaluation):
    docs = (CHECKPOINT.parent / "docs" / "training.md").read_text()
    aims = docs.split("| figure | target | result |\n")[1].split("\n\n")[0].splitlines()[1:]
    found = [text.split(" (no interval")[0] for text in _cells(evaluation)]
    for row in evaluation["figures"]["verdicts_per_dataset"]:
        total = sum(row["real"].values())
        found += [as_percent(count / total) for count in row["real"].values()]
    assert len(aims) == 19
    for row in aims:
        assert row.split(" | ")[-1].removesuffix(" |") in found, row


def test_the_verdicts_that_the_project_counts_are_those_of_the_evaluation(evaluation):
    readme = " ".join((CHECKPOINT.parent / "README.md").read_text().split())
    found = {row["dataset"]: row for row in evaluation["figures"]["verdicts_per_dataset"]}
    of = {"videos": ("ffpp", "people"), "pictures": ("dfdc-faces", "stills")}
    assert set(found) == {name for names in of.values() for name in names}
    for kind, names in of.items():
        for label in ("real", "fake"):
            verdicts = [
                sum(found[name][label][verdict] for name in names)
                for verdict in ("real", "uncertain", "fake")
            ]
            total = sum(verdicts)
            cells = [f"{number} ({as_percent(number / total)})" for number in verdicts]
            row = rf"\| {label} {kind} \([^)]+\) \| {total} \| {re.escape(' | '.join(cells))} \|"
            assert re.search(row, readme), row
    (smoothed,) = (r for r in evaluation["robustness"]["everyday"] if r["kind"] == "smoothing")
    called_fake = round(smoothed["false_positive_rate"]["value"] * smoothed["scored"])
    assert f"Of {smoothed['scored']} real validation videos it calls {called_fake} fake" in readme


def test_what_is_not_counted_and_what_a_verdict_says_where_fakes_are_rare_is_told(evaluation):
    readme = " ".join((CHECKPOINT.parent / "README.md").read_text().split())
    failures = evaluation["figures"]["failures"]
    assert (failures["no_face"], failures["unreadable"]) == (8, 0)
    assert "Eight more pictures, in which no face was found, are not counted." in readme
    videos = [
        row
        for row in evaluation["figures"]["verdicts_per_dataset"]
        if row["dataset"] in ("ffpp", "people")
    ]
    of_real, of_fake = (
        sum(row[label]["fake"] for row in videos) / sum(sum(row[label].values()) for row in videos)
        for label in ("real", "fake")
    )
    right = of_fake / (of_fake + 99 * of_real)
    said = (
        f"if 1 of 100 videos is a fake, then of 100 that are called `fake` about {100 * right:.0f}"
    )
    assert said in readme


def test_the_evaluation_is_of_these_weights_and_of_the_data_it_was_calibrated_on(evaluation):
    detector = Detector.from_pretrained(CHECKPOINT)
    measured = evaluation["model"]["fingerprint"]
    assert measured == fingerprint(nnx.state(detector), detector.config)
    assert all(data["calibrated_on"] for data in evaluation["data"])


def test_rounding_to_float16_changed_no_logit_by_a_hundredth(record):
    for path in CHECKPOINT.glob("*.safetensors"):
        with safetensors.safe_open(path, "np") as shard:
            tensors = [shard.get_slice(name) for name in shard.keys()]
        assert {t.get_dtype() for t in tensors if len(t.get_shape()) > 1} == {"F16"}
    assert 0 < record["rounding"]["largest_logit_change"] <= 1e-2


def test_labels_are_not_told_without_the_face(evaluation):
    """An AUC of 0.5 is chance; whoever reads the figures must know that faces are measured."""
    for control in evaluation["shortcuts"].values():
        assert abs(control["auc"]["value"] - 0.5) < 0.1


def test_it_is_what_a_push_would_accept():
    check_model_folder(CHECKPOINT)
    sizes = [path.stat().st_size for path in CHECKPOINT.rglob("*") if path.is_file()]
    assert max(sizes) <= 16 * 1024**2
    assert sum(sizes) < 64e6


def test_it_gives_verdicts_only_if_it_was_shown_to_beat_chance(
    record, evaluation, predictor, tmp_path
):
    calibration = read_config(CHECKPOINT).calibration
    figures = evaluation["figures"]
    allowed = record["train_config"]["max_false_positive_rate"]
    assert figures["operating_points"][-1]["wanted_false_positive_rate"] == allowed
    if figures["mean_over_datasets"]["auc"]["interval"][0] > 0.5:
        assert not figures["threshold"]["withheld"]
        assert figures["threshold"]["value"] == calibration.fake_above
        assert calibration.false_positive_rate == allowed
    else:
        prediction = predictor(write_video(tmp_path / "portrait.mp4", portrait_frames(5)))
        assert prediction.label == "uncertain"
        assert calibration.caveat in prediction.warnings


def test_a_portrait_is_scored_in_every_frame_and_a_pattern_has_no_face(predictor, tmp_path):
    portrait = predictor(write_video(tmp_path / "portrait.mp4", portrait_frames(40)))
    assert portrait.label in ("real", "fake", "uncertain")
    num_frames = predictor.config.video.num_frames
    assert len(portrait.frames) == portrait.video.frames_scored == num_frames
    pattern = predictor(write_video(tmp_path / "pattern.mp4", moving_pattern(10)))
    assert (pattern.label, pattern.probability_fake) == ("no_face", None)


@pytest.mark.real_clips
@pytest.mark.parametrize("name", ["talk_r2.mp4", "talk_d18.mp4"])
def test_a_real_talking_person_is_one_track_that_is_seen_throughout(predictor, real_clips, name):
    prediction = predictor(real_clips / "data" / "clips" / name)
    (track,) = prediction.tracks
    assert len(track.frames) >= predictor.config.video.num_frames - 1
    assert prediction.probability_fake == track.probability_fake
    assert all(math.isfinite(frame.probability_fake) for frame in prediction.frames)
    for frame in track.frames:
        x1, y1, x2, y2 = frame.box_xyxy
        assert 0 <= x1 < x2 <= prediction.video.width
        assert 0 <= y1 < y2 <= prediction.video.height


@pytest.mark.real_clips
def test_a_street_with_many_people_has_several_tracks(predictor, real_clips):
    prediction = predictor(real_clips / "data" / "clips" / "crowd.mp4")
    assert len(prediction.tracks) >= 3
    scores = [track.probability_fake for track in prediction.tracks]
    # The more faces there are, the plainer one of them must be.
    assert prediction.probability_fake is not None
    assert np.mean(scores) < prediction.probability_fake < max(scores)
    assert prediction.label != "fake"
