"""The folder of the uploads: how much may be in it, whose it is, and when it is deleted."""

import contextlib
import dataclasses
import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from dfjax.page import texts
from dfjax.page.limits import PageLimits
from dfjax.page.refusal import Refusal

OWN_FILE = "/gradio_api/file="
"""In addresses of uploads, between that of the page and the path."""

_MIN_FILE_BYTES = 16 * 1024  # that a file counts for: its folder and its entry take room as well

_YOUNG_SECONDS = 120.0
"""Age under which a client's next upload does not push out its last: the check may still come."""

UNFINISHED_SECONDS = 40.0
"""Age at which an upload that broke off is deleted. One that goes on changes its file more often
than that, since slower ones are cut off."""


def no_room(error: Exception) -> Refusal | None:
    """Returns what is said where the disk is full before the quota is; None for other errors."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Refusal(507, "disk_full", texts.NO_ROOM, 300)
    return None


@dataclasses.dataclass
class Arrival:
    """An upload that is on its way."""

    client: str
    expected: int  # bytes that may still come
    received: int = 0  # bytes that came
    paths: tuple[str, ...] = ()  # of the files that came of it, once it is whole

    def count(self, num_bytes: int) -> None:
        """Notes that bytes have come."""
        self.received += num_bytes
        self.expected = max(0, self.expected - num_bytes)


@dataclasses.dataclass
class _Stored:
    """A file that was uploaded."""

    num_bytes: int
    since: float  # time.time() of its last upload
    changed: int  # time of modification that it has for good, nanoseconds
    owners: set[str]


class UploadFolder:
    """Keeps the uploads within their quotas.

    Whoever takes most room gives way first: a client that reaches its own quota loses its own
    oldest files, and where all files together reach theirs, the client with the most bytes loses
    its oldest, unless that is the one who asks. A file that a check waits for stays in any case.
    """

    def __init__(
        self, folder: Path, limits: PageLimits, in_use: Callable[[], set[str]] = lambda: set()
    ):
        """Takes the folder.

        Args:
          folder: Gradio's folder for uploads: files on their way lie in it, whole ones in
            folders below it.
          limits: The quotas.
          in_use: Returns the paths of the files that checks wait for.
        """
        self.folder, self._limits, self._in_use = folder, limits, in_use
        self._stored: dict[str, _Stored] = {}
        self._arriving: list[Arrival] = []
        self._broken: list[tuple[float, Arrival]] = []  # with the time.time() of their end

    @contextlib.contextmanager
    def receive(self, client: str, num_bytes: int) -> Iterator[Arrival]:
        """Keeps room for an upload while the context lasts.

        Args:
          client: Who sends it.
          num_bytes: How long its body is, or may be.

        Yields:
          The upload. Whoever reads it calls `count` as bytes come in, and sets `paths`.

        Raises:
          Refusal: There is no room for it.
        """
        self._make_room(client, num_bytes)
        arrival = Arrival(client, num_bytes)
        self._arriving.append(arrival)
        try:
            yield arrival
        finally:
            self._arriving.remove(arrival)
            self._keep(arrival)
            if not arrival.paths and arrival.received:
                self._broken.append((time.time(), arrival))
            if not self._arriving:
                # Nobody writes now, so what is not whole stays so.
                self._delete_unfinished(0.0)

    def usage(self) -> tuple[int, int]:
        """Returns bytes and number of the files in the folder."""
        sizes = [size for _, size, _ in self._files()]
        return sum(sizes), len(sizes)

    def sweep(self, max_age: float, max_unfinished_age: float = UNFINISHED_SECONDS) -> None:
        """Deletes what is old.

        Args:
          max_age: Seconds since the last change of a file, after which it goes.
          max_unfinished_age: The same for uploads that are not whole.
        """
        now, in_use = time.time(), self._in_use()
        self._delete_unfinished(max_unfinished_age)
        for path, _, changed in self._files():
            if str(path) in in_use:
                # It is as if it were new, for Gradio as well, which deletes by age alone. The
                # time of modification stays: by that, checks know whether a file was changed.
                with contextlib.suppress(OSError):
                    state = path.stat()
                    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
            elif path.parent != self.folder and changed < now - max_age:
                path.unlink(missing_ok=True)
        for path in self.folder.iterdir():
            # Fails if there are files in it.
            with contextlib.suppress(OSError):
                if path.is_dir() and path.stat().st_mtime < now - max_age:
                    path.rmdir()
        self._stored = {p: s for p, s in self._stored.items() if os.path.exists(p)}

    def _delete_unfinished(self, max_age: float) -> None:
        """Deletes uploads that are not whole and that nobody has written to for `max_age`."""
        now = time.time()
        for path, _, changed in self._files():
            if path.parent == self.folder and changed <= now - max_age:
                path.unlink(missing_ok=True)
        left = 0.0 if not self._arriving else UNFINISHED_SECONDS
        self._broken = [(ended, a) for ended, a in self._broken if ended > now - left]

    def _files(self) -> Iterable[tuple[Path, int, float]]:
        """Yields the path, the size that counts and the time of change of each file."""
        for root, _, names in os.walk(self.folder):
            for name in names:
                path = Path(root, name)
                with contextlib.suppress(FileNotFoundError):
                    state = path.stat()
                    yield path, max(state.st_size, _MIN_FILE_BYTES), state.st_ctime

    def _held(self) -> dict[str, int]:
        """Returns how many bytes each client has here or has announced."""
        held: dict[str, int] = {}
        for stored in self._stored.values():
            for owner in stored.owners:
                held[owner] = held.get(owner, 0) + stored.num_bytes
        for arrival in self._arriving:
            held[arrival.client] = held.get(arrival.client, 0) + arrival.expected + arrival.received
        for _, arrival in self._broken:
            held[arrival.client] = held.get(arrival.client, 0) + arrival.received
        return held

    def _make_room(self, client: str, num_bytes: int) -> None:
        """Deletes what has to give way to an upload.

        Raises:
          Refusal: That is not enough.
        """
        limits = self._limits
        announced = sum(a.expected for a in self._arriving if a.client == client)
        if announced + num_bytes > limits.max_client_bytes_in_flight:
            raise Refusal(
                429,
                "in_flight",
                f"Uploads of {limits.max_client_bytes_in_flight:,} bytes at the same time are the "
                "limit. Let the others end first.",
                10,
            )
        while self._held().get(client, 0) + num_bytes > limits.max_client_bytes:
            if not self._delete_oldest(client, min_age=_YOUNG_SECONDS):
                raise Refusal(
                    429,
                    "client_quota",
                    f"Your uploads of the last minutes reach the limit of "
                    f"{limits.max_client_bytes:,} bytes. Try again in two minutes.",
                    int(_YOUNG_SECONDS),
                )
        coming = sum(arrival.expected for arrival in self._arriving) + num_bytes
        while self.usage()[0] + coming > limits.max_disk_bytes:
            held = self._held()
            largest = max(held, key=lambda one: held[one], default=client)
            poorer = held.get(client, 0) + num_bytes < held.get(largest, 0)
            if not poorer or not self._delete_oldest(largest, min_age=0):
                raise Refusal(507, "disk_quota", texts.NO_ROOM, 300)

    def _delete_oldest(self, client: str, min_age: float) -> bool:
        """Deletes the oldest file that is a client's alone and not in use; returns whether."""
        in_use, latest = self._in_use(), time.time() - min_age
        own = [
            (stored.since, path)
            for path, stored in self._stored.items()
            if stored.owners == {client} and stored.since <= latest and path not in in_use
        ]
        if not own:
            return False
        _, path = min(own)
        Path(path).unlink(missing_ok=True)
        del self._stored[path]
        return True

    def _keep(self, arrival: Arrival) -> None:
        """Notes whose the files of an upload are."""
        for path in arrival.paths:
            try:
                state = os.stat(path)
            except OSError:
                continue
            num_bytes = max(state.st_size, _MIN_FILE_BYTES)
            new = _Stored(num_bytes, 0.0, state.st_mtime_ns, set())
            stored = self._stored.setdefault(path, new)
            stored.owners.add(arrival.client)
            stored.since = time.time()
            # Whoever uploads the same file again puts the same bytes in its place. By this time,
            # the check of who uploaded it before knows that.
            with contextlib.suppress(OSError):
                os.utime(path, ns=(state.st_atime_ns, stored.changed))
