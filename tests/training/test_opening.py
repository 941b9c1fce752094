"""A run opens whole or not at all: what fails leaves nothing that stands in the way of the next."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import pyarrow.parquet as pq
import pytest
from flax import nnx

from dfjax.data.store import ClipStore
from dfjax.data.trained_on import digests, write_trained_on
from dfjax.errors import DatasetError, DfjaxError, ModelFormatError, TrainingError
from dfjax.files import only_here
from dfjax.head_config import HeadConfig
from dfjax.models.detector import Detector
from dfjax.training.folder import RUN_FILE
from dfjax.training.loop import Trainer
from dfjax.training.opening import OpenedRun, RunOptions, open_run
from dfjax.training.run import run
from tests.tiny import TINY_CONFIG
from tests.training.prepared_set import CONFIG, without_fakes, write_prepared, write_weights


def _run(data, weights, out, *, resume=False):
    run(
        [data],
        [weights],
        out,
        train_config=CONFIG,
        detector_config=TINY_CONFIG.detector,
        options=RunOptions(command="python train.py", resume=resume),
        on_step=lambda *_: None,
    )


def _open(
    data: str,
    weights: str,
    out: Path,
    pairs: int = CONFIG.pairs,
    detector: HeadConfig = TINY_CONFIG.detector,
    **more: Any,
) -> OpenedRun:
    return open_run(
        [data],
        [weights],
        out,
        train_config=dataclasses.replace(CONFIG, pairs=pairs),
        detector_config=detector,
        options=RunOptions(command="python train.py", **more),
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> str:
    return write_prepared(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    return write_weights(tmp_path_factory.mktemp("weights"))


def test_a_start_that_fails_leaves_the_folder_for_the_next(tmp_path, weights):
    folder, out = tmp_path / "prepared", tmp_path / "run"
    without_fakes(write_prepared(folder))
    with pytest.raises(DatasetError, match="Add a data set that has both"):
        _open(str(folder), weights, out)
    assert not out.exists()
    opened = _open(write_prepared(folder), weights, out)
    assert [path.name for path in out.iterdir()] == [RUN_FILE]
    assert opened.started_from == []


def test_a_run_does_not_go_on_with_clips_that_its_data_lacked_at_first(tmp_path, weights):
    folder, out = tmp_path / "prepared", tmp_path / "run"
    shard = Path(write_prepared(folder)) / "data/train-00000-of-00001.parquet"
    table = pq.read_table(shard)
    pq.write_table(table.slice(3), shard)  # as if the first videos could not be read
    _open(str(folder), weights, out)
    _open(str(folder), weights, out, resume=True)
    pq.write_table(table, shard)  # as `prepare` makes it when it is run again
    with pytest.raises(TrainingError, match="different clips: training: 21 there, 24 here"):
        _open(str(folder), weights, out, resume=True)


def test_options_and_weights_that_do_not_fit_leave_no_folder(tmp_path, data, weights):
    out = tmp_path / "run"
    with pytest.raises(TrainingError, match="cannot be split over 8 devices"):
        _open(data, weights, out, pairs=12)
    with pytest.raises(ModelFormatError, match="There is no folder"):
        _open(data, str(tmp_path / "nothing"), out)
    with pytest.raises(TrainingError, match="--start-share is 2.0; it is a share"):
        _open(data, weights, out, start_share=2.0)
    with pytest.raises(TrainingError, match="the run starts from an encoder"):
        _open(data, weights, out, start_share=0.5)
    with pytest.raises(TrainingError, match="--data is empty"):
        open_run(
            [],
            [weights],
            out,
            train_config=CONFIG,
            detector_config=TINY_CONFIG.detector,
            options=RunOptions(command="python train.py"),
        )
    with pytest.raises(TrainingError, match="--save-every is 0; at least 1"):
        _open(data, weights, out, save_every=0)
    with pytest.raises(TrainingError, match="--workers is -1; at least 1"):
        _open(data, weights, out, workers=-1)
    assert not out.exists()


def test_data_that_was_cut_off_leaves_no_folder(tmp_path, weights):
    folder, out = tmp_path / "prepared", tmp_path / "run"
    write_prepared(folder)
    (shard,) = (folder / "data").glob("train-*.parquet")
    shard.write_bytes(shard.read_bytes()[:2000])
    with pytest.raises(DatasetError, match="has a damaged parquet file"):
        _open(str(folder), weights, out)
    assert not out.exists()


def test_a_run_that_fails_before_its_first_step_does_not_block_the_next(
    tmp_path, data, weights, monkeypatch
):
    def fail(*_):
        raise MemoryError("out of memory")

    out = tmp_path / "run"
    monkeypatch.setattr(Trainer, "run", fail)
    with pytest.raises(MemoryError):
        _run(data, weights, out)
    assert not any(out.iterdir())
    _open(data, weights, out, pairs=16)


def test_a_run_in_whose_folder_another_process_works_is_refused_and_harms_nothing(
    tmp_path, data, weights
):
    out = tmp_path / "run"
    _open(data, weights, out)
    with only_here(out), pytest.raises(DfjaxError, match="Another process is working in"):
        _run(data, weights, out, resume=True)
    assert [path.name for path in out.iterdir()] == [RUN_FILE]


def test_clips_that_no_step_learns_from_are_told_before_the_first_step(
    tmp_path, data, weights, monkeypatch
):
    def stop(*_):
        raise KeyboardInterrupt

    notes: list[str] = []
    monkeypatch.setattr(Trainer, "run", stop)
    with pytest.raises(KeyboardInterrupt):
        run(
            [data],
            [weights],
            tmp_path / "run",
            train_config=dataclasses.replace(CONFIG, still_pairs=0),
            detector_config=TINY_CONFIG.detector,
            options=RunOptions(command="python train.py"),
            on_step=lambda *_: None,
            on_note=notes.append,
        )
    (note,) = notes
    assert "--still-pairs is 0" in note


def test_each_initial_state_may_be_donated(tmp_path, data, weights):
    machinery = _open(data, weights, tmp_path / "run").machinery
    first, second = machinery.initial_state(), machinery.initial_state()
    jax.tree.map(lambda array: array.delete(), first)
    parts = machinery.parts
    kept = jax.tree.leaves((second, parts.params, parts.batch_stats, parts.frozen))
    assert kept and not any(array.is_deleted() for array in kept)
    assert all(leaf.sharding == machinery.replicated for leaf in jax.tree.leaves(second))


def test_a_run_goes_on_from_a_detector_of_its_shape_alone_and_names_it(tmp_path, data):
    Detector(TINY_CONFIG, rngs=nnx.Rngs(0)).save_pretrained(tmp_path / "model")
    smaller = dataclasses.replace(TINY_CONFIG.detector, hidden_size=2)
    with pytest.raises(TrainingError, match="differs from this run in detector(.|\n)*hidden_size"):
        _open(data, str(tmp_path / "model"), tmp_path / "run", detector=smaller)
    opened = _open(data, str(tmp_path / "model"), tmp_path / "run", start_share=0.5)
    assert len(opened.started_from) == 1


def test_a_run_does_not_go_on_from_a_model_that_was_trained_on_its_validation_people(
    tmp_path, data
):
    model = tmp_path / "model"
    Detector(TINY_CONFIG, rngs=nnx.Rngs(0)).save_pretrained(model)
    (note,) = _open(data, str(model), tmp_path / "unknown").notes  # an older model
    assert "do not say of all clips" in note
    clips = ClipStore([data], "train").clips
    write_trained_on(model, frozenset().union(*map(digests, clips)))
    assert _open(data, str(model), tmp_path / "same").notes == []
    (validated, *_), out = ClipStore([data], "validation").clips, tmp_path / "run"
    for other in ({"group": "of another name"}, {"method": "other", "compression": "c40"}):
        write_trained_on(model, digests(dataclasses.replace(validated, **other)))
        with pytest.raises(DatasetError, match="--weights were trained on . of the 8 validation"):
            _open(data, str(model), out)
    assert not out.exists()
