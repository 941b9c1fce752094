"""The options of `app.py`, from its command line and from the environment."""

import argparse
import dataclasses
import ipaddress
import math
import os
import sys
from typing import NoReturn, get_args

from dfjax.page.limits import PageLimits
from dfjax.runtimes.runtime import RuntimeName
from dfjax.video.limits import VideoLimits

FIRST_PORT = 7860  # that is tried, Gradio's

_LIMITS = VideoLimits()
_PAGE_LIMITS = PageLimits()
_MIB = 1024**2
_ON, _OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_VARIABLES = (
    "Each option can also be a variable of the environment, as of a Space: DFJAX_MAX_DURATION=600 "
    "for --max-duration 600, DFJAX_METRICS=1 for --metrics. Several values stand with commas or "
    "blanks between them. The command line wins."
)


class _Parser(argparse.ArgumentParser):
    """Says of a wrong value also which variable it came from."""

    variable: str | None = None

    def error(self, message: str) -> NoReturn:
        super().error(message if self.variable is None else f"{self.variable}: {message}")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Returns the options of the command line and of the environment, whose variables lose.

    Args:
      arguments: Of the command line; None: of this process.
    """
    parser = _Parser(description="Serves the deepfake check as a web page.", epilog=_VARIABLES)
    parser.add_argument(
        "--model",
        metavar="ID_OR_DIR",
        help="Hub repository or folder; default: DFJAX_MODEL, else checkpoint/ next to app.py",
    )
    parser.add_argument("--revision", help="branch, tag or commit of a Hub repository")
    parser.add_argument(
        "--runtime",
        choices=get_args(RuntimeName),
        help="what computes the networks; default: DFJAX_RUNTIME, else jax",
    )
    parser.add_argument("--host", help="default: GRADIO_SERVER_NAME, else only this machine")
    parser.add_argument(
        "--port", type=_port, help="default: GRADIO_SERVER_PORT, else 7860 or above"
    )
    parser.add_argument("--share", action="store_true", help="also make a public Gradio address")
    limits = parser.add_argument_group("limits", "what a visitor's file may cost this server")
    limits.add_argument(
        "--max-upload-megabytes",
        type=_positive,
        default=_PAGE_LIMITS.max_upload_bytes / _MIB,
        metavar="MIB",
        help="size of one file, MiB; default: %(default)g",
    )
    limits.add_argument(
        "--max-duration",
        type=_positive,
        default=_LIMITS.max_duration,
        metavar="SECONDS",
        help="length of a video, seconds; default: %(default)g",
    )
    limits.add_argument(
        "--max-decode-seconds",
        type=_positive,
        default=_LIMITS.max_decode_seconds,
        metavar="SECONDS",
        help="time that ffmpeg may take for a video, seconds; default: %(default)g",
    )
    limits.add_argument(
        "--max-megapixels",
        type=_positive,
        default=_LIMITS.max_source_pixels / 1e6,
        metavar="MEGAPIXELS",
        help="size of a video's frame, millions of pixels; default: %(default)g",
    )
    limits.add_argument(
        "--max-still-megapixels",
        type=_positive,
        default=_LIMITS.max_still_pixels / 1e6,
        metavar="MEGAPIXELS",
        help="size of a still picture, millions of pixels; default: %(default)g",
    )
    limits.add_argument(
        "--max-jpeg-megapixels",
        type=_positive,
        default=_LIMITS.max_jpeg_pixels / 1e6,
        metavar="MEGAPIXELS",
        help="size of a JPEG, which is shrunk as it is decoded; default: %(default)g",
    )
    _add_visitor_options(parser)
    given = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args([*_of_variables(parser), *given])
    try:
        _port(os.environ.get("GRADIO_SERVER_PORT", str(FIRST_PORT)))
    except argparse.ArgumentTypeError as error:  # for which Gradio cannot be imported
        parser.error(f"GRADIO_SERVER_PORT: {error}")
    return options


def _of_variables(parser: _Parser) -> list[str]:
    """Returns the options that variables of the environment give, as on the command line.

    A Space starts app.py without arguments, and has variables instead.
    """
    options = []
    for name, default in vars(parser.parse_args([])).items():
        variable = f"DFJAX_{name.upper()}"
        text = os.environ.get(variable, "").strip()
        # `model_source` and the runtimes read their own, everywhere and not only here.
        if not text or name in ("model", "runtime"):
            continue
        parser.variable = variable
        option = f"--{name.replace('_', '-')}"
        if isinstance(default, list):
            given = [option, *text.replace(",", " ").split()]
        elif not isinstance(default, bool):
            given = [f"{option}={text}"]
        elif text.lower() in _ON + _OFF:
            given = [option] if text.lower() in _ON else []
        else:
            parser.error(f"{text!r} is neither 1 nor 0")
        parser.parse_args(given)  # ends with a sentence if the value is wrong
        options += given
    parser.variable = None
    return options


def _add_visitor_options(parser: argparse.ArgumentParser) -> None:
    """Adds what visitors may do; docs/security.md says why."""
    visitors = parser.add_argument_group("visitors", "who may ask, and for how much")
    visitors.add_argument(
        "--max-disk-megabytes",
        type=_positive,
        default=_PAGE_LIMITS.max_disk_bytes / _MIB,
        metavar="MIB",
        help="size of all uploads together, MiB; default: %(default)g",
    )
    visitors.add_argument(
        "--max-client-megabytes",
        type=_positive,
        default=_PAGE_LIMITS.max_client_bytes / _MIB,
        metavar="MIB",
        help="size of the uploads of one client, MiB; default: %(default)g",
    )
    visitors.add_argument(
        "--max-client-checks",
        type=_positive,
        default=_PAGE_LIMITS.max_client_checks,
        metavar="NUMBER",
        help="checks of one client that may wait or run; default: %(default)g",
    )
    visitors.add_argument(
        "--max-client-requests",
        type=_positive,
        default=_PAGE_LIMITS.max_client_requests,
        metavar="NUMBER",
        help="requests of one client per minute; default: %(default)g",
    )
    visitors.add_argument(
        "--allowed-hosts",
        nargs="+",
        default=[],
        metavar="NAME",
        help="names that the page has besides this machine's and the Space's; * for all",
    )
    visitors.add_argument(
        "--allowed-origins",
        nargs="+",
        default=[],
        metavar="ORIGIN",
        help="other sites whose pages may use the API, such as https://example.org",
    )
    visitors.add_argument(
        "--trusted-proxies",
        type=_networks,
        metavar="ADDRESSES",
        help="addresses and networks, with commas, whose X-Forwarded-For says who the client is; "
        "default: none, and in a Space private networks",
    )
    visitors.add_argument("--metrics", action="store_true", help="answer /metrics, for Prometheus")


def _port(text: str) -> int:
    """Returns the port that an option gives.

    Raises:
      ArgumentTypeError: It is none.
    """
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a number from 1 to 65535")
    return int(text)


def _networks(text: str) -> str:
    """Returns the networks that an option gives, as uvicorn understands them; "*" is all of them.

    Raises:
      ArgumentTypeError: A part is none. uvicorn would take it for the name of a socket.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if "*" in parts:  # which uvicorn understands only where it stands alone
        return "*"
    try:
        networks = [str(ipaddress.ip_network(part, strict=False)) for part in parts]
    except ValueError as error:
        message = f"{error}; needed are addresses and networks, as 10.0.0.0/8,192.0.2.1"
        raise argparse.ArgumentTypeError(message) from None
    return ",".join(networks)


