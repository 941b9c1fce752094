"""A second push: of the card that a person edited, of a release, and after an interruption."""

from pathlib import Path

import pytest
from huggingface_hub import HfApi

from dfjax.errors import HubError
from dfjax.hub.cards import IfEdited
from tests.hub.loopback_hub import LoopbackHub
from tests.hub.loopback_repo import Commit, File, Repo
from tests.hub.sending import CARD, REPO_ID, send

# huggingface_hub's own upload passes a file to its HTTP client in a way that this deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def edit(repo: Repo, card: bytes) -> None:
    """Edits the published card, as a person does on the Hub."""
    files = {**repo.files(), "README.md": File(card, False)}
    repo.add("main", Commit("Say more", repo.refs["main"], files))


EDITED = CARD + b"By hand.\n"


def test_a_card_that_a_person_edited_stays_while_the_model_is_replaced(
    hub: LoopbackHub, folder: Path
):
    send(folder)
    repo = hub.repo("model", REPO_ID)
    edit(repo, EDITED)
    notes = []
    # Twice, since after the first of them the edited card is that of a commit of ours.
    for weights in (b"better", b"best"):
        (folder / "model.safetensors").write_bytes(weights)
        send(folder, on_note=notes.append)
        assert repo.files()["README.md"].content == EDITED
        assert repo.files()["model.safetensors"].content == weights
    assert len(notes) == 2 and "edited on the Hub, and stays" in notes[0]


def test_a_licence_and_pictures_that_a_person_added_stay(hub: LoopbackHub, folder: Path):
    send(folder)
    repo = hub.repo("model", REPO_ID)
    added = {"LICENSE": File(b"CC BY", False), "figures/demo.png": File(b"png", True)}
    repo.add("main", Commit("Add", repo.refs["main"], {**repo.files(), **added}))
    edit(repo, CARD + b"![demo](figures/demo.png)\n")
    (folder / "model.safetensors").write_bytes(b"better")
    send(folder)
    assert repo.files()["model.safetensors"].content == b"better"
    assert added.items() <= repo.files().items()


def test_a_card_that_nobody_edited_is_replaced(hub: LoopbackHub, folder: Path):
    send(folder)
    (folder / "README.md").write_bytes(CARD + b"New.\n")
    send(folder)
    assert hub.repo("model", REPO_ID).files()["README.md"].content == CARD + b"New.\n"


@pytest.mark.parametrize(("choice", "kept"), [("keep", EDITED), ("replace", CARD + b"New.\n")])
def test_between_an_edited_card_and_a_new_one_a_person_decides(
    hub: LoopbackHub, folder: Path, choice: IfEdited, kept: bytes
):
    send(folder)
    repo = hub.repo("model", REPO_ID)
    edit(repo, EDITED)
    before = repo.refs["main"]
    (folder / "README.md").write_bytes(CARD + b"New.\n")
    with pytest.raises(HubError, match="edited on the Hub.*--edited-card keep"):
        send(folder)
    assert repo.refs["main"] == before
    send(folder, edited_card=choice)
    assert repo.files()["README.md"].content == kept


def test_a_card_that_was_there_before_dfjax_is_a_person_s_unless_the_hub_made_it(
    hub: LoopbackHub, folder: Path
):
    repo = hub.repos["model", REPO_ID] = Repo("model", REPO_ID, private=False)
    files = {**repo.files(), "README.md": File(b"# Made by the Hub", False)}
    repo.refs.clear()
    repo.add("main", Commit("initial commit", None, files))
    send(folder)
    assert repo.files()["README.md"].content == CARD
    repo.commits.clear()
    repo.add("main", Commit("initial commit", None, {}))
    edit(repo, EDITED)
    with pytest.raises(HubError, match="edited on the Hub"):
        send(folder)


def test_a_tag_names_the_commit_and_is_never_moved(hub: LoopbackHub, folder: Path):
    send(folder, tag="v1")
    repo = hub.repo("model", REPO_ID)
    first = repo.refs["main"]
    assert repo.refs["refs/tags/v1"] == first
    (folder / "model.safetensors").write_bytes(b"better weights")
    with pytest.raises(HubError, match=f"has a tag 'v1' already, of the commit {first}"):
        send(folder, tag="v1")
    assert repo.refs["main"] == repo.refs["refs/tags/v1"] == first
    send(folder, tag="v2")
    assert repo.refs["refs/tags/v2"] == repo.refs["main"] != first
    send(folder, tag="v2.0")  # nothing is new but the name
    assert repo.refs["refs/tags/v2.0"] == repo.refs["main"]
    with pytest.raises(HubError, match="once it is merged"):
        send(folder, tag="v3", create_pr=True)


def test_a_tag_that_fails_is_said_to_be_all_that_is_missing(hub: LoopbackHub, folder: Path):
    hub.broken["/tag/"] = 501
    with pytest.raises(HubError) as caught:
        send(folder, tag="v1")
    head = hub.repo("model", REPO_ID).refs["main"]
    said = f"are published, {hub.url}/{REPO_ID}/commit/{head}, but the tag 'v1' was not made. The"
    assert said in str(caught.value)
    hub.broken.clear()
    assert send(folder, tag="v1").endswith(head)
    assert hub.repo("model", REPO_ID).refs["refs/tags/v1"] == head


def test_an_edit_during_the_upload_is_not_lost(
    hub: LoopbackHub, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    send(folder)
    repo = hub.repo("model", REPO_ID)
    upload = HfApi.preupload_lfs_files

    def upload_while_a_person_edits(api: HfApi, *args, **options) -> None:
        upload(api, *args, **options)
        edit(repo, EDITED)

    (folder / "model.safetensors").write_bytes(b"better")
    with monkeypatch.context() as patched:
        patched.setattr(HfApi, "preupload_lfs_files", upload_while_a_person_edits)
        with pytest.raises(HubError, match="changed while this was sent.*Push again"):
            send(folder)
    assert repo.history()[0].message == "Say more"
    sent = [call.path for call in hub.requests if call.method == "PUT"]
    send(folder)
    assert repo.files()["README.md"].content == EDITED
    assert repo.files()["model.safetensors"].content == b"better"
    assert [call.path for call in hub.requests if call.method == "PUT"] == sent


def test_a_push_that_was_interrupted_goes_on_where_it_was(hub: LoopbackHub, folder: Path):
    (folder / "model-00001-of-00002.safetensors").write_bytes(b"another shard")
    hub.broken["/commit/"] = 501
    with pytest.raises(HubError):
        send(folder)
    sent = [call.path for call in hub.requests if call.method == "PUT"]
    assert len(sent) == 2
    hub.broken.clear()
    send(folder)
    assert [call.path for call in hub.requests if call.method == "PUT"] == sent
    assert len(hub.repo("model", REPO_ID).history()) == 2
