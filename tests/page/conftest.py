"""The page as it is served, and what it logs, for the tests that talk to it over plain HTTP."""

import logging
import time

import pytest

from tests.page.serving import LIMITS, served


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
