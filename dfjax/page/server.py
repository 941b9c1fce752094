"""How the page is served: to strangers, with their private videos, from this host alone."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.themes import Base
from gradio.themes.utils import colors, sizes
from gradio.themes.utils.fonts import Font, LocalFont
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dfjax.page import texts
from dfjax.page.blocks import KEEP_SECONDS, SWEEP_SECONDS

_MAX_BODY_BYTES = 1024**2  # of every request that is not an upload; none of ours needs more

# Gradio's screen recorder hands any file to whatever ffmpeg is on PATH, unguarded.
_CLOSED_PATHS = ("/gradio_api/process_recording",)

# The browser itself then refuses every other host, so that no slip of ours or of Gradio's can send
# a visitor's video anywhere. Gradio builds its page with inline scripts and `new Function`.
_CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)
_HEADERS = (
    (b"content-security-policy", _CONTENT_POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


def launch(
    page: gr.Blocks,
    *,
    uploads: Path,
    max_upload_bytes: int,
    host: str | None = None,
    port: int | None = None,
    share: bool = False,
) -> None:
    """Serves a page of `build_page` until the process is stopped.

    Args:
      page: The page.
      uploads: GRADIO_TEMP_DIR, set to a folder of this process alone before Gradio was imported.
        Whatever is in it grows old there and is deleted.
      max_upload_bytes: Of one uploaded file.
      host: Address to listen on; None: GRADIO_SERVER_NAME, or else only this machine.
      port: None: GRADIO_SERVER_PORT, or else the first free one from 7860 on.
      share: Also make a public address through Gradio's tunnel.
    """
    page.launch(
        server_name=host,
        server_port=port,
        share=share,
        theme=theme(),
        css_paths=Path(__file__).parent / "style.css",
        head=f'<meta name="description" content="{texts.DESCRIPTION}">',
        footer_links=["api"],
        # No tracebacks and no texts of unexpected errors for strangers.
        show_error=False,
        run_history=False,
        enable_monitoring=False,
        max_file_size=max_upload_bytes,
        # A session's last result stays in memory until it is crowded out.
        state_session_capacity=64,
        ssr_mode=False,
        pwa=False,
        mcp_server=True,
        app_kwargs={
            "middleware": [Middleware(Guard, max_upload_bytes=max_upload_bytes)],
            "lifespan": _sweeping(uploads),
        },
    )


def theme() -> Base:
    """Returns the colours and the type. Gradio ships the font, so none is fetched."""
    return Base(
        primary_hue=colors.indigo,
        neutral_hue=colors.slate,
        radius_size=sizes.radius_lg,
        font=[LocalFont("IBM Plex Sans", weights=(400, 700)), Font("sans-serif")],
        font_mono=[LocalFont("IBM Plex Mono", weights=(400, 700)), Font("monospace")],
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
        button_primary_text_color="white",
    )


class Guard:
    """Middleware: limits the size of every request, closes paths, and sets the headers above."""

    def __init__(self, app: ASGIApp, *, max_upload_bytes: int):
        self._app = app
        self._max_upload_bytes = max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].rstrip("/")
        if path.endswith(_CLOSED_PATHS):
            await PlainTextResponse("Not found", status_code=404)(scope, receive, send)
            return
        # Some room for the form around the file.
        extra = self._max_upload_bytes if path.endswith("/upload") else 0
        limit = _MAX_BODY_BYTES + extra
        if int(dict(scope["headers"]).get(b"content-length", 0)) > limit:
            response = PlainTextResponse(f"The limit is {limit:,} bytes.", status_code=413)
            await response(scope, receive, send)
            return
        received = 0

        async def counted_receive() -> Message:
            # A body without a stated length: cut off as if the client had gone.
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message if received <= limit else {"type": "http.disconnect"}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        await self._app(scope, counted_receive, send_with_headers)


def sweep(folder: Path, max_age: float) -> None:
    """Deletes the files under `folder` that were last changed over `max_age` seconds ago.

    Gradio deletes the files that it keeps account of; uploads that broke off are not among them.
    """
    oldest = time.time() - max_age
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and path.stat().st_ctime < oldest:
                path.unlink()


def _sweeping(folder: Path) -> Callable[[Any], contextlib.AbstractAsyncContextManager[None]]:
    """Returns the server's lifespan, in which `folder` is swept now and then."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        del app
        task = asyncio.create_task(_sweep_forever(folder))
        try:
            yield
        finally:
            task.cancel()

    return lifespan


async def _sweep_forever(folder: Path) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        await asyncio.to_thread(sweep, folder, KEEP_SECONDS)
