"""The Space: `python app.py` loads the model, builds the page and serves it."""

import argparse
import io
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from dfjax.errors import DfjaxError
from dfjax.extras import require_extra
from dfjax.memory import use_one_arena
from dfjax.page.options import FIRST_PORT, limits_of, page_limits_of, parse


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
        wanted = options.port or int(os.environ.get("GRADIO_SERVER_PORT", FIRST_PORT))
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
