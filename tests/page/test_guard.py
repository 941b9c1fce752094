"""What strangers try, over plain HTTP, against the page as it is served. Harmless, and our own."""

import contextlib
import json
import logging
import socket
import threading
import time
from pathlib import Path

import pytest

from dfjax.page import server
from dfjax.page.limits import PageLimits
from tests.page.serving import META, served

MIB = 1024**2

LIMITS = PageLimits(
    max_upload_bytes=2 * MIB,
    max_disk_bytes=12 * MIB,
    max_client_bytes=6 * MIB,
    max_client_requests=60_000,
    stall_seconds=1.0,
)


@pytest.fixture(scope="module")
def served_page(tmp_path_factory):
    uploads = tmp_path_factory.mktemp("uploads")
    with (
        pytest.MonkeyPatch.context() as patch,
        served(
            uploads,
            patch,
            limits=LIMITS,
            allowed_hosts=("check.example",),
            trusted_proxies="127.0.0.9",
            shows_metrics=True,
        ) as page,
    ):
        yield page


@pytest.fixture
def http(served_page):
    return served_page.client()


@pytest.fixture
def lines(caplog):
    """Returns what is logged, one dictionary an event, once there are so many; no tracebacks."""
    caplog.set_level(logging.INFO, logger="dfjax")

    def read(num=0):
        # A request's line is written after its answer.
        deadline = time.monotonic() + 5
        while len(caplog.records) < num and time.monotonic() < deadline:
            time.sleep(0.01)
        return [
            {"event": record.getMessage(), **getattr(record, "fields", {})}
            for record in caplog.records
            if record.name.startswith("dfjax")
        ]

    yield read
    assert not any(record.exc_info for record in caplog.records)


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


def call(page, http, data):
    event = http.post(f"{page.api}/call/predict", json={"data": data}).json()["event_id"]
    kind, answer = page.listen(http, event)
    assert kind == "error", answer
    return answer["error"]


