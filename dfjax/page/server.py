"""How the page is served: to strangers, with their private videos, from this host alone."""

import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from gradio.i18n import I18n
from gradio.themes import Base
from gradio.themes.utils import colors, sizes
from gradio.themes.utils.fonts import Font, LocalFont
from starlette.middleware import Middleware

from dfjax.errors import ServerError
from dfjax.page.assistants import AssistantServer
from dfjax.page.caretaker import Caretaker
from dfjax.page.clients import Clients
from dfjax.page.fair_queue import FairQueue
from dfjax.page.guard import Guard, Watch
from dfjax.page.health import Health
from dfjax.page.hosts import PRIVATE_NETWORKS, AllowedHosts, space_hosts
from dfjax.page.limits import PageLimits
from dfjax.page.link_preview import LinkPreview
from dfjax.page.live_endpoint import LiveEndpoint
from dfjax.page.upload import UploadBlocks
from dfjax.page.upload_folder import UploadFolder
from dfjax.words import LANGUAGES
from dfjax.words.catalogue import catalogue

_FINISH_SECONDS = 4.0  # that checks have to end in when the server is stopped

_CLOSE_SECONDS = 1  # that answers have to be sent in after that


@contextlib.contextmanager
def serving(
    page: UploadBlocks,
    *,
    uploads: Path,
    limits: PageLimits = PageLimits(),
    health: Health | None = None,
    host: str | None = None,
    port: int | None = None,
    share: bool = False,
    allowed_hosts: tuple[str, ...] = (),
    allowed_origins: tuple[str, ...] = (),
    trusted_proxies: str | None = None,
    shows_metrics: bool = False,
    sample: Path | None = None,
) -> Iterator[str]:
    """Serves a page of `build_page` while the context lasts; at its end checks end in order.

    Args:
      page: The page.
      uploads: GRADIO_TEMP_DIR, set to a folder of this process alone before Gradio was imported.
        Whatever is in it grows old there and is deleted.
      limits: What visitors may cost.
      health: What `build_page` got.
      host: Address to listen on; None: GRADIO_SERVER_NAME, or else only this machine.
      port: None: GRADIO_SERVER_PORT, or else the first free one from 7860 on.
      share: Also make a public address through Gradio's tunnel.
      allowed_hosts: Names that the server answers to, besides this machine's and the Space's.
      allowed_origins: Other sites whose pages may use the API, as "https://name".
      trusted_proxies: Addresses and networks, with commas, whose X-Forwarded-For is believed; None:
        in a Space private networks, elsewhere none.
      shows_metrics: Answer /metrics.
      sample: A video to try the API with.

    Yields:
      The page's address.

    Raises:
      ServerError: The address cannot be listened on.
    """
    health = health or Health()
    queue = page._queue
    assert isinstance(queue, FairQueue)  # of UploadBlocks.queue
    listens_on = host or os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    hosts = AllowedHosts((*allowed_hosts, *space_hosts()), allowed_origins, listens_on=listens_on)
    watch = Watch(
        limits=limits,
        hosts=hosts,
        clients=Clients(limits),
        uploads=UploadFolder(uploads, limits, queue.files_in_use),
        queue=queue,
        health=health,
        live=None if page.live is None else LiveEndpoint(page.live),
        shows_metrics=shows_metrics,
        sample=sample,
    )
    caretaker = Caretaker(watch)
    # uvicorn reads this, and takes the last address that is no trusted proxy's for the client.
    os.environ["FORWARDED_ALLOW_IPS"] = _proxies(trusted_proxies)
    _ask_no_proxy_for(listens_on)
    try:
        _launch(page, watch, caretaker, host, port, share)
    except OSError as error:
        raise ServerError(
            f"The page cannot be served on {listens_on}, port {port or '7860 and above'}: the port "
            "is taken, or the address is not this machine's. Choose another with --port or --host."
        ) from error
    if page.share_url:
        hosts.add(urlsplit(page.share_url).hostname or "")
    caretaker.connections = lambda: list(page.server.server_state.connections)
    page.server.config.timeout_graceful_shutdown = _CLOSE_SECONDS
    try:
        yield page.local_url or ""
    finally:
        caretaker.end_checks(_FINISH_SECONDS)
        page.close(verbose=False)


def _ask_no_proxy_for(host: str) -> None:
    """Lets this process reach its own page where the environment names a proxy for all else.

    Gradio asks for the page when it starts it, and a proxy knows of no page on this machine.
    """
    proxies = getproxies()
    if proxies:
        direct = (proxies.get("no", ""), "localhost", "127.0.0.1", "::1", host.strip("[]"))
        os.environ["no_proxy"] = ",".join(filter(None, direct))


def _launch(
    page: UploadBlocks,
    watch: Watch,
    caretaker: Caretaker,
    host: str | None,
    port: int | None,
    share: bool,
) -> None:
    """Starts Gradio's server in a thread.

    Raises:
      OSError: The address cannot be listened on.
    """
    # In place of the one that Gradio would make.
    assistants = AssistantServer(page, uploads=watch.uploads, limits=watch.limits)
    page.mcp_server_obj, page.mcp_server = assistants, True

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        async with assistants.lifespan(app), caretaker.lifespan(app):
            yield

    page.launch(
        server_name=host,
        server_port=port,
        share=share,
        theme=theme(),
        css_paths=[
            Path(__file__).parent / name for name in ("style.css", "evidence.css", "live.css")
        ],
        # Gradio says it to screen readers, and has no words for it.
        i18n=I18n(
            **{
                code: {"common.complete": catalogue(code)["sentences"]["done"]}
                for code in LANGUAGES
            }
        ),
        footer_links=[],  # ours leads to our own page about the API
        # No tracebacks and no texts of unexpected errors for strangers.
        show_error=False,
        run_history=False,
        enable_monitoring=False,
        max_file_size=watch.limits.max_upload_bytes,
        # What is kept of a session: which parts of the page it has, without their values.
        state_session_capacity=64,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        prevent_thread_lock=True,
        quiet=True,  # Gradio's lines are for authors of a page, and advise to share it
        app_kwargs={
            "middleware": [Middleware(Guard, watch=watch), Middleware(LinkPreview)],
            "lifespan": lifespan,
        },
    )


def require_free_port(host: str | None, port: int | None) -> None:
    """Checks that a port can be had, before a model is loaded for nothing.

    Args:
      host: As for `serving`.
      port: As for `serving`; None: only the address has to be this machine's, since one of its
        ports will be free.

    Raises:
      ServerError: It cannot.
    """
    address = host or os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address.strip("[]"), port or 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        wanted, options = address, "--host"
        if port is not None:
            wanted, options = f"{address}, port {port}", "--port or --host"
        raise ServerError(
            f"The page cannot be served on {wanted}: {error.strerror or error}. "
            f"Choose another with {options}."
        ) from error


def _proxies(trusted: str | None) -> str:
    if trusted is None:
        return PRIVATE_NETWORKS if os.environ.get("SPACE_ID") else ""
    return trusted


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
