"""The start of `app.py`, and its end where it cannot start."""

import io
import os
import signal
import sys

import app
from dfjax.errors import VideoError


def test_the_start_says_where_the_page_is_and_that_a_port_was_taken():
    here = "Open http://127.0.0.1:7861 in a browser; Ctrl-C ends it."
    assert app.invitation("http://127.0.0.1:7861", 7861) == here
    assert app.invitation("http://127.0.0.1:7861", 7860) == f"Port 7860 is taken. {here}"


def test_an_error_with_a_sentence_ends_the_app_with_it_alone(monkeypatch, capsys):
    def fail(options, folder):
        raise VideoError("The examples cannot be written.")

    monkeypatch.setattr(app, "_serve", fail)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert app.main([]) == 1
    assert capsys.readouterr().err == "The examples cannot be written.\n"


def test_the_page_reports_to_nobody(monkeypatch):
    def is_set_before_gradio_is_imported():
        assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
        assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
        raise KeyboardInterrupt

    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "")
    stubs = "dfjax.page.gradio_stubs.leave_stubs_alone"
    monkeypatch.setattr(stubs, is_set_before_gradio_is_imported)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert app.main([]) == 0


def test_no_second_signal_stops_the_app_from_deleting_the_visitors_files(monkeypatch):
    handlers, at_the_end = {}, {}

    class Folder:
        def __enter__(self):
            return "folder"

        def __exit__(self, *_):
            at_the_end.update(handlers)

    def stopped(options, folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    monkeypatch.setattr("tempfile.TemporaryDirectory", lambda **_: Folder())
    monkeypatch.setattr(app, "_serve", stopped)
    assert app.main([]) == 0
    assert at_the_end == dict.fromkeys((signal.SIGINT, signal.SIGTERM), signal.SIG_IGN)


def test_a_letter_that_the_locale_has_no_bytes_for_does_not_end_the_app(monkeypatch):
    """Gradio prints one as it starts, whatever the locale."""
    printed = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", printed)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(app, "_serve", lambda *_: print("\N{HAMMER} Launching") or 0)
    assert app.main([]) == 0
