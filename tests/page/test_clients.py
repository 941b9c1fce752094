import contextlib

import pytest

from dfjax.page.clients import Clients, client_of
from dfjax.page.limits import PageLimits
from dfjax.page.refusal import Refusal


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_an_ipv6_client_is_its_network_and_an_ipv4_client_its_address():
    assert client_of("2001:db8::1") == client_of("2001:db8::ffff:1")
    assert client_of("2001:db8::1") != client_of("2001:db8:0:1::1")
    assert client_of("192.0.2.1") != client_of("192.0.2.2")
    assert client_of("::ffff:192.0.2.1") == client_of("192.0.2.1")
    assert client_of("unknown") == "unknown"


def test_a_client_that_sends_too_fast_waits_and_others_do_not():
    clock = Clock()
    clients = Clients(PageLimits(max_client_requests=60), clock)
    sent = 0
    with pytest.raises(Refusal) as first:
        for _ in range(1000):
            clients.take_turn("fast")
            sent += 1
    assert first.value.status == 429 and first.value.retry_after and not first.value.quiet
    assert 0 < sent <= 60
    with pytest.raises(Refusal) as second:
        clients.take_turn("fast")
    assert second.value.quiet
    clients.take_turn("slow")
    clock.now += 1.1
    clients.take_turn("fast")
    with pytest.raises(Refusal):
        clients.take_turn("fast")


def test_a_minute_brings_as_many_requests_as_the_limit_says():
    clock = Clock()
    clients = Clients(PageLimits(max_client_requests=120), clock)
    answered = 0
    for _ in range(6000):  # ten a second, for ten minutes
        clock.now += 0.1
        with contextlib.suppress(Refusal):
            clients.take_turn("one")
            answered += 1
    assert 1200 <= answered <= 1200 + 60


def test_a_client_has_so_many_open_requests_and_all_together_so_many():
    clients = Clients(PageLimits(max_client_streams=2, max_streams=3))
    with contextlib.ExitStack() as stack:
        for client in ("a", "a", "b"):
            stack.enter_context(clients.open_request(client))
        assert clients.num_open == 3
        with pytest.raises(Refusal, match="2 requests of yours are open"):
            stack.enter_context(clients.open_request("a"))
        with pytest.raises(Refusal, match="busy"):
            stack.enter_context(clients.open_request("b"))
    assert clients.num_open == 0
    with clients.open_request("a"):
        assert clients.num_open == 1


def test_no_number_of_clients_fills_the_memory():
    clients = Clients(PageLimits())
    with clients.open_request("first"):
        for n in range(20_000):
            clients.take_turn(f"client {n}")
        assert len(clients._accounts) <= 10_000
        assert "first" in clients._accounts
