"""The Space: `python app.py` loads the model, builds the page and serves it."""

import argparse
import dataclasses
import io
import ipaddress
import math
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NoReturn, get_args
from urllib.parse import urlsplit

from dfjax.errors import DfjaxError
from dfjax.extras import require_extra
from dfjax.memory import use_one_arena
from dfjax.page.limits import PageLimits
from dfjax.runtimes.runtime import RuntimeName
from dfjax.video.limits import VideoLimits

_LIMITS = VideoLimits()
_PAGE_LIMITS = PageLimits()
_MIB = 1024**2
_FIRST_PORT = 7860  # Gradio's
_ON, _OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_VARIABLES = (
    "Each option can also be a variable of the environment, as of a Space: DFJAX_MAX_DURATION=600 "
    "for --max-duration 600, DFJAX_METRICS=1 for --metrics. Several values stand with commas or "
    "blanks between them. The command line wins."
)


def main(arguments: list[str] | None = None) -> int:
    """Serves the page until it is stopped; returns the exit code."""
    options = parse(arguments)
    try:
        page_limits_of(options)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    # Being stopped is a normal end, after which the visitors' files are deleted.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Gradio prints a picture letter, for which some locales have no bytes.
        sys.stdout.reconfigure(errors="replace")
    try:
        with tempfile.TemporaryDirectory(prefix="dfjax-") as folder:
            try:
                return _serve(options, Path(folder).resolve())
            finally:
                # Whoever presses Ctrl-C again is in a hurry, but the files have to go.
                _answer_signals(signal.SIG_IGN)
    except KeyboardInterrupt:
        return 0
    except DfjaxError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        _answer_signals(signal.SIG_DFL)


def _answer_signals(answer: signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, answer)


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
        _port(os.environ.get("GRADIO_SERVER_PORT", str(_FIRST_PORT)))
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
        max_file_bytes=math.ceil(options.max_upload_megabytes * 1024**2),
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


def _serve(options: argparse.Namespace, folder: Path) -> int:
    """Serves the page; `folder` is this process's own, and is deleted after it."""
    require_extra("app", "app.py")
    uploads = folder / "uploads"
    uploads.mkdir()
    # Gradio reads these when it is imported.
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    # Else Gradio's client, through which assistants' calls go, asks the Hub about this process.
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

    from dfjax.page.gradio_stubs import leave_stubs_alone

    leave_stubs_alone()
    from dfjax.page.example_videos import write_examples
    from dfjax.page.server import require_free_port

    require_free_port(options.host, options.port)
    use_one_arena()
    # Drawing the examples takes seconds, and so does all that comes before they are needed.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        drawing = pool.submit(write_examples, folder / "examples")
        from dfjax.errors import HubError, ModelFormatError, RuntimeChoiceError
        from dfjax.inference.compilation_cache import use_compilation_cache
        from dfjax.models.locate import model_source
        from dfjax.page.blocks import build_page
        from dfjax.page.health import Health
        from dfjax.page.log import configure, take_over
        from dfjax.page.server import serving
        from dfjax.predictor import Predictor

        configure()
        use_compilation_cache()
        try:
            predictor = Predictor.from_pretrained(
                model_source(options.model),
                revision=options.revision,
                runtime=options.runtime,
                limits=limits_of(options),
            )
        except (HubError, ModelFormatError, RuntimeChoiceError) as error:
            print(f"There is no model to serve. {error}", file=sys.stderr)
            return 1
        examples = drawing.result()
    visitors, health = page_limits_of(options), Health()
    with serving(
        build_page(predictor, examples, limits=visitors, health=health),
        uploads=uploads,
        limits=visitors,
        health=health,
        host=options.host,
        port=options.port,
        share=options.share,
        allowed_hosts=tuple(options.allowed_hosts),
        allowed_origins=tuple(options.allowed_origins),
        trusted_proxies=options.trusted_proxies,
        shows_metrics=options.metrics,
        sample=examples[-1].path,
    ) as url:
        take_over()
        wanted = options.port or int(os.environ.get("GRADIO_SERVER_PORT", _FIRST_PORT))
        print(invitation(url.rstrip("/"), wanted), flush=True)
        wait_for_signal()
    return 0


def invitation(url: str, wanted: int) -> str:
    """Returns the line that says where the page is.

    Args:
      url: Its address, with the port.
      wanted: The first port that was tried.
    """
    taken = "" if urlsplit(url).port == wanted else f"Port {wanted} is taken. "
    return f"{taken}Open {url} in a browser; Ctrl-C ends it."


def wait_for_signal() -> NoReturn:
    """Waits until a signal becomes a KeyboardInterrupt, which happens in the main thread alone.

    On a busy machine the signal may reach another thread, which does not wake this one.
    """
    while True:
        time.sleep(1)


if __name__ == "__main__":
    exit_code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The model may still be compiling, in a thread that nothing can stop: Python would wait for it,
    # or crash under it.
    os._exit(exit_code)
