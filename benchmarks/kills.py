"""Kills training, `prepare` and `scan` at random moments; they must make the same in the end.

    python -m benchmarks.kills                           # 20 kills of each
    python -m benchmarks.kills --kills 3 --seed 7 --jobs prepare
    python -m benchmarks.kills --kills 3 --jobs scan --files 1000

Two runs that nothing interrupts come first, and must agree. Then the same command is started again
and again in an empty folder and ended with SIGKILL: in turns at the moment in which it writes (a
file or state appears under its unfinished name) or up to 20 milliseconds later, and at a random
time. Once it has come to its end, everything in its folder is compared with the first run (of a
scan, its table), and it starts over, until all kills are spent. What measures time, such as
`step_seconds`, is left out. Half a minute after a kill, no process may be left. Model and data
are tiny: a detector of a few thousand weights, videos of three frames. The exit code is 1 if
anything differs or is left.

Measured on a 2-core AMD EPYC while other programs ran: of 20 kills of training and 20 of `prepare`,
half of them while it wrote, no process was left, and all 2 and 6 results that followed had the same
bytes as the first. It took 9 and 10 minutes. A scan of 1,000 files, killed three times, ended with
the same table; with the two runs that nothing stopped, that took 328 s.
"""

import argparse
import dataclasses
import functools
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow.parquet as pq

from dfjax.files import UNFINISHED

PROJECT = Path(__file__).resolve().parent.parent
_UNFINISHED_NAMES = (UNFINISHED, "orbax-checkpoint-tmp", ".saving-")
_FOLDERS = ("saves", "checkpoint", "data", "outcomes")  # in which they are
_TIMES = ("seconds", "step_seconds", "validation_seconds", "wait_share")
_PATIENCE = 30  # seconds that a killed run's processes have to end


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """A command that can be killed and started again."""

    name: str
    command: list[str]
    out: Path  # the folder that it writes; absent before the first start
    environment: Mapping[str, str]
    result: Callable[[Path], dict[str, bytes]]  # what is compared, by path in the folder
    kill_within: float = 1.0  # share of its duration in which it is killed
    exit_code: int = 0  # with which it ends if all is well


@dataclasses.dataclass
class Tally:
    """What came of the kills of a job."""

    kills: int = 0
    while_writing: int = 0  # of them, at the sight of an unfinished file or state
    results: int = 0  # compared with that of the run that nothing interrupted
    differences: list[str] = dataclasses.field(default_factory=list)  # paths
    processes_left: int = 0
    failures: list[str] = dataclasses.field(default_factory=list)  # ends other than by our kills
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        """Whether each result was the same and nothing else went wrong."""
        return self.results > 0 and not (self.differences or self.processes_left or self.failures)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills ({self.while_writing} while writing), {self.results} results "
            f"compared, {len(self.differences)} files differ, {self.processes_left} processes "
            f"left, {len(self.failures)} other failures, {self.seconds:.0f} s"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20, help="of each job")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--jobs", nargs="+", choices=list(JOBS), default=list(JOBS))
    parser.add_argument("--files", type=int, default=12, help="that are scanned")
    options = parser.parse_args()
    jobs = JOBS | {"scan": functools.partial(scan, num_files=options.files)}
    is_clean = True
    with tempfile.TemporaryDirectory() as folder:
        for name in options.jobs:
            tally = kill_often(jobs[name](Path(folder)), kills=options.kills, seed=options.seed)
            print(f"{name}: {tally}", flush=True)
            for problem in (*tally.differences, *tally.failures):
                print(f"  {problem}")
            is_clean = is_clean and tally.is_clean
    raise SystemExit(not is_clean)


