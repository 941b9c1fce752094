"""The app under load: what 16 clients at once get, how long it takes, and what it leaves behind.

    python benchmarks/load.py [--clients N] [--seconds S] [--model ID_OR_DIR] [--json FILE]

Each client is a process that connects from an address of its own (127.0.0.2 and above, on Linux)
and asks again as soon as it has its answer. Meanwhile, 100 event streams stay open and idle, and
the page is asked for once a second. At the end the app is stopped with checks in its queue. Exit
status 1: somebody got something else than an answer or "queue full", or the page did not answer.
"""

import argparse
import contextlib
import itertools
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

IDLE_STREAMS = 100
RETRY_SECONDS = 0.5  # after "queue full"
META = {"_type": "gradio.FileData"}


def main() -> int:
    """Puts the app under load, prints the figures, and returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--model", default=None, help="folder or Hub repository")
    parser.add_argument("--json", default=None, help="also write the figures to this file")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--video", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        for row in _ask_again_and_again(options):
            print(json.dumps(row), flush=True)
        return 0
    from dfjax.page.example_videos import write_examples

    with tempfile.TemporaryDirectory() as folder, _app(Path(folder), options.model) as app:
        process, url, temporary = app
        video = write_examples(folder)[1].path
        with _idle_streams(url):
            samples, rows = _measure(url, video, options)
        files_left, stop_seconds = _stop_under_load(process, url, video, temporary)
    figures = _figures(rows, samples) | {
        "seconds until it had stopped under load": round(stop_seconds, 1),
        "files left by then": files_left,
    }
    for name, value in figures.items():
        print(f"{name:48} {value}")
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 1 if figures["anything else"] or figures["page: unanswered"] or files_left else 0


@contextlib.contextmanager
def _app(folder: Path, model: str | None) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    """Starts the app and waits until it is ready; yields process, address and temporary folder."""
    temporary = folder / "temporary"
    temporary.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, str(PROJECT / "app.py"), "--port", str(port), "--metrics"]
    command += ["--model", model] if model else []
    environment = os.environ | {"TMPDIR": str(temporary), "HF_HUB_OFFLINE": "1"}
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            if process.poll() is not None:
                raise SystemExit(f"The app ended: {(folder / 'log.txt').read_text()}")
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{url}/readyz", timeout=5).status_code == httpx.codes.OK:
                    break
            time.sleep(0.2)
        yield process, url, temporary
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _idle_streams(url: str) -> Iterator[None]:
    """Keeps event streams open while the context lasts."""
    limits = httpx.Limits(max_connections=None)
    with (
        httpx.Client(timeout=None, limits=limits) as client,
        contextlib.ExitStack() as stack,
    ):
        for n in range(IDLE_STREAMS):
            stack.enter_context(client.stream("GET", f"{url}/gradio_api/heartbeat/idle{n}"))
        yield


def _measure(
    url: str, video: Path, options: argparse.Namespace
) -> tuple[list[dict[str, float]], list[dict[str, Any]]]:
    """Returns what was sampled every second, and what each client got."""
    command = [sys.executable, __file__, "--url", url, "--video", str(video)]
    command += ["--seconds", str(options.seconds), "--worker"]
    workers = [
        subprocess.Popen([*command, str(n)], stdout=subprocess.PIPE, text=True)
        for n in range(options.clients)
    ]
    samples = []
    with httpx.Client(timeout=30) as client:
        while any(worker.poll() is None for worker in workers):
            samples.append(_sample(client, url))
            time.sleep(1)
    rows = []
    for n, worker in enumerate(workers):
        output, _ = worker.communicate()
        rows += [{"client": n, **json.loads(line)} for line in output.splitlines()]
    return samples, rows


def _sample(client: httpx.Client, url: str) -> dict[str, float]:
    """Returns the app's memory, its files, and how long the page took; no time: no answer."""
    sample: dict[str, float] = {}
    with contextlib.suppress(httpx.HTTPError):
        text = client.get(f"{url}/metrics").text
        for name in ("process_resident_memory_bytes", "dfjax_upload_files", "dfjax_upload_bytes"):
            if found := re.search(rf"^{name} (\S+)$", text, re.MULTILINE):
                sample[name] = float(found[1])
        start = time.monotonic()
        if client.get(url).status_code == httpx.codes.OK:
            sample["page"] = time.monotonic() - start
    return sample


