from types import SimpleNamespace
from typing import Any

from dfjax.page.caretaker import Caretaker
from dfjax.page.limits import PageLimits


class Cycle:
    """A request that has been answered."""

    response_complete = True


class Connection:
    """One of the server's, as uvicorn has them."""

    def __init__(self):
        self.cycle: Cycle | None = None
        self.is_closed = False
        self.transport = self

    def close(self):
        self.is_closed = True


def caretaker(**watch) -> Caretaker:
    made: Any = SimpleNamespace(limits=PageLimits(stall_seconds=1), **watch)
    return Caretaker(made)


def test_a_connection_is_idle_since_its_last_request():
    connection, one = Connection(), caretaker()
    one.connections = lambda: [connection]
    for now in range(0, 57, 4):
        connection.cycle = Cycle()
        one._close_idle(now)
    assert not connection.is_closed
    one._close_idle(56 + 7)
    assert connection.is_closed


def test_a_connection_that_sends_no_whole_request_is_closed():
    connection, one = Connection(), caretaker()
    one.connections = lambda: [connection]
    one._close_idle(0)
    one._close_idle(5)
    assert not connection.is_closed
    one._close_idle(7)
    assert connection.is_closed


def test_gradio_remembers_no_file_that_is_gone(tmp_path):
    (tmp_path / "kept.mp4").touch()
    known = {str(tmp_path / name) for name in ("kept.mp4", "gone.mp4")}
    blocks = SimpleNamespace(temp_file_sets=[known])
    caretaker(queue=SimpleNamespace(blocks=blocks))._forget_files()
    assert known == {str(tmp_path / "kept.mp4")}
