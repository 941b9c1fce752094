"""One request and its answer: what is sent, counted and written to the log."""

import contextlib
import json
import logging
import secrets
import time

from starlette.types import Message, Scope, Send

from dfjax.page.body import Body
from dfjax.page.health import Health
from dfjax.page.log import client_mark, fields
from dfjax.page.refusal import Refusal
from dfjax.page.routes import HEALTH, MCP, METRICS, UPLOAD, route_of
from dfjax.page.upload_folder import Arrival

_LOG = logging.getLogger(__name__)

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


class Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, send: Send):
        # A copy: Starlette keeps the original for itself.
        self.scope, self._send = dict(scope), send
        self.path: str = scope["path"]
        self.request_id = secrets.token_hex(8)
        self.client = self.route = ""
        self.caller: str | None = None
        self.body: Body | None = None
        self.arrival: Arrival | None = None
        self.has_started = False
        self.status = 0
        self.outcome = ""  # why it went wrong, in a word
        self.error: BaseException | None = None
        self._quiet = self._is_refusing = False
        self._answer = bytearray()
        self._start = time.monotonic()

    async def send(self, message: Message) -> None:
        """Sends a message of ASGI, with the headers above; nothing once the body has been cut."""
        if self.body and self.body.cut and not (self.has_started or self._is_refusing):
            return
        if message["type"] == "http.response.start":
            self.has_started, self.status = True, message["status"]
            own = (*_HEADERS, (b"x-request-id", self.request_id.encode()))
            message = {**message, "headers": [*message.get("headers", ()), *own]}
        elif self.arrival and self.status == 200:
            self._answer += message.get("body", b"")
            if not message.get("more_body", False):
                self.arrival.paths = _paths(bytes(self._answer))
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        """Answers with a refusal, or ends an answer that has begun."""
        self.outcome, self._quiet = refusal.reason, refusal.quiet
        if self.has_started:
            with contextlib.suppress(Exception):
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        as_json = self.path.startswith("/gradio_api/") and self.arrival is None
        self._is_refusing = True
        answer = refusal.response(
            as_json=as_json and self.route != UPLOAD,
            # The route may not be known yet.
            to_assistant=route_of(self.path) == MCP,
        )
        await answer(self.scope, _nothing, self.send)

    def note(self, health: Health) -> None:
        """Counts the exchange, and writes its line of log if it is worth one."""
        route = self.route or (self.path if self.path in (*HEALTH, METRICS) else "other")
        health.count("dfjax_requests_total", route=route, status=str(self.status))
        if self.outcome and self.outcome != "gone":
            health.count("dfjax_refusals_total", reason=self.outcome)
        if self._quiet or not (self.outcome or self.scope["method"] == "POST"):
            return
        extra = fields(
            request_id=self.request_id,
            caller=self.caller,
            client=client_mark(self.client) if self.client else None,
            route=route,
            status=self.status or None,
            reason=self.outcome or None,
            error=type(self.error).__name__ if self.error else None,
            bytes=self.body.num_bytes if self.body else None,
            seconds=round(time.monotonic() - self._start, 3),
        )
        _LOG.log(
            logging.WARNING if self.outcome else logging.INFO,
            "request",
            extra=extra,
            exc_info=self.error if self.outcome == "failed" else None,
        )


def _paths(answer: bytes) -> tuple[str, ...]:
    """Returns the paths that Gradio answers to an upload."""
    try:
        paths = json.loads(answer)
    except ValueError:
        return ()
    return tuple(path for path in paths if isinstance(path, str)) if isinstance(paths, list) else ()


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
