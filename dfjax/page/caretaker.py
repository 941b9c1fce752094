"""What is done beside the requests: old files and unheard checks go, and the end is orderly."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from dfjax.page import texts
from dfjax.page.blocks import KEEP_SECONDS
from dfjax.page.guard import Watch

_TIDY_SECONDS = 1.0  # between two looks for checks that nobody listens to

_SWEEP_SECONDS = 10.0  # between two looks for files that are to be deleted

_SEND_SECONDS = 0.3  # that the last answers have to reach their streams


class Caretaker:
    """Looks after queue and uploads while the server runs."""

    def __init__(self, watch: Watch):
        """Takes what to look after."""
        self._watch = watch
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncIterator[None]:
        """The server's lifespan, as Starlette calls it."""
        del app
        self._loop = asyncio.get_running_loop()
        task = asyncio.create_task(self._look_after())
        try:
            yield
        finally:
            task.cancel()

    def end_checks(self, max_seconds: float) -> None:
        """Takes nothing new, and ends what is there, with an answer or with a sentence.

        To be called from another thread than the server's.

        Args:
          max_seconds: How long checks that run may take to end.
        """
        self._watch.health.ending.set()
        if self._loop is not None and self._loop.is_running():
            ending = asyncio.run_coroutine_threadsafe(self._end_checks(max_seconds), self._loop)
            with contextlib.suppress(TimeoutError):
                ending.result(timeout=max_seconds + 1)

    async def _end_checks(self, max_seconds: float) -> None:
        queue = self._watch.queue
        queue.refuse_waiting(texts.ENDING)
        deadline = time.monotonic() + max_seconds
        while queue.counts()[1] and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        queue.refuse_running(texts.ENDING)
        await asyncio.sleep(_SEND_SECONDS)

    async def _look_after(self) -> None:
        last_sweep = time.monotonic()
        while True:
            await asyncio.sleep(_TIDY_SECONDS)
            await self._watch.queue.drop_unheard()
            if time.monotonic() - last_sweep > _SWEEP_SECONDS:
                last_sweep = time.monotonic()
                # Not in a thread: Gradio makes a folder and moves a file into it without a pause.
                self._watch.uploads.sweep(KEEP_SECONDS)
