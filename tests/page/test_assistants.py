"""The tool for assistants, as a real MCP client finds and calls it."""

import asyncio
import base64
import errno
import json
import os
import re
from pathlib import Path

import pytest
from gradio_client.utils import ProgressUnit, Status, StatusUpdate
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from dfjax.page.assistants import AssistantServer
from dfjax.version import __version__
from tests.page.samples import sample_prediction


def talk(page, ask):
    """Returns what `ask` makes of a session with the page."""

    async def run():
        async with (
            streamable_http_client(f"{page.api}/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await ask(session)

    return asyncio.run(run())


def call(page, *, told=None, **arguments):
    """Returns whether a call went wrong, and the one text that it answers with."""

    async def note(progress, total, message):
        assert told is not None
        told.append(message)

    async def ask(session):
        listener = None if told is None else note
        return await session.call_tool("predict", arguments, progress_callback=listener)

    answer = talk(page, ask)
    (content,) = answer.content
    return answer.isError, content.text


def tool(page):
    (found,) = talk(page, lambda session: session.list_tools()).tools
    return found


def test_the_answer_is_the_prediction_as_json(served_page, http):
    path = served_page.upload(http)
    for named in (path, f"{served_page.api}/file={path}"):
        wrong, text = call(served_page, video=named, effort="quick")
        assert not wrong, text
        report = json.loads(text)
        assert report == sample_prediction("real", name="real.mp4").to_dict()
    assert served_page.predictor.efforts[-1] == "quick"


@pytest.mark.parametrize("name", ["talk #2.mp4", "clip%20copy.mp4", "a+b é.mp4"])
def test_a_file_may_have_any_name(served_page, http, name):
    path = served_page.upload(http, name, name.encode())
    wrong, text = call(served_page, video=path)
    assert not wrong, text
    assert json.loads(text)["video"]["name"] == Path(path).name


def test_a_file_may_come_along_and_counts_as_an_upload(served_page):
    before = served_page.health.total("dfjax_checks_total", outcome="fake")
    content = b"of this test alone"
    encoded = base64.b64encode(content).decode()
    wrong, text = call(served_page, video=f"data:video/mp4;base64,{encoded}")
    assert not wrong and json.loads(text)["video"]["name"] == "video.mp4"
    (kept,) = [path for path in served_page.uploads.glob("*/video.mp4")]
    assert kept.read_bytes() == content
    assert served_page.health.total("dfjax_checks_total", outcome="fake") == before + 1
    with kept.open("rb") as read_by_a_check:
        call(served_page, video=f"data:video/mp4;base64,{encoded}")
        assert os.stat(kept).st_ino != os.fstat(read_by_a_check.fileno()).st_ino  # not written over


def test_a_file_that_comes_along_when_the_disk_is_full_is_refused_in_words(
    served_page, monkeypatch
):
    def write(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("dfjax.page.assistants.write_bytes_atomically", write)
    wrong, text = call(served_page, video="data:video/mp4;base64,eHg=")
    assert wrong and "no room" in text and str(served_page.uploads) not in text


@pytest.mark.parametrize(
    "video",
    [
        *("https://example.org/clip.mp4", "clip.mp4", "/etc/passwd", "file:///etc/passwd", ""),
        *("data:video/mp4;base64,%%%", "data:video/mp4;base64,", "data:video/mp4,abc"),
    ],
)
def test_what_is_not_here_is_told_by_ways_that_work(served_page, http, video):
    """No error leads to another: what it says to do gets an answer."""
    wrong, text = call(served_page, video=video)
    assert wrong
    (address,) = re.findall(r"curl -F files=@clip.mp4 (\S+)", text)
    assert address == f"{served_page.api}/upload"
    (path,) = http.post(address, files={"files": ("real.mp4", b"x")}).json()
    assert not call(served_page, video=path)[0]
    assert "data:video/mp4;base64," in text


def test_the_schema_says_the_same_as_the_errors_and_the_docstring(served_page):
    found = tool(served_page)
    video, effort = found.inputSchema["properties"].values()
    assert found.inputSchema["required"] == ["video"]
    assert video == {"type": "string", "description": video["description"]}
    _, said = call(served_page, video="clip.mp4")
    assert said.partition("Give the path")[2] in video["description"]
    assert video["description"].startswith("An uploaded video")
    assert effort["enum"] == ["quick", "standard", "thorough"] and effort["default"] == "standard"
    assert "how much of a long video" in effort["description"].lower()
    assert "as JSON" in found.description and "upload_file_to_gradio" not in found.description


def test_an_effort_that_there_is_not_is_told_with_those_that_there_are(served_page, http):
    wrong, text = call(served_page, video=served_page.upload(http), effort="endless")
    assert wrong and "'quick', 'standard', 'thorough'" in text


def test_a_file_that_cannot_be_judged_is_told_why(served_page, http):
    wrong, text = call(served_page, video=served_page.upload(http, "broken.mp4"))
    assert wrong and "no frame that can be decoded" in text


def test_progress_is_told_who_asks_for_it(served_page, http):
    told = []
    wrong, text = call(served_page, told=told, video=served_page.upload(http))
    assert not wrong and json.loads(text)["label"] == "real"
    assert told


def test_progress_is_the_stage_and_how_far_it_is():
    unit = ProgressUnit(index=None, length=None, unit=None, progress=0.6, desc="Scoring faces")
    update = StatusUpdate(
        code=Status.PROGRESS,
        rank=None,
        queue_size=None,
        eta=None,
        success=None,
        time=None,
        progress_data=[unit],
    )
    assert AssistantServer._format_progress_message(update) == "Scoring faces: 60%"


def test_the_server_says_its_own_version(served_page):
    async def ask():
        async with (
            streamable_http_client(f"{served_page.api}/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            return (await session.initialize()).serverInfo

    assert asyncio.run(ask()).version == __version__


def test_a_file_that_is_too_large_for_a_call_is_refused(served_page):
    encoded = base64.b64encode(bytes(2 * 1024**2)).decode()
    with pytest.raises(BaseExceptionGroup) as refused:
        call(served_page, video=f"data:video/mp4;base64,{encoded}")
    assert "413" in str(refused.value.exceptions)


def test_a_refusal_is_an_error_as_assistants_read_it(served_page, http):
    too_large = http.post(f"{served_page.api}/mcp/", content=bytes(2 * 1024**2))
    elsewhere = http.post(f"{served_page.api}/mcp/", headers={"Host": "example.org"})
    for answer, status, words in ((too_large, 413, "limit is"), (elsewhere, 421, "--allowed-host")):
        assert answer.status_code == status
        refused = answer.json()
        assert refused["jsonrpc"] == "2.0" and refused["id"] is None
        assert words in refused["error"]["message"] and refused["error"]["code"] < 0
