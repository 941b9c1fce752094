import threading
import time

import pytest

from dfjax.page.fair_queue import FairQueue
from dfjax.page.limits import PageLimits
from tests.page.serving import META, served, wait_for


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    uploads = tmp_path_factory.mktemp("uploads")
    limits = PageLimits(max_client_checks=3, unheard_seconds=1.5)
    with pytest.MonkeyPatch.context() as patch, served(uploads, patch, limits=limits) as server:
        yield server


def listen_in_thread(server, client, event, answers):
    def listen():
        answers.append(server.listen(client, event))

    thread = threading.Thread(target=listen)
    thread.start()
    return thread


def test_one_client_cannot_take_all_places_and_another_still_gets_one(server):
    one, other = server.client("127.0.0.1"), server.client("127.0.0.2")
    path = server.upload(one)
    events = [server.ask(one, path) for _ in range(3)]
    assert [e.status_code for e in events] == [200] * 3
    refused = server.ask(one, path)
    assert refused.status_code == 503
    assert "3 of your checks wait already" in refused.json()["detail"]
    assert server.listen(other, server.ask(other, path).json()["event_id"])[0] == "complete"
    for event in events:
        assert server.listen(one, event.json()["event_id"])[0] == "complete"


def test_a_check_that_nobody_listens_to_delays_no_one_and_is_dropped(server):
    silent, heard = server.client("127.0.0.3"), server.client("127.0.0.4")
    path = server.upload(silent, "fake.mp4")
    begun = len(server.predictor.begun)
    events = [server.ask(silent, path).json()["event_id"] for _ in range(3)]
    answer = server.listen(heard, server.ask(heard, path).json()["event_id"])
    assert answer[0] == "complete"
    assert len(server.predictor.begun) == begun + 1
    wait_for(lambda: not server.queue.event_ids_to_events)
    assert len(server.predictor.begun) == begun + 1
    assert server.listen(silent, events[0])[0] == "error"


def test_who_listens_in_time_gets_the_answer(server):
    client = server.client()
    event = server.ask(client, server.upload(client)).json()["event_id"]
    time.sleep(0.3)
    kind, (report,) = server.listen(client, event)
    assert kind == "complete" and report["label"] == "real"


def test_a_check_is_given_up_when_its_client_goes_away(server):
    client = server.client("127.0.0.5")
    path = server.upload(client, "uncertain.mp4")
    abandoned = server.health.total("dfjax_checks_total", outcome="abandoned")
    server.predictor.gate.clear()
    try:
        event = server.ask(client, path).json()["event_id"]
        ended = len(server.predictor.ended)
        with client.stream("GET", f"{server.api}/call/predict/{event}"):
            wait_for(lambda: server.queue.counts()[1] == 1)
        # The gate stays shut: only giving up can end it.
        wait_for(lambda: server.queue.counts() == (0, 0))
        wait_for(
            lambda: server.health.total("dfjax_checks_total", outcome="abandoned") == abandoned + 1
        )
    finally:
        server.predictor.gate.set()
    assert len(server.predictor.ended) == ended


def test_a_check_that_is_cancelled_on_the_page_is_given_up(server):
    client, session = server.client("127.0.0.6"), "cancelling"
    (check,) = [n for n, event in server.queue.blocks.fns.items() if event.name == "check"]
    path = server.upload(client, "fake.mp4", b"cancelled")
    body = {"data": [{"path": path, "meta": META}, "standard"], "fn_index": check}
    abandoned = server.health.total("dfjax_checks_total", outcome="abandoned")
    begun = len(server.predictor.begun)
    server.predictor.gate.clear()
    try:
        joined = client.post(f"{server.api}/queue/join", json=body | {"session_hash": session})
        with client.stream("GET", f"{server.api}/queue/data?session_hash={session}"):
            wait_for(lambda: len(server.predictor.begun) > begun)
            event = {"fn_index": check, "session_hash": session, **joined.json()}
            assert client.post(f"{server.api}/cancel", json=event).status_code == 200
            # The gate stays shut, and the client listens on: only giving up can end it.
            wait_for(
                lambda: (
                    server.health.total("dfjax_checks_total", outcome="abandoned") == abandoned + 1
                )
            )
            wait_for(lambda: server.queue.counts() == (0, 0))
    finally:
        server.predictor.gate.set()


def test_checks_are_taken_in_the_order_in_which_they_came(server):
    server.predictor.gate.clear()
    clients = [server.client(f"127.0.0.{n}") for n in range(10, 15)]
    threads, answers = [], []
    begun = len(server.predictor.begun)
    try:
        for n, client in enumerate(clients):
            path = server.upload(client, f"{n} real.mp4", bytes([n]))
            event = server.ask(client, path).json()["event_id"]
            threads.append(listen_in_thread(server, client, event, answers))
        wait_for(lambda: server.queue.counts() == (4, 1))
    finally:
        server.predictor.gate.set()
    for thread in threads:
        thread.join(20)
    assert [name[0] for name in server.predictor.begun[begun:]] == ["0", "1", "2", "3", "4"]
    assert {kind for kind, _ in answers} == {"complete"}


def test_nothing_is_kept_of_sessions_that_are_over(server):
    queue, client, answers = server.queue, server.client("127.0.0.7"), []
    path = server.upload(client, "real.mp4", b"kept")
    server.predictor.gate.clear()
    try:
        events = [server.ask(client, path).json()["event_id"] for _ in range(2)]
        sessions = {queue.event_ids_to_events[event].session_hash for event in events}
        assert len(sessions) == 2 and sessions <= set(queue.pending_event_ids_session)
        thread = listen_in_thread(server, client, events[0], answers)  # and to the other, nobody
        wait_for(lambda: queue.counts()[1] == 1)
    finally:
        server.predictor.gate.set()
    thread.join(20)
    assert [kind for kind, _ in answers] == ["complete"]
    wait_for(lambda: not queue.pending_event_ids_session)
    wait_for(lambda: not queue.pending_messages_per_session)
    wait_for(lambda: not queue.event_ids_to_events)


def test_a_function_that_does_not_exist_is_said_so(server):
    for index in (999, -1, None, 0):
        body = {"data": [None], "fn_index": index, "session_hash": "a"}
        answer = server.client().post(f"{server.api}/queue/join", json=body)
        assert answer.status_code == 400
        assert "There is no function" in answer.json()["detail"]


def test_the_queue_is_looked_at_no_more_often_than_anyone_would_notice(server, monkeypatch):
    looks = []
    length = FairQueue.__len__
    monkeypatch.setattr(FairQueue, "__len__", lambda queue: looks.append(queue) or length(queue))
    time.sleep(0.5)
    assert 0 < len(looks) < 100
