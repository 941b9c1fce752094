"""The Space: `python app.py` loads the model, builds the page and serves it."""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

from dfjax.errors import MissingExtraError
from dfjax.extras import require_extra


def main(arguments: list[str] | None = None) -> int:
    """Serves the page until it is stopped; returns the exit code."""
    parser = argparse.ArgumentParser(description="Serves the deepfake check as a web page.")
    parser.add_argument(
        "--model",
        metavar="ID_OR_DIR",
        help="Hub repository or folder; default: DFJAX_MODEL, else checkpoint/ beside app.py",
    )
    parser.add_argument("--revision", help="branch, tag or commit of a Hub repository")
    parser.add_argument("--host", help="default: GRADIO_SERVER_NAME, else only this machine")
    parser.add_argument("--port", type=int, help="default: GRADIO_SERVER_PORT, else 7860 or above")
    parser.add_argument("--share", action="store_true", help="also make a public Gradio address")
    options = parser.parse_args(arguments)
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
        predictor = Predictor.from_pretrained(model, revision=options.revision)
    except (HubError, ModelFormatError) as error:
        print(f"There is no model to serve. {error}", file=sys.stderr)
        return 1
    page = build_page(predictor, write_examples(folder / "examples"))
    launch(page, uploads=uploads, host=options.host, port=options.port, share=options.share)
    return 0


if __name__ == "__main__":
    sys.exit(main())
