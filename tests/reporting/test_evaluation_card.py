"""A checkpoint with its evaluation: the card shows what was measured of these very weights."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from dfjax.commands.evaluate import Evaluate
from dfjax.errors import DfjaxError, HubError
from dfjax.evaluation.notes import PARQUET_FILE, known_videos
from dfjax.evaluation.run import Evaluation, evaluate
from dfjax.evaluation.studies.controls import ControlsStudy
from dfjax.evaluation.studies.self_blended import SelfBlendedStudy
from dfjax.hub.model import add_evaluation, build_model_folder
from dfjax.models.evaluation_file import EVALUATION_FILE
from dfjax.models.pretrained import read_config
from dfjax.reporting.card import PICTURES, model_card
from dfjax.reporting.report import write_report
from dfjax.reporting.results import PUBLISHED, results_table
from tests.tiny import tiny_detector
from tests.training.prepared_set import write_prepared


@pytest.fixture(scope="module")
def evaluation(
    checkpoint: Path, blends_soon: None, tmp_path_factory: pytest.TempPathFactory
) -> Evaluation:
    folder = tmp_path_factory.mktemp("evaluation")
    write_prepared(folder / "set", groups=8, stills=0)
    return evaluate(
        [str(folder / "set")],
        str(checkpoint),
        folder / "report",
        split="validation",
        optional=(SelfBlendedStudy(), ControlsStudy()),
    )


@pytest.fixture(scope="module")
def report(evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_report(evaluation, folder / "report")
    return folder / "report"


def test_a_report_that_is_cut_off_keeps_the_old_one_and_comes_after_its_pictures(
    evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    old = {"report.json": b"old", "report.md": b"old", "roc.png": b"old"}
    for name, data in old.items():
        (tmp_path / name).write_bytes(data)
    replace, done = os.replace, []

    def replace_all_but_the_report(source: Path, target: Path) -> None:
        if target.name == "report.json":
            raise OSError("killed")
        done.append(target.name)
        replace(source, target)

    monkeypatch.setattr("dfjax.files.os.replace", replace_all_but_the_report)
    with pytest.raises(OSError, match="killed"):
        write_report(evaluation, tmp_path)
    assert (tmp_path / "report.json").read_bytes() == b"old"
    assert {"report.md", "roc.png"} < set(done)
    monkeypatch.undo()
    write_report(evaluation, tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["schema_version"] == 1
    assert not list(tmp_path.glob("*.unfinished"))


@pytest.fixture
def evaluated(checkpoint: Path, report: Path, tmp_path: Path) -> Path:
    folder = shutil.copytree(checkpoint, tmp_path / "evaluated")
    add_evaluation(folder, report)
    return folder


def test_the_card_is_what_the_report_and_the_record_give(evaluated: Path, report: Path):
    evaluation = json.loads((evaluated / EVALUATION_FILE).read_text())
    assert evaluation == json.loads((report / "report.json").read_text())
    training = json.loads((evaluated / "training.json").read_text())
    card = (evaluated / "README.md").read_text()
    assert card == model_card(read_config(evaluated), training=training, evaluation=evaluation)
    auc = evaluation["figures"]["video"]["auc"]["value"]
    assert f"{auc:.3f} (" in card
    assert f"{training['validation']['video']['auc']['value']:.3f} (" not in card
    for heading in ("Partial fakes", "Self-blended fakes", "Controls", "Furthest from the truth"):
        assert f"## {heading}" in card


def test_every_picture_of_the_card_is_published_with_it(evaluated: Path, tmp_path: Path):
    card = (evaluated / "README.md").read_text()
    named = set(re.findall(r"!\[[^]]*\]\(([^)]+)\)", card))
    assert {f"{PICTURES}/roc.png", f"{PICTURES}/slices.png"} <= named
    assert named == {f"{PICTURES}/{path.name}" for path in (evaluated / PICTURES).iterdir()}
    assert {EVALUATION_FILE, *named} <= set(
        build_model_folder(evaluated, tmp_path / "published", "owner/name")
    )


def test_a_report_of_other_weights_is_refused_and_nothing_is_written(report: Path, tmp_path: Path):
    tiny_detector(seed=1).save_pretrained(tmp_path / "other")
    (tmp_path / "other" / "training.json").write_text("{}")
    before = sorted((tmp_path / "other").iterdir())
    with pytest.raises(HubError, match="Evaluate that one"):
        add_evaluation(tmp_path / "other", report)
    assert sorted((tmp_path / "other").iterdir()) == before


def test_a_report_without_a_picture_is_refused_and_the_model_keeps_its_own(
    evaluated: Path, report: Path, tmp_path: Path
):
    damaged = shutil.copytree(report, tmp_path / "damaged")
    (damaged / "roc.png").unlink()
    with pytest.raises(HubError, match=r"lacks roc\.png"):
        add_evaluation(evaluated, damaged)
    assert (evaluated / PICTURES / "roc.png").exists()


def test_a_split_that_nothing_was_fitted_on_is_not_called_so(evaluated: Path):
    evaluation = json.loads((evaluated / EVALUATION_FILE).read_text())
    training = json.loads((evaluated / "training.json").read_text())
    for fitted in (False, True):
        evaluation["data"][0] |= {"calibrated_on": fitted, "may_be_calibrated_on": False}
        card = model_card(read_config(evaluated), training=training, evaluation=evaluation)
        assert ("not a measure of unseen data" in card) == fitted
        assert ("fitted on other videos" in card) != fitted


def test_of_a_parquet_file_it_is_not_said_that_nothing_was_fitted_on_it(evaluated: Path):
    evaluation = json.loads((evaluated / EVALUATION_FILE).read_text())
    training = json.loads((evaluated / "training.json").read_text())
    evaluation["data"][0] |= {"calibrated_on": False, "prepared_with": PARQUET_FILE}
    card = model_card(read_config(evaluated), training=training, evaluation=evaluation)
    assert "It is not known whether the model was fitted to these videos." in card
    assert "fitted on other videos" not in card


@pytest.mark.parametrize("out", ["", PICTURES])
def test_a_report_that_a_card_is_made_of_does_not_lie_in_the_model(evaluated: Path, out: str):
    before = {path: path.read_bytes() for path in evaluated.rglob("*") if path.is_file()}
    command = Evaluate(datasets=("none",), model=str(evaluated), out=evaluated / out, card=True)
    with pytest.raises(DfjaxError, match="Choose another --out"):
        command.run()
    assert before == {path: path.read_bytes() for path in evaluated.rglob("*") if path.is_file()}


def test_the_report_s_caveats_are_in_the_card_once_and_with_the_usual_names(evaluated: Path):
    evaluation = json.loads((evaluated / EVALUATION_FILE).read_text())
    training = json.loads((evaluated / "training.json").read_text())
    evaluation["data"][0]["calibrated_on"] = True
    few = "The real videos of {} show 2 groups of people, too few to promise 5%."
    evaluation["notes"] = [*known_videos(evaluation["data"]), few.format("ffpp")]
    card = model_card(read_config(evaluated), training=training, evaluation=evaluation)
    assert card.count(f"\n\n{few.format('FaceForensics++')}\n\n") == 1
    assert "fitted on this split of" not in card and card.count("not a measure of unseen") == 1


def test_a_folder_without_a_report_is_refused(checkpoint: Path, tmp_path: Path):
    with pytest.raises(HubError, match=r"report\.json"):
        add_evaluation(checkpoint, tmp_path)


def test_each_row_of_the_results_names_its_data(evaluated: Path):
    evaluation = json.loads((evaluated / EVALUATION_FILE).read_text())
    header, _, *rows = results_table(evaluation).splitlines()
    assert "measured on" in header
    ours = [row for row in rows if "**dfjax**" in row]
    assert len(ours) == 1 and "validation: 2 real, 4 fake, 2 groups" in ours[0]
    assert len(rows) == len(ours) + len(PUBLISHED)
    assert all(cell.strip() for row in rows for cell in row.strip("|").split("|"))


def test_a_card_of_the_training_split_says_that_the_model_knows_its_videos(
    evaluation: Evaluation, checkpoint: Path, training
):
    known = json.loads(json.dumps(evaluation.report))
    known["figures"]["split"] = "train"
    for data in known["data"]:
        data["trained_on"], data["calibrated_on"] = True, False
    text = " ".join(
        model_card(read_config(checkpoint), training=training, evaluation=known).split()
    )
    assert "The model was trained on these train videos" in text
    assert "fitted on other videos" not in text
