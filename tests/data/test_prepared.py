"""What is read of a prepared data set, and what is said where that cannot be."""

import errno
import os
import shutil
from pathlib import Path

import datasets
import pytest
from datasets.exceptions import DatasetGenerationError
from huggingface_hub.errors import LocalEntryNotFoundError

from dfjax.data import prepared as prepared_module
from dfjax.data.prepared import load_manifest, open_rows, read_clips
from dfjax.errors import DatasetError
from tests.training.prepared_set import write_prepared


def test_a_split_of_which_a_shard_is_missing_is_refused(tmp_path):
    shard = Path(write_prepared(tmp_path)) / "data/train-00000-of-00001.parquet"
    shard.rename(shard.with_name("train-00000-of-00002.parquet"))
    with pytest.raises(DatasetError, match="has 1 of 2 files like train-00000-of-00002"):
        next(read_clips(str(tmp_path), "train"))


@pytest.mark.parametrize("streaming", [True, False])
def test_a_folder_whose_name_looks_like_a_pattern_is_read_and_no_other(tmp_path, streaming):
    for name, groups in (("[2] a*b", 4), ("2 aXb", 8)):
        write_prepared(tmp_path / name, groups=groups, stills=0)
    rows = open_rows(str(tmp_path / "[2] a*b"), "train", streaming=streaming)
    assert len(list(rows)) == 9


def test_files_that_took_the_place_of_others_of_the_same_time_are_read(tmp_path):
    folder = tmp_path / "set"
    for groups, num_clips in ((4, 9), (8, 18)):
        write_prepared(folder, groups=groups, stills=0)
        for file in (folder / "data").iterdir():
            os.utime(file, (0, 0))  # as some archives and images set it
        for _ in range(2):
            assert len(open_rows(str(folder), "train")) == num_clips


def test_a_full_disk_is_not_taken_for_a_damaged_file(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise DatasetGenerationError("An error occurred") from OSError(errno.ENOSPC, "No space")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(DatasetError, match=r"copied into .*: No space.*HF_DATASETS_CACHE"):
        open_rows(write_prepared(tmp_path), "train")


@pytest.mark.parametrize(
    "text, reason",
    [
        ("{}", "not one that this version of dfjax reads"),
        ("[]", "it is not an object.*into a new folder"),
        ('{"conf', "cannot be read.*into a new folder"),
        ('{"config": {"crops": {"new_field": 1}}, "fingerprint": ""}', "new_field"),
    ],
)
def test_a_manifest_that_is_damaged_or_of_a_newer_version_is_told(tmp_path, text, reason):
    (tmp_path / "dfjax.json").write_text(text)
    with pytest.raises(DatasetError, match=reason):
        load_manifest(str(tmp_path))


def test_a_folder_that_is_not_there_is_told(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise LocalEntryNotFoundError("absent")

    monkeypatch.setattr(prepared_module, "hf_hub_download", fail)
    with pytest.raises(DatasetError, match="There is no folder .*mistyped"):
        load_manifest("prepared/mistyped")


def test_a_parquet_file_of_an_older_version_is_taken_in_its_folder_alone(tmp_path):
    folder = write_prepared(tmp_path / "set")  # which writes no manifest into its files
    file = Path(folder) / "data/train-00000-of-00001.parquet"
    assert load_manifest(str(file))["config"] == load_manifest(folder)["config"]
    with pytest.raises(DatasetError, match="does not say how its clips were made"):
        load_manifest(str(shutil.copy(file, tmp_path)))
