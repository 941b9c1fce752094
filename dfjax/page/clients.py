"""Who asks for how much: the requests of each client."""

import collections
import contextlib
import dataclasses
import ipaddress
import time
from collections.abc import Callable, Iterator

from dfjax.page.limits import PageLimits
from dfjax.page.refusal import Refusal

_MAX_REMEMBERED = 10_000  # clients; those that were longest away are forgotten


def client_of(address: str) -> str:
    """Returns what stands for a client: its address, or the network of an IPv6 address."""
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return address
    if number.version == 4 or number.ipv4_mapped:
        return str(number if number.version == 4 else number.ipv4_mapped)
    return str(ipaddress.ip_network((number, 64), strict=False))


@dataclasses.dataclass
class _Account:
    """One client's requests."""

    allowance: float  # requests that it may send at once
    seen: float  # when the allowance was right
    streams: int = 0  # open requests
    warned: bool = False  # of the rate, since it last kept to it


class Clients:
    """Counts the requests of each client, and refuses those that are too many."""

    def __init__(self, limits: PageLimits, clock: Callable[[], float] = time.monotonic):
        """Takes the limits; `clock` tells the seconds."""
        self._limits, self._clock = limits, clock
        self._accounts: collections.OrderedDict[str, _Account] = collections.OrderedDict()
        self.num_open = 0  # requests

    def take_turn(self, client: str) -> None:
        """Counts a request against the client's rate.

        Raises:
          Refusal: It has sent too many. Only the first of a row is worth a line of log.
        """
        account, rate = self._account(client), self._limits.max_client_requests / 60
        if account.allowance >= 1:
            account.allowance -= 1
            account.warned = account.warned and account.allowance < self._burst / 2
            return
        known, account.warned = account.warned, True
        raise Refusal(
            429,
            "rate",
            f"That was more than {self._limits.max_client_requests:g} requests a minute. "
            "Wait a moment, then go on more slowly.",
            retry_after=max(1, round(1 / rate)),
            quiet=known,
        )

    @contextlib.contextmanager
    def open_request(self, client: str) -> Iterator[None]:
        """Counts a request as open while the context lasts.

        Raises:
          Refusal: The client, or all of them together, have too many open.
        """
        account = self._account(client)
        if account.streams >= self._limits.max_client_streams:
            raise Refusal(
                429,
                "streams",
                f"{account.streams} requests of yours are open; there may not be more. "
                "Close some, then try again.",
                retry_after=5,
            )
        if self.num_open >= self._limits.max_streams:
            raise Refusal(503, "busy", "The server is busy. Try again in a minute.", 60)
        account.streams += 1
        self.num_open += 1
        try:
            yield
        finally:
            account.streams -= 1
            self.num_open -= 1

    @property
    def _burst(self) -> float:
        """How many requests may come at once: those of ten seconds, and a page's at least."""
        return max(30.0, self._limits.max_client_requests / 6)

    def _account(self, client: str) -> _Account:
        """Returns a client's account, with what the time since its last request has earned."""
        now = self._clock()
        account = self._accounts.get(client) or _Account(allowance=self._burst, seen=now)
        earned = (now - account.seen) * self._limits.max_client_requests / 60
        account.allowance = min(self._burst, account.allowance + earned)
        account.seen = now
        self._accounts[client] = account
        self._accounts.move_to_end(client)
        while len(self._accounts) > _MAX_REMEMBERED:
            oldest = next(iter(self._accounts))
            if self._accounts[oldest].streams:
                self._accounts.move_to_end(oldest)
            else:
                del self._accounts[oldest]
        return account
