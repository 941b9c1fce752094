"""The Space: `python app.py` loads the model, builds the page and serves it."""

import argparse
import dataclasses
import math
import os
import signal
import sys
import tempfile
from pathlib import Path

from dfjax.errors import MissingExtraError
from dfjax.extras import require_extra
from dfjax.video.limits import VideoLimits

_LIMITS = VideoLimits()


def main(arguments: list[str] | None = None) -> int:
    """Serves the page until it is stopped; returns the exit code."""
    options = parse(arguments)
    # Being stopped is a normal end, after which the visitors' files are deleted.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="dfjax-") as folder:
            return _serve(options, Path(folder).resolve())
    except KeyboardInterrupt:
        return 0
    except MissingExtraError as error:
        print(error, file=sys.stderr)
        return 1


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Returns the options of the command line; None: of this process."""
    parser = argparse.ArgumentParser(description="Serves the deepfake check as a web page.")
    parser.add_argument(
        "--model",
        metavar="ID_OR_DIR",
        help="Hub repository or folder; default: DFJAX_MODEL, else checkpoint/ next to app.py",
    )
    parser.add_argument("--revision", help="branch, tag or commit of a Hub repository")
    parser.add_argument("--host", help="default: GRADIO_SERVER_NAME, else only this machine")
    parser.add_argument("--port", type=int, help="default: GRADIO_SERVER_PORT, else 7860 or above")
    parser.add_argument("--share", action="store_true", help="also make a public Gradio address")
    limits = parser.add_argument_group("limits", "what a visitor's file may cost this server")
    limits.add_argument(
        "--max-upload-megabytes",
        type=_positive,
        default=200.0,
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
        help="size of one picture, millions of pixels; default: %(default)g",
    )
    return parser.parse_args(arguments)


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
    )


def _serve(options: argparse.Namespace, folder: Path) -> int:
    """Serves the page; `folder` is this process's own, and is deleted after it."""
    require_extra("app", "app.py")
    uploads = folder / "uploads"
    uploads.mkdir()
    # Gradio reads these when it is imported.
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

    from dfjax.errors import HubError, ModelFormatError
    from dfjax.page.blocks import build_page
    from dfjax.page.example_videos import write_examples
    from dfjax.page.server import launch
    from dfjax.predictor import Predictor, model_source

    try:
        model = model_source(options.model)
        limits = limits_of(options)
        predictor = Predictor.from_pretrained(model, revision=options.revision, limits=limits)
    except (HubError, ModelFormatError) as error:
        print(f"There is no model to serve. {error}", file=sys.stderr)
        return 1
    page = build_page(predictor, write_examples(folder / "examples"))
    launch(
        page,
        uploads=uploads,
        max_upload_bytes=limits.max_file_bytes,
        host=options.host,
        port=options.port,
        share=options.share,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
