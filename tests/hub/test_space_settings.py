"""A Space's hardware and the model that it fetches: set for the Space that runs, for it alone."""

from pathlib import Path
from typing import Literal

import pytest
from huggingface_hub import SpaceCard

import push_to_hub
from dfjax.errors import HubError
from dfjax.hub.hardware import set_up_space, to_set_up
from dfjax.hub.space import build_space_folder
from tests.hub.loopback_hub import LoopbackHub
from tests.hub.loopback_repo import Repo
from tests.hub.small_project import APP, README

REPO_ID = "owner/detector"


def front_matter(folder: Path) -> dict:
    return SpaceCard.load(folder / "README.md").data.to_dict()


def test_a_space_with_a_gpu_installs_jax_for_it_in_one_whole_file(
    project: Path, checkpoint: Path, tmp_path: Path
):
    built = tmp_path / "built"
    files = build_space_folder(project, checkpoint, built, hardware="t4-small")
    assert (built / "requirements.txt").read_text() == "numpy>=2\njax[cuda12]>=0.9\n"
    assert "requirements.lock" not in files  # whose versions are those for the CPU
    given = SpaceCard(README).data.to_dict()
    assert front_matter(built) == {**given, "suggested_hardware": "t4-small"}


# huggingface_hub's own upload passes a file to its HTTP client in a way that this deprecates.
@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
def test_a_second_push_keeps_jax_for_the_gpu_that_the_space_has(
    hub: LoopbackHub, project: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setattr(push_to_hub, "_PROJECT", project)
    arguments = ["space", "--repo-id", REPO_ID, "--model", str(checkpoint)]
    assert push_to_hub.main([*arguments, "--hardware", "t4-small"]) == 0
    repo = hub.repo("space", REPO_ID)
    assert repo.hardware == "t4-small"
    before = repo.refs["main"]
    assert push_to_hub.main(arguments) == 0
    assert repo.refs["main"] == before  # nothing is new
    assert push_to_hub.main([*arguments, "--hardware", "cpu-basic"]) == 0
    assert b"cuda" not in repo.files()["requirements.txt"].content
    hub.broken["/runtime"] = 501
    assert push_to_hub.main(arguments) == 1
    assert push_to_hub.main([*arguments, "--dry-run"]) == 0
    assert "this is built for a CPU" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("hardware", "message"),
    [("zero-a10g", "PyTorch alone.*t4-small"), ("t5-small", "no Space hardware 't5-small'.*l4x1")],
)
def test_hardware_that_jax_cannot_use_is_refused(
    project: Path, checkpoint: Path, tmp_path: Path, hardware: str, message: str
):
    with pytest.raises(HubError, match=message):
        build_space_folder(project, checkpoint, tmp_path / "built", hardware=hardware)


