"""Where a model comes from: a folder or the Hub, and from there nothing that could run code."""

import huggingface_hub
import huggingface_hub.constants
import pytest
from huggingface_hub import errors
from huggingface_hub.utils import filter_repo_objects

from dfjax.errors import HubError, ModelFormatError
from dfjax.models.detector import Detector
from tests.models.tiny import assert_same_weights


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A stand-in for the Hub, offline and with an empty cache."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def test_from_the_hub_come_only_files_that_cannot_run_code(hub, saved, detector):
    asked = {}

    def snapshot_download(repo_id, *, revision, allow_patterns):
        asked.update(repo_id=repo_id, revision=revision)
        offered = [file.name for file in saved.iterdir()]
        hostile = ["pytorch_model.bin", "model.pkl", "modeling.py", "state.ckpt", "a/b.json"]
        given = set(filter_repo_objects([*offered, *hostile], allow_patterns=allow_patterns))
        assert given == set(offered)
        return str(saved)

    hub.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert_same_weights(Detector.from_pretrained("owner/name", revision="v1"), detector)
    assert asked == {"repo_id": "owner/name", "revision": "v1"}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (errors.RepositoryNotFoundError, "no local folder owner/name, and no such repository"),
        (errors.GatedRepoError, "Accept them at https://huggingface.co/owner/name"),
        (errors.RevisionNotFoundError, "no revision 'v1'"),
        (errors.LocalEntryNotFoundError, "cannot be reached"),
        (errors.HfHubHTTPError, "owner/name could not be downloaded"),
        (OSError, "owner/name could not be downloaded"),
        (RuntimeError, "owner/name could not be downloaded"),
    ],
)
def test_what_the_hub_refuses_is_told_with_a_hint(hub, kind, message):
    def snapshot_download(*args, **kwargs):
        raise kind.__new__(kind)

    hub.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(HubError, match=message):
        Detector.from_pretrained("owner/name", revision="v1")


def test_offline_without_a_cached_copy_the_hub_is_said_to_be_out_of_reach(hub):
    with pytest.raises(HubError, match="not complete in the local cache.*HF_HUB_OFFLINE"):
        Detector.from_pretrained("owner/name")


@pytest.mark.parametrize("source", ["nothing", "./owner/name", "/a/b", "a/b/c", "../name", ""])
def test_what_is_neither_folder_nor_repository_is_refused(hub, source):
    with pytest.raises(ModelFormatError, match="There is no folder"):
        Detector.from_pretrained(source)


def test_a_name_that_the_hub_does_not_allow_is_refused(hub):
    with pytest.raises(ModelFormatError, match="neither a local folder nor a valid name"):
        Detector.from_pretrained("owner/name--x")


def test_a_folder_has_no_revision(saved):
    with pytest.raises(ModelFormatError, match="has no revision 'v1'"):
        Detector.from_pretrained(saved, revision="v1")
