"""A page that runs in a process of its own."""

import contextlib
import random
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path


def free_port() -> int:
    """Returns the number of a port that nobody listens on.

    It is none of those that the system hands out (from 32768 on): until it is used, a connection of
    another test could get it.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@contextlib.contextmanager
def answering(
    command: Sequence[str | Path],
    port: int,
    *,
    environment: Mapping[str, str],
    log: Path,
    folder: Path | None = None,
) -> Iterator[str]:
    """Runs a command that serves a page on a port of this machine; yields the page's address."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 240
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, f"it does not answer: {log.read_text()}"
            try:
                urllib.request.urlopen(address, timeout=5).close()
            except OSError:
                time.sleep(0.3)
            else:
                break
        yield address
    finally:
        try:
            process.terminate()
            process.wait(timeout=60)
        finally:
            process.kill()  # does nothing to one that has ended
