"""Preparing in several processes: the same bytes as in one, whatever becomes of the processes."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path, PosixPath

import pytest

from dfjax.config import Config, CropConfig, VideoConfig
from dfjax.data.prepare import prepare
from dfjax.data.rows import CodecConfig
from dfjax.data.sources import read_source
from tests.data.trees import touch
from tests.videos import portrait_frames, write_video

PROJECT = Path(__file__).resolve().parents[2]
CONFIG = Config(video=VideoConfig(num_frames=2), crops=CropConfig(image_size=48, min_detail=0.125))
CODEC = CodecConfig(variants=1)
COMMAND = ["--num-frames", "2", "--image-size", "48", "--codec-variants", "1", "--workers", "2"]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("root")
    video = write_video(root / "a.mp4", portrait_frames(3))
    (root / "b.mp4").write_bytes(video.read_bytes())
    (root / "broken.mp4").write_text("not a video")
    (root / "v.mp4").write_bytes(video.read_bytes())
    (root / "metadata.csv").write_text(
        "file,label,split\na.mp4,real,train\nbroken.mp4,real,train\nb.mp4,fake,train\n"
        "v.mp4,real,validation\n"
    )
    return root


@pytest.fixture(scope="module")
def alone(root, tmp_path_factory) -> Path:
    """What one process makes."""
    out = tmp_path_factory.mktemp("prepared") / "alone"
    prepare(read_source("folder", root), out, CONFIG, codec=CODEC)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def children(pid: int) -> set[int]:
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def is_running(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def wait_until(condition, process: subprocess.Popen | None = None) -> None:
    for _ in range(1200):
        if condition():
            return
        assert process is None or process.poll() is None
        time.sleep(0.1)
    pytest.fail("it did not come to that within two minutes")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_a_killed_run_leaves_no_process_and_goes_on_to_the_same_bytes(root, alone, tmp_path):
    out = tmp_path / "set"
    command = [sys.executable, "-m", "dfjax", "prepare", "folder", root, "--out", out, *COMMAND]
    environment = {key: os.environ[key] for key in os.environ if key != "XLA_FLAGS"}
    process = subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: any((out / "outcomes").glob("*.json")), process)
        workers = children(process.pid)
        assert len(workers) >= 2
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (out / "report.json").exists()
    wait_until(lambda: not any(map(is_running, workers)))
    prepare(read_source("folder", root), out, CONFIG, codec=CODEC, workers=2)
    assert contents(out) == contents(alone)


class _Deadly(PosixPath):
    """A path that ends the process which is told to read it, as a fault of a decoder would."""

    def __reduce__(self):
        return os._exit, (1,)


def test_a_video_that_ends_its_process_costs_itself_alone(tmp_path):
    for name in ("first", "deadly", "last"):  # none is a video, so that nothing is compiled
        touch(tmp_path, f"root/real/{name}.mp4")
    source = read_source("folder", tmp_path / "root")
    videos = [
        dataclasses.replace(video, path=_Deadly(video.path)) if "deadly" in video.key else video
        for video in source.videos
    ]
    source = dataclasses.replace(source, videos=tuple(videos))
    report = prepare(source, tmp_path / "set", CONFIG, workers=2)
    skipped = report["splits"]["train"]["skipped"] | report["splits"]["validation"]["skipped"]
    reasons = {key.split("/")[-1]: row["reason"] for key, row in skipped.items()}
    assert "process" in reasons.pop("deadly.mp4")
    assert set(reasons) == {"first.mp4", "last.mp4"}
    assert all("empty" in reason for reason in reasons.values())