def _positive(text: str) -> float:
    """Returns the number that an option gives.

    Raises:
      ArgumentTypeError: It is no positive number, or is absurdly large.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1e12:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number under 1e12")
    return value


def limits_of(options: argparse.Namespace) -> VideoLimits:
    """Returns what one file may cost, as the command line says."""
    return dataclasses.replace(
        _LIMITS,
        max_file_bytes=math.ceil(options.max_upload_megabytes * _MIB),
        max_duration=options.max_duration,
        max_decode_seconds=options.max_decode_seconds,
        max_source_pixels=math.ceil(options.max_megapixels * 1e6),
        max_still_pixels=math.ceil(options.max_still_megapixels * 1e6),
        max_jpeg_pixels=math.ceil(options.max_jpeg_megapixels * 1e6),
    )


def page_limits_of(options: argparse.Namespace) -> PageLimits:
    """Returns what visitors may cost, as the command line says.

    Raises:
      ValueError: The quotas are smaller than one file may be.
    """
    return PageLimits(
        max_upload_bytes=math.ceil(options.max_upload_megabytes * _MIB),
        max_disk_bytes=math.ceil(options.max_disk_megabytes * _MIB),
        max_client_bytes=math.ceil(options.max_client_megabytes * _MIB),
        max_client_checks=math.ceil(options.max_client_checks),
        max_client_requests=options.max_client_requests,
    )