def test_every_answer_keeps_the_page_at_home_and_has_an_id(served_page, http):
    for path in ("/", "/nowhere", "/healthz"):
        answer = http.get(served_page.url + path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy and "http" not in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert len(answer.headers["x-request-id"]) == 16


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
    for index, event in ((3, None), (3, "x"), (3, {"index": "0"})):
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
    start = time.monotonic()
    answer = raw(served_page, head.encode() + bytes(100_000))
    assert " 408 " in answer.splitlines()[0]
    assert 0.9 < time.monotonic() - start < 10
    assert not list(served_page.uploads.glob("tmp*"))
    (line,) = lines(1)
    assert line["reason"] == "stalled" and line["bytes"] > 100_000


def test_a_connection_that_never_sends_a_request_is_closed(served_page):
    port = int(served_page.url.rsplit(":", 1)[1])
    for sent in (b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "):
        with socket.create_connection(("127.0.0.1", port), 5) as wire:
            wire.sendall(sent)
            wire.settimeout(30)
            assert wire.recv(100) == b""


def test_a_hundred_idle_streams_leave_the_page_answering(served_page, http):
    with contextlib.ExitStack() as stack:
        for n in range(100):
            url = f"{served_page.api}/heartbeat/idle{n}"
            stack.enter_context(http.stream("GET", url))
        other = served_page.client()
        assert other.get(served_page.url).status_code == 200
        event = served_page.ask(other, served_page.upload(other)).json()["event_id"]
        assert served_page.listen(other, event)[0] == "complete"


def test_an_upload_that_breaks_off_leaves_nothing(served_page):
    head = (
        "POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        "--b\r\nContent-Disposition: form-data; name=files; filename=x.mp4\r\n\r\n"
    )
    port = int(served_page.url.rsplit(":", 1)[1])
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port), 5) as wire:
            wire.sendall(head.encode() + bytes(100_000))
            time.sleep(0.02)
    deadline = time.monotonic() + 10
    while list(served_page.uploads.glob("tmp*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_uploads_have_a_quota_and_say_so(served_page):
    client = served_page.client("127.0.0.7")
    answers = [
        client.post(f"{served_page.api}/upload", files={"files": ("x", bytes([n]) * 2 * MIB)})
        for n in range(4)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert "limit" in answers[3].text and int(answers[3].headers["retry-after"]) > 0
    served_page.upload(served_page.client("127.0.0.8"))


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/process_recording",
        "/gradio_api/process_recording/",
        "/gradio_api/dev/reload",
        "/gradio_api/component_server",
        "/gradio_api/proxy=http://127.0.0.1:9/",
        "/gradio_api/custom_component/a/client/b/c",
        "/gradio_api/stream/a/b/1/playlist.m3u8",
        "/gradio_api/vibe-code/",
        "/gradio_api/deep_link?session_hash=a",
        "/gradio_api/runs",
        "/gradio_api/run-history/buckets",
        "/gradio_api/token",
        "/gradio_api/callx/predict",
        "/gradio_api//upload",
        "//gradio_api/upload",
        "/monitoring/summary",
        "/login",
        "/logout",
        "/docs",
        "/openapi.json",
        "/pwa_icon/5",
    ],
)
def test_what_the_page_does_not_need_is_closed(served_page, http, path):
    for method in ("GET", "POST"):
        answer = http.request(method, served_page.url + path)
        assert answer.status_code == 404
        assert "nothing at this address" in answer.text


@pytest.mark.parametrize("path", ["/", "/gradio_api/info", "/gradio_api/queue/join", "/config"])
def test_a_name_that_somebody_pointed_here_gets_no_answer(served_page, http, path):
    for name in ("Host", "X-Forwarded-Host"):
        answer = http.get(served_page.url + path, headers={name: "evil.example"})
        assert answer.status_code == 421 and "--allowed-hosts" in answer.text
    allowed = http.get(f"{served_page.url}/config", headers={"Host": "check.example"})
    assert allowed.status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_another_site_s_page_cannot_act_here(served_page, http, origin):
    headers = {"Origin": origin}
    files = {"files": ("x.mp4", b"x")}
    answer = http.post(f"{served_page.api}/upload", files=files, headers=headers)
    assert answer.status_code == 403 and "Pages of other sites" in answer.text
    answer = http.post(f"{served_page.api}/call/predict", json={"data": [None]}, headers=headers)
    assert answer.status_code == 403
    own = {"Origin": served_page.url}
    assert http.post(f"{served_page.api}/upload", files=files, headers=own).status_code == 200


def test_only_a_trusted_proxy_says_who_the_client_is(served_page):
    proxy, stranger = served_page.client("127.0.0.9"), served_page.client("127.0.0.12")
    for client, expected in ((proxy, 200), (stranger, 503)):
        path = served_page.upload(client)
        for n in range(4):
            client.headers["X-Forwarded-For"] = f"198.51.100.{n}, 203.0.113.5"
            served_page.ask(client, path)
        client.headers["X-Forwarded-For"] = "203.0.113.77"
        assert served_page.ask(client, path).status_code == expected
    # What the client itself has put in front does not count.
    proxy.headers["X-Forwarded-For"] = "203.0.113.78, 203.0.113.5"
    assert served_page.ask(proxy, path).status_code == 503


def test_an_assistant_s_calls_are_its_own_and_nobody_can_speak_for_another(served_page, http):
    path = served_page.upload(http)
    http.headers["x-dfjax-caller"] = "guess 1 203.0.113.9"
    served_page.predictor.gate.clear()
    try:
        for _ in range(4):
            served_page.ask(http, path)
        assert served_page.queue.places_of("127.0.0.1") >= 4
        assert served_page.queue.places_of("203.0.113.9") == 0
    finally:
        served_page.predictor.gate.set()


def test_an_assistant_that_goes_away_is_known_by_its_address_and_given_up(served_page):
    client = served_page.client("127.0.0.40")
    path = served_page.upload(client)
    address = f"{served_page.api}/file={path}"
    call = {"name": "predict", "arguments": {"video": address}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    headers = {"Accept": "application/json, text/event-stream"}
    url = f"{served_page.api}/mcp/"
    answer = client.post(url, json=body, headers=headers)
    assert "probability_fake" in answer.text and '"isError":false' in answer.text
    served_page.predictor.gate.clear()
    try:
        with client.stream("POST", url, json=body, headers=headers):
            while not served_page.queue.places_of("127.0.0.40"):
                time.sleep(0.01)
            while served_page.queue.counts() != (0, 1):
                time.sleep(0.01)
        # The gate stays shut: only giving up can end it.
        while served_page.queue.counts() != (0, 0):
            time.sleep(0.01)
    finally:
        served_page.predictor.gate.set()


def test_a_stream_for_nobody_ends_with_one_line_of_log(served_page, http, lines):
    for path in ("queue/data?session_hash=nobody", "call/predict/nobody"):
        answer = http.get(f"{served_page.api}/{path}")
        assert answer.status_code == 200 and "Not Found" in answer.text
    assert [line["reason"] for line in lines(2)] == ["broken_off"] * 2


def test_health_and_metrics_tell_how_the_server_is_doing(served_page, http):
    assert http.get(f"{served_page.url}/healthz").text == "ok\n"
    assert http.get(f"{served_page.url}/readyz").text == "ok\n"
    client = served_page.client("127.0.0.20")
    event = served_page.ask(client, served_page.upload(client)).json()["event_id"]
    assert served_page.listen(client, event)[0] == "complete"
    metrics = http.get(f"{served_page.url}/metrics").text
    for name in ('dfjax_checks_total{outcome="real"}', 'stage_seconds_total{stage="decode"}'):
        assert name in metrics
    for name in ("dfjax_ready 1", "dfjax_upload_files ", "process_resident_memory_bytes "):
        assert name in metrics
    assert "real.mp4" not in metrics
    foreign = {"Host": "evil.example"}
    assert http.get(f"{served_page.url}/metrics", headers=foreign).status_code == 421
    assert http.get(f"{served_page.url}/healthz", headers=foreign).status_code == 200


def test_a_check_s_line_of_log_names_the_request_and_no_file(served_page, lines):
    client = served_page.client("127.0.0.21")
    answer = served_page.ask(client, served_page.upload(client, "my holiday real.mp4"))
    assert served_page.listen(client, answer.json()["event_id"])[0] == "complete"
    logged = lines(3)
    (check,) = [line for line in logged if line["event"] == "check"]
    assert check["request_id"] == answer.headers["x-request-id"]
    assert check["outcome"] == "real" and check["waited"] >= 0
    assert "holiday" not in str(logged) and "127.0.0.21" not in str(logged)


def test_the_server_is_ready_only_once_the_model_is(served_page, http):
    served_page.health.ready.clear()
    try:
        assert http.get(f"{served_page.url}/readyz").status_code == 503
        assert http.get(f"{served_page.url}/healthz").status_code == 200
    finally:
        served_page.health.ready.set()


def test_metrics_are_closed_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "_FINISH_SECONDS", 0.1)
    with served(tmp_path, monkeypatch, limits=LIMITS) as page:
        assert page.client().get(f"{page.url}/metrics").status_code == 404


def test_a_server_that_ends_finishes_what_runs_and_refuses_the_rest(tmp_path, monkeypatch):
    answers = {}
    with served(tmp_path, monkeypatch, limits=LIMITS) as page:
        page.predictor.gate.clear()
        clients = [page.client(f"127.0.0.{n}") for n in (30, 31)]
        threads = []
        for n, client in enumerate(clients):
            event = page.ask(client, page.upload(client)).json()["event_id"]

            def listen(n=n, client=client, event=event):
                answers[n] = page.listen(client, event)

            threads.append(threading.Thread(target=listen))
            threads[-1].start()
            while n == 0 and page.queue.counts() != (0, 1):
                time.sleep(0.01)
        while page.queue.counts() != (1, 1) or len(page.queue._listening) < 2:
            time.sleep(0.01)
        threading.Timer(0.5, page.predictor.gate.set).start()
        start = time.monotonic()
    for thread in threads:
        thread.join(10)
    assert time.monotonic() - start < 8
    assert answers[0][0] == "complete"
    assert answers[1][0] == "error" and "being restarted" in answers[1][1]["error"]


def test_a_file_may_be_as_large_as_a_client_s_whole_quota(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "_FINISH_SECONDS", 0.1)
    limits = PageLimits(max_upload_bytes=MIB, max_client_bytes=MIB, max_disk_bytes=MIB)
    with served(tmp_path, monkeypatch, limits=limits) as page:
        answer = page.client().post(f"{page.api}/upload", files={"files": ("x", bytes(MIB))})
        assert answer.status_code == 200


def test_a_client_that_asks_too_often_is_told_to_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "_FINISH_SECONDS", 0.1)
    limits = PageLimits(max_client_requests=60)
    with served(tmp_path, monkeypatch, limits=limits) as page:
        fast = page.client()
        answers = [fast.get(f"{page.api}/app_id") for _ in range(80)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused and "more than 60 requests a minute" in refused[0].json()["detail"]
        assert int(refused[0].headers["retry-after"]) >= 1
        # The page's own files are free, and another client is not held up.
        assert fast.get(f"{page.url}/static/img/logo_nosize.svg").status_code == 200
        assert page.client("127.0.0.2").get(f"{page.api}/app_id").status_code == 200
