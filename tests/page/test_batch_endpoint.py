"""Several files in one call: answered one by one, in their turn, and within a client's share."""

import json
import threading

import pytest

from dfjax.page.limits import PageLimits
from tests.page.serving import META, served
from tests.page.test_fair_queue import wait_for


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    uploads = tmp_path_factory.mktemp("uploads")
    limits = PageLimits(max_client_checks=2, max_batch_files=5)
    with pytest.MonkeyPatch.context() as patch, served(uploads, patch, limits=limits) as server:
        yield server


def ask(server, client, *paths, effort="standard"):
    data = {"data": [[{"path": path, "meta": META} for path in paths], effort]}
    return client.post(f"{server.api}/call/predict_batch", json=data)


def listen(server, client, event, answers):
    def run():
        text = client.get(f"{server.api}/call/predict_batch/{event}", timeout=30).text
        kind, data = text.strip().split("\n\n")[-1].split("\n", 1)
        answers.append((kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))))

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def answer(server, client, response):
    answers = []
    listen(server, client, response.json()["event_id"], answers).join(30)
    return answers[0]


def upload(server, client, name):
    return server.upload(client, name, name.encode())


def test_each_file_gets_its_answer_and_a_bad_one_loses_none_of_the_others(server):
    client = server.client()
    paths = [upload(server, client, name) for name in ("fake.mp4", "broken.mp4", "real.mp4")]
    paths[1:1] = ["/etc/passwd", "https://example.org/x.mp4"]
    kind, (answers,) = answer(server, client, ask(server, client, *paths, effort="quick"))
    assert kind == "complete"
    assert [one.get("label") for one in answers] == ["fake", None, None, None, "real"]
    assert all(one["schema_version"] == 1 for one in answers)
    names = [one["video"]["name"] for one in answers]
    assert names == ["fake.mp4", "passwd", "x.mp4", "broken.mp4", "real.mp4"]
    errors = [one["error"] for one in answers if "error" in one]
    assert "not, or no longer" in errors[0] and "not fetched" in errors[1]
    assert "no frame that can be decoded" in errors[2]
    assert server.predictor.efforts[-3:] == ["quick"] * 3


def test_a_file_is_named_as_its_owner_names_it_though_gradio_stores_it_otherwise(server):
    client, names = server.client(), ["real WOW!.mp4", "broken (1)?.mp4"]
    paths = [upload(server, client, name) for name in names]
    assert not any(path.endswith(name) for path, name in zip(paths, names, strict=True))
    files = [
        {"path": path, "orig_name": name, "meta": META}
        for path, name in zip(paths, names, strict=True)
    ]
    asked = client.post(f"{server.api}/call/predict_batch", json={"data": [files]})
    _, (answers,) = answer(server, client, asked)
    assert [one["video"]["name"] for one in answers] == names
    assert "label" in answers[0] and "error" in answers[1]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([[]], "No video was sent"),
        ([None], "No video was sent"),
        ([{"path": "x", "meta": META}], "as a list of files"),
        (["x"], "as a list of files"),
        ([[{"path": "x", "meta": META}] * 6], "6 files were sent; the limit is 5"),
    ],
)
def test_what_is_no_list_of_files_is_told_so(server, data, words):
    client = server.client()
    asked = client.post(f"{server.api}/call/predict_batch", json={"data": data})
    kind, said = answer(server, client, asked)
    assert kind == "error" and words in said["error"]


def test_a_batch_lines_up_anew_for_each_file(server):
    """Whoever comes while its first file is being checked is served before its second."""
    one, other = server.client("127.0.0.21"), server.client("127.0.0.22")
    paths = [upload(server, one, f"{n} real.mp4") for n in range(3)]
    late = upload(server, other, "late real.mp4")
    begun, answers = len(server.predictor.begun), []
    server.predictor.gate.clear()
    try:
        event = ask(server, one, *paths).json()["event_id"]
        threads = [listen(server, one, event, answers)]
        wait_for(lambda: len(server.predictor.begun) == begun + 1)
        # The call itself only waits.
        assert server.queue.counts()[1] == 2 and server.queue.num_checks() == (0, 1)
        event = server.ask(other, late).json()["event_id"]
        threads.append(listen(server, other, event, answers))
        wait_for(lambda: server.queue.counts()[0] == 1)
    finally:
        server.predictor.gate.set()
    for thread in threads:
        thread.join(30)
    assert [name[0] for name in server.predictor.begun[begun:]] == ["0", "l", "1", "2"]


def test_a_batch_has_one_of_its_client_s_places(server):
    client, answers = server.client("127.0.0.23"), []
    paths = [upload(server, client, f"{n} fake.mp4") for n in range(2)]
    server.predictor.gate.clear()
    try:
        begun = len(server.predictor.begun)
        events = [ask(server, client, *paths).json()["event_id"] for _ in range(2)]
        threads = [listen(server, client, event, answers) for event in events]
        wait_for(lambda: len(server.predictor.begun) == begun + 1)
        wait_for(lambda: server.queue.counts()[0] == 1)
        refused = ask(server, client, *paths)
        assert refused.status_code == 503 and "2 of your checks wait" in refused.json()["detail"]
    finally:
        server.predictor.gate.set()
    for thread in threads:
        thread.join(30)
    assert [[one["label"] for one in of[0]] for _, of in answers] == [["fake", "fake"]] * 2


def test_a_batch_ends_when_its_client_goes_away(server):
    client = server.client("127.0.0.24")
    paths = [upload(server, client, f"{n} uncertain.mp4") for n in range(3)]
    begun = len(server.predictor.begun)
    server.predictor.gate.clear()
    try:
        event = ask(server, client, *paths).json()["event_id"]
        with client.stream("GET", f"{server.api}/call/predict_batch/{event}"):
            wait_for(lambda: len(server.predictor.begun) == begun + 1)
        wait_for(lambda: server.queue.counts() == (0, 0))
    finally:
        server.predictor.gate.set()
    assert len(server.predictor.begun) == begun + 1
    wait_for(lambda: not server.queue.pending_event_ids_session)


def test_calls_that_fill_the_queue_still_get_their_files_through_it(server):
    """Eight calls run, and their files need places that those who wait seem to take."""
    clients = [server.client(f"127.0.0.{number}") for number in range(20, 33)]
    answers, threads = [], []
    server.predictor.gate.clear()
    try:
        for place in range(2):
            for client in clients:
                asked = ask(server, client, *[upload(server, client, "real.mp4")] * 2)
                if asked.status_code == 503:
                    assert "The queue is full: 16" in asked.json()["detail"]
                    continue
                event = asked.json()["event_id"]
                threads.append(listen(server, client, event, answers))
                if place == 0 and len(threads) <= 8:
                    wait_for(lambda: server.queue.counts()[1] >= len(threads))
    finally:
        server.predictor.gate.set()
    for thread in threads:
        thread.join(30)
    assert len(threads) >= 16
    assert [kind for kind, _ in answers] == ["complete"] * len(threads)
