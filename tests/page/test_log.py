import json
import logging

from dfjax.page.log import _JsonLines, client_mark, configure, fields, take_over


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


def test_once_the_page_is_served_all_that_is_logged_is_json(monkeypatch, capsys):
    for name in ("", "dfjax", "uvicorn"):
        logger = logging.getLogger(name)
        for field in ("handlers", "level", "propagate"):
            monkeypatch.setattr(logger, field, getattr(logger, field))
    logging.getLogger("uvicorn").handlers = [logging.StreamHandler()]
    configure()
    take_over()
    for name in ("dfjax.page", "uvicorn.error", "python_multipart.multipart"):
        logging.getLogger(name).warning("said once")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"].rpartition(": ")[2] for line in lines] == ["said once"] * 3


def test_what_others_log_names_no_file_either():
    record = logging.LogRecord(
        "uvicorn.error", logging.WARNING, "f.py", 1, "no request: /tmp/my.mp4", None, None
    )
    entry = json.loads(_JsonLines().format(record))
    assert entry["event"] == "uvicorn.error: no request: …"


def test_a_client_has_one_mark_that_is_not_its_address():
    assert client_mark("192.0.2.1") == client_mark("192.0.2.1") != client_mark("192.0.2.2")
    assert "192" not in client_mark("192.0.2.1")
