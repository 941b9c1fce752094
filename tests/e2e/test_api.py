"""The API as strangers call it: with gradio_client, with MCP, and with bare HTTP."""

import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from tests.e2e.conftest import App, app_command, app_environment, check_contract
from tests.page.serving import wait_for

META = {"_type": "gradio.FileData"}


@pytest.fixture(scope="module")
def client(app: App) -> Iterator[Client]:
    client = Client(app.url, verbose=False)
    yield client
    client.close()


@pytest.fixture(scope="module")
def report(client: Client, clips: Path) -> dict[str, Any]:
    return client.predict(handle_file(clips / "one face.mp4"), api_name="/predict")


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """A web server, its address, and the requests that it got."""
    requests: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            self.send_response(200)
            self.end_headers()

        do_HEAD = do_POST = do_GET

        def log_message(self, format, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", requests
        server.shutdown()


def upload(app: App, path: Path) -> str:
    """Returns the path of the upload on the server."""
    with path.open("rb") as file:
        answer = httpx.post(f"{app.url}/gradio_api/upload", files={"files": file}, timeout=60)
    assert answer.status_code == 200
    return answer.json()[0]


def call(app: App, file: Any) -> tuple[str, Any]:
    """Returns what `/predict` says to any JSON in place of the file: the event, and its data."""
    url = f"{app.url}/gradio_api/call/predict"
    event = httpx.post(url, json={"data": [file]}, timeout=60).json()["event_id"]
    answer = httpx.get(f"{url}/{event}", timeout=120).text
    lines = dict(line.split(": ", 1) for line in answer.strip().splitlines() if ": " in line)
    return lines["event"], json.loads(lines["data"])


def mcp(app: App, method: str, **params: Any) -> dict[str, Any]:
    answer = httpx.post(
        f"{app.url}/gradio_api/mcp/",
        json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
        headers={"Accept": "application/json, text/event-stream"},
        timeout=120,
    )
    (data,) = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    return json.loads(data)["result"]


def test_the_start_says_where_the_page_is_and_gives_no_advice_to_share_it(app):
    wait_for(lambda: f"Open {app.url} in a browser" in app.log.read_text())
    assert "share" not in app.log.read_text()


def test_the_answer_is_the_contract_s_json(report):
    check_contract(report)
    assert report["label"] == "uncertain"
    assert report["video"]["name"] == "one face.mp4"
    assert report["model"]["id"] == "tiny-model"
    assert len(report["tracks"]) == 1
    assert len(report["frames"]) == report["video"]["frames_scored"] > 0


def test_two_people_are_two_tracks(client, clips):
    report = client.predict(handle_file(clips / "two.mp4"), api_name="/predict")
    check_contract(report)
    assert len(report["tracks"]) == 2
    scores = [track["probability_fake"] for track in report["tracks"]]
    assert min(scores) < report["probability_fake"] <= max(scores)


def test_no_face_is_an_answer_and_not_an_error(client, clips):
    report = client.predict(handle_file(clips / "pattern.mp4"), api_name="/predict")
    check_contract(report)
    assert report["label"] == "no_face"


def test_a_broken_file_gets_a_sentence(client, clips):
    with pytest.raises(AppError, match=r"broken\.mp4"):
        client.predict(handle_file(clips / "broken.mp4"), api_name="/predict")


def test_no_file_gets_a_sentence(client):
    with pytest.raises(AppError, match="No video was sent"):
        client.predict(None, api_name="/predict")


def test_the_endpoints_say_what_they_take_and_give(client):
    info = client.view_api(return_format="dict")
    assert list(info["named_endpoints"]) == ["/predict", "/predict_batch"]
    assert info["unnamed_endpoints"] == {}
    video, effort = info["named_endpoints"]["/predict"]["parameters"]
    assert video["parameter_name"] == "video"
    assert video["python_type"]["type"] == "filepath"
    assert (effort["parameter_name"], effort["parameter_default"]) == ("effort", "standard")
    assert effort["type"]["enum"] == ["quick", "standard", "thorough"]
    videos, _ = info["named_endpoints"]["/predict_batch"]["parameters"]
    assert videos["python_type"]["type"] == "list[filepath]"


def test_an_address_is_refused_and_never_asked(app, elsewhere):
    address, requests = elsewhere
    for file in (
        {"path": f"{address}/clip.mp4", "meta": META},
        {"path": f"{address}/clip.mp4", "url": f"{address}/clip.mp4", "meta": META},
        {"path": f"{address}/gradio_api/file=/etc/passwd", "meta": META},
    ):
        event, data = call(app, file)
        assert event == "error"
        assert "not fetched" in data["error"] or "not, or no longer" in data["error"]
    assert requests == []


def test_a_path_of_the_server_is_refused(app, clips):
    uploaded = upload(app, clips / "pattern.mp4")
    folder = str(Path(uploaded).parent)
    for path in ("/etc/passwd", f"{folder}/../../../../../../../etc/passwd", folder, "app.py"):
        event, data = call(app, {"path": path, "meta": META})
        assert event == "error" and "not, or no longer" in data["error"], path
    assert call(app, {"path": uploaded, "meta": META})[0] == "complete"
    for path in ("/etc/passwd", str(Path(__file__).resolve())):
        assert httpx.get(f"{app.url}/gradio_api/file={path}").status_code in (403, 404)


def test_what_is_no_file_at_all_is_an_error_without_a_traceback(app):
    for file in ("text", 7, [], {"path": None}, {"path": "/etc/passwd"}, {"meta": META}):
        event, data = call(app, file)
        assert event == "error", file
        assert "Traceback" not in json.dumps(data)
    assert call(app, None)[1]["error"] == "No video was sent."


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("playlist.mp4", "#EXTM3U\n#EXTINF:1,\n{address}/a.ts\n"),
        ("list.mkv", "ffconcat version 1.0\nfile {address}/a.mp4\n"),
        ("film.avi", "#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
        (
            "picture.png",
            '<svg xmlns="http://www.w3.org/2000/svg"><image href="{address}/a"/></svg>',
        ),
        ("page.webm", "<html><script src='{address}/a.js'></script></html>"),
        ("shell.mov", "#!/bin/sh\ncurl {address}\n"),
        ("both.gif", "GIF89a=1;/*<script>fetch('{address}')</script>*/"),
        ("<img src=x onerror=alert(1)>.mp4", "PK\3\4{address}"),
    ],
)
def test_what_is_no_video_under_a_video_s_name_is_a_sentence_and_asks_for_nothing(
    app, elsewhere, tmp_path, name, content
):
    address, requests = elsewhere
    (tmp_path / name).write_text(content.format(address=address))
    event, data = call(app, {"path": upload(app, tmp_path / name), "meta": META})
    assert event == "error" and len(data["error"]) > 20
    assert "root:" not in data["error"]
    assert requests == []