def _client(number: int) -> httpx.Client:
    """Returns a client that connects from an address of its own, where there are several."""
    address = f"127.0.0.{number + 2}" if sys.platform == "linux" else None
    return httpx.Client(transport=httpx.HTTPTransport(local_address=address), timeout=120)


def _ask_again_and_again(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yields, for each check: when it was asked for and taken, when it ended, and how."""
    content = Path(options.video).read_bytes()
    deadline = time.time() + options.seconds
    with _client(options.worker) as client:
        for n in itertools.count():
            if time.time() > deadline:
                return
            # The same picture, and another file each time: bytes after an MP4's end mean nothing.
            yield _ask(client, options.url, content + f"free {options.worker} {n}".encode())


def _ask(client: httpx.Client, url: str, content: bytes) -> dict[str, Any]:
    """Returns the times and the outcome of one check."""
    api, row = f"{url}/gradio_api", {"asked": time.time(), "taken": None}
    try:
        files = {"files": ("clip.mp4", content)}
        answer = client.post(f"{api}/upload", files=files)
        answer.raise_for_status()
        data = {"data": [{"path": answer.json()[0], "meta": META}]}
        answer = client.post(f"{api}/call/predict", json=data)
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and "ueue" in answer.text:
            time.sleep(RETRY_SECONDS)
            return row | {"ended": time.time(), "outcome": "queue full"}
        answer.raise_for_status()
        row["taken"] = time.time()
        text = client.get(f"{api}/call/predict/{answer.json()['event_id']}").text
        complete = text.strip().split("\n\n")[-1].startswith("event: complete")
        return row | {"ended": time.time(), "outcome": "answer" if complete else text[-200:]}
    except httpx.HTTPError as error:
        return row | {"ended": time.time(), "outcome": repr(error)}


def _stop_under_load(
    process: subprocess.Popen[bytes], url: str, video: Path, temporary: Path
) -> tuple[int, float]:
    """Stops the app while checks wait; returns how many files are left, and the seconds."""
    content = video.read_bytes()

    def ask(n: int) -> None:
        with _client(n) as client:
            _ask(client, url, content + b"stop")

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(2)
    start = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait()
    seconds = time.monotonic() - start
    for thread in threads:
        thread.join()
    return sum(path.is_file() for path in temporary.rglob("*")), seconds


def _figures(rows: list[dict[str, Any]], samples: list[dict[str, float]]) -> dict[str, Any]:
    """Returns what is printed, under its names."""
    answers = [row for row in rows if row["outcome"] == "answer"]
    full = sum(row["outcome"] == "queue full" for row in rows)
    others = [row["outcome"] for row in rows if row["outcome"] not in ("answer", "queue full")]
    numbers = {row["client"] for row in rows}
    each = [sum(row["client"] == n for row in answers) for n in numbers]
    waits = sorted(row["ended"] - row["asked"] for row in answers)
    pages = sorted(sample["page"] for sample in samples if "page" in sample)
    memory = [s["process_resident_memory_bytes"] / 1e6 for s in samples if "page" in s]
    third = max(1, len(memory) // 3)
    return {
        "answers": len(answers),
        "answers of each client": f"{min(each)} to {max(each)}",
        "queue full": full,
        "anything else": others,
        "seconds to an answer: 50%, 90%, 99%, all": _percentiles(waits),
        "answers that a later check overtook": _overtaken(answers),
        "page: unanswered": len(samples) - len(pages),
        "page: seconds, 50%, 90%, 99%, all": _percentiles(pages),
        "memory, MB: second third, last third": [
            round(statistics.median(memory[third : 2 * third] or memory)),
            round(statistics.median(memory[2 * third :] or memory)),
        ],
        "memory, MB: highest": round(max(memory, default=0)),
        "files: at the end": int(samples[-1].get("dfjax_upload_files", -1)),
        "files: uploads that were accepted": len(rows),
    }


def _percentiles(values: list[float]) -> list[float]:
    """Returns the 50th, 90th, 99th and 100th percentile of sorted values."""
    if not values:
        return []
    return [
        round(values[min(len(values) - 1, int(share * len(values)))], 2)
        for share in (0.5, 0.9, 0.99, 1)
    ]


def _overtaken(answers: list[dict[str, Any]]) -> int:
    """Returns how many checks ended after one that was taken clearly later, by half a second."""
    return sum(
        any(a["taken"] + 0.5 < b["taken"] and b["ended"] + 0.05 < a["ended"] for b in answers)
        for a in answers
    )


if __name__ == "__main__":
    sys.exit(main())
