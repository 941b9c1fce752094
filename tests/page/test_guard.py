"""Who may ask the page for what, how often and how much, and how the page says how it is."""

import contextlib
import errno
import gc
import os
import re
import threading
import weakref
from tempfile import NamedTemporaryFile

import pytest

from dfjax.page import server
from dfjax.page.limits import PageLimits
from tests.page.serving import LIMITS, MIB, served, wait_for


def test_every_answer_keeps_the_page_at_home_and_has_an_id(served_page, http):
    for path in ("/", "/nowhere", "/healthz"):
        answer = http.get(served_page.url + path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy and "http" not in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert len(answer.headers["x-request-id"]) == 16


def test_a_hundred_idle_streams_leave_the_page_answering(served_page, http):
    with contextlib.ExitStack() as stack:
        for n in range(100):
            url = f"{served_page.api}/heartbeat/idle{n}"
            stack.enter_context(http.stream("GET", url))
        other = served_page.client()
        assert other.get(served_page.url).status_code == 200
        event = served_page.ask(other, served_page.upload(other)).json()["event_id"]
        assert served_page.listen(other, event)[0] == "complete"


def test_uploads_have_a_quota_and_say_so(served_page):
    client = served_page.client("127.0.0.7")
    answers = [
        client.post(f"{served_page.api}/upload", files={"files": ("x", bytes([n]) * 2 * MIB)})
        for n in range(4)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert "limit" in answers[3].text and int(answers[3].headers["retry-after"]) > 0
    served_page.upload(served_page.client("127.0.0.8"))


def test_an_upload_for_which_the_disk_is_full_is_told_so_and_leaves_its_room(
    served_page, http, monkeypatch
):
    """The list of files waits for room, and a file that is deleted takes room while it is open."""
    opened = []

    def on_a_full_disk(**settings):
        def write(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        file = NamedTemporaryFile(**settings)
        file.write = write
        opened.append(weakref.ref(file))
        return file

    monkeypatch.setattr("gradio.route_utils.NamedTemporaryFile", on_a_full_disk)
    gc.disable()
    try:
        answer = http.post(f"{served_page.api}/upload", files={"files": ("a.mp4", b"x")})
        assert answer.status_code == 507 and "no room" in answer.text
        (file,) = opened
        wait_for(lambda: file() is None)
    finally:
        gc.enable()


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
            wait_for(lambda: served_page.queue.places_of("127.0.0.40") == 1)
            wait_for(lambda: served_page.queue.counts()[1] == 1)
        # The gate stays shut: only giving up can end it.
        wait_for(lambda: served_page.queue.counts()[1] == 0)
        wait_for(lambda: served_page.queue.places_of("127.0.0.40") == 0)
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
            wait_for(lambda n=n: page.queue.counts() == (n, 1))
        wait_for(lambda: len(page.queue._listening) >= 2)
        threading.Timer(0.5, page.predictor.gate.set).start()
    for thread in threads:
        thread.join(10)
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


def test_behind_a_proxy_programs_are_told_the_address_that_visitors_see(served_page):
    headers = {"host": "check.example", "x-forwarded-proto": "https"}
    headers["x-forwarded-for"] = "203.0.113.7"
    said = served_page.client("127.0.0.9", **headers).get(f"{served_page.url}/api").text
    assert "https://check.example/gradio_api/call/predict" in said
    assert served_page.url not in said


def test_the_page_about_the_api_names_what_each_endpoint_takes_in_its_order(served_page, http):
    said = http.get(f"{served_page.url}/api").text
    for name, endpoint in http.get(f"{served_page.api}/info").json()["named_endpoints"].items():
        (row,) = re.findall(rf"<td><code>{name}</code></td>(.*?)</tr>", said, re.S)
        names = [parameter["parameter_name"] for parameter in endpoint["parameters"]]
        assert re.findall(r"<code>(\w+)</code>", row) == names


def test_the_page_about_the_api_is_for_reading_and_there_is_no_sample_where_none_was_given(
    served_page, http
):
    assert http.post(f"{served_page.url}/api").status_code == 405
    assert http.get(f"{served_page.url}/sample.mp4").status_code == 404
