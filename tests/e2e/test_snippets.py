"""The programs in the README and on the page about the API run as they stand."""

import asyncio
import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from dfjax.page.snippets import SNIPPETS, snippet
from tests.e2e.conftest import PROJECT, App, check_contract

NEEDS_CURL = pytest.mark.skipif(
    shutil.which("curl") is None, reason="no curl on PATH: apt-get install curl"
)

README = (PROJECT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def programs(app: App) -> dict[str, str]:
    """The README's programs, for the app that runs."""
    found = {}
    for name in SNIPPETS:
        shown = snippet(name, url="http://127.0.0.1:7860", file="docs/sample.mp4")
        (block,) = re.findall(rf"```\w+\n({re.escape(shown)})```\n", README)
        found[name] = block.replace("http://127.0.0.1:7860", app.url)
    return found


def run(command: list[str], program: str, folder: Path = PROJECT) -> str:
    """Returns what a program prints that comes from standard input."""
    done = subprocess.run(
        command,
        input=program,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    # The JavaScript client may tell of the stream that it closes.
    assert done.returncode == 0, done.stderr
    return done.stdout


def install_client(folder: Path) -> None:
    """Installs Gradio's client for node in a folder; skips where it cannot be had."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("no node and npm here")
    command = ["npm", "install", "--no-audit", "--no-fund", "@gradio/client"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        pytest.skip("npm does not get @gradio/client here in a minute")
    if done.returncode:
        pytest.skip(f"npm does not get @gradio/client here: {done.stderr.strip()[-200:]}")


@NEEDS_CURL
def test_curl(programs):
    said = run(["bash", "-euo", "pipefail"], programs["curl"])
    event, data = said.strip().split("\n\n")[-1].split("\n")
    assert event == "event: complete"
    (report,) = json.loads(data.removeprefix("data: "))
    check_contract(report)
    assert report["video"]["name"] == "sample.mp4" and report["tracks"]


def test_python(programs):
    first, *others = run([sys.executable, "-"], programs["python"]).splitlines()
    label, probability = first.split()
    assert label == "uncertain" and 0 < float(probability) < 1
    assert others[-2:] == ["uncertain", "uncertain"]
    assert any(re.match(r"[12] of 2: ", line) for line in others[:-2])


def test_javascript(programs, tmp_path):
    install_client(tmp_path)
    (tmp_path / "docs").mkdir()
    shutil.copy(PROJECT / "docs" / "sample.mp4", tmp_path / "docs")
    (tmp_path / "check.mjs").write_text(programs["javascript"])
    assert run(["node", "check.mjs"], "", tmp_path).splitlines()[-1] == "uncertain"


def test_an_assistant_s_configuration(programs):
    (server,) = json.loads(programs["mcp"])["mcpServers"].values()

    async def tools():
        async with (
            streamable_http_client(server["url"]) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return (await session.list_tools()).tools

    assert [tool.name for tool in asyncio.run(tools())] == ["predict"]


def shown_programs(url: str) -> list[str]:
    """Returns what the page about the API shows: how to get the sample, and then the programs."""
    answer = httpx.get(url, follow_redirects=True)
    assert answer.status_code == 200 and answer.headers["content-security-policy"]
    return [html.unescape(b) for b in re.findall(r"<pre>(.*?)</pre>", answer.text, re.S)]


def test_the_page_about_the_api_shows_the_same_with_its_own_address(app):
    expected = [snippet(name, url=app.url, file="sample.mp4") for name in SNIPPETS]
    for address in ("/api", "/?view=api"):
        assert shown_programs(app.url + address)[1:] == expected
    assert 'href=\\"api\\"' in httpx.get(f"{app.url}/config").text


@NEEDS_CURL
def test_curl_gets_the_sample_as_the_page_about_the_api_says(app, tmp_path):
    sample, curl, *_ = shown_programs(f"{app.url}/api")
    assert "event: complete" in run(["bash", "-euo", "pipefail"], sample + curl, tmp_path)
