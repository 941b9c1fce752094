"""What strangers send, over plain HTTP, to the page as it is served. Harmless, and our own."""

import contextlib
import json
import socket
from pathlib import Path

import pytest

from dfjax.page import caretaker
from tests.page.serving import META, MIB, wait_for


def raw(page, request, seconds=20.0, address="127.0.0.1"):
    """Sends bytes and returns what comes back until the other side closes."""
    port = int(page.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), 5, source_address=(address, 0)) as wire:
        wire.settimeout(seconds)
        wire.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer and (piece := wire.recv(65536)):
            answer += piece
        return answer.decode()


def begun_upload(page) -> int:
    """Returns how many bytes of an upload are on the disk before its end; -1 if there is none."""
    sizes = []
    for path in page.uploads.glob("tmp*"):
        with contextlib.suppress(FileNotFoundError):
            sizes.append(path.stat().st_size)
    return max(sizes, default=-1)


def call(page, http, data):
    event = http.post(f"{page.api}/call/predict", json={"data": data}).json()["event_id"]
    kind, answer = page.listen(http, event)
    assert kind == "error", answer
    return answer["error"]


@pytest.mark.parametrize(
    "data",
    [
        ["{path}"],
        [{"path": "{path}"}],
        [{"video": {"path": "{path}", "meta": META}}],
        [[{"path": "{path}", "meta": META}]],
        [{"path": "{path}", "meta": META, "size": "big"}],
        [{"path": "{path}", "meta": "none"}],
        [{"path": 5, "meta": META}],
        [{"meta": META}],
        [7],
        [True],
        [],
    ],
)
def test_a_video_that_is_named_wrongly_gets_a_sentence_that_says_how(
    served_page, http, lines, data
):
    path = served_page.upload(http)
    data = json.loads(json.dumps(data).replace("{path}", path))
    said = call(served_page, http, data)
    assert '"meta": {"_type": "gradio.FileData"}' in said and "/gradio_api/upload" in said
    assert all("real.mp4" not in str(line) for line in lines())


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "{path}/../../../../etc/passwd",
        "a\0b",
        "{path}\0.png",
        "/" * 5000,
        "x" * 50_000,
        "C:\\Windows\\win.ini",
        "\\\\host\\share\\x.mp4",
        "/proc/self/environ",
        "|id",
        "$(id)",
        "-i",
    ],
)
def test_no_path_reads_a_file_of_the_server(served_page, http, lines, path):
    path = path.format(path=served_page.upload(http))
    said = call(served_page, http, [{"path": path, "meta": META}])
    assert "not, or no longer, on this server" in said
    url = f"{served_page.api}/file=" + path.replace("\0", "%00")
    assert http.get(url).status_code in (400, 403, 404)
    lines()


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:9/x.mp4", "//evil.example/x.mp4", "file:///etc/passwd", "concat://a|b"]
    + ["http://[::1/x.mp4", "data:video/mp4;base64,AAAA", "gopher://x"],
)
def test_no_address_is_fetched(served_page, http, lines, address, monkeypatch):
    asked = []
    monkeypatch.setattr("httpx.AsyncClient.send", lambda *args, **kwargs: asked.append(args))
    said = call(served_page, http, [{"path": address, "url": address, "meta": META}])
    assert "not fetched" in said or "not, or no longer" in said
    assert asked == []
    lines()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("call/nosuch", {"data": []}, 404),
        ("call/v2/nosuch", {"data": []}, 400),
        ("call/v2/predict", {"nope": 3}, 400),
        ("call/predict", {"data": 3}, 422),
        ("call/predict", [1], 422),
        ("call/predict", {}, 422),
        ("run/nosuch", {"data": []}, 404),
        ("run/predict", {"data": [], "fn_index": 999, "session_hash": "a"}, 400),
        ("run/predict", {"data": [None]}, 404),
        ("queue/join", {"data": [None], "fn_index": 999, "session_hash": "a"}, 400),
        ("queue/join", {"data": [None], "fn_index": "x", "session_hash": "a"}, 422),
        ("queue/join", {"data": [None], "fn_index": 1}, 400),
    ],
)
def test_a_request_that_makes_no_sense_is_told_so_with_one_line_of_log(
    served_page, http, lines, path, body, status
):
    answer = http.post(f"{served_page.api}/{path}", json=body)
    assert answer.status_code == status
    assert answer.json()["detail"]
    (line,) = lines(1)
    assert line["status"] == status and line["request_id"] == answer.headers["x-request-id"]


def test_a_click_on_no_example_is_told_so(served_page, http, lines):
    (index,) = [n for n, event in served_page.queue.blocks.fns.items() if event.name == "pick"]
    for event in (None, "x", {"index": "0"}):
        body = {"data": [], "fn_index": index, "session_hash": "a", "event_data": event}
        answer = http.post(f"{served_page.api}/run/predict", json=body)
        assert answer.json()["error"] == "There is no such example."
    lines()


