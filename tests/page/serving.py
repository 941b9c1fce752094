"""The real page on a port of this machine, with a predictor that reads no video."""

import asyncio
import contextlib
import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dfjax.config import Config
from dfjax.page.blocks import build_page
from dfjax.page.fair_queue import FairQueue
from dfjax.page.health import Health
from dfjax.page.limits import PageLimits
from dfjax.page.server import serving
from tests.answering import free_port
from tests.page.samples import SampleLive, SamplePredictor

META = {"_type": "gradio.FileData"}

MIB = 1024**2

LIMITS = PageLimits(
    max_upload_bytes=2 * MIB,
    max_disk_bytes=12 * MIB,
    max_client_bytes=6 * MIB,
    max_client_requests=60_000,
    stall_seconds=1.0,
)


class GatedPredictor(SamplePredictor):
    """Takes a check when the test lets it: `gate` is open at first."""

    def __init__(self):
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.begun: list[str] = []
        self.ended: list[str] = []

    def __call__(self, path, *, effort="standard", on_progress=None):
        name = Path(path).name
        self.begun.append(name)
        while not self.gate.wait(0.02):
            if on_progress:
                on_progress(0.1, "Scoring faces")
        prediction = super().__call__(path, effort=effort, on_progress=on_progress)
        self.ended.append(name)
        return prediction

    def live(self) -> SampleLive:
        """Returns a scorer of a camera."""
        return SampleLive()


@dataclasses.dataclass
class Server:
    """A page that is being served."""

    url: str
    api: str
    uploads: Path
    health: Health
    queue: FairQueue
    predictor: GatedPredictor
    stack: contextlib.ExitStack  # closes the clients

    def client(self, address: str = "127.0.0.1", **headers: str) -> httpx.Client:
        """Returns a client that connects from an address of this machine."""
        transport = httpx.HTTPTransport(local_address=address)
        client = httpx.Client(transport=transport, headers=headers, timeout=20)
        return self.stack.enter_context(client)

    def upload(self, client: httpx.Client, name: str = "real.mp4", content: bytes = b"x") -> str:
        """Returns the path of an upload."""
        answer = client.post(f"{self.api}/upload", files={"files": (name, content)})
        assert answer.status_code == 200, answer.text
        return answer.json()[0]

    def ask(self, client: httpx.Client, path: str) -> httpx.Response:
        """Asks for a check, and listens to nothing."""
        data = {"data": [{"path": path, "meta": META}]}
        return client.post(f"{self.api}/call/predict", json=data)

    def listen(self, client: httpx.Client, event_id: str) -> tuple[str, Any]:
        """Returns what a check ends with: the kind of event, and its data."""
        text = client.get(f"{self.api}/call/predict/{event_id}", timeout=30).text
        *_, last = text.strip().split("\n\n")
        kind, data = last.split("\n", 1)
        return kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.02)


@contextlib.contextmanager
def served(
    uploads: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    limits: PageLimits,
    config: Config = Config(),
    **settings: Any,
) -> Iterator[Server]:
    """Serves the page while the context lasts."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(uploads))
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "")
    # Else Gradio asks the Hub for a Space of this name before an assistant's first call.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    health, predictor = Health(), GatedPredictor()
    predictor.config = config
    address: dict[str, Any] = {"host": "127.0.0.1", "port": free_port()}

    # The clients outlive the server, so that they see how it ends.
    with contextlib.ExitStack() as clients, contextlib.ExitStack() as stack:

        async def start() -> Server:
            page = build_page(predictor, warm_up=False, limits=limits, health=health)
            queue = page._queue
            assert isinstance(queue, FairQueue)
            kept = {"uploads": uploads, "limits": limits, "health": health}
            url = stack.enter_context(serving(page, **kept, **address, **settings)).rstrip("/")
            return Server(url, f"{url}/gradio_api", uploads, health, queue, predictor, clients)

        # Outside of a running event loop, Gradio makes some of its own and never closes them.
        yield asyncio.run(start())
