"""Data that would make figures worthless is refused before a step is taken, and data is counted."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dfjax.data.clip_row import FEATURES
from dfjax.data.prepared import MANIFEST_FILE, REPORT_FILE, load_manifest
from dfjax.errors import DatasetError
from dfjax.faces.clips import CROPS_VERSION
from dfjax.train_config import TrainConfig
from dfjax.training.pairs import PairIndex
from dfjax.training.run_data import RunData, open_data
from tests.training.prepared_set import CONFIG, plain, without_fakes, write_prepared


def _open(*sources: str, validation_data: tuple[str, ...] = ()) -> RunData:
    manifests = [load_manifest(source) for source in (*sources, *validation_data)]
    return open_data(sources, validation_data, manifests)


@pytest.fixture
def data(tmp_path) -> str:
    return write_prepared(tmp_path / "prepared")


def test_videos_clips_labels_and_groups_are_counted(data):
    found = _open(data).describe(CONFIG, [], about="Drawn at random.")
    # Three quarters of eight groups of a real video and two fakes, and of four with one fake.
    counts = {"videos": 24, "clips": 24, "real": 9, "fake": 15, "groups": 9}
    assert found["train"] == counts
    assert found["name"] == "FaceForensics++ c23"
    assert found["about"] == "Drawn at random."
    assert found["fingerprint"] == "0" * 16


def test_kinds_of_which_no_step_has_a_pair_are_not_described_and_are_told(data):
    opened = _open(data)
    assert opened.unused(CONFIG) == []
    videos = plain(still_pairs=0)
    found = opened.describe(videos, [], about="")
    assert found["train"] == {"videos": 18, "clips": 18, "real": 6, "fake": 12, "groups": 6}
    assert found["trained_methods"] == {"ffpp": ["Deepfakes", "FaceSwap"]}
    (told,) = opened.unused(videos)
    assert "3 real pictures and 3 fake ones" in told and "--still-pairs is 0" in told
    pictures = plain(pairs=0)
    assert opened.describe(pictures, [], about="")["trained_methods"] == {"ffpp": ["stills"]}
    (told,) = opened.unused(pictures)
    assert "6 real videos and 12 fake ones" in told and "--pairs is 0" in told


def _drawn(opened: RunData, config: TrainConfig) -> set[str]:
    index = PairIndex.of(opened.store.clips, stills=False)
    pairs = [pair for step in range(200) for pair in index.pairs(4, config, step=step)]
    rows = {row for pair in pairs for row in (pair.real, pair.fake) if row is not None}
    return {opened.store.clips[row].video for row in rows}


def test_fakes_that_only_self_blends_replace_are_not_described_and_are_told(data):
    opened, config = _open(data), plain(still_pairs=0, self_blended=1.0)
    assert {clip.video for clip in opened.shown(config)} == _drawn(opened, config)
    found = opened.describe(config, [], about="")
    assert (found["train"]["real"], found["train"]["fake"]) == (6, 0)
    assert found["trained_methods"] == {}
    assert any("12 fake videos of 'ffpp'" in told for told in opened.unused(config))


def test_fakes_and_real_videos_in_different_data_sets_are_not_described_and_are_told(
    data, tmp_path
):
    folders = []
    for name, label in (("swaps", "fake"), ("reals", "real")):
        folder = write_prepared(tmp_path / name, stills=0, name=name)
        path = Path(folder) / "data" / "train-00000-of-00001.parquet"
        wanted = ("label", "=", FEATURES["label"].str2int(label))
        pq.write_table(pq.read_table(path, filters=[wanted]), path)
        folders.append(folder)
    opened, config = _open(data, *folders), plain(still_pairs=0)
    assert {clip.video for clip in opened.shown(config)} == _drawn(opened, config)
    found = opened.describe(config, [], about="")
    assert found["train"]["videos"] == 18
    assert found["trained_methods"].keys() == {"ffpp"}
    reals, swaps, _ = opened.unused(config)  # the last is about pictures
    assert "6 real videos of 'reals'" in reals
    assert "12 fake videos of 'swaps'" in swaps and "(Deepfakes, FaceSwap)" in swaps


def test_nothing_is_told_of_kinds_that_the_data_lacks(tmp_path):
    folder = write_prepared(tmp_path / "videos", stills=0)
    assert _open(folder).unused(plain(still_pairs=0)) == []


def test_videos_without_a_clip_are_counted_over_all_splits(data):
    path = Path(data) / REPORT_FILE
    report = json.loads(path.read_text())
    report["missing"] = ["a", "b"]
    for split, no_face in (("train", 3), ("validation", 4)):
        report["splits"][split] |= {"no_face": no_face, "unreadable": 1}
    path.write_text(json.dumps(report))
    assert _open(data).skipped == {"no_face": 7, "unreadable": 2, "missing": 2}


def test_data_that_is_only_measured_on_gives_no_training_clip(data, tmp_path):
    more = write_prepared(tmp_path / "more", seed=1, name="more")
    found = _open(data, validation_data=(more,))
    assert len(found.store.clips) == len(_open(data).store.clips)
    assert found.measured == [data, more]
    assert found.fingerprints == ["0" * 16, f"{1:016}"]


def test_files_of_one_split_each_are_trained_or_measured_on(data):
    train, validation = (f"{data}/data/{s}-00000-of-00001.parquet" for s in ("train", "validation"))
    found = _open(train, validation)
    assert (len(found.store.clips), len(found.validation_clips)) == (24, 8)
    assert found.measured == [validation]  # the other would be refused at the first validation
    with pytest.raises(DatasetError, match="train-.* has no clip of the split 'validation'"):
        _open(train, validation_data=(train,))


def test_data_that_is_given_twice_is_refused_before_the_first_step(data):
    for sources, validation_data in (((data, data), ()), ((data,), (data,))):
        with pytest.raises(DatasetError, match="given twice"):
            _open(*sources, validation_data=validation_data)


def test_data_sets_that_were_prepared_differently_are_refused(data, tmp_path):
    other = write_prepared(tmp_path / "other")
    path = Path(other) / MANIFEST_FILE
    manifest = json.loads(path.read_text())
    manifest["config"]["crops"]["margin"] = 2.0
    path.write_text(json.dumps(manifest))
    with pytest.raises(DatasetError, match="prepared with different configs"):
        _open(data, other)


def _with_versions(*folders: tuple[str, int]) -> None:
    for folder, version in folders:
        path = Path(folder) / MANIFEST_FILE
        path.write_text(json.dumps({**json.loads(path.read_text()), "crops_version": version}))


@pytest.mark.parametrize("version", [0, CROPS_VERSION + 1])
def test_data_sets_whose_crops_are_of_different_versions_are_refused(data, tmp_path, version):
    other = write_prepared(tmp_path / "other", name="other")
    _with_versions((data, version), (other, CROPS_VERSION))
    with pytest.raises(DatasetError, match="versions of dfjax that make different crops"):
        _open(data, other)


def test_data_sets_whose_crops_differ_in_rare_files_are_trained_on_together(data, tmp_path):
    other = write_prepared(tmp_path / "other", seed=1, name="other")
    _with_versions((data, 1), (other, 2))
    assert len(_open(data, other).store.clips) > len(_open(data).store.clips)


def test_identities_in_both_splits_are_refused(data):
    train, validation = (
        Path(data) / "data" / f"{split}-00000-of-00001.parquet" for split in ("train", "validation")
    )
    shutil.copy(train, validation)
    with pytest.raises(DatasetError, match="training split of .ffpp. and the validation"):
        _open(data)


def test_validation_without_fakes_is_refused(data):
    without_fakes(data)
    with pytest.raises(DatasetError, match="both real and fake validation videos"):
        _open(data)


def test_data_of_which_prepare_did_not_come_to_its_end_is_refused(data):
    (Path(data) / REPORT_FILE).unlink()
    with pytest.raises(DatasetError, match="did not finish"):
        _open(data)
