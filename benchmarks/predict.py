"""Time from file to verdict, by stage, cold and warm, and by effort; and peak memory.

    python benchmarks/predict.py [--model ID_OR_DIR] [--video FILE] [--json FILE]

Every measurement runs in a separate process. Without --video, a 10-second 1080p clip is made from
the project's own portrait; longer videos are that clip repeated, darker and brighter.
"""

import argparse
import contextlib
import json
import os
import platform
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

WARM_RUNS = 5
LONG_REPEATS = 360  # of the 10-second clip: 60 minutes
MIDDLE_REPEATS = 60  # 10 minutes


def main() -> None:
    """Runs all measurements one after another and prints them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=None, help="folder or Hub repository")
    parser.add_argument("--video", default=None, help="score this file instead of a generated one")
    parser.add_argument("--json", default=None, help="also write the figures to this file")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--effort", default="quick", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(_score_in_this_process(options.video, options.model, options.effort)))
        return
    from benchmarks.videos import repeat_clip, write_clip

    with tempfile.TemporaryDirectory() as folder:
        short = Path(options.video) if options.video else write_clip(Path(folder) / "short.mp4")
        middle = repeat_clip(short, MIDDLE_REPEATS, Path(folder) / "middle.mp4")
        long = repeat_clip(short, LONG_REPEATS, Path(folder) / "long.mp4")
        figures = {
            "machine": machine(),
            "app": start_app(short, _app_command(options.model)),
            "short": _in_new_process(short, options.model),
            "long": _in_new_process(long, options.model),
            "efforts": [
                {"effort": effort, **_in_new_process(video, options.model, effort)}
                for video, efforts in (
                    (middle, ("quick", "standard", "thorough")),
                    (long, ("quick", "standard")),
                )
                for effort in efforts
            ],
        }
    _print(figures)
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _score_in_this_process(video: str, model: str | None, effort: Any) -> dict[str, Any]:
    """Loads the model and scores the video, once cold and then several times warm.

    With more than a quick effort, it is scored warm only once.
    """
    started = time.perf_counter()
    from dfjax.memory import use_one_arena
    from dfjax.models.locate import model_source
    from dfjax.predictor import Predictor

    use_one_arena()  # as the programs do
    predictor = Predictor.from_pretrained(model_source(model))
    loaded = time.perf_counter()
    with _ChildMemory() as children:
        first = predictor(video, effort=effort)
    answered = time.perf_counter()
    warm = []
    for _ in range(WARM_RUNS if effort == "quick" else 1):
        begin = time.perf_counter()
        seconds = predictor(video, effort=effort).to_dict()["seconds"]
        warm.append({**seconds, "total": time.perf_counter() - begin})
    return {
        "duration": first.video.duration,
        "size": [first.video.width, first.video.height],
        "tracks": len(first.tracks),
        "frames": first.video.frames_scored,
        "looks": first.coverage.looks,
        "longest_gap": first.coverage.longest_gap,
        "import_and_load": loaded - started,
        "first_verdict": answered - loaded,
        "warm": {name: statistics.median(run[name] for run in warm) for name in warm[0]},
        "warm_runs": [run["total"] for run in warm],
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,  # Linux: KiB
        "peak_bytes_decoder": children.peak_bytes,
    }


class _ChildMemory(threading.Thread):
    """Monitors the peak resident memory of this process's ffmpeg children.

    getrusage does not work for this: it also counts a child before exec, with our own memory.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self.join()

    def run(self) -> None:
        """Checks every 20 milliseconds until stopped."""
        while not self._stopped.wait(0.02):
            pids: list[str] = []
            for task in Path("/proc/self/task").iterdir():
                with contextlib.suppress(OSError):
                    pids += (task / "children").read_text(encoding="utf-8").split()
            for pid in pids:
                with contextlib.suppress(OSError):
                    if "ffmpeg" in os.readlink(f"/proc/{pid}/exe"):
                        self.peak_bytes = max(self.peak_bytes, _peak_bytes(int(pid)))