def test_the_queue_cannot_be_passed_by_and_history_and_recorder_are_closed(app):
    answer = httpx.post(f"{app.url}/gradio_api/run/predict", json={"data": [None]})
    assert answer.status_code == 404
    assert httpx.get(f"{app.url}/gradio_api/runs").status_code == 404
    assert httpx.post(f"{app.url}/gradio_api/process_recording").status_code == 404


def test_a_large_body_that_is_no_upload_is_refused(app):
    answer = httpx.post(f"{app.url}/gradio_api/queue/join", content=b" " * (2 * 1024**2))
    assert answer.status_code == 413


def test_an_assistant_finds_one_tool_and_gets_the_prediction(app, clips, report):
    (tool,) = mcp(app, "tools/list")["tools"]
    assert tool["name"] == "predict"
    assert "deepfake" in tool["description"]
    assert list(tool["inputSchema"]["properties"]) == ["video", "effort"]
    uploaded = upload(app, clips / "one face.mp4")
    file = f"{app.url}/gradio_api/file={uploaded}"
    answer = mcp(app, "tools/call", name="predict", arguments={"video": file})
    assert not answer["isError"]
    assert str(report["probability_fake"]) in answer["content"][0]["text"]


def test_an_assistant_cannot_make_the_server_fetch_either(app, elsewhere):
    address, requests = elsewhere
    file = f"{address}/clip.mp4"
    answer = mcp(app, "tools/call", name="predict", arguments={"video": file})
    assert answer["isError"] and "not fetched" in answer["content"][0]["text"]
    assert requests == []


def test_without_a_model_the_app_says_so_and_exits_with_1(tmp_path):
    done = subprocess.run(
        app_command("--model", tmp_path),
        env=app_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "There is no model to serve" in done.stderr
    assert "Traceback" not in done.stderr
