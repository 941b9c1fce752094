"""The options of `app.py`, and its end where it cannot start."""

import signal

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
