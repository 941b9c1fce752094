"""Publishing the Space: what is put together is what runs, before the push and after it."""

import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from gradio_client import Client, handle_file
from huggingface_hub import SpaceCard, snapshot_download

import push_to_hub
from dfjax.errors import HubError
from dfjax.hub.hardware import set_up_space
from dfjax.hub.space import SPACE_FILES, build_space_folder
from dfjax.page.example_videos import write_examples
from dfjax.reporting.card import MODEL_ID_PLACEHOLDER
from tests.answering import answering, free_port
from tests.hub.loopback_hub import WRITE_TOKEN, LoopbackHub
from tests.hub.loopback_repo import Repo
from tests.hub.processes import hub_environment, run_python

REPO_ID = "owner/detector"

README = """\
---
title: A Space
sdk: gradio
sdk_version: 6.31.0
python_version: "3.11"
app_file: app.py
---
# A Space
"""

APP = """\
import http.server, os
assert "HF_TOKEN" not in os.environ and "DFJAX_MODEL" not in os.environ
open("written_while_running.py", "w").close()
address = (os.environ["GRADIO_SERVER_NAME"], int(os.environ["GRADIO_SERVER_PORT"]))
http.server.ThreadingHTTPServer(address, http.server.SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.fixture(scope="module")
def published(
    checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[LoopbackHub, Repo]]:
    """This project's own Space with the tiny checkpoint, published from the command line."""
    home = tmp_path_factory.mktemp("home")
    with LoopbackHub() as hub:
        arguments = ("push_to_hub.py", "space", "--repo-id", REPO_ID, "--model", checkpoint)
        done = run_python(*arguments, hub=hub, home=home)
        assert done.returncode == 0, done.stderr
        yield hub, hub.repo("space", REPO_ID)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def space(
    published: tuple[LoopbackHub, Repo], home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The files of the published Space, and nothing else."""
    hub, _ = published
    folder = tmp_path_factory.mktemp("space")
    snapshot_download(
        REPO_ID,
        repo_type="space",
        local_dir=folder,
        cache_dir=home,
        endpoint=hub.url,
        token=WRITE_TOKEN,
    )
    return folder


def _judge(python: str | Path, space: Path, hub: LoopbackHub, home: Path, video: Path) -> dict:
    """Returns what the Space says of a video, started by a Python."""
    port = free_port()
    environment = hub_environment(hub, home, None) | {
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
    }
    environment.pop("PYTHONPATH", None)
    run = answering(
        [python, "app.py"], port, environment=environment, log=home / "log", folder=space
    )
    with run as address:
        client = Client(address, verbose=False)
        try:
            return client.predict(handle_file(video), api_name="/predict")
        finally:
            client.close()


def test_the_published_space_judges_a_video(
    published: tuple[LoopbackHub, Repo], space: Path, home: Path, tmp_path: Path
):
    video = write_examples(tmp_path)[0].path
    prediction = _judge(sys.executable, space, published[0], home, video)
    assert prediction["schema_version"] == 1
    assert prediction["label"] in ("real", "fake", "uncertain")
    assert 0 <= prediction["probability_fake"] <= 1
    assert prediction["frames"]
    assert prediction["model"]["id"] == "checkpoint"


@pytest.mark.fresh_environment
@pytest.mark.timeout(900)  # it installs 2 GB
def test_a_space_needs_nothing_but_its_requirements(
    published: tuple[LoopbackHub, Repo], space: Path, home: Path, tmp_path: Path
):
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "-r", space / "requirements.txt"]
    subprocess.run(install, check=True)
    video = write_examples(tmp_path)[0].path
    prediction = _judge(python, space, published[0], home, video)
    assert prediction["label"] in ("real", "fake", "uncertain")


def test_a_space_is_one_commit_of_app_package_and_model(published: tuple[LoopbackHub, Repo]):
    _, repo = published
    assert len(repo.history()) == 2  # the Hub's own first commit, and ours
    tops = {name.split("/")[0] for name in repo.files()} - {".gitattributes"}
    assert tops == {
        "README.md",
        "LICENSE",
        "app.py",
        "requirements.txt",
        "requirements.lock",
        "dfjax",
        "checkpoint",
    }
    assert all(file.is_lfs == name.endswith(".safetensors") for name, file in repo.files().items())


def test_the_published_space_says_how_to_run_it(published: tuple[LoopbackHub, Repo]):
    _, repo = published
    data = SpaceCard(repo.files()["README.md"].content.decode()).data
    assert data["sdk"] == "gradio"
    assert data["app_file"] == "app.py"
    assert data["python_version"]


# A small project in place of ours: its app is a web server of four lines.


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    (project / "dfjax" / "page" / "__pycache__").mkdir(parents=True)
    (project / "dfjax" / "page" / "templates").mkdir()
    (project / "tests").mkdir()
    for name, text in {
        "app.py": APP,
        "README.md": README,
        "LICENSE": "",
        "requirements.txt": "numpy>=2\njax>=0.9  # on any machine\n",
        "requirements-gpu.txt": "# NVIDIA\njax[cuda12]>=0.9\n",
        "requirements.lock": "",
        "dfjax/__init__.py": "",
        "dfjax/page/blocks.py": "",
        "dfjax/page/style.css": "",
        "dfjax/page/templates/result.html": "",
        "dfjax/page/.hidden.py": "",
        "dfjax/page/notes.txt": "",
        "dfjax/page/__pycache__/blocks.py": "",
        "tests/test_app.py": "",
        ".env": "",
        "train.py": "",
    }.items():
        (project / name).write_text(text)
    return project


def test_only_what_the_space_runs_is_published(
    project: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HF_TOKEN", WRITE_TOKEN)
    monkeypatch.setenv("DFJAX_MODEL", "owner/other")
    files = build_space_folder(project, checkpoint, tmp_path / "built")
    model = {f"checkpoint/{path.name}" for path in checkpoint.iterdir()}
    assert set(files) - model == {
        "LICENSE",
        "README.md",
        "app.py",
        "requirements.txt",
        "requirements.lock",
        "dfjax/__init__.py",
        "dfjax/page/blocks.py",
        "dfjax/page/style.css",
        "dfjax/page/templates/result.html",
    }
    assert model < set(files)
    assert (tmp_path / "built" / "written_while_running.py").is_file()  # it did run
    card = (tmp_path / "built" / "checkpoint" / "README.md").read_text(encoding="utf-8")
    assert 'from_pretrained("checkpoint")' in card and MODEL_ID_PLACEHOLDER not in card


def test_the_space_gets_every_file_of_the_package():
    project = Path(__file__).resolve().parents[2]
    sent = {file for pattern in SPACE_FILES for file in project.glob(pattern)}
    package = {file for file in (project / "dfjax").rglob("*") if file.is_file()}
    left = {file.name for file in package - sent if "__pycache__" not in file.parts}
    assert left == {"py.typed"}  # which only type checkers read


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
        (("--model", "checkpoint"), []),
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
    if left:
        page = f"{hub.url}/spaces/{REPO_ID}/settings"
        assert said.err.startswith(f"Once the {what} is merged, open {page} and ")
    assert all(words in said.err for words in left) and bool(said.err) is bool(left)
    assert repo.variables == {"DFJAX_MODEL": "owner/live"}
    assert not any("hardware" in call.path for call in hub.requests)


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
    assert said.startswith(f"The files are published, {hub.url}/spaces/{REPO_ID}/commit/{head}, ")
    assert "not all set. The Hub" in said and f"status {status}" in said


@pytest.mark.parametrize(
    ("app", "message"),
    [
        ("import absent_module", "No module named 'absent_module'"),
        ("raise SystemExit('There is no model.')", "There is no model."),
        ("", "it says nothing"),
    ],
)
def test_an_app_that_does_not_start_is_not_published(
    project: Path, checkpoint: Path, tmp_path: Path, app: str, message: str
):
    (project / "app.py").write_text(app)
    with pytest.raises(HubError, match=f"does not start.*{message}"):
        build_space_folder(project, checkpoint, tmp_path / "built")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title: A Space\n", "", "title None"),
        ("sdk: gradio", "sdk: docker", "sdk 'docker'.*gradio"),
        ("sdk_version: 6.31.0", "sdk_version: 6.31", "sdk_version 6.31.*full version"),
        ('"3.11"', "3.10", "python_version 3.1;.*in quotes"),
        ('python_version: "3.11"\n', "", "python_version None"),
        ("app_file: app.py", "app_file: main.py", "app_file 'main.py'"),
        ("---\n", "", "no front matter"),
        ("title: A Space", "title: [", "not valid"),
    ],
)
def test_front_matter_that_makes_no_space_is_refused(
    project: Path, checkpoint: Path, tmp_path: Path, old: str, new: str, message: str
):
    (project / "README.md").write_text(README.replace(old, new))
    with pytest.raises(HubError, match=message):
        build_space_folder(project, checkpoint, tmp_path / "built")


@pytest.mark.parametrize("name", ["app.py", "README.md", "LICENSE", "dfjax/__init__.py"])
def test_a_project_without_a_needed_file_is_refused(
    project: Path, checkpoint: Path, tmp_path: Path, name: str
):
    (project / name).unlink()
    with pytest.raises(HubError, match=f"lacks {name}"):
        build_space_folder(project, checkpoint, tmp_path / "built")


def test_a_link_out_of_the_project_is_refused(project: Path, checkpoint: Path, tmp_path: Path):
    (tmp_path / "secret.py").write_text("TOKEN = 1")
    (project / "dfjax" / "settings.py").symlink_to(tmp_path / "secret.py")
    with pytest.raises(HubError, match="dfjax/settings.py.*symbolic link"):
        build_space_folder(project, checkpoint, tmp_path / "built")


def test_a_space_without_a_model_is_refused(project: Path, checkpoint: Path, tmp_path: Path):
    bare = shutil.copytree(checkpoint, tmp_path / "bare")
    (bare / "config.json").unlink()
    with pytest.raises(HubError, match="lacks config.json"):
        build_space_folder(project, bare, tmp_path / "built")