@pytest.mark.parametrize(
    ("disposition", "status"),
    [
        ('name="files"; filename=""', 200),
        ('name="files"', 400),
        ('name="files"; filename=".."', 400),
        ('filename="x"', 400),
        ('name="other"; filename="x"', 200),
    ],
)
@pytest.mark.parametrize("query", ["", "?upload_id=q"])
def test_an_upload_without_a_proper_name_is_no_traceback(
    served_page, http, lines, disposition, status, query
):
    part = f"--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\nx\r\n--b--\r\n"
    answer = http.post(
        f"{served_page.api}/upload{query}",
        content=part.encode(),
        headers={"content-type": "multipart/form-data; boundary=b"},
    )
    assert answer.status_code == status and answer.text
    (line,) = lines(1)
    assert line["status"] == status


@pytest.mark.parametrize(
    "name", ["../../x.mp4", "/etc/x.mp4", "..\\x.mp4", "a\0.mp4", "é" * 300, "<b>.mp4", "-rf", "."]
)
def test_an_upload_stays_in_its_folder_whatever_its_name(served_page, http, name):
    path = served_page.upload(http, name)
    assert path.startswith(str(served_page.uploads) + "/")
    assert ".." not in Path(path).parts and len(Path(path).parent.name) == 64


@pytest.mark.parametrize("name", ["x.html", "x.svg", "x.xml", "x.js"])
def test_an_upload_never_becomes_a_page_of_this_site(served_page, http, name):
    path = served_page.upload(http, name, b"<script>alert(1)</script>")
    answer = http.get(f"{served_page.api}/file={path}")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data", None])
def test_a_body_that_is_no_form_is_told_so(served_page, http, lines, content_type):
    headers = {} if content_type is None else {"content-type": content_type}
    answer = http.post(f"{served_page.api}/upload", content=b"x" * 100, headers=headers)
    assert answer.status_code == 400 and answer.text
    assert len(lines(1)) == 1


def test_only_an_upload_may_be_large_and_it_too_has_a_limit(served_page, http):
    post = http.post
    assert post(f"{served_page.api}/queue/join", content=b" " * 2 * MIB).status_code == 413
    files = {"files": ("x", bytes(int(1.5 * MIB)))}
    assert post(f"{served_page.api}/upload", files=files).status_code == 200
    files = {"files": ("x", bytes(4 * MIB))}
    answer = post(f"{served_page.api}/upload", files=files)
    assert answer.status_code == 413 and "limit is" in answer.text


@pytest.mark.parametrize("rest", [[], [None]])
def test_who_gives_no_effort_gets_the_default(served_page, http, rest):
    """`client.predict("/predict", [file])` in JavaScript sends null for what it does not give."""
    file = {"path": served_page.upload(http), "meta": META}
    for endpoint, first in (("predict", file), ("predict_batch", [file])):
        data = {"data": [first, *rest]}
        asked = http.post(f"{served_page.api}/call/{endpoint}", json=data)
        kind, _ = served_page.listen(http, asked.json()["event_id"])
        assert (kind, served_page.predictor.efforts[-1]) == ("complete", "standard")


def test_a_body_of_unknown_length_is_cut_off_with_a_sentence(served_page, http):
    chunks = (b" " * 65536 for _ in range(64))
    answer = http.post(f"{served_page.api}/queue/join", content=chunks)
    assert answer.status_code == 413 and "limit is" in answer.json()["detail"]
    head = "--b\r\nContent-Disposition: form-data; name=files; filename=x\r\n\r\n"
    answer = http.post(
        f"{served_page.api}/upload",
        content=(piece for piece in (head.encode(), *[bytes(65536)] * 64)),
        headers={"content-type": "multipart/form-data; boundary=b"},
    )
    assert answer.status_code == 413
    assert not list(served_page.uploads.glob("tmp*"))


@pytest.mark.parametrize("length", ["-5", "x", "1e3", "٣"])
def test_a_length_that_is_no_number_is_refused(served_page, length):
    head = (
        f"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n"
    )
    assert " 400 " in raw(served_page, head.encode()).splitlines()[0]


def test_a_body_that_stalls_is_cut_off_and_leaves_nothing(served_page, lines):
    head = (
        "POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        "--b\r\nContent-Disposition: form-data; name=files; filename=x.mp4\r\n\r\n"
    )
    answer = raw(served_page, head.encode() + bytes(100_000))
    assert " 408 " in answer.splitlines()[0]
    assert not list(served_page.uploads.glob("tmp*"))
    (line,) = lines(1)
    assert line["reason"] == "stalled" and line["bytes"] > 100_000


def test_a_connection_that_never_sends_a_request_is_closed(served_page, monkeypatch):
    monkeypatch.setattr(caretaker, "_IDLE_SECONDS", 0.1)
    address = ("127.0.0.1", int(served_page.url.rsplit(":", 1)[1]))
    with (
        socket.create_connection(address, 30) as silent,
        socket.create_connection(address, 30) as slow,
    ):
        slow.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        assert silent.recv(100) == slow.recv(100) == b""


def test_an_upload_that_breaks_off_leaves_nothing(served_page):
    head = (
        "POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        "--b\r\nContent-Disposition: form-data; name=files; filename=x.mp4\r\n\r\n"
    )
    port = int(served_page.url.rsplit(":", 1)[1])
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port), 30) as wire:
            wire.sendall(head.encode() + bytes(300_000))  # more than Python buffers
            wait_for(lambda: begun_upload(served_page) > 0)
        wait_for(lambda: begun_upload(served_page) == -1)
    assert not list(served_page.uploads.glob("tmp*"))
