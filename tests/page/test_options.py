"""The options of `app.py`."""

import pytest

import app
from dfjax.page.options import limits_of, parse


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
    options = parse([f"--max-{name}={value}" for name, value in given.items()])
    limits = limits_of(options)
    assert limits.max_file_bytes == 3 * 1024**2
    assert (limits.max_duration, limits.max_decode_seconds) == (60.0, 9.0)
    assert limits.max_source_pixels == 2_000_000
    assert (limits.max_still_pixels, limits.max_jpeg_pixels) == (5_000_000, 7_000_000)


def test_proxies_are_networks_or_are_refused_in_a_sentence(capsys):
    given = "10.1.2.3/8, 192.0.2.1,fc00::/7,"
    networks = "10.0.0.0/8,192.0.2.1/32,fc00::/7"
    assert parse(["--trusted-proxies", given]).trusted_proxies == networks
    for everywhere in ("*", "*, 10.0.0.0/8"):
        assert parse(["--trusted-proxies", everywhere]).trusted_proxies == "*"
    assert parse(["--trusted-proxies", ""]).trusted_proxies == ""
    for wrong in ("10.0.0.0/33", "10.0.0.0/8 192.0.2.1", "proxy"):
        with pytest.raises(SystemExit) as stopped:
            parse(["--trusted-proxies", wrong])
        assert stopped.value.code == 2
        assert f"'{wrong}'" in capsys.readouterr().err


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
    by_command, without = parse([option, *values]), parse([])
    monkeypatch.setenv("DFJAX_" + option[2:].replace("-", "_").upper(), value)
    assert parse([]) == by_command != without


def test_the_command_line_wins_over_a_variable_and_an_empty_one_is_none(monkeypatch):
    monkeypatch.setenv("DFJAX_MAX_DURATION", "600")
    monkeypatch.setenv("DFJAX_ALLOWED_HOSTS", "one.example")
    monkeypatch.setenv("DFJAX_PORT", " ")
    monkeypatch.setenv("DFJAX_METRICS", "0")
    options = parse(["--max-duration", "60", "--allowed-hosts", "two.example"])
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
        parse([])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert f"{variable}: " in said and message in said


def test_model_and_runtime_are_left_to_those_who_read_their_variables_everywhere(monkeypatch):
    monkeypatch.setenv("DFJAX_MODEL", "owner/name")
    monkeypatch.setenv("DFJAX_RUNTIME", "onnx")
    options = parse([])
    assert (options.model, options.runtime) == (None, None)
