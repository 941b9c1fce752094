"""Publishing a prepared data set: whole, in one commit, and in no public repository by accident."""

import json
import shutil
from pathlib import Path

import datasets
import numpy as np
import pytest
from huggingface_hub import constants, snapshot_download
from PIL import Image

import push_to_hub
from dfjax.config import Config, CropConfig
from dfjax.data.prepare import prepare
from dfjax.data.prepared import read_clips
from dfjax.data.sources import read_source
from dfjax.errors import DatasetError, HubError
from dfjax.hub.dataset import check_dataset_folder
from tests.hub.loopback_hub import WRITE_TOKEN, LoopbackHub
from tests.hub.loopback_repo import Repo
from tests.videos import portrait_frames

# huggingface_hub's own upload passes a file to its HTTP client in a way that this deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

REPO_ID = "owner/faces"
TRAIN, VALIDATION = (f"data/{split}-00000-of-00001.parquet" for split in ("train", "validation"))
FILES = ["README.md", TRAIN, VALIDATION, "dfjax.json", "report.json"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stills, prepared. Do not change it."""
    root = tmp_path_factory.mktemp("root")
    for name in ("anna", "bert"):
        Image.fromarray(portrait_frames(1)[0]).save(root / f"{name}.png")
    (root / "metadata.csv").write_text(
        "file,label,split\nanna.png,real,train\nbert.png,fake,validation\n"
    )
    out = tmp_path_factory.mktemp("prepared") / "set"
    prepare(read_source("folder", root), out, Config(crops=CropConfig(image_size=32)))
    return out


@pytest.fixture
def copied(prepared: Path, tmp_path: Path) -> Path:
    return shutil.copytree(prepared, tmp_path / "copied")


def push(folder: Path, *more: str) -> int:
    return push_to_hub.main(["dataset", "--repo-id", REPO_ID, "--data", str(folder), *more])


def test_a_pulled_data_set_is_the_pushed_one_and_private(
    prepared: Path, hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert push(prepared) == 0
    repo = hub.repo("dataset", REPO_ID)
    assert repo.private
    assert len(repo.history()) == 2  # the Hub's own first commit, and ours
    assert sorted(repo.files()) == [".gitattributes", *FILES]
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE  # made when ENDPOINT was the real one
    address = template.replace("https://huggingface.co", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address)
    pulled = snapshot_download(
        REPO_ID,
        repo_type="dataset",
        local_dir=tmp_path / "pulled",
        cache_dir=tmp_path,
        token=WRITE_TOKEN,
    )
    (pushed_clip,) = read_clips(str(prepared), "validation")
    (pulled_clip,) = read_clips(pulled, "validation")
    assert pulled_clip.video == pushed_clip.video and pulled_clip.is_fake == 1
    np.testing.assert_array_equal(pulled_clip.frames, pushed_clip.frames)


def test_nothing_is_sent_to_a_public_repository_unless_it_is_asked_for(
    prepared: Path, hub: LoopbackHub, capsys: pytest.CaptureFixture[str]
):
    hub.repos["dataset", REPO_ID] = repo = Repo("dataset", REPO_ID, private=False)
    assert push(prepared) == 1
    assert "is public, and nothing was sent" in capsys.readouterr().err
    assert sorted(repo.files()) == [".gitattributes"]
    assert push(prepared, "--public") == 0
    assert sorted(repo.files()) == [".gitattributes", *FILES]


@pytest.mark.parametrize("default", ["public", "private"])
def test_a_new_repository_is_public_only_where_that_is_asked_for(
    prepared: Path, hub: LoopbackHub, default: str
):
    hub.new_visibility = default  # of the owner
    assert push(prepared, "--public") == 0
    assert not hub.repo("dataset", REPO_ID).private


def test_shards_of_an_earlier_push_are_gone_after_the_next(copied: Path, hub: LoopbackHub):
    assert push(copied) == 0
    report = json.loads((copied / "report.json").read_text())
    del report["splits"]["validation"]
    (copied / "report.json").write_text(json.dumps(report))
    (copied / VALIDATION).unlink()
    assert push(copied) == 0
    assert VALIDATION not in hub.repo("dataset", REPO_ID).files()


def test_a_pull_request_leaves_what_is_published_as_it_is(copied: Path, hub: LoopbackHub):
    assert push(copied) == 0
    (copied / "README.md").write_text((copied / "README.md").read_text() + "More.\n")
    assert push(copied, "--create-pr") == 0
    repo = hub.repo("dataset", REPO_ID)
    assert b"More." not in repo.files()["README.md"].content
    assert b"More." in repo.files("refs/pr/1")["README.md"].content


def test_a_dry_run_lists_the_files_and_sends_nothing(
    copied: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("dfjax.hub.push.push_folder", lambda *_, **__: pytest.fail("it was sent"))
    (copied / "notes.txt").write_text("not for publication")
    (copied / "data" / "train-00000-of-00001.unfinished").touch()
    assert push(copied, "--dry-run") == 0
    *rows, total = capsys.readouterr().out.splitlines()
    assert [row.split()[1] for row in rows] == FILES
    assert "nothing was sent" in total


# What is not whole, or not sound, does not leave.


@pytest.mark.parametrize("name", ["report.json", "dfjax.json"])
def test_a_data_set_that_was_not_prepared_to_its_end_is_refused(copied: Path, name: str):
    (copied / name).unlink()
    with pytest.raises(DatasetError, match=f"{name}.*dfjax prepare"):
        check_dataset_folder(copied)


def test_a_data_set_without_a_card_is_refused(copied: Path):
    (copied / "README.md").unlink()
    with pytest.raises(HubError, match="lacks README.md"):
        check_dataset_folder(copied)


def test_a_missing_shard_is_told(copied: Path):
    (copied / TRAIN).rename(copied / "data" / "train-00000-of-00002.parquet")
    with pytest.raises(HubError, match="1 of 2 shards of the split 'train'"):
        check_dataset_folder(copied)
    (copied / VALIDATION).unlink()
    (copied / "data" / "train-00000-of-00002.parquet").rename(copied / TRAIN)
    with pytest.raises(HubError, match="0 of 1 shards of the split 'validation'"):
        check_dataset_folder(copied)


def rewrite(shard: Path, change) -> None:
    rows = datasets.load_dataset("parquet", data_files=[str(shard)], split="train")
    change(rows).to_parquet(shard)


def test_a_parquet_file_of_no_split_is_refused(copied: Path):
    shutil.copy(copied / TRAIN, copied / "data/private-00000-of-00001.parquet")
    with pytest.raises(HubError, match="private-00000-of-00001.parquet is of none of the splits"):
        check_dataset_folder(copied)


def test_a_shard_with_other_columns_is_told_with_their_names(copied: Path):
    rewrite(copied / TRAIN, lambda rows: rows.remove_columns("landmarks"))
    with pytest.raises(HubError, match="train-00000.*columns that differ.*: landmarks"):
        check_dataset_folder(copied)


def test_rows_that_the_report_does_not_know_are_told(copied: Path):
    rewrite(copied / TRAIN, lambda rows: datasets.concatenate_datasets([rows, rows]))
    with pytest.raises(HubError, match="'train'.* 2 rows.* 1"):
        check_dataset_folder(copied)


def test_a_group_in_two_splits_is_told(copied: Path):
    rewrite(
        copied / VALIDATION,
        lambda rows: rows.map(lambda row: {"group": "anna.png"}, features=rows.features),
    )
    with pytest.raises(HubError, match="folder/anna.png is in the splits train and validation"):
        check_dataset_folder(copied)


def test_a_damaged_shard_is_told(copied: Path):
    content = (copied / TRAIN).read_bytes()
    (copied / TRAIN).write_bytes(content[: len(content) // 2])
    with pytest.raises(HubError, match="train-00000.*not a readable parquet"):
        check_dataset_folder(copied)


def test_a_link_out_of_the_data_set_is_refused(copied: Path, tmp_path: Path):
    shutil.move(copied / TRAIN, tmp_path / "elsewhere.parquet")
    (copied / TRAIN).symlink_to(tmp_path / "elsewhere.parquet")
    with pytest.raises(HubError, match="train-00000.*symbolic link"):
        check_dataset_folder(copied)