def _peak_bytes(pid: int) -> int:
    """Returns the peak resident memory of a process, bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    peaks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(peaks[0]) * 1024 if peaks else 0


def _in_new_process(video: Path, model: str | None, effort: str = "quick") -> dict[str, Any]:
    command = [sys.executable, __file__, "--worker", "--video", str(video), "--effort", effort]
    command += ["--model", model] if model else []
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output.splitlines()[-1])


def _app_command(model: str | None) -> list[str]:
    return [sys.executable, "app.py", *(["--model", model] if model else [])]


def start_app(video: Path, command: Sequence[str], root: Path = PROJECT) -> dict[str, float]:
    """Starts `app.py` and calls its API, as a program would.

    Args:
      video: Is scored twice.
      command: Starts it, but for its port.
      root: The folder that it is in.
    """
    from gradio_client import Client, handle_file

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    started = time.perf_counter()
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([*command, "--port", str(port)], cwd=root, **quiet)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit("app.py exited before it responded") from None
                time.sleep(0.1)
        page = time.perf_counter() - started
        client = Client(f"http://127.0.0.1:{port}", verbose=False)
        client.predict(handle_file(str(video)), api_name="/predict")
        first = time.perf_counter() - started
        begin = time.perf_counter()
        client.predict(handle_file(str(video)), api_name="/predict")
        second = time.perf_counter() - begin
        return {
            "page_answers": page,
            "first_verdict": first,
            "second_verdict": second,
            "peak_bytes": _peak_bytes(process.pid),
        }
    finally:
        process.terminate()
        process.wait(timeout=30)


def machine() -> dict[str, Any]:
    """Returns what this runs on."""
    import jax

    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = {line.split(":", 1)[1].strip() for line in cpuinfo if line.startswith("model name")}
    return {
        "processor": ", ".join(sorted(models)) or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "accelerator": str(jax.devices()[0].device_kind),
        "python": platform.python_version(),
        "jax": jax.__version__,
    }


def _print(figures: dict[str, Any]) -> None:
    machine, app, short, long = (figures[name] for name in ("machine", "app", "short", "long"))
    print("Machine: " + ", ".join(f"{name} {value}" for name, value in machine.items()))
    print(f"\n{'':24}{'short':>12}{'long':>12}{'long/short':>12}")
    rows: list[tuple[str, float, float]] = [
        ("duration, s", short["duration"], long["duration"]),
        ("import and load, s", short["import_and_load"], long["import_and_load"]),
        ("first verdict, s", short["first_verdict"], long["first_verdict"]),
        *(
            (f"warm: {stage}, s", short["warm"][stage], long["warm"][stage])
            for stage in ("decode", "faces", "score", "total")
        ),
        ("peak memory, MB", short["peak_bytes"] / 1e6, long["peak_bytes"] / 1e6),
        ("peak of ffmpeg, MB", short["peak_bytes_decoder"] / 1e6, long["peak_bytes_decoder"] / 1e6),
    ]
    for name, first, second in rows:
        print(f"{name:24}{first:12.2f}{second:12.2f}{second / first:12.2f}")
    print(
        f"\nShort: {short['size'][0]}x{short['size'][1]}, {short['frames']} frames scored, "
        f"{short['tracks']} faces. Warm: median of {len(short['warm_runs'])} runs, "
        f"{min(short['warm_runs']):.2f} to {max(short['warm_runs']):.2f} s."
    )
    print(
        f"\n{'length':>8} {'effort':10}{'looks':>7}{'frames':>8}"
        f"{'gap, s':>8}{'warm, s':>9}{'MB':>7}"
    )
    for row in figures["efforts"]:
        print(
            f"{row['duration'] / 60:4.0f} min {row['effort']:10}{row['looks']:7}{row['frames']:8}"
            f"{row['longest_gap']:8.1f}{row['warm']['total']:9.1f}{row['peak_bytes'] / 1e6:7.0f}"
        )
    print(
        f"app.py: page available {app['page_answers']:.1f} s after the start, first verdict "
        f"{app['first_verdict']:.1f} s after it; next verdict takes {app['second_verdict']:.1f} s; "
        f"peak memory {app['peak_bytes'] / 1e6:.0f} MB."
    )


if __name__ == "__main__":
    main()
