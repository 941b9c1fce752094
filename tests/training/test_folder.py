"""The folder of a run: what may begin or go on there."""

import dataclasses
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import pytest

from dfjax.config import DetectorConfig
from dfjax.errors import TrainingError
from dfjax.files import UNFINISHED
from dfjax.train_config import TrainConfig
from dfjax.training.folder import (
    RUN_FILE,
    check_folder,
    claim_folder,
    describe_run,
    release_folder,
)
from dfjax.training.metrics_log import METRICS_FILE, MetricsLog
from dfjax.training.saves import SAVES_FOLDER, Saves
from dfjax.training.start import describe_difference
from dfjax.training.state import TrainState


def _description(config: TrainConfig | None = None, command: str = "first") -> dict[str, Any]:
    return describe_run(
        config or TrainConfig(),
        DetectorConfig(),
        weights=["weights"],
        manifests=[{"fingerprint": "0" * 16, "config": {"crops": {"margin": 1.0}}, "codec": {}}],
        num_training=1,
        command=command,
    ) | {"start": "1" * 16}


def _claimed(folder: Path) -> Path:
    claim_folder(folder, _description())
    return folder


def test_a_new_folder_may_be_claimed_whether_or_not_it_exists(tmp_path):
    for out in (tmp_path, tmp_path / "deep" / "down"):
        check_folder(out, _description(), resume=False)
        claim_folder(out, _description())
        assert json.loads((out / RUN_FILE).read_text()) == _description()


def test_a_check_changes_nothing(tmp_path):
    check_folder(tmp_path / "new", _description(), resume=True)
    assert not any(tmp_path.iterdir())


def test_a_folder_that_holds_a_run_is_refused_without_resume(tmp_path):
    with pytest.raises(TrainingError, match="is not empty.*--resume"):
        check_folder(_claimed(tmp_path), _description(), resume=False)


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_with_something_else_in_it_is_refused(tmp_path, resume):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(TrainingError, match="is not empty"):
        check_folder(tmp_path, _description(), resume=resume)


@pytest.mark.parametrize("resume", [False, True])
def test_a_claim_that_was_cut_off_does_not_stand_in_the_way(tmp_path, resume):
    (tmp_path / (RUN_FILE + UNFINISHED)).write_text('{"train_co')
    check_folder(tmp_path, _description(), resume=resume)
    claim_folder(tmp_path, _description())
    assert json.loads((tmp_path / RUN_FILE).read_text()) == _description()


def test_a_run_that_goes_on_keeps_the_description_of_its_beginning(tmp_path):
    again = _description(command="first --resume")
    check_folder(_claimed(tmp_path), again, resume=True)
    claim_folder(tmp_path, again)
    assert json.loads((tmp_path / RUN_FILE).read_text())["command"] == "first"


def test_a_run_does_not_go_on_with_another_config_and_the_field_is_named(tmp_path):
    other = dataclasses.replace(TrainConfig(), learning_rate=1e-5)
    with pytest.raises(TrainingError, match="different train_config: learning_rate: .* 1e-05 here"):
        check_folder(_claimed(tmp_path), _description(other), resume=True)


@pytest.mark.parametrize("name", ["weights", "fingerprints", "prepared", "start", "num_training"])
def test_a_run_does_not_go_on_with_other_weights_or_data(tmp_path, name):
    with pytest.raises(TrainingError, match=f"different {name}"):
        check_folder(_claimed(tmp_path), _description() | {name: ["other"]}, resume=True)


def test_an_older_run_that_did_not_note_everything_goes_on(tmp_path):
    older = _description()
    del older["prepared"], older["start"]
    (tmp_path / RUN_FILE).write_text(json.dumps(older))
    check_folder(tmp_path, _description(), resume=True)
    # What it did note still has to be the same.
    with pytest.raises(TrainingError, match="different weights"):
        check_folder(tmp_path, _description() | {"weights": ["other"]}, resume=True)