def kill_often(job: Job, *, kills: int, seed: int, whole_runs: int = 2) -> Tally:
    """Runs a job whole, then kills it `kills` times, and compares what it makes in the end.

    Args:
      job: What to run.
      kills: How often it is killed.
      seed: Of the moments.
      whole_runs: How often it runs whole before, at least once. The first run also compiles, so the
        second tells better how long one takes.
    """
    generator = random.Random(f"{seed}/{job.name}")
    tally, started = Tally(), time.monotonic()
    expected, duration = None, 0.0
    while not tally.failures and (whole_runs > 0 or tally.kills < kills or job.out.exists()):
        begun = time.monotonic()
        with _start(job) as process:
            try:
                is_due = whole_runs == 0 and tally.kills < kills
                if is_due and _kill(process, job, generator, duration, tally):
                    continue
                code = process.wait()
            finally:
                process.kill()
        if code != job.exit_code:
            tally.failures.append(f"it ended with {code} after {tally.kills} kills")
            continue
        found = job.result(job.out)
        shutil.rmtree(job.out)
        if whole_runs > 0:
            whole_runs, duration = whole_runs - 1, time.monotonic() - begun
        if expected is None:
            expected = found
            continue
        tally.results += 1
        paths = sorted(found.keys() | expected.keys())
        tally.differences += [path for path in paths if found.get(path) != expected.get(path)]
    tally.seconds = time.monotonic() - started
    return tally


def _kill(
    process: subprocess.Popen,
    job: Job,
    generator: random.Random,
    duration: float,
    tally: Tally,
) -> bool:
    """Kills a job at a random moment of its `duration`; returns whether it was still running."""
    is_in_write = tally.kills % 2 == 0
    if is_in_write:
        _wait_for_write(job, process, generator.randint(1, 8), generator.uniform(0, 0.02))
    else:
        _wait(process, generator.uniform(0, job.kill_within * duration))
    if process.poll() is not None:
        return False
    process.send_signal(signal.SIGKILL)
    process.wait()
    tally.kills += 1
    tally.while_writing += is_in_write
    tally.processes_left += _num_left(process.pid)
    return True


