"""Publishing a model: the folder that is built, the one commit that carries it, the way back."""

import dataclasses
import errno
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import jax
import pytest
from flax import nnx

import push_to_hub
from dfjax.errors import HubError, ModelFormatError
from dfjax.hub.model import build_model_folder
from dfjax.models.detector import Detector
from dfjax.models.evaluation_file import EVALUATION_FILE
from dfjax.models.fingerprint import fingerprint
from dfjax.models.pretrained import read_config, write_calibration
from dfjax.reporting.card import MODEL_ID_PLACEHOLDER
from tests.hub.loopback_hub import OTHER_TOKEN, READ_TOKEN, WRITE_TOKEN, LoopbackHub
from tests.hub.loopback_repo import Commit, File, Repo
from tests.hub.loopback_server import Answer
from tests.hub.processes import run_python
from tests.hub.sending import REPO_ID, send

# huggingface_hub's own upload passes a file to its HTTP client in a way that this deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


SCORE = """\
import json, sys
import jax.numpy as jnp
import numpy as np
from dfjax import Detector

repo_id, commit, folder = sys.argv[1:]
clips = np.random.default_rng(1).integers(0, 256, (2, 3, 32, 32, 3), np.uint8)
for name, revision in ((folder, None), (repo_id, None), (repo_id, commit)):
    detector = Detector.from_pretrained(name, revision=revision)
    output = detector(jnp.asarray(clips), jnp.ones((2, 3), bool))
    print(json.dumps([output.clip_logits.tolist(), output.frame_logits.tolist()]))
"""


@dataclasses.dataclass(frozen=True)
class Pushed:
    hub: LoopbackHub
    repo: Repo
    printed: str
    errors: str


@pytest.fixture(scope="module")
def pushed(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushed]:
    """The tiny checkpoint, published from the command line beside files that are not its own."""
    source = tmp_path_factory.mktemp("source") / "run"
    shutil.copytree(checkpoint, source)
    (source / "optimizer.pkl").write_bytes(b"not for publication")
    (source / ".env").write_text("SECRET=1")
    (source / ".cache").mkdir()
    (source / ".cache" / "config.json").write_text("{}")
    home = tmp_path_factory.mktemp("home")
    with LoopbackHub(page_size=2) as hub:
        arguments = ("push_to_hub.py", "model", "--repo-id", REPO_ID, "--model", source)
        done = run_python(*arguments, hub=hub, home=home)
        assert done.returncode == 0, done.stderr
        yield Pushed(hub, hub.repo("model", REPO_ID), done.stdout, done.stderr)


def test_a_pulled_model_gives_the_logits_of_the_pushed_one(
    pushed: Pushed, checkpoint: Path, tmp_path: Path
):
    commit = pushed.repo.refs["main"]
    done = run_python("-c", SCORE, REPO_ID, commit, checkpoint, hub=pushed.hub, home=tmp_path)
    assert done.returncode == 0, done.stderr
    local, from_main, from_commit = done.stdout.splitlines()
    assert from_main == local
    assert from_commit == local
    assert (tmp_path / "hub" / "models--owner--tiny" / "snapshots" / commit).is_dir()


def test_a_push_is_one_commit_with_known_files_only(pushed: Pushed, checkpoint: Path):
    assert len(pushed.repo.history()) == 2  # the Hub's own first commit, and ours
    expected = {path.name for path in checkpoint.iterdir()}
    assert set(pushed.repo.files()) == {".gitattributes", *expected}
    assert pushed.printed.splitlines()[-1].endswith(f"/{REPO_ID}/commit/{pushed.repo.refs['main']}")


def test_weights_go_to_large_file_storage_and_text_does_not(pushed: Pushed):
    for name, file in pushed.repo.files().items():
        assert file.is_lfs == name.endswith(".safetensors"), name
    stored = [call for call in pushed.hub.requests if call.origin == "storage"]
    assert {call.method for call in stored} >= {"PUT"}


def test_the_token_is_shown_to_the_hub_alone(pushed: Pushed):
    tokens = {(call.origin, call.token) for call in pushed.hub.requests}
    assert tokens <= {("hub", WRITE_TOKEN), ("storage", None)}
    assert WRITE_TOKEN not in pushed.printed + pushed.errors
    for file in pushed.repo.files().values():
        assert WRITE_TOKEN.encode() not in file.content


