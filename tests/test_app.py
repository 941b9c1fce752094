"""The options of `app.py`, and its end where it cannot start."""

import io
import os
import signal
import sys

import pytest

import app
from dfjax.errors import VideoError


@pytest.mark.parametrize(
    "option",
    [
        *("--max-upload-megabytes", "--max-duration", "--max-decode-seconds"),
        *("--max-megapixels", "--max-still-megapixels", "--max-jpeg-megapixels"),
    ],
)
@pytest.mark.parametrize("value", ["0", "-3", "nan", "inf", "1e303", "much"])
def test_a_limit_that_is_no_positive_number_is_refused_in_a_sentence(option, value, capsys):
    with pytest.raises(SystemExit) as stopped:
        app.main([option, value])
    assert stopped.value.code == 2
    assert f"argument {option}: '{value}' is not a positive number" in capsys.readouterr().err


def test_the_options_become_the_limits_of_a_file():
    given = {"upload-megabytes": 3, "duration": 60, "decode-seconds": 9, "megapixels": 2}
    given |= {"still-megapixels": 5, "jpeg-megapixels": 7}
    options = app.parse([f"--max-{name}={value}" for name, value in given.items()])
    limits = app.limits_of(options)
    assert limits.max_file_bytes == 3 * 1024**2
    assert (limits.max_duration, limits.max_decode_seconds) == (60.0, 9.0)
    assert limits.max_source_pixels == 2_000_000
    assert (limits.max_still_pixels, limits.max_jpeg_pixels) == (5_000_000, 7_000_000)


def test_proxies_are_networks_or_are_refused_in_a_sentence(capsys):
    given = "10.1.2.3/8, 192.0.2.1,fc00::/7,"
    networks = "10.0.0.0/8,192.0.2.1/32,fc00::/7"
    assert app.parse(["--trusted-proxies", given]).trusted_proxies == networks
    for everywhere in ("*", "*, 10.0.0.0/8"):
        assert app.parse(["--trusted-proxies", everywhere]).trusted_proxies == "*"
    assert app.parse(["--trusted-proxies", ""]).trusted_proxies == ""
    for wrong in ("10.0.0.0/33", "10.0.0.0/8 192.0.2.1", "proxy"):
        with pytest.raises(SystemExit) as stopped:
            app.parse(["--trusted-proxies", wrong])
        assert stopped.value.code == 2
        assert f"'{wrong}'" in capsys.readouterr().err


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


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--max-client-megabytes", "500"),
        ("--max-client-requests", "60.5"),
        ("--max-duration", "600"),
        ("--revision", "v1"),
        ("--host", "0.0.0.0"),
        ("--port", "7000"),
        ("--trusted-proxies", "10.1.2.3/8"),
        ("--allowed-hosts", "check.example other.example"),
        ("--allowed-origins", "https://one.example, https://two.example"),
        ("--metrics", "1"),
        ("--share", "TRUE"),
    ],
)
def test_a_variable_of_a_space_is_the_option_of_its_name(option, value, monkeypatch):
    is_flag = option in ("--metrics", "--share")
    several = option.startswith("--allowed")
    values = [] if is_flag else value.replace(",", "").split() if several else [value]
    by_command, without = app.parse([option, *values]), app.parse([])
    monkeypatch.setenv("DFJAX_" + option[2:].replace("-", "_").upper(), value)
    assert app.parse([]) == by_command != without


def test_the_command_line_wins_over_a_variable_and_an_empty_one_is_none(monkeypatch):
    monkeypatch.setenv("DFJAX_MAX_DURATION", "600")
    monkeypatch.setenv("DFJAX_ALLOWED_HOSTS", "one.example")
    monkeypatch.setenv("DFJAX_PORT", " ")
    monkeypatch.setenv("DFJAX_METRICS", "0")
    options = app.parse(["--max-duration", "60", "--allowed-hosts", "two.example"])
    assert (options.max_duration, options.allowed_hosts) == (60.0, ["two.example"])
    assert (options.port, options.metrics) == (None, False)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("DFJAX_MAX_MEGAPIXELS", "-3", "'-3' is not a positive number"),
        ("DFJAX_PORT", "http", "'http' is not a port"),
        ("DFJAX_METRICS", "maybe", "'maybe' is neither 1 nor 0"),
        ("DFJAX_TRUSTED_PROXIES", "proxy", "'proxy'"),
        ("GRADIO_SERVER_PORT", "http", "'http' is not a port"),
    ],
)
def test_a_wrong_variable_is_named_in_the_sentence_that_refuses_it(
    variable, value, message, monkeypatch, capsys
):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as stopped:
        app.parse([])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert f"{variable}: " in said and message in said


def test_model_and_runtime_are_left_to_those_who_read_their_variables_everywhere(monkeypatch):
    monkeypatch.setenv("DFJAX_MODEL", "owner/name")
    monkeypatch.setenv("DFJAX_RUNTIME", "onnx")
    options = app.parse([])
    assert (options.model, options.runtime) == (None, None)