def test_a_space_may_fetch_its_model_when_it_is_built(
    project: Path, hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    loaded = []
    monkeypatch.setattr("dfjax.models.detector.Detector.from_pretrained", loaded.append)
    app = APP.replace('"DFJAX_MODEL" not in os.environ', 'os.environ["DFJAX_MODEL"] == "a/b"')
    (project / "app.py").write_text(app)
    hub.repos["model", "a/b"] = Repo("model", "a/b", private=False)
    files = build_space_folder(project, "a/b", tmp_path / "built")
    assert loaded == ["a/b"] and not any(name.startswith("checkpoint/") for name in files)
    assert front_matter(tmp_path / "built")["preload_from_hub"] == ["a/b"]
    hub.repos["space", REPO_ID] = Repo("space", REPO_ID, private=False)
    set_up_space(REPO_ID, "t4-small", "a/b")
    calls = [call for call in hub.requests if call.method == "POST"]
    posted = {call.path.rsplit("/")[-1]: call.json() for call in calls}
    assert posted["variables"] == {"key": "DFJAX_MODEL", "value": "a/b"}
    assert posted["hardware"] == {"flavor": "t4-small"}


@pytest.mark.parametrize(("private", "gated"), [(True, False), (False, "manual")])
def test_a_model_that_a_space_may_not_fetch_is_refused(
    project: Path, hub: LoopbackHub, tmp_path: Path, private: bool, gated: Literal[False, "manual"]
):
    model = hub.repos["model", "owner/model"] = Repo("model", "owner/model", private)
    model.gated = gated
    with pytest.raises(HubError, match="owner/model is not there, or not for everybody"):
        build_space_folder(project, "owner/model", tmp_path / "built")


def test_a_space_that_holds_its_model_no_longer_serves_another(hub: LoopbackHub):
    repo = hub.repos["space", REPO_ID] = Repo("space", REPO_ID, private=False)
    set_up_space(REPO_ID, None, "a/b")
    assert repo.variables == {"DFJAX_MODEL": "a/b"}
    repo.variables["DFJAX_RUNTIME"] = "onnx"
    for _ in range(2):
        set_up_space(REPO_ID, None, None)
        assert repo.variables == {"DFJAX_RUNTIME": "onnx"}


@pytest.mark.parametrize(
    ("to", "what"), [(("--create-pr",), "pull request"), (("--revision", "next"), "branch")]
)
@pytest.mark.parametrize(
    ("options", "left"),
    [
        ((), ["set the variable DFJAX_MODEL to a/b: the Space holds no model"]),
        (("--hardware", "t4-small"), ["DFJAX_MODEL to a/b", "choose the hardware t4-small"]),
        (("--model", "checkpoint"), ["delete the variable DFJAX_MODEL: the Space serves"]),
    ],
)
def test_a_pull_request_or_a_branch_says_what_is_left_to_set_and_sets_nothing(
    hub: LoopbackHub, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys, options, left, to, what
):
    repo = hub.repos["space", REPO_ID] = Repo("space", REPO_ID, private=False)
    repo.variables["DFJAX_MODEL"] = "owner/live"
    repo.refs["next"] = repo.refs["main"]
    built = push_to_hub._Built(folder, ["README.md"], ("README.md",))
    monkeypatch.setattr(push_to_hub.Space, "build", lambda self, folder: built)
    monkeypatch.chdir(folder.parent)
    (folder.parent / "checkpoint").mkdir()
    arguments = ["space", "--repo-id", REPO_ID, "--model", "a/b", *to, *options]
    assert push_to_hub.main(arguments) == 0
    said = capsys.readouterr()
    assert f"{hub.url}/spaces/{REPO_ID}/" in said.out.splitlines()[-1]
    page = f"{hub.url}/spaces/{REPO_ID}/settings"
    assert said.err.startswith(f"Once the {what} is merged, open {page} and ")
    assert all(words in said.err for words in left)
    assert repo.variables == {"DFJAX_MODEL": "owner/live"}
    assert not any("hardware" in call.path for call in hub.requests)


def test_a_model_in_the_files_leaves_nothing_to_set_where_no_variable_names_another(
    hub: LoopbackHub,
):
    hub.repos["space", REPO_ID] = Repo("space", REPO_ID, private=False)
    assert to_set_up(REPO_ID, None, None, what="branch") is None
    hub.broken["/variables"] = 501
    left = to_set_up(REPO_ID, None, None, what="branch")
    assert left is not None and "delete the variable DFJAX_MODEL if it is set: " in left


@pytest.mark.parametrize(("path", "status"), [("/variables", 501), ("/hardware", 402)])
def test_what_fails_after_the_commit_says_that_the_files_are_published(
    hub: LoopbackHub, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys, path: str, status: int
):
    built = push_to_hub._Built(folder, ["README.md"], ("README.md",))
    monkeypatch.setattr(push_to_hub.Space, "build", lambda self, folder: built)
    hub.broken[path] = status
    arguments = ["space", "--repo-id", REPO_ID, "--model", "a/b", "--hardware", "t4-small"]
    assert push_to_hub.main(arguments) == 1
    head = hub.repo("space", REPO_ID).refs["main"]
    said = capsys.readouterr().err
    address = f"{hub.url}/spaces/{REPO_ID}/commit/{head}"
    assert said.startswith(f"Error: The files are published, {address}, ")
    assert "not all set. The Hub" in said and f"status {status}" in said
