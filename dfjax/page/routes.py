"""Which of Gradio's addresses are open, by what the page and its API need."""

import re
from urllib.parse import parse_qs

from dfjax.page.link_preview import PICTURE

UPLOAD, MCP = "/gradio_api/upload", "/gradio_api/mcp"

HEALTH, METRICS = ("/healthz", "/readyz"), "/metrics"
"""Answered without Gradio, as the next two are."""

API_PAGE, SAMPLE = "/api", "/sample.mp4"
"""How to use the API, and a video to try it with."""

LIVE = "/live"
"""Of the live tab; also without Gradio."""

_PAGE = frozenset(
    {"/", "/config", "/theme.css", "/favicon.ico", "/robots.txt", "/manifest.json", PICTURE}
)

_ASSETS = re.compile(r"/(?:assets|static|svelte)/|/gradio_api/theme\.css$")

# Not among them, since nobody needs it here: Gradio's screen recorder, which hands any file to
# whatever ffmpeg is on PATH, the streams for developers, component servers, the proxy to other
# Spaces, deep links, which write files, run history, monitoring, logins and the editor.
_API = re.compile(
    r"/gradio_api/(?:upload|upload_progress|queue/join|queue/data|queue/status|call|run|api|info"
    r"|openapi\.json|heartbeat|cancel|reset|file|app_id|startup-events|mcp)(?=[/=]|$)"
)

_LIVE = re.compile(LIVE + r"(?:/[\w-]{1,64})?$")

_LISTENING = re.compile(r"/gradio_api/call/(?:v2/)?[^/]+/(?P<event>[^/]+)$")


def route_of(path: str) -> str | None:
    """Returns the route of a path without what is a visitor's own in it; None if it is closed.

    Example:
      >>> from dfjax.page.routes import route_of
      >>> route_of("/gradio_api/file=/tmp/holiday.mp4")
      '/gradio_api/file'
      >>> route_of("/gradio_api/dev/reload") is None
      True
    """
    if path in _PAGE or path in (API_PAGE, SAMPLE):
        return path
    if _LIVE.match(path):
        return LIVE
    found = _ASSETS.match(path) or _API.match(path)
    return found.group() if found else None


def is_asset(path: str) -> bool:
    """Returns whether a path is a file of the page itself, the same for everybody."""
    return _ASSETS.match(path) is not None


def wants_gradio_s_api_page(path: str, query: bytes) -> bool:
    """Returns whether a request is for the page on which Gradio describes the API.

    Ours stands in its place: some programs on Gradio's do not run.
    """
    return path == "/" and b"view=api" in query.split(b"&")


def listens_to(method: str, path: str, query: bytes) -> str | None:
    """Returns the session or the event whose answer a request waits for; None if for none."""
    if method != "GET":
        return None
    if path == "/gradio_api/queue/data":
        # A query that is no UTF-8 names no session.
        sessions = parse_qs(query.decode("latin-1")).get("session_hash", [])
        return sessions[0] if sessions else None
    found = _LISTENING.match(path)
    return found["event"] if found else None
