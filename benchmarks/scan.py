"""Measures how many files a second `scan` scores with one worker and with two.

    python -m benchmarks.scan                       # processes on this machine
    python -m benchmarks.scan --ray --gpus .5       # a Ray job, two workers on one GPU
    python -m benchmarks.scan --workers 1 4 16 --files 400

The archive is made of copies of `docs/sample.mp4`, each with bytes of its own. The time of a scan
of one file is taken off for the rate, so that loading the model and starting Ray are not in it; the
whole time is beside it. A Ray worker takes 16 files at a time, so of few files some workers may get
none. Scores must not depend on the number of workers: if they do, the exit code is 1.
"""

import argparse
import struct
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from dfjax.archive.scan import scan
from dfjax.archive.settings import ScanSettings
from dfjax.models.locate import model_source
from dfjax.runtimes.runtime import chosen_runtime

PROJECT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--model")
    parser.add_argument("--runtime")
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--cpus", type=float, default=1.0, help="of each worker, with --ray")
    parser.add_argument("--gpus", type=float, default=0.0, help="of each worker, with --ray")
    options = parser.parse_args()
    tables = []
    print("| workers | files | whole time, s | files/s once started |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        paths = write_copies(Path(folder) / "archive", options.files)
        for workers in options.workers:
            out = f"{folder}/out-{workers}"
            start = _seconds(paths[:1], f"{out}-start", workers, options)
            seconds = _seconds(paths, out, workers, options)
            rate = (len(paths) - 1) / (seconds - start)
            print(f"| {workers} | {len(paths)} | {seconds:.1f} | {rate:.2f} |", flush=True)
            table = pq.read_table(f"{out}/results.parquet", columns=["path", "probability_fake"])
            tables.append(table)
    raise SystemExit(any(table != tables[0] for table in tables))


def _seconds(paths: Sequence[str], out: str, workers: int, options: argparse.Namespace) -> float:
    """Scans files, and returns the seconds that it took."""
    settings = ScanSettings(
        model=model_source(options.model), runtime=chosen_runtime(options.runtime)
    )
    started = time.monotonic()
    if options.ray:
        from dfjax.archive.ray_scan import Pool, scan_on_ray

        scan_on_ray(paths, out, settings, Pool(workers, options.cpus, options.gpus))
    else:
        scan(paths, out, settings, workers=workers)
    return time.monotonic() - started


def write_copies(folder: Path, count: int) -> list[str]:
    """Writes copies of the sample video that differ in their bytes; returns their paths."""
    folder.mkdir()
    video = (PROJECT / "docs" / "sample.mp4").read_bytes()
    paths = [folder / f"{number:06d}.mp4" for number in range(count)]
    for number, path in enumerate(paths):
        # A box that players pass over.
        path.write_bytes(video + struct.pack(">I4sI", 12, b"free", number))
    return [str(path) for path in paths]


if __name__ == "__main__":
    main()
