"""Recall and speed of face detection.

    python -m benchmarks.faces           # seconds for 32 frames of 1080p, cold and warm
    python -m benchmarks.faces FOLDER    # and the share of frames with a face, per group
    python -m benchmarks.faces FOLDER --sheet OUT.png    # and a picture of the detected faces

FOLDER is searched for videos. In the layout of FaceForensics++ they are grouped by compression and
method, otherwise by folder. From each video, 32 evenly spaced frames are read.

Measured on 176 clips of FaceForensics++ (126 of c23, 50 of c40): a face was found in 5,624 of 5,632
frames, 99.86%; the worst groups had 99.69% (c40 Deepfakes, FaceSwap and youtube: 319 of 320). There
were 341 additional faces, beyond one per frame. 32 frames of 1920x1080 take 0.69 s of processor
time on a 2-core AMD EPYC with AVX-512; the first call, which compiles, takes 1.3 s.
"""

import argparse
import collections
import dataclasses
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
import skimage.data
from PIL import Image, ImageDraw

from dfjax.config import VideoConfig
from dfjax.errors import VideoError
from dfjax.faces.detection import FaceDetector, Faces
from dfjax.video.reading import read_frames
from dfjax.video.suffixes import VIDEO_SUFFIXES

TILE = (480, 300)  # width and height of one frame on the sheet, pixels


@dataclasses.dataclass
class Tally:
    """Counts of the faces found in the videos of one group."""

    videos: int = 0
    frames: int = 0
    with_face: int = 0
    more_faces: int = 0  # faces beyond the first in a frame

    def __str__(self) -> str:
        return (
            f"{self.videos:6} {self.frames:7} {self.with_face:9} "
            f"{self.with_face / max(1, self.frames):8.2%} {self.more_faces:6}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures recall and speed of face detection.")
    parser.add_argument("folder", nargs="?", type=Path, help="folder to search for videos")
    parser.add_argument("--every", type=int, default=1, help="use only every n-th video")
    parser.add_argument(
        "--sheet", type=Path, help="picture to write, with a frame from each of 24 videos"
    )
    arguments = parser.parse_args()

    print(machine())
    detector = FaceDetector()
    print(detector.config)
    measure_speed(detector)
    if arguments.folder is not None:
        paths = sorted(p for p in arguments.folder.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES)
        measure_recall(detector, arguments.folder, paths[:: arguments.every], arguments.sheet)


def machine() -> str:
    name = platform.processor()
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.split(":")[1].strip() for line in lines if "model name" in line), name)
    return (
        f"{name}, {os.cpu_count()} cores, {jax.devices()[0].device_kind}, "
        f"jax {jax.__version__}, Python {platform.python_version()}"
    )


def measure_speed(detector: FaceDetector, num_frames: int = 32) -> None:
    """Prints the time for 1080p frames in which a camera pans over a portrait."""
    portrait = np.asarray(Image.fromarray(skimage.data.astronaut()).resize((2048, 2048)))
    frames = [portrait[n : n + 1080, n : n + 1920] for n in range(num_frames)]
    seconds, processor_seconds = [], []
    for _ in range(6):
        started, processor_started = time.perf_counter(), time.process_time()
        faces = detector.detect(frames)
        seconds.append(time.perf_counter() - started)
        processor_seconds.append(time.process_time() - processor_started)
        assert all(len(f.confidences) for f in faces)
    print(
        f"{num_frames} frames of 1920x1080: first call {seconds[0]:.2f} s of wall time, "
        f"{processor_seconds[0]:.2f} s of processor time; warm, best of 5: "
        f"{min(seconds[1:]):.2f} s of wall time, {min(processor_seconds[1:]):.2f} s of processor "
        f"time (load average {os.getloadavg()[0]:.1f})"
    )


def measure_recall(
    detector: FaceDetector, folder: Path, paths: Sequence[Path], sheet: Path | None
) -> None:
    """Prints the share of sampled frames in which a face is found, by group and in total."""
    tallies: dict[str, Tally] = collections.defaultdict(Tally)
    total, seconds = Tally(), 0.0
    incomplete, tiles = [], []
    shown = {paths[n] for n in np.linspace(0, len(paths) - 1, 24).astype(int)} if paths else set()
    detector.warm_up()
    for path in paths:
        try:
            frames = [frame for _, frame in read_frames(path, VideoConfig())]
        except VideoError as error:
            print(f"{path}: {error}")
            continue
        started = time.perf_counter()
        faces = detector.detect(frames)
        seconds += time.perf_counter() - started
        counts = [len(f.confidences) for f in faces]
        for tally in (tallies[group_of(path, folder)], total):
            tally.videos += 1
            tally.frames += len(counts)
            tally.with_face += sum(count > 0 for count in counts)
            tally.more_faces += sum(max(0, count - 1) for count in counts)
        if 0 in counts:
            incomplete.append(f"{path.relative_to(folder)}: {counts.count(0)} of {len(counts)}")
        if sheet is not None and path in shown:
            tiles.append(draw(frames[len(frames) // 2], faces[len(frames) // 2]))
    print(f"{'group':28}videos  frames with face    share  more")
    for group, tally in sorted(tallies.items()):
        print(f"{group:28}{tally}")
    print(f"{'all':28}{total}")
    print(f"{seconds / max(1, total.frames) * 1e3:.1f} ms per frame for face detection")
    print("\n".join(["frames without a face:", *incomplete]))
    if sheet is not None and tiles:
        tile_sheet(tiles).save(sheet)


def group_of(path: Path, folder: Path) -> str:
    if path.parent.name == "videos":  # METHOD/COMPRESSION/videos/ID.mp4
        return f"{path.parents[1].name} {path.parents[2].name}"
    return str(path.parent.relative_to(folder))


def draw(frame: np.ndarray, faces: Faces) -> Image.Image:
    picture = Image.fromarray(frame)
    brush = ImageDraw.Draw(picture)
    width = max(1, frame.shape[1] // 400)
    for box, points in zip(faces.boxes_xyxy, faces.landmarks, strict=True):
        brush.rectangle(tuple(map(float, box)), outline=(0, 255, 0), width=width)
        for x, y in points:
            brush.circle((float(x), float(y)), 2 * width, outline=(255, 0, 0), width=width)
    picture.thumbnail(TILE)
    return picture


def tile_sheet(tiles: Sequence[Image.Image], columns: int = 4) -> Image.Image:
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * TILE[0], rows * TILE[1]))
    for n, tile in enumerate(tiles):
        sheet.paste(tile, (n % columns * TILE[0], n // columns * TILE[1]))
    return sheet


if __name__ == "__main__":
    main()
