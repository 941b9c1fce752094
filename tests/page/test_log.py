import json
import logging

from dfjax.page.log import _JsonLines, client_mark, fields


def formatted(message, error=None, **extra):
    record = logging.LogRecord("dfjax", logging.ERROR, "f.py", 1, message, None, None)
    record.__dict__.update(fields(**extra))
    if error is not None:
        try:
            raise error
        except Exception:
            import sys

            record.exc_info = sys.exc_info()
    return _JsonLines().format(record)


def test_an_event_is_one_line_of_json():
    line = formatted("request", route="/", status=200, reason=None)
    assert "\n" not in line
    entry = json.loads(line)
    assert entry["event"] == "request" and entry["status"] == 200 and "reason" not in entry
    assert entry["time"].endswith("Z") and entry["level"] == "error"


def test_a_traceback_keeps_its_calls_and_loses_the_names_of_files():
    names = "cannot read 'my holiday.mp4' or /tmp/x/secret.mov or party.webm: out of memory"
    line = formatted("failed", OSError(names))
    entry = json.loads(line)
    assert entry["error"] == "OSError" and "out of memory" in entry["message"]
    assert any("formatted" in call for call in entry["calls"])
    for name in ("holiday", "secret", "party"):
        assert name not in line


def test_a_client_has_one_mark_that_is_not_its_address():
    assert client_mark("192.0.2.1") == client_mark("192.0.2.1") != client_mark("192.0.2.2")
    assert "192" not in client_mark("192.0.2.1")
