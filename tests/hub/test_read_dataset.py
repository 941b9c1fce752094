"""A data set that is on the Hub alone: streamed to be measured on, fetched to be trained on."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import push_to_hub
from dfjax.data.prepared import load_manifest, load_report, read_clips
from dfjax.data.store import ClipStore
from dfjax.errors import DatasetError
from tests.hub.loopback_hub import LoopbackHub
from tests.hub.processes import run_python
from tests.training.prepared_set import write_prepared

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

REPO_ID = "owner/clips"


@pytest.fixture
def published(hub: LoopbackHub, tmp_path: Path) -> Path:
    """Pushes a prepared set, and returns its folder."""
    folder = tmp_path / "set"
    write_prepared(folder, groups=4, stills=4)
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n"
        "  - {split: train, path: data/train-*.parquet}\n"
        "  - {split: validation, path: data/validation-*.parquet}\n---\n"
    )
    assert push_to_hub.main(["dataset", "--repo-id", REPO_ID, "--data", str(folder)]) == 0
    return folder


def read_all(source: str) -> dict:
    """Returns what training and evaluation read of a data set, as JSON values."""
    store = ClipStore([source], "train")
    return {
        "streamed": [
            [clip.video, _digest(clip.frames), clip.landmarks.tolist()]
            for clip in read_clips(source, "validation")
        ],
        "stored": [
            [clip.video, _digest(store.read(row, np.array([0]))[0])]
            for row, clip in enumerate(store.clips)
        ],
        "manifest": load_manifest(source),
        "report": load_report(source),
    }


def _digest(frames: np.ndarray) -> str:
    return hashlib.sha256(frames.tobytes()).hexdigest()


def test_a_hub_data_set_is_read_as_its_folder_is(published, hub, tmp_path):
    done = run_python("-m", __spec__.name, REPO_ID, hub=hub, home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == read_all(str(published))


def test_a_name_that_is_nowhere_is_one_error_that_says_what_was_looked_for(hub, tmp_path):
    done = run_python("-m", __spec__.name, "owner/nothing", hub=hub, home=tmp_path / "home")
    assert "DatasetError: owner/nothing is neither a local folder nor a parquet file" in done.stderr


def test_a_parquet_file_alone_is_a_data_set(published):
    file = published / "data" / "train-00000-of-00001.parquet"
    here, alone = ClipStore([str(published)], "train"), ClipStore([str(file)], "train")
    assert [clip.video for clip in alone.clips] == [clip.video for clip in here.clips]
    assert len(load_manifest(str(file))["fingerprint"]) == 16
    with pytest.raises(DatasetError, match="has no clip of the split 'validation'"):
        next(read_clips(str(file), "validation"))


if __name__ == "__main__":  # in a process that takes the loopback Hub for the Hub
    json.dump(read_all(sys.argv[1]), sys.stdout)
