"""This version beside an earlier one, in every runtime: times, memory, differences of the answers.

    python -m benchmarks.compare [--against COMMIT] [--runtimes NAME...] [--video FILE]
                                 [--clips FILE...] [--json FILE] [--shipped-only]
                                 [--measure cold app warm]

The earlier version is checked out with `git worktree`, and both run in the same environment. First
all run the earlier version's own model, so that the networks are the same, unless --shipped-only is
given; then today's runs the model that it ships. Each side is a process that stays; they take
turns, and medians are printed, with the factor by which a side is faster than the earlier version.
Without --video, a 10-second 1080p clip is made from the project's own portrait, and repeated,
darker and brighter, for 60 minutes. --clips are many files, one after the other. --measure leaves
the other rows out: "cold" is a new process, "app" the start of the page, "warm" all else. It wants
a machine that does nothing else.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

PROJECT = Path(__file__).resolve().parent.parent

TURNS = 5
LONG_TURNS = 2
APP_TURNS = 2
LONG_REPEATS = 360  # of the 10-second clip: 60 minutes
SHORT_SECONDS = "5"
_ROWS = ("cold", "app", "warm")  # groups of rows, which can be measured alone
ENCODED = 32  # crops
SEARCHED = 32  # frames of 1080p


@dataclasses.dataclass(frozen=True)
class Side:
    """One of those that are compared."""

    name: str
    root: Path  # of the code
    model: Path
    runtime: str | None = None  # None: the code knows only JAX

    def command(self, *arguments: str) -> list[str]:
        """Returns how this side is called from the shell."""
        chosen = ["--runtime", self.runtime] if self.runtime else []
        return [sys.executable, *arguments, "--model", str(self.model), *chosen]


def main() -> None:
    """Measures all sides and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", default="677290e", help="commit of the earlier version")
    parser.add_argument("--runtimes", nargs="*", default=["onnx", "openvino", "openvino-bf16"])
    parser.add_argument("--video", type=Path, help="instead of the generated clip")
    parser.add_argument("--clips", nargs="*", type=Path, default=[], help="many files")
    parser.add_argument("--json", type=Path, help="also write all figures to this file")
    parser.add_argument("--shipped-only", action="store_true", help="today's model alone")
    parser.add_argument("--measure", nargs="+", choices=_ROWS, default=_ROWS, help="these rows")
    parser.add_argument("--worker", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        _work(*options.worker)
        return
    if missing := [str(path) for path in options.clips if not path.is_file()]:
        parser.error(f"--clips: there is no file {', '.join(missing)}.")
    with tempfile.TemporaryDirectory() as folder, _earlier(options.against, Path(folder)) as before:
        earlier_model = before / "checkpoint"
        runtimes = ["jax", *options.runtimes]
        same = [] if options.shipped_only else runtimes
        sides = [
            Side("before", before, earlier_model),
            *(Side(name, PROJECT, earlier_model, name) for name in same),
            *(Side(f"{name}, shipped", PROJECT, PROJECT / "checkpoint", name) for name in runtimes),
        ]
        files = _files(options.video, Path(folder))
        figures = {side.name: {} for side in sides}
        if "cold" in options.measure:
            _measure_cold(sides, files["short"], figures)
        if "app" in options.measure:
            _measure_app(sides, files["short"], figures)
        if "warm" in options.measure:
            _measure_warm(sides, files, options.clips, figures)
            figures["ffmpeg"] = {"10 s of video, warm": _decode(files["video"])}
    _print(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


@contextlib.contextmanager
def _earlier(commit: str, folder: Path) -> Iterator[Path]:
    """Checks an earlier version out for as long as the context lasts."""
    place = folder / "earlier"
    git = ["git", "-C", str(PROJECT), "worktree"]
    subprocess.run([*git, "add", "--detach", str(place), commit], check=True, capture_output=True)
    try:
        yield place
    finally:
        subprocess.run([*git, "remove", "--force", str(place)], check=True)


def _files(video: Path | None, folder: Path) -> dict[str, Path]:
    from benchmarks.videos import repeat_clip, write_clip
    from tests.videos import run_ffmpeg

    video = (video or write_clip(folder / "video.mp4")).resolve()
    short = folder / "short.mp4"
    run_ffmpeg("-i", video, "-t", SHORT_SECONDS, "-c", "copy", short)
    long = repeat_clip(video, LONG_REPEATS, folder / "long.mp4")
    return {"video": video, "short": short, "long": long}


def _measure_cold(sides: Sequence[Side], short: Path, figures: dict[str, Any]) -> None:
    """Times the command for one short clip; what may be kept from a first start has been kept."""
    seconds: dict[str, list[float]] = {side.name: [] for side in sides}
    for turn in range(3):
        for side in sides:
            command = side.command("-m", "dfjax", "predict", str(short))
            started = time.perf_counter()
            subprocess.run(command, cwd=side.root, check=True, capture_output=True)
            if turn > 0:
                seconds[side.name].append(time.perf_counter() - started)
    for name, runs in seconds.items():
        figures[name]["predict, 5 s clip, new process"] = statistics.median(runs)


def _measure_app(sides: Sequence[Side], short: Path, figures: dict[str, Any]) -> None:
    """Times `app.py` from its start to the first verdict through its API."""
    from benchmarks.predict import start_app

    seconds: dict[str, list[float]] = {side.name: [] for side in sides}
    for _ in range(APP_TURNS):
        for side in sides:
            answered = start_app(short, side.command("app.py"), side.root)["first_verdict"]
            seconds[side.name].append(answered)
    for name, runs in seconds.items():
        figures[name]["app.py, start to first verdict"] = statistics.median(runs)


def _measure_warm(
    sides: Sequence[Side], files: dict[str, Path], clips: Sequence[Path], figures: dict[str, Any]
) -> None:
    """Times what a process does that has its model ready."""
    with contextlib.ExitStack() as stack:
        workers = {side.name: stack.enter_context(_Worker(side)) for side in sides}
        _measure_tasks(workers, figures)
        for row, paths, turns in (
            ("10 s of video, warm", [files["video"]], TURNS),
            ("60 min of video, warm, quick", [files["long"]], LONG_TURNS),
            (f"{len(clips)} clips, one after the other", [*clips], 1),
        ):
            if not paths:
                continue
            runs: dict[str, list[dict[str, Any]]] = {side.name: [] for side in sides}
            for turn in range(turns + 1):
                for name, worker in workers.items():
                    scored = worker.score(paths if turn else paths[:1])
                    if turn > 0:
                        runs[name].append(scored)
                        figures[name].setdefault("probabilities", {})[row] = [
                            answer["probability_fake"] for answer in scored["answers"]
                        ]
            for name, of_side in runs.items():
                figures[name][row] = statistics.median(scored["total"] for scored in of_side)
                if row.startswith("10 s"):
                    for stage in ("decode", "faces", "score"):
                        figures[name][f"  {stage}"] = statistics.median(
                            scored["answers"][0]["seconds"][stage] for scored in of_side
                        )
            for name, worker in workers.items():
                # Without that of ffmpeg. Several of many files are in memory at once.
                row = f"peak memory, {'many files' if len(paths) > 1 else 'file by file'}, MB"
                figures[name][row] = worker.ask("peak")["peak"]


def _measure_tasks(workers: Mapping[str, "_Worker"], figures: dict[str, Any]) -> None:
    """Times the two tasks that take most of the processor."""
    for task, row in (
        ("encode", f"encode {ENCODED} crops"),
        ("find", f"find faces, {SEARCHED} frames of 1080p"),
    ):
        seconds: dict[str, list[float]] = {name: [] for name in workers}
        for turn in range(TURNS + 1):
            for name, worker in workers.items():
                taken = worker.ask(task)["total"]
                if turn > 0:
                    seconds[name].append(taken)
        for name, runs in seconds.items():
            figures[name][row] = statistics.median(runs)


class _Worker:
    """A process that scores the files that it is sent."""

    def __init__(self, side: Side):
        command = [sys.executable, str(Path(__file__).resolve()), "--worker", str(side.root)]
        command += [str(side.model), side.runtime or ""]
        environment = {**os.environ, "PYTHONPATH": str(side.root)}
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(
            command, text=True, cwd=side.root, env=environment, stderr=subprocess.DEVNULL, **pipes
        )

    def __enter__(self) -> "_Worker":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def score(self, paths: Sequence[Path]) -> dict[str, Any]:
        """Returns the answers on files, and the seconds that all of them took."""
        return self.ask("score", [str(path.resolve()) for path in paths])

    def ask(self, task: str, paths: Sequence[str] = ()) -> dict[str, Any]:
        """Returns what the worker says of a task: "score", "encode", "find" or "peak"."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps([task, paths]), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


def _work(root: str, model: str, runtime: str) -> None:
    """Answers, in the worker, one line for each line."""
    import dfjax

    assert dfjax.__file__ is not None and Path(dfjax.__file__).is_relative_to(root)
    from dfjax.predictor import Predictor

    with contextlib.suppress(ImportError):  # as the programs do; the earlier version does not
        from dfjax.memory import use_one_arena

        use_one_arena()
    options: dict[str, Any] = {"runtime": runtime} if runtime else {}
    predictor: Any = Predictor.from_pretrained(model, **options)
    tasks = {"encode": _encoding(predictor), "find": _finding(predictor)}
    quick = {"effort": "quick"} if runtime else {}
    for line in sys.stdin:
        task, paths = json.loads(line)
        if task == "peak":
            # Linux: KiB
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
            print(json.dumps({"peak": peak}), flush=True)
            continue
        started = time.perf_counter()
        answers = []
        if task != "score":
            tasks[task]()
        elif hasattr(predictor, "each"):
            answers = [answer.to_dict() for answer in predictor.each(paths, **quick)]
        else:  # the earlier version
            answers = [predictor(path).to_dict() for path in paths]
        total = time.perf_counter() - started
        kept = [
            {name: answer[name] for name in ("probability_fake", "seconds")} for answer in answers
        ]
        print(json.dumps({"answers": kept, "total": total}), flush=True)


def _encoding(predictor: Any) -> Callable[[], object]:
    """Returns what encodes some crops."""
    size = predictor.config.crops.image_size
    crops = np.random.default_rng(0).integers(0, 256, (ENCODED, size, size, 3), np.uint8)
    if hasattr(predictor, "engine"):
        return lambda: predictor.engine.encode(crops)
    return lambda: predictor._encode_crops(crops, lambda *_: None)


def _finding(predictor: Any) -> Callable[[], object]:
    """Returns what finds the faces in frames as they are sampled: four in a row at a time."""
    import skimage.data
    from PIL import Image

    portrait = np.asarray(Image.fromarray(skimage.data.astronaut()).resize((2048, 2048)))
    frames = [portrait[n : n + 1080, n : n + 1920] for n in range(SEARCHED)]
    try:
        from dfjax.faces.following import detect_in_video
    except ImportError:  # the earlier version searches every frame
        return lambda: predictor.face_detector.detect(frames)
    times = [number // 4 + number % 4 / 25 for number in range(SEARCHED)]
    return lambda: detect_in_video(frames, times, predictor.face_detector)


def _decode(video: Path) -> float:
    """Returns the seconds that ffmpeg takes to decode all frames of a video, and nothing else."""
    from dfjax.video.executable import ffmpeg_executable
    from dfjax.video.ffmpeg import num_threads

    command = [ffmpeg_executable(), "-v", "error", "-threads", str(num_threads()), "-i", str(video)]
    runs = []
    for _ in range(TURNS):
        started = time.perf_counter()
        subprocess.run([*command, "-map", "0:V:0", "-f", "null", "-"], check=True)
        runs.append(time.perf_counter() - started)
    return statistics.median(runs)


def _print(figures: dict[str, Any]) -> None:
    from benchmarks.predict import machine

    print("Machine: " + ", ".join(f"{name} {value}" for name, value in machine().items()))
    names = [name for name in figures if name != "ffmpeg"]
    print(f"\n| seconds, and how many times as fast as before | {' | '.join(names)} |")
    print("|---" * (1 + len(names)) + "|")
    before = figures["before"]
    for row in before:
        if row == "probabilities":
            continue
        cells = []
        for name in names:
            factor = before[row] / figures[name][row] if figures[name][row] else 0.0
            value = f"{figures[name][row]:.0f}" if "MB" in row else f"{figures[name][row]:.2f}"
            cells.append(value if name == "before" else f"{value} ({factor:.2f}x)")
        print(f"| {row} | {' | '.join(cells)} |")
    if "ffmpeg" not in figures:
        return
    print(f"\nffmpeg alone decodes the 10 s in {figures['ffmpeg']['10 s of video, warm']:.2f} s.")
    for suffix, reference in (("", "jax"), (", shipped", "jax, shipped")):
        if reference not in figures:
            continue
        expected = _probabilities(figures[reference])
        for name in names:
            if name in ("before", reference) or name.endswith("shipped") != bool(suffix):
                continue
            pairs = zip(_probabilities(figures[name]), expected, strict=True)
            apart = max(abs(a - b) for a, b in pairs if a is not None and b is not None)
            print(f"{name}: probabilities at most {apart:.4f} from those of {reference}.")


def _probabilities(of_side: dict[str, Any]) -> list[float | None]:
    return [value for values in of_side["probabilities"].values() for value in values]


if __name__ == "__main__":
    main()