def test_the_published_card_names_its_repository(pushed: Pushed):
    card = pushed.repo.files()["README.md"].content.decode()
    assert f'from_pretrained("{REPO_ID}")' in card
    assert MODEL_ID_PLACEHOLDER not in card


# What is sent, with a folder of small files instead of a model.


def test_shards_of_an_earlier_push_go_and_files_of_others_stay(hub: LoopbackHub, folder: Path):
    send(folder)
    repo = hub.repo("model", REPO_ID)
    files = {
        **repo.files(),
        "model-00001-of-00002.safetensors": File(b"old", True),
        "model.safetensors.index.json": File(b"{}", False),
        "photo.png": File(b"png", True),
    }
    repo.add("main", Commit("by hand", repo.refs["main"], files))
    send(folder)
    assert set(repo.files()) == {".gitattributes", "README.md", "model.safetensors", "photo.png"}
    assert len(repo.history()) == 4


def test_a_pull_request_leaves_main_as_it_is(
    hub: LoopbackHub, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    send(folder)
    repo = hub.repo("model", REPO_ID)
    before = repo.refs["main"]
    (folder / "model.safetensors").write_bytes(b"better weights")
    monkeypatch.setenv("HF_TOKEN", OTHER_TOKEN)
    address = send(folder, create_pr=True, message="Better")
    assert address == f"{hub.url}/{REPO_ID}/discussions/1"
    assert repo.refs["main"] == before
    assert repo.files("refs/pr/1")["model.safetensors"].content == b"better weights"
    assert repo.history("refs/pr/1")[0].message == "Better"


def test_pushing_the_same_again_makes_no_commit(hub: LoopbackHub, folder: Path):
    send(folder)
    repo = hub.repo("model", REPO_ID)
    before = repo.refs["main"]
    assert send(folder).endswith(before)
    assert repo.refs["main"] == before


def test_a_branch_takes_the_commit_when_it_is_named(hub: LoopbackHub, folder: Path):
    send(folder)
    repo = hub.repo("model", REPO_ID)
    before = repo.refs["main"]
    repo.refs["next"] = before
    (folder / "model.safetensors").write_bytes(b"next weights")
    send(folder, revision="next")
    assert repo.refs["main"] == before
    assert repo.files("next")["model.safetensors"].content == b"next weights"
    with pytest.raises(HubError, match="no branch 'absent'"):
        send(folder, revision="absent")


@pytest.mark.parametrize("private", [False, True])
def test_a_new_repository_is_private_when_asked(hub: LoopbackHub, folder: Path, private: bool):
    send(folder, private=private)
    assert hub.repo("model", REPO_ID).private == private


def test_ctrl_c_is_a_word_and_its_code(monkeypatch: pytest.MonkeyPatch, capsys):
    def stop(self, folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(push_to_hub.Model, "build", stop)
    assert push_to_hub.main(["model", "--repo-id", REPO_ID]) == 130
    assert capsys.readouterr() == ("", "Stopped.\n")


@pytest.mark.parametrize("default", ["public", "private"])
def test_a_new_repository_is_as_its_owners_are_where_nothing_is_asked(
    hub: LoopbackHub, folder: Path, monkeypatch: pytest.MonkeyPatch, default: str
):
    hub.new_visibility = default
    built = push_to_hub._Built(folder, ["README.md"], ("README.md",))
    monkeypatch.setattr(push_to_hub.Model, "build", lambda self, folder: built)
    assert push_to_hub.main(["model", "--repo-id", REPO_ID]) == 0
    assert hub.repo("model", REPO_ID).private == (default == "private")


@pytest.mark.parametrize("path", ["preupload", "objects/batch", "/commit/"])
def test_a_push_that_fails_half_way_publishes_nothing(hub: LoopbackHub, folder: Path, path: str):
    send(folder)
    repo = hub.repo("model", REPO_ID)
    before = repo.refs["main"]
    (folder / "model.safetensors").write_bytes(b"better weights")
    hub.broken[path] = 501  # a status that huggingface_hub does not wait and try again for
    with pytest.raises(HubError, match="status 501.*never published in part"):
        send(folder)
    assert repo.refs["main"] == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"revision": "next"}, "shows no owner/tiny"),
        ({"revision": "next", "create_pr": True}, "always opened against main"),
        ({"repo_id": "tiny"}, "'tiny'.*OWNER/NAME"),
        ({"repo_id": "owner/a/b"}, "OWNER/NAME"),
        ({"repo_id": "owner/a b"}, "'owner/a b'.*OWNER/NAME"),
        ({"repo_id": "stranger/tiny"}, "may not write to stranger/tiny"),
    ],
)
def test_a_destination_that_cannot_be_is_refused(
    hub: LoopbackHub, folder: Path, options: dict, message: str
):
    with pytest.raises(HubError, match=message):
        send(folder, **options)
    assert not hub.repos and not [call for call in hub.requests if "/commit/" in call.path]


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("hf_forged", "did not accept the token.*settings/tokens"),
        (READ_TOKEN, "may not write to owner/tiny"),
        (OTHER_TOKEN, "may not write to owner/tiny.*--create-pr"),
        ("", "No Hugging Face token was found.*hf auth login"),
        ("«hf_token»", "has a character that no token has"),
    ],
)
def test_a_token_that_does_not_do_is_refused_and_not_shown(
    hub: LoopbackHub, folder: Path, monkeypatch: pytest.MonkeyPatch, token: str, message: str
):
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(folder / "absent"))
    with pytest.raises(HubError, match=message) as caught:
        send(folder)
    assert not token or token not in str(caught.value)
    assert not hub.repos


