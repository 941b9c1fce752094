"""How fast a camera is scored, and how long each answer takes.

    python -m benchmarks.live VIDEO...                # with the model of DFJAX_MODEL or checkpoint/
    python -m benchmarks.live VIDEO... --seconds 60   # each video for a minute

Each video plays over and over, as in front of a camera, 640 pixels wide. As on the page, 8 frames
a second are due, as JPEG; of those that are due before the last one was answered, all but the
newest are dropped. The delay is from when a frame is due to its score. A delay that grows would be
longer in the second half.
"""

import argparse
import io
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.faces import machine
from dfjax.config import VideoConfig
from dfjax.models.locate import model_source
from dfjax.page.live_endpoint import decode_frame
from dfjax.predictor import Predictor
from dfjax.video.newest import NewestFrames
from dfjax.video.reading import probe, read_frames

PACE = 1 / 8  # seconds between two frames that are due
WIDTH = 640  # pixels


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures how fast a camera is scored.")
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each video")
    arguments = parser.parse_args()

    print(machine())
    predictor = Predictor.from_pretrained(model_source())
    started = time.perf_counter()
    predictor.warm_up()
    predictor.live().warm_up()
    print(f"ready after {time.perf_counter() - started:.1f} s; delays in milliseconds")
    print(f"{'video':24} frames/s dropped  median    90%    99%  1st half  2nd half  score")
    for path in arguments.videos:
        measure(predictor, path, arguments.seconds)


def measure(predictor: Predictor, path: Path, seconds: float) -> None:
    """Prints how fast one video is scored."""
    scorer = predictor.live()
    frames = NewestFrames(camera(jpegs(path), seconds), clock=time.perf_counter)
    delays, score = [], None
    started = time.perf_counter()
    for due, data in frames:
        score = scorer(decode_frame(data), due)
        delays.append(1000 * (time.perf_counter() - due))
    rate = len(delays) / (time.perf_counter() - started)
    median, ninety, most = np.percentile(delays, (50, 90, 99))
    halves = [np.median(half) for half in np.array_split(delays, 2)]
    last = score.probability_fake if score else None
    print(
        f"{path.stem[:24]:24} {rate:8.1f} {frames.num_dropped:7} {median:7.0f} {ninety:6.0f} "
        f"{most:6.0f} {halves[0]:9.0f} {halves[1]:9.0f}  {'-' if last is None else f'{last:.2f}'}"
    )


def jpegs(path: Path) -> list[bytes]:
    """Returns some seconds of a video as a browser would send them."""
    duration = probe(path).duration
    config = VideoConfig(num_frames=max(1, min(80, round(duration / PACE))), burst_frames=1)
    pictures = []
    for _, frame in read_frames(path, config):
        picture = Image.fromarray(frame)
        picture.thumbnail((WIDTH, WIDTH))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=92)
        pictures.append(buffer.getvalue())
    return pictures


def camera(pictures: list[bytes], seconds: float) -> Iterator[bytes]:
    """Yields the pictures over and over, each when it is due."""
    started = time.perf_counter()
    for n, picture in enumerate(itertools.cycle(pictures)):
        due = n * PACE
        if due > seconds:
            return
        time.sleep(max(0.0, started + due - time.perf_counter()))
        yield picture


if __name__ == "__main__":
    main()
