"""What is done beside the requests: old files and unheard checks go, and the end is orderly."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from dfjax.page import texts
from dfjax.page.blocks import KEEP_SECONDS
from dfjax.page.guard import Watch

_TIDY_SECONDS = 1.0  # between two looks for checks that nobody listens to

_SWEEP_SECONDS = 10.0  # between two looks for files that are to be deleted

_IDLE_SECONDS = 5.0
"""That a connection may be without a request, in addition to the pause that a body may make. The
server itself closes those that had a request and keep still; not those that send half of one."""

_SEND_SECONDS = 0.3  # that the last answers have to reach their streams


class Caretaker:
    """Looks after queue and uploads while the server runs."""

    def __init__(self, watch: Watch):
        """Takes what to look after."""
        self._watch = watch
        self.connections: Callable[[], Iterable[Any]] = tuple  # of the server, as uvicorn has them
        self._idle_since: dict[tuple[Any, Any], float] = {}
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

    def _close_idle(self, now: float) -> None:
        """Closes connections that have taken too long to send a request, or the head of one."""
        # With its last request: one that asks again and again may be idle at each look.
        idle = {
            (connection, cycle)
            for connection in self.connections()
            if (cycle := getattr(connection, "cycle", None)) is None or cycle.response_complete
        }
        self._idle_since = {one: self._idle_since.get(one, now) for one in idle}
        for (connection, _), since in self._idle_since.items():
            if now - since > self._watch.limits.stall_seconds + _IDLE_SECONDS:
                connection.transport.close()

    async def _look_after(self) -> None:
        last_sweep = time.monotonic()
        while True:
            await asyncio.sleep(_TIDY_SECONDS)
            await self._watch.queue.drop_unheard()
            self._close_idle(time.monotonic())
            if self._watch.live:
                self._watch.live.sessions.sweep()
            if time.monotonic() - last_sweep > _SWEEP_SECONDS:
                last_sweep = time.monotonic()
                # Not in a thread: Gradio makes a folder and moves a file into it without a pause.
                self._watch.uploads.sweep(KEEP_SECONDS)
                self._forget_files()

    def _forget_files(self) -> None:
        """Makes Gradio forget the files that are gone: it forgets only what it deletes itself."""
        for known in self._watch.queue.blocks.temp_file_sets:
            known.difference_update([path for path in list(known) if not os.path.exists(path)])
