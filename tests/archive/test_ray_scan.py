"""The same table from a Ray job, on a cluster of two workers on this machine."""

import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dfjax.archive.scan import scan
from tests.archive.archives import read_rows, tiny_settings, write_archive

_SCORER = "ray::MapWorker"  # the name of a worker's process


def _descends_from(pid: int, ancestor: int) -> bool:
    while pid not in (0, 1, ancestor):
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid == ancestor


def _kill_a_scorer(job: subprocess.Popen) -> bool:
    """Kills one of a job's workers; returns whether there was one."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            pid = int(file.parent.name)
            if file.read_text().startswith(_SCORER) and _descends_from(pid, job.pid):
                os.kill(pid, signal.SIGKILL)
                return True
        except OSError:
            continue  # it has ended meanwhile
    return False


@pytest.mark.ray
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for the worker in /proc")
def test_a_job_makes_the_same_table_though_a_worker_is_killed(tmp_path):
    paths = write_archive(tmp_path / "in")
    video = Path(paths[0]).read_bytes()
    for number in range(8):
        path = tmp_path / "in" / f"{number}.mp4"
        # A box that players pass over gives each video bytes of its own.
        path.write_bytes(video + struct.pack(">I4sI", 12, b"free", number))
        paths.append(f"file://{path}")
    (tmp_path / "list.txt").write_text("\n".join(paths))
    settings, out = tiny_settings(tmp_path / "model"), tmp_path / "out"
    options = f"--out file://{out} --model {settings.model} --runtime onnx"
    options += " --ray --workers 2 --cpus-per-worker 0.5"
    command = [sys.executable, "-m", "dfjax", "scan", str(tmp_path / "list.txt"), *options.split()]
    (tmp_path / "temporary").mkdir()
    environment = os.environ | {
        "RAY_ADDRESS": "local",  # a cluster of its own
        "RAY_TMPDIR": "/tmp",  # the names of its sockets must be short
        "TMPDIR": str(tmp_path / "temporary"),
    }
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe) as job:
        while not list(out.glob("_kept/scores-*/*.parquet")) and job.poll() is None:
            time.sleep(0.01)
        is_killed = _kill_a_scorer(job)
        said, errors = job.communicate(timeout=200)
    assert is_killed, errors
    # Where files are fetched to; one may be left, empty, of a worker that was killed as it began.
    left = [list(folder.iterdir()) for folder in (tmp_path / "temporary").glob("dfjax-*")]
    assert left in ([], [[]])
    assert job.returncode == 1 and b"13 files" in said and b"2 could not be judged" in said
    scan(paths, str(tmp_path / "alone"), settings, workers=2)
    assert read_rows(out) == read_rows(tmp_path / "alone")