def test_a_hub_out_of_reach_is_named(
    hub: LoopbackHub, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match="127.0.0.1:9 cannot be reached"):
        send(folder)
    assert not hub.requests


def test_a_page_that_answers_in_place_of_the_hub_is_named(hub: LoopbackHub, folder: Path):
    page = ("hub", "GET", re.compile(".*"), lambda call: Answer(b"<html>Log in</html>"))
    hub._routes.insert(0, page)
    with pytest.raises(HubError, match=f"What answers at {hub.url} is not the Hub"):
        send(folder)


# What is refused before anything is sent.


@pytest.fixture
def copied(checkpoint: Path, tmp_path: Path) -> Path:
    return shutil.copytree(checkpoint, tmp_path / "checkpoint")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("license: cc-by-nc-4.0\n", "", "lacks license"),
        ("pipeline_tag: video-classification", "pipeline_tag: text-generation", "pipeline_tag"),
        ("library_name: dfjax", "library_name: [", "front matter of README.md is not valid"),
        ("---", "===", "no front matter"),
        ("library_name", "\udce8", "README.md is not valid.*utf-8"),
    ],
)
def test_a_card_that_the_hub_cannot_use_is_refused(
    copied: Path, tmp_path: Path, old: str, new: str, message: str
):
    card = copied / "README.md"
    text = card.read_text(encoding="utf-8").replace(old, new)
    card.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(HubError, match=message):
        build_model_folder(copied, tmp_path / "built", REPO_ID)


@pytest.mark.parametrize("name", ["README.md", "config.json", "preprocessor_config.json"])
def test_a_checkpoint_without_a_needed_file_is_refused(copied: Path, tmp_path: Path, name: str):
    (copied / name).unlink()
    with pytest.raises(HubError, match=f"lacks {name}"):
        build_model_folder(copied, tmp_path / "built", REPO_ID)


def test_a_checkpoint_without_weights_is_refused(copied: Path, tmp_path: Path):
    for weights in copied.glob("*.safetensors"):
        weights.unlink()
    with pytest.raises(ModelFormatError):
        build_model_folder(copied, tmp_path / "built", REPO_ID)


@pytest.mark.parametrize(("link", "file"), [("training.json", ""), ("figures", "/face.png")])
def test_a_symbolic_link_is_refused(copied: Path, tmp_path: Path, link: str, file: str):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "face.png").write_text("{}")
    (copied / link).unlink(missing_ok=True)
    (copied / link).symlink_to(secret if file else secret / "face.png")
    with pytest.raises(HubError, match=f"{link}{file} in .* symbolic link"):
        build_model_folder(copied, tmp_path / "built", REPO_ID)


