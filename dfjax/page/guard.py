"""What stands between strangers and Gradio: every request passes here first."""

import contextlib
import dataclasses
import secrets
import traceback
from collections.abc import Iterable
from pathlib import Path

from gradio.route_utils import FnIndexInferError, get_root_url
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.types import ASGIApp, Receive, Scope, Send

from dfjax.page import texts
from dfjax.page.body import Body, too_large
from dfjax.page.clients import Clients, client_of
from dfjax.page.exchange import Exchange
from dfjax.page.fair_queue import CLIENT, REQUEST_ID, FairQueue
from dfjax.page.health import Health, resident_bytes
from dfjax.page.hosts import AllowedHosts
from dfjax.page.limits import PageLimits
from dfjax.page.live_endpoint import LiveEndpoint
from dfjax.page.refusal import Refusal
from dfjax.page.routes import (
    API_PAGE,
    HEALTH,
    LIVE,
    MCP,
    METRICS,
    SAMPLE,
    UPLOAD,
    is_asset,
    listens_to,
    route_of,
    wants_gradio_s_api_page,
)
from dfjax.page.snippets import api_page
from dfjax.page.upload_folder import UploadFolder, no_room
from dfjax.words import words

# An assistant's call comes twice: from outside, and from Gradio, which calls the API in its place.
# This header, with a secret of this process, says for whom.
_CALLER = b"x-dfjax-caller"

# What Gradio raises before it has looked at a request as a whole.
_MALFORMED = (ValueError, TypeError, LookupError, AttributeError, AssertionError, RecursionError)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Watch:
    """What the guard looks after."""

    limits: PageLimits
    hosts: AllowedHosts
    clients: Clients
    uploads: UploadFolder
    queue: FairQueue
    health: Health
    live: LiveEndpoint | None = None  # None: the model cannot score cameras
    shows_metrics: bool = False
    sample: Path | None = None  # a video to try the API with


class Guard:
    """Middleware: lets through what the page and its API need, within limits, from who may ask.

    Every refusal is a sentence for the client and a line of log; so is every error of Gradio's.
    """

    def __init__(self, app: ASGIApp, *, watch: Watch):
        self._app, self._watch = app, watch
        self._secret = secrets.token_hex(16)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, send)
        try:
            await self._handle(exchange, receive)
        except Refusal as refusal:
            await exchange.refuse(refusal)
        except ClientDisconnect:
            exchange.outcome = "gone"
        except Exception as error:
            await exchange.refuse(_refusal_for(error, exchange))
        finally:
            exchange.note(self._watch.health)
            _let_go(exchange)

    async def _handle(self, exchange: Exchange, receive: Receive) -> None:
        """Checks a request, from the cheapest check to the dearest, and passes it on.

        Raises:
          Refusal: It is not acted on.
        """
        watch, scope = self._watch, exchange.scope
        if exchange.path in HEALTH:
            # Whoever looks after the server asks by a number, or by a name inside its network.
            await self._health(exchange.path)(scope, receive, exchange.send)
            return
        exchange.client, exchange.caller = self._whose(scope)
        if not is_asset(exchange.path):
            watch.clients.take_turn(exchange.client)
        is_metrics = exchange.path == METRICS and watch.shows_metrics
        exchange.route = METRICS if is_metrics else route_of(exchange.path) or ""
        if not exchange.route:
            raise Refusal(404, "closed", "There is nothing at this address.")
        _check_origin(watch.hosts, Headers(scope=scope))
        if is_metrics:
            await self._metrics()(scope, receive, exchange.send)
            return
        if own := self._own_page(exchange):
            await own(scope, receive, exchange.send)
            return
        if watch.health.ending.is_set():
            raise Refusal(503, "ending", texts.ENDING, retry_after=30)
        scope[CLIENT], scope[REQUEST_ID] = exchange.client, exchange.caller or exchange.request_id
        is_upload = exchange.path.rstrip("/") == UPLOAD
        max_bytes = watch.limits.max_body_bytes
        # Some room for the form around the file.
        max_bytes += watch.limits.max_upload_bytes if is_upload else 0
        length = _length(Headers(scope=scope))
        if length is not None and length > max_bytes:
            raise too_large(max_bytes)
        with contextlib.ExitStack() as stack:
            stack.enter_context(watch.clients.open_request(exchange.client))
            if is_upload:
                # A body of unknown length may be as long as any.
                longest = watch.limits.max_upload_bytes
                expected = longest if length is None else min(length, longest)
                exchange.arrival = stack.enter_context(
                    watch.uploads.receive(exchange.client, expected)
                )
            heard = listens_to(scope["method"], exchange.path, scope.get("query_string", b""))
            if heard:
                stack.enter_context(watch.queue.listening(heard))
            await self._pass_on(exchange, receive, max_bytes)

    async def _pass_on(self, exchange: Exchange, receive: Receive, max_bytes: int) -> None:
        """Lets Gradio answer.

        Raises:
          Refusal: The body turned out to be too long or too slow.
        """
        is_assistant = exchange.route == MCP
        arrival = exchange.arrival
        exchange.body = body = Body(
            receive,
            max_bytes,
            self._watch.limits,
            on_bytes=arrival.count if arrival else None,
            on_gone=(
                (lambda: self._watch.queue.give_up(exchange.request_id)) if is_assistant else None
            ),
        )
        if exchange.route == LIVE:
            await self._live(exchange, body)
            return
        if is_assistant:
            caller = f"{self._secret} {exchange.request_id} {exchange.client}"
            exchange.scope["headers"] = [*exchange.scope["headers"], (_CALLER, caller.encode())]
        try:
            await self._app(exchange.scope, body.receive, exchange.send)
        except Exception:
            if body.cut is None:
                raise
        if body.cut and not exchange.has_started:
            raise body.cut

    def _own_page(self, exchange: Exchange) -> Response | None:
        """Returns what is answered in Gradio's place; None if Gradio answers.

        Raises:
          Refusal: There is no sample.
        """
        path, scope, watch = exchange.path, exchange.scope, self._watch
        if path not in (API_PAGE, SAMPLE):
            moved = wants_gradio_s_api_page(path, scope.get("query_string", b""))
            return RedirectResponse(API_PAGE.lstrip("/")) if moved else None
        if scope["method"] not in ("GET", "HEAD"):
            raise Refusal(405, "malformed", "This address can only be read.")
        if path == API_PAGE:
            url = get_root_url(Request(scope), API_PAGE, None)
            return HTMLResponse(api_page(url, watch.limits.max_batch_files))
        if watch.sample is None:
            raise Refusal(404, "closed", "There is nothing at this address.")
        return FileResponse(watch.sample, media_type="video/mp4")

    async def _live(self, exchange: Exchange, body: Body) -> None:
        """Answers the live tab.

        Raises:
          Refusal: There is none, or the request is not acted on.
        """
        if self._watch.live is None:
            raise Refusal(404, "closed", "There is nothing at this address.")
        try:
            await self._watch.live(
                exchange.scope, body.receive, exchange.send, client=exchange.client
            )
        except ClientDisconnect:
            if body.cut is None:
                raise
            raise body.cut from None

    def _health(self, path: str) -> Response:
        """Returns whether the server is there, or ready."""
        health = self._watch.health
        if health.ending.is_set():
            return PlainTextResponse("ending\n", status_code=503)
        if path == "/readyz" and not health.ready.is_set():
            return PlainTextResponse("warming up\n", status_code=503)
        return PlainTextResponse("ok\n")

    def _metrics(self) -> Response:
        """Returns counters and gauges, for Prometheus."""
        watch = self._watch
        waiting, running = watch.queue.num_checks()
        num_bytes, num_files = watch.uploads.usage()
        gauges: dict[str, float] = {
            "dfjax_ready": watch.health.ready.is_set(),
            "dfjax_checks_waiting": waiting,
            "dfjax_checks_running": running,
            "dfjax_open_requests": watch.clients.num_open,
            "dfjax_live_sessions": len(watch.live.sessions) if watch.live else 0,
            "dfjax_upload_bytes": num_bytes,
            "dfjax_upload_files": num_files,
        }
        if memory := resident_bytes():
            gauges["process_resident_memory_bytes"] = memory
        return Response(watch.health.render(gauges), media_type="text/plain; version=0.0.4")

    def _whose(self, scope: Scope) -> tuple[str, str | None]:
        """Returns whose request it is, and the request that it is a part of, if it is."""
        client, caller = client_of((scope.get("client") or ("unknown",))[0]), None
        headers = []
        for name, value in scope["headers"]:
            if name != _CALLER:
                headers.append((name, value))
            else:
                secret, _, rest = value.decode("latin-1").partition(" ")
                if secrets.compare_digest(secret.encode(), self._secret.encode()):
                    caller, _, client = rest.partition(" ")
        scope["headers"] = headers
        return client, caller