def _start(job: Job) -> subprocess.Popen:
    """Starts a job as the first process of a session, by which its children are found."""
    return subprocess.Popen(
        job.command,
        cwd=PROJECT,
        env={**os.environ, **job.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _wait(process: subprocess.Popen, seconds: float) -> None:
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        pass


def _wait_for_write(job: Job, process: subprocess.Popen, count: int, delay: float) -> None:
    """Waits until `count` unfinished files or states have appeared, then `delay` seconds."""
    seen: set[tuple[str, int]] = set()
    while len(seen) < count and process.poll() is None:
        for folder in (job.out, *(job.out / name for name in _FOLDERS), *job.out.glob("_kept/*")):
            try:
                seen |= {
                    (entry.name, entry.inode())
                    for entry in os.scandir(folder)
                    if any(part in entry.name for part in _UNFINISHED_NAMES)
                }
            except FileNotFoundError:
                pass
        time.sleep(0.0005)
    _wait(process, delay)


def _num_left(session: int) -> int:
    """Returns how many processes of a session have not ended after a while."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        left = 0
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, _, of_session = status.read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue  # it ended meanwhile
            left += int(of_session) == session and state != "Z"
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


def training(folder: Path, steps: int = 12) -> Job:
    """Returns a training run that saves its state after each step."""
    from tests.compiling import COMPILE_SOON_FLAGS
    from tests.training.prepared_set import write_prepared, write_weights

    data, weights = write_prepared(folder / "prepared"), write_weights(folder / "weights")
    options = (
        f"--resume --steps={steps} --pairs=2 --clip-frames=3 --validate-every=4 --save-every=1 "
        "--warmup-steps=1 --workers=1 --detector.projection-size=16 --detector.hidden-size=8 "
        "--augmented=0 --self-blended=0"  # slow to compile
    )
    out = folder / "run"
    command = [sys.executable, "train.py", "--data", data, "--weights", weights, "--out", str(out)]
    return Job(
        name="training",
        command=[*command, *options.split()],
        out=out,
        environment=_environment(folder, COMPILE_SOON_FLAGS),
        result=_training_result,
    )


def prepare(folder: Path) -> Job:
    """Returns a `prepare` of 16 videos, re-encoded too, each in a shard for itself."""
    from tests.videos import portrait_frames, write_video

    first = write_video(folder / "first.mp4", portrait_frames(3))
    for label in ("real", "fake"):
        for number in range(8):
            video = folder / "videos" / label / f"{number}.mp4"
            video.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(first, video)
    out = folder / "set"
    command = [sys.executable, "-m", "dfjax", "prepare", "folder", str(folder / "videos")]
    options = "--num-frames=512 --image-size=48 --codec-variants=1 --workers=2"
    return Job(
        name="prepare",
        command=[*command, "--out", str(out), *options.split()],
        out=out,
        environment=_environment(folder),
        result=_contents,
    )


def scan(folder: Path, num_files: int = 12) -> Job:
    """Returns a `scan` of some files: of ten, one has the bytes of another and one is no video."""
    from tests.tiny import tiny_detector
    from tests.videos import portrait_frames, write_video

    first = write_video(folder / "first.mp4", portrait_frames(3)).read_bytes()
    tiny_detector().save_pretrained(folder / "model")
    (folder / "archive").mkdir()
    for number in range(num_files):
        kind = number % 10
        content = number - 1 if kind == 1 else number
        # A box that players pass over gives each video bytes of its own.
        data = b"not a video" if kind == 2 else first + struct.pack(">I4sI", 12, b"free", content)
        (folder / "archive" / f"{number:05d}.mp4").write_bytes(data)
    out = folder / "results"
    command = [sys.executable, "-m", "dfjax", "scan", str(folder / "archive"), "--out", str(out)]
    options = f"--model={folder / 'model'} --runtime=onnx --workers=2"
    return Job(
        name="scan",
        command=[*command, *options.split()],
        out=out,
        environment=_environment(folder),
        result=_scan_result,
        kill_within=0.3,
        exit_code=1,  # since some files are no videos
    )


JOBS: dict[str, Callable[[Path], Job]] = {"training": training, "prepare": prepare, "scan": scan}


def _environment(folder: Path, *flags: str) -> dict[str, str]:
    """Returns variables that make each start reuse what the first one compiled."""
    return {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": " ".join(("--xla_force_host_platform_device_count=1", *flags)),
        "JAX_COMPILATION_CACHE_DIR": os.environ.get(
            "JAX_COMPILATION_CACHE_DIR", str(folder / "compiled")
        ),
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }


def _contents(out: Path) -> dict[str, bytes]:
    """Returns every file of a folder."""
    files = (path for path in out.rglob("*") if path.is_file())
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def _training_result(out: Path) -> dict[str, bytes]:
    """Returns what a run made, without times; of its saved states, which there are.

    TensorBoard's events hold the times of day.
    """
    found = {}
    for path, data in _contents(out).items():
        place, *rest = Path(path).parts
        if place == "saves":
            found["/".join((place, *rest[:1]))] = b""
        elif path.endswith(".json"):
            found[path] = _without_times(data)
        elif path.endswith(".jsonl"):
            found[path] = b"\n".join(map(_without_times, data.splitlines()))
        elif place != "tensorboard":
            found[path] = re.sub(rb"The run took \d+ s", b"", data)
    return found


def _scan_result(out: Path) -> dict[str, bytes]:
    """Returns a scan's table without times."""
    table = pq.read_table(out / "results.parquet").drop_columns(["checked_at", "seconds"])
    return {"results.parquet": json.dumps(table.to_pylist()).encode()}


def _without_times(data: bytes) -> bytes:
    values = json.loads(data)
    return json.dumps({name: values[name] for name in values if name not in _TIMES}).encode()


if __name__ == "__main__":
    main()
