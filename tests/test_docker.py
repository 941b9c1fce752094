"""The container: what can be checked without building it, and its steps without an engine."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from gradio_client import Client, handle_file

from dfjax.page.options import page_limits_of, parse
from tests import container_root
from tests.answering import answering, free_port
from tests.container_root import built, why_not
from tests.page.serving import LIMITS, served

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / "docker"


def instructions() -> list[tuple[str, str]]:
    """Returns the instructions of the Dockerfile with what they are given, in their order."""
    text = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"^#.*\n", "", text, flags=re.M).replace("\\\n", " ").splitlines()
    found = [line.strip().partition(" ") for line in lines if line.strip()]
    return [(name, " ".join(rest.split())) for name, _, rest in found]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    return found[max(n for n, (name, _) in enumerate(found) if name == "FROM") :]


def of(name: str) -> str:
    """Returns what the last instruction of a kind is given."""
    return [rest for other, rest in instructions() if other == name][-1]


def test_what_is_copied_is_there_and_is_not_ignored():
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    copied = [
        source
        for name, rest in instructions()
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    assert ignored[0] == "*" and {f"!{source}" for source in copied} == set(ignored[1:-1])
    assert all((PROJECT / source).exists() for source in copied)


def test_the_image_has_no_rights_and_nothing_that_builds():
    stage = last_stage()
    assert stage[0] == ("FROM", "python:3.11-slim")
    runs = " ".join(rest for name, rest in stage if name == "RUN")
    assert "install" not in runs and "apt" not in runs and "rm -rf" in runs
    assert int(of("USER")) > 1000
    after_user = stage[stage.index(("USER", of("USER"))) :]
    assert not {"RUN", "COPY"} & {name for name, _ in after_user}
    build = [rest for name, rest in instructions() if name == "RUN"][0]
    assert "--require-hashes" in build and "--without-pip" in build


def commented_out() -> list[str]:
    """Returns what a comment in the compose file says to add to its command."""
    text = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
    return yaml.safe_load("\n".join(re.findall(r"^    #   (- --.*)", text, re.M)))


def test_the_page_is_reached_from_outside_with_whatever_arguments():
    entrypoint = yaml.safe_load(of("ENTRYPOINT"))
    assert entrypoint[:2] == ["python", "app.py"]
    assert "CMD" not in dict(instructions())  # arguments would replace it
    (service,) = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"].values()
    behind_a_proxy = [*service["command"], *commented_out()]
    for arguments in ([], ["--model", "/model"], service["command"], behind_a_proxy):
        options = parse([*entrypoint[2:], *arguments])
        assert (options.host, options.port) == ("0.0.0.0", 7860)
        page_limits_of(options)
    assert options.allowed_hosts == ["check.example"] and options.trusted_proxies


def test_compose_gives_the_container_no_more_than_it_needs():
    (service,) = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"].values()
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert (FOLDER / service["build"]["context"]).resolve() == PROJECT
    assert (PROJECT / service["build"]["dockerfile"]).is_file()
    # All uploads fit into what is writable.
    (megabytes,) = re.findall(r"size=(\d+)m", service["tmpfs"][0])
    assert parse(service["command"]).max_disk_megabytes < int(megabytes)


def test_the_check_for_health_tells_a_page_that_answers_from_one_that_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _, _, command = of("HEALTHCHECK").partition("CMD ")
    python, *arguments = yaml.safe_load(command)
    assert python == "python" and shlex.join(arguments).count("127.0.0.1:7860") == 1
    # As docker gives one to every container, if its user has one. The page starts in spite of it.
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "example.org")
    with served(tmp_path, monkeypatch, limits=LIMITS) as page:
        monkeypatch.setenv("no_proxy", "example.org")  # that of a process of its own
        port = page.url.rsplit(":", 1)[1]
        asked = [sys.executable, *(a.replace("7860", port) for a in arguments)]
        assert subprocess.run(asked, timeout=60).returncode == 0
        page.health.ending.set()
        assert subprocess.run(asked, timeout=60, stderr=subprocess.DEVNULL).returncode != 0


def test_the_page_may_read_a_checkout_that_is_its_owners_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if reason := why_not():
        pytest.skip(reason)
    for source in ("app.py", "README.md", "LICENSE", "dfjax/a.py", "checkpoint/config.json"):
        path = tmp_path / source
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.touch(mode=0o600)  # as with a umask of 077
    monkeypatch.setattr(container_root, "PROJECT", tmp_path)
    steps = [
        (name, rest)
        for name, rest in instructions()
        if name in ("FROM", "USER", "WORKDIR") or "/app" in rest and "/venv" not in rest
    ]
    with built(steps) as image:
        command = image.command(["cat", "app.py", "dfjax/a.py", "checkpoint/config.json"])
        assert subprocess.run(command, env=image.environment).returncode == 0


@pytest.mark.fresh_environment
@pytest.mark.timeout(900)  # it installs 2 GB
def test_the_steps_make_a_page_that_answers_and_may_not_write(tmp_path: Path):
    if reason := why_not():
        pytest.skip(reason)
    port, log = free_port(), tmp_path / "log"
    with built(instructions()) as image:
        for program in ("import pip", "import setuptools", "open('/app/new', 'w')"):
            command = image.command(["python", "-c", program])
            done = subprocess.run(command, env=image.environment, stderr=subprocess.DEVNULL)
            assert done.returncode == 1
        command = image.command([*image.entrypoint, "--host", "127.0.0.1", "--port", str(port)])
        with answering(command, port, environment=image.environment, log=log) as address:
            client = Client(address, verbose=False)
            try:
                video = handle_file(str(PROJECT / "docs" / "sample.mp4"))
                answer = client.predict(video, api_name="/predict")
            finally:
                client.close()
    assert answer["label"] in ("real", "fake", "uncertain")