def _check_origin(hosts: AllowedHosts, headers: Headers) -> None:
    """Checks for whom a request is, and from whose page.

    Raises:
      Refusal: For another host, or from another site's page.
    """
    named = [host for key in ("host", "x-forwarded-host") for host in _listed(headers, key)]
    if not named or not all(hosts.serves(host) for host in named):
        raise Refusal(
            421,
            "foreign_host",
            "This server does not answer under that name. Whoever runs it can allow it with "
            "--allowed-hosts.",
        )
    origin = headers.get("origin")
    if origin is not None and not hosts.trusts(origin, named):
        raise Refusal(
            403,
            "foreign_origin",
            "Pages of other sites may not use this one. Whoever runs it can allow yours with "
            "--allowed-origins.",
        )


def _listed(headers: Headers, key: str) -> Iterable[str]:
    return [part.strip() for value in headers.getlist(key) for part in value.split(",")]


def _length(headers: Headers) -> int | None:
    """Returns the stated length of the body; None if it states none.

    Raises:
      Refusal: What it states is no length.
    """
    stated = headers.get("content-length")
    if stated is None:
        return None
    if not (stated.isascii() and stated.isdecimal()):
        raise Refusal(400, "malformed", "Content-Length has to be a number of bytes.")
    return int(stated)


def _let_go(exchange: Exchange) -> None:
    """Drops an error that has been told, with what its calls hold.

    They also hold the error, so all of it would stay until Python next looks for such circles, and
    so would the file of an upload: while it is open, it takes its room on the disk, though deleted.
    """
    if exchange.error is not None:
        traceback.clear_frames(exchange.error.__traceback__)
        exchange.error = None


def _refusal_for(error: Exception, exchange: Exchange) -> Refusal:
    """Returns what is said for an error that nobody caught."""
    exchange.error = error
    if isinstance(error, FnIndexInferError):
        return Refusal(404, "malformed", texts.NO_FUNCTION)
    if exchange.has_started:
        return Refusal(exchange.status, "broken_off", "")
    if refusal := no_room(error):
        return refusal
    # No error of our own code says that the request was wrong.
    if exchange.route == LIVE or not isinstance(error, _MALFORMED):
        return Refusal(500, "failed", words.page.our_fault)
    if exchange.route == UPLOAD:
        return Refusal(400, "malformed", texts.HOW_TO_UPLOAD)
    return Refusal(400, "malformed", texts.HOW_TO_CALL)
