import socket
from urllib.request import proxy_bypass

import pytest

from dfjax.errors import ServerError
from dfjax.page import server
from tests.answering import free_port


def test_the_page_fetches_no_font():
    assert server.theme()._stylesheets == []


def test_a_port_that_is_taken_gets_a_sentence():
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(ServerError, match=rf"port {port}.*--port"):
            server.require_free_port("127.0.0.1", port)
    server.require_free_port("127.0.0.1", port)


def test_an_address_of_another_machine_gets_a_sentence():
    for port, place in ((7860, "192.0.2.1, port 7860: "), (None, "192.0.2.1: ")):
        with pytest.raises(ServerError, match=rf"on {place}.*--host"):
            server.require_free_port("192.0.2.1", port)
    server.require_free_port("127.0.0.1", None)


def test_the_page_itself_is_asked_without_the_proxy_for_all_else(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "direct.example")
    server._ask_no_proxy_for("192.0.2.1")
    hosts = ("localhost", "127.0.0.1", "192.0.2.1", "direct.example", "elsewhere.example")
    assert [bool(proxy_bypass(host)) for host in hosts] == [True] * 4 + [False]


def test_only_in_a_space_are_proxies_of_private_networks_believed_unasked(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert server._proxies(None) == ""
    assert server._proxies("192.0.2.1") == "192.0.2.1"
    monkeypatch.setenv("SPACE_ID", "owner/name")
    assert "10.0.0.0/8" in server._proxies(None)
    assert server._proxies("") == ""
