"""Measures how many files a second `scan` scores with one worker and with two.

    python -m benchmarks.scan                       # processes on this machine
    python -m benchmarks.scan --ray --gpus .5       # a Ray job, two workers on one GPU
    python -m benchmarks.scan --workers 1 4 16 --files 400

The archive is made of copies of `docs/sample.mp4`, each with bytes of its own. The rate is that
from the first file scored to the last, so that loading the model and starting Ray are not in it;
the whole time is beside it. Scores must not depend on the number of workers: if they do, the exit
code is 1.
"""

import argparse
import struct
import tempfile
import time
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
            settings = ScanSettings(
                model=model_source(options.model), runtime=chosen_runtime(options.runtime)
            )
            clock = Clock()
            started = time.monotonic()
            if options.ray:
                from dfjax.archive.ray_scan import Pool, scan_on_ray

                pool = Pool(workers, options.cpus, options.gpus)
                scan_on_ray(paths, out, settings, pool, on_progress=clock)
            else:
                scan(paths, out, settings, workers=workers, on_progress=clock)
            seconds = time.monotonic() - started
            print(f"| {workers} | {len(paths)} | {seconds:.1f} | {clock.rate:.2f} |", flush=True)
            table = pq.read_table(f"{out}/results.parquet", columns=["path", "probability_fake"])
            tables.append(table)
    raise SystemExit(any(table != tables[0] for table in tables))


class Clock:
    """Notes when files were scored."""

    def __init__(self):
        self._moments: list[tuple[float, int]] = []

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Is called by the scan."""
        if stage == "Scoring" and done:
            self._moments.append((time.monotonic(), done))

    @property
    def rate(self) -> float:
        """Files a second, from the first that was scored."""
        (begun, first), (ended, last) = self._moments[0], self._moments[-1]
        return (last - first) / (ended - begun) if ended > begun else float("nan")


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