@pytest.mark.parametrize("max_shard_size", ["1GB", "10KB"])
def test_weights_that_are_left_over_from_another_model_are_refused(
    copied: Path, tmp_path: Path, max_shard_size: str
):
    Detector.from_pretrained(copied).save_pretrained(copied, max_shard_size=max_shard_size)
    build_model_folder(copied, tmp_path / "built", REPO_ID)
    (copied / "model-00001-of-00099.safetensors").write_bytes(b"of another model")
    with pytest.raises(HubError, match="^model-00001-of-00099.safetensors .*not of this model"):
        build_model_folder(copied, tmp_path / "refused", REPO_ID)


def test_a_file_over_the_limit_is_refused(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("dfjax.hub.folder.MAX_FILE_BYTES", 100)
    with pytest.raises(HubError, match="README.md.*at most 100"):
        build_model_folder(copied, tmp_path / "built", REPO_ID)


def test_an_evaluation_from_before_a_calibration_is_refused(copied: Path, tmp_path: Path):
    def evaluate() -> None:
        detector = Detector.from_pretrained(copied)
        measured = fingerprint(nnx.state(detector), detector.config)
        report = {"model": {"fingerprint": measured}}
        (copied / EVALUATION_FILE).write_text(json.dumps(report))

    evaluate()
    assert EVALUATION_FILE in build_model_folder(copied, tmp_path / "built", REPO_ID)
    calibration = read_config(copied).calibration
    write_calibration(copied, dataclasses.replace(calibration, fake_above=0.99), {})
    with pytest.raises(HubError, match="not about the model beside them.*--card.*--out FOLDER"):
        build_model_folder(copied, tmp_path / "refused", REPO_ID)
    evaluate()
    build_model_folder(copied, tmp_path / "again", REPO_ID)


def test_a_model_whose_logits_are_not_finite_is_refused(copied: Path, tmp_path: Path):
    detector = Detector.from_pretrained(copied)
    head = detector.temporal.frame_head
    nnx.update(head, jax.tree.map(lambda value: value + 3e38, nnx.state(head, nnx.Param)))
    detector.save_pretrained(copied)
    with pytest.raises(HubError, match="not finite"):
        build_model_folder(copied, tmp_path / "built", REPO_ID)


# The command line.


def test_a_dry_run_lists_the_folder_and_sends_nothing(
    checkpoint: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("dfjax.hub.push.push_folder", lambda *_, **__: pytest.fail("it was sent"))
    arguments = ["model", "--repo-id", REPO_ID, "--model", str(checkpoint), "--dry-run"]
    assert push_to_hub.main(arguments) == 0
    *rows, total = capsys.readouterr().out.splitlines()
    assert {row.split()[1] for row in rows} == {path.name for path in checkpoint.iterdir()}
    num_bytes = (checkpoint / "config.json").stat().st_size
    assert f"{num_bytes:,}" in next(row for row in rows if row.endswith(" config.json"))
    assert "nothing was sent" in total


def test_an_error_is_one_sentence_and_exit_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    arguments = ["model", "--repo-id", REPO_ID, "--model", str(tmp_path / "absent")]
    assert push_to_hub.main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("Error: There is no folder") and printed.err.count("\n") == 1


def test_a_disk_that_is_full_is_one_sentence_that_names_it(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def copy(source: Path, target: Path):
        raise OSError(errno.ENOSPC, "No space left on device", str(source), None, str(target))

    monkeypatch.setattr(shutil, "copyfile", copy)
    assert push_to_hub.main(["model", "--repo-id", REPO_ID, "--model", str(checkpoint)]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"Error: No space left on device: {tempfile.gettempdir()}")
    assert printed.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["model"], ["weights", "--repo-id", REPO_ID]])
def test_wrong_usage_exits_with_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        push_to_hub.main(arguments)
    assert stopped.value.code == 2
    assert "--help" in capsys.readouterr().err


def test_an_export_is_published_when_asked_and_never_outlives_its_weights(
    hub: LoopbackHub, checkpoint: Path
):
    arguments = ["model", "--repo-id", REPO_ID, "--model", str(checkpoint)]
    assert push_to_hub.main([*arguments, "--with", "onnx"]) == 0
    exported = hub.repo("model", REPO_ID).files()["onnx/detector.onnx"]
    assert exported.is_lfs and REPO_ID.encode() in exported.content
    assert push_to_hub.main(arguments) == 0
    assert "onnx/detector.onnx" not in hub.repo("model", REPO_ID).files()
