"""The body of a request, read within limits of size and time."""

import asyncio
import time
from collections.abc import Callable

from starlette.types import Message, Receive

from dfjax.page.limits import PageLimits
from dfjax.page.refusal import Refusal

_GONE: Message = {"type": "http.disconnect"}


class Body:
    """Hands a body on, piece by piece, until it breaks a limit: then its client seems to have gone.

    `cut` says why, so that the client gets a sentence nevertheless.
    """

    def __init__(
        self,
        receive: Receive,
        max_bytes: int,
        limits: PageLimits,
        *,
        on_bytes: Callable[[int], None] | None = None,
        on_gone: Callable[[], None] | None = None,
    ):
        """Takes where the body comes from.

        Args:
          receive: Of ASGI.
          max_bytes: How long the body may be.
          limits: How slow it may be.
          on_bytes: Called with the length of each piece.
          on_gone: Called when the client goes away.
        """
        self.cut: Refusal | None = None
        self.num_bytes = 0
        self._receive, self._max_bytes, self._limits = receive, max_bytes, limits
        self._on_bytes, self._on_gone = on_bytes, on_gone
        self._start = time.monotonic()
        self._complete = False

    async def receive(self) -> Message:
        """Returns the next message of ASGI."""
        if self.cut:
            return _GONE
        if self._complete:
            return self._seen(await self._receive())
        try:
            async with asyncio.timeout(self._limits.stall_seconds):
                message = self._seen(await self._receive())
        except TimeoutError:
            return self._cut_off(_too_slow(f"Nothing came for {self._limits.stall_seconds:g} s"))
        self._complete = not message.get("more_body", False)
        num_bytes = len(message.get("body", b""))
        self.num_bytes += num_bytes
        if self._on_bytes:
            self._on_bytes(num_bytes)
        if self.num_bytes > self._max_bytes:
            return self._cut_off(too_large(self._max_bytes))
        seconds = time.monotonic() - self._start
        slowest = self._limits.min_bytes_per_second
        if (
            not self._complete
            and seconds > self._limits.stall_seconds
            and self.num_bytes < slowest * seconds
        ):
            return self._cut_off(_too_slow(f"Less than {slowest:,} bytes a second came"))
        return message

    def _seen(self, message: Message) -> Message:
        if message["type"] == "http.disconnect" and self._on_gone:
            self._on_gone()
        return message

    def _cut_off(self, why: Refusal) -> Message:
        self.cut = why
        return _GONE


def too_large(max_bytes: int) -> Refusal:
    """Returns what is said to a body that is too long."""
    return Refusal(413, "too_large", f"The limit is {max_bytes:,} bytes.")


def _too_slow(found: str) -> Refusal:
    return Refusal(408, "stalled", f"{found}. Try again with a better connection.")
