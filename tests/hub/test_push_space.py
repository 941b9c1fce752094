"""Publishing the Space: what is put together is what runs, before the push and after it."""

import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from huggingface_hub import SpaceCard, snapshot_download

from dfjax.errors import HubError
from dfjax.hub.folder import copy_known_files
from dfjax.hub.space import SPACE_FILES, build_space_folder, link_to_hub
from dfjax.page.example_videos import write_examples
from dfjax.reporting.card import MODEL_ID_PLACEHOLDER
from tests.answering import answering, free_port
from tests.hub.loopback_hub import WRITE_TOKEN, LoopbackHub
from tests.hub.loopback_repo import Repo
from tests.hub.processes import hub_environment, run_python
from tests.hub.small_project import README

PROJECT = Path(__file__).resolve().parents[2]

REPO_ID = "owner/detector"


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
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "docs",
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


# With a small project in place of ours.


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


@pytest.mark.parametrize("model", [None, "owner/name"])
def test_no_link_in_a_document_of_the_space_is_dead(tmp_path: Path, model: str | None):
    copy_known_files(PROJECT, tmp_path, SPACE_FILES)
    if model is None:
        (tmp_path / "checkpoint").mkdir()
        (tmp_path / "checkpoint" / "README.md").touch()
    else:
        link_to_hub(tmp_path, model)
    documents = [path for path in tmp_path.rglob("*.md") if path.stat().st_size]
    links = [
        (path, link.split("#")[0])
        for path in documents
        for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))
        if not link.startswith(("https:", "http:", "#"))
    ]
    assert len(documents) > 5 and len(links) > 10
    dead = [(path.name, link) for path, link in links if not (path.parent / link).is_file()]
    assert dead == []
    linked = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert ("(https://huggingface.co/owner/name)" in linked) == (model is not None)


def test_the_space_gets_every_file_of_the_package():
    sent = {file for pattern in SPACE_FILES for file in PROJECT.glob(pattern)}
    package = {file for file in (PROJECT / "dfjax").rglob("*") if file.is_file()}
    left = {file.name for file in package - sent if "__pycache__" not in file.parts}
    assert left == {"py.typed"}  # which only type checkers read


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