def test_a_run_from_before_an_option_was_added_goes_on_with_its_default(tmp_path):
    older = _description()
    del older["train_config"]["weigh_evidence"], older["train_config"]["augment"]["retouch"]
    (tmp_path / RUN_FILE).write_text(json.dumps(older))
    check_folder(tmp_path, _description(), resume=True)
    other = _description(dataclasses.replace(TrainConfig(), weigh_evidence=False))
    with pytest.raises(TrainingError, match="weigh_evidence: True there, False here"):
        check_folder(tmp_path, other, resume=True)


def test_a_field_that_is_absent_differs_from_one_that_is_null():
    assert describe_difference({"a": None}, {}) == "a: None there, absent here"


def test_crops_that_were_made_otherwise_are_named(tmp_path):
    other = _description()
    other["prepared"] = [{"config": {"crops": {"margin": 1.3}}, "codec": {}}]
    with pytest.raises(TrainingError, match="different prepared: .*margin.*1.3 here"):
        check_folder(_claimed(tmp_path), other, resume=True)


@pytest.mark.parametrize("text", ["", '{"train_config": {"st', "[]", '"text"', "\0" * 100])
def test_a_damaged_description_is_told_with_what_to_do(tmp_path, text):
    (_claimed(tmp_path) / RUN_FILE).write_text(text)
    with pytest.raises(TrainingError, match=r"run\.json is damaged .*Restore the file"):
        check_folder(tmp_path, _description(), resume=True)


def test_a_description_that_lacks_a_part_differs_in_it(tmp_path):
    incomplete = {name: value for name, value in _description().items() if name != "weights"}
    (tmp_path / RUN_FILE).write_text(json.dumps(incomplete))
    with pytest.raises(TrainingError, match="different weights: None there"):
        check_folder(tmp_path, _description(), resume=True)


def test_a_file_in_the_place_of_the_folder_or_above_it_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match="file is a file. Choose a new folder"):
        check_folder(tmp_path / "file", _description(), resume=False)
    with pytest.raises(TrainingError, match="cannot be written to: Not a directory"):
        claim_folder(tmp_path / "file" / "run", _description())


# Where orbax finds no state, it gives up before its reads have ended; nobody awaits their errors.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name, is_taken", [("run [2]", False), ("run [2", True), ("a*b?", True)])
def test_a_folder_is_taken_only_if_states_that_are_saved_there_can_be_restored(
    tmp_path, name, is_taken
):
    state = TrainState(
        step=jnp.int32(1), params={"p": jnp.ones(1)}, batch_stats={}, opt_state=(), ema_params={}
    )
    with Saves(tmp_path / name / SAVES_FOLDER) as saves:
        saves.save(state)
    error = nullcontext() if is_taken else pytest.raises(ValueError)
    with Saves(tmp_path / name / SAVES_FOLDER) as saves, error:
        assert saves.restore(1, state).step == 1
    error = nullcontext() if is_taken else pytest.raises(TrainingError, match="brackets in 'run")
    with error:
        check_folder(tmp_path / name / "new", _description(), resume=False)


def test_a_run_without_a_step_leaves_a_folder_that_the_next_may_claim(tmp_path):
    with MetricsLog(_claimed(tmp_path), start=0):
        (tmp_path / SAVES_FOLDER).mkdir()
    release_folder(tmp_path)
    assert not any(tmp_path.iterdir())
    check_folder(tmp_path, _description(), resume=False)


@pytest.mark.parametrize("name", [f"{SAVES_FOLDER}/3", "thesis", METRICS_FILE])
def test_a_folder_with_steps_states_or_other_files_is_kept(tmp_path, name):
    if name == METRICS_FILE:
        (_claimed(tmp_path) / name).write_text('{"step": 1, "loss": 0.5}\n')
    else:
        (_claimed(tmp_path) / name).mkdir(parents=True)
    release_folder(tmp_path)
    assert (tmp_path / RUN_FILE).is_file() and (tmp_path / name).exists()
