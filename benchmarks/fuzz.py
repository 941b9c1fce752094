"""Sends damaged files of every format that is let in through the whole predictor.

    python -m benchmarks.fuzz                            # 2,000 files
    python -m benchmarks.fuzz --files 200 --seed 7 --keep FOLDER

A clip of a portrait is written in each container, codec and still format; those that this version
does not open are named and left out. Each file is one of these after one mutation: cut off, bits
flipped, a range zeroed, two ranges swapped, or numbers in its headers replaced. Seed and number of
a file decide what it is. A process with a tiny model predicts one file after another; it is started
again if it dies or exceeds the time limit.

Every file must get an answer or a `VideoError`. What must not happen: any other exception, the end
of the process, more than the time limit, a process, temporary file or open file left behind. The
memory of the process is printed after a tenth of the files and at the end. The exit code is 1 if
something happened that must not; --keep saves the files with which it did.

Measured on a 2-core AMD EPYC while other programs ran: 2,000 files of 27 formats (seed 2) gave
1,560 answers and 437 errors in words; three AVIF pictures got a RuntimeError of Pillow's, which is
put into words since. Nothing died, hung or stayed behind; the slowest file took 42.7 s, and the
memory went from 607 to 621 MB.
"""

import argparse
import collections
import contextlib
import dataclasses
import multiprocessing
import os
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_SECONDS_OF_DECODING = 20  # `VideoLimits.max_decode_seconds`
_SECONDS = 90  # for a file in all; the first of a new process also compiles
_WARM_UP_SECONDS = 300

# Per seed file: its name, its encoder, and more options.
_VIDEOS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "mp4": ("a.mp4", "libx264", ()),
    "mp4, index first": ("b.mp4", "libx264", ("-movflags", "+faststart")),
    "mp4, fragments": ("c.mp4", "libx264", ("-movflags", "frag_keyframe+empty_moov", "-g", "4")),
    "mp4, hevc": ("d.mp4", "libx265", ("-tag:v", "hvc1")),
    "mp4, av1": ("e.mp4", "libsvtav1", ()),
    "mov, prores": ("f.mov", "prores", ()),
    "mov, mjpeg": ("g.mov", "mjpeg", ()),
    "mov, dnxhr": ("g2.mov", "dnxhd", ("-profile:v", "dnxhr_lb", "-s", "256x144")),
    "avi, dv": ("g3.avi", "dvvideo", ("-s", "720x576", "-r", "25")),
    "3gp": ("h.3gp", "mpeg4", ()),
    "avi, mpeg4": ("i.avi", "mpeg4", ()),
    "avi, mjpeg": ("j.avi", "mjpeg", ()),
    "mkv, h264": ("k.mkv", "libx264", ()),
    "mkv, ffv1": ("l.mkv", "ffv1", ()),
    "webm, vp8": ("m.webm", "libvpx", ()),
    "webm, vp9": ("n.webm", "libvpx-vp9", ()),
    "mpeg-ts": ("o.ts", "libx264", ()),
    "mpeg-ps": ("p.mpg", "mpeg2video", ()),
    "flv": ("q.flv", "libx264", ()),
    "wmv": ("r.wmv", "wmv2", ()),
    "gif": ("s.gif", "gif", ()),
    "webp, animated": ("t.webp", "libwebp_anim", ()),
    "apng": ("u.apng", "apng", ()),
}
_PIXEL_FORMATS = {
    **{"prores": "yuv422p10le", "mjpeg": "yuvj420p", "gif": None, "apng": "rgb24"},
    "dnxhd": "yuv422p",
}
_STILLS: dict[str, tuple[str, dict[str, Any]]] = {
    "jpeg": ("v.jpg", {}),
    "jpeg, progressive": ("w.jpg", {"progressive": True}),
    "png": ("x.png", {}),
    "webp": ("y.webp", {}),
    "webp, lossless": ("z.webp", {"lossless": True}),
    "avif": ("z.avif", {}),
}

Mutation = Callable[[random.Random, bytearray], None]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=2000, help="how many mutated files")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations")
    parser.add_argument("--keep", type=Path, help="folder for the files that caused a fault")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        tally = fuzz(Path(folder), num_files=options.files, seed=options.seed, keep=options.keep)
    print(tally.table())
    print(f"{options.files} files, seed {options.seed}, {time.monotonic() - started:.0f} s")
    print(f"not let in: {', '.join(tally.refused) or 'none'}")
    print(f"slowest file: {tally.slowest:.1f} s")
    print("memory: " + " to ".join(f"{size / 1e6:.0f} MB" for size in tally.memory))
    for fault in tally.faults:
        print(f"FAULT {fault}")
    raise SystemExit(bool(tally.faults))


@dataclasses.dataclass
class Tally:
    """What came of all files."""

    outcomes: dict[str, collections.Counter[str]]  # by format
    refused: list[str]  # formats that are not let in
    memory: list[int] = dataclasses.field(default_factory=list)  # bytes, early and at the end
    faults: list[str] = dataclasses.field(default_factory=list)
    slowest: float = 0.0  # seconds

    def table(self) -> str:
        """Returns a row for each format and a column for each outcome."""
        columns = sorted(set().union(*self.outcomes.values()))
        total = sum(self.outcomes.values(), collections.Counter())
        rows = [f"{'format':20}" + "".join(f"{name:>24}" for name in columns)]
        for name, counts in {**self.outcomes, "all": total}.items():
            rows.append(f"{name:20}" + "".join(f"{counts[column]:24}" for column in columns))
        return "\n".join(rows)


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came of one file, and the state of the process afterwards."""

    outcome: str
    is_fault: bool
    num_children: int
    num_open_files: int
    memory: int  # bytes


def fuzz(folder: Path, *, num_files: int, seed: int, keep: Path | None = None) -> Tally:
    """Predicts `num_files` mutated files.

    Args:
      folder: An empty folder for everything that is written.
      num_files: How many files; their formats take turns.
      seed: Seed of the mutations.
      keep: Where to copy files that caused a fault.
    """
    from dfjax.errors import NoVideoStreamError, UnsupportedFormatError
    from dfjax.video.reading import probe

    worker = Worker(folder)
    seeds, refused = {}, []
    for name, path in _seed_files(folder):
        try:
            probe(path)
        except (UnsupportedFormatError, NoVideoStreamError):
            refused.append(name)
        else:
            seeds[name] = path
    tally = Tally({name: collections.Counter() for name in seeds}, refused)
    num_open_files = None
    for number in range(num_files):
        name = list(seeds)[number % len(seeds)]
        path, mutation = mutated(seeds[name], folder, seed, number)
        begun = time.monotonic()
        answer = worker.predict(path)
        tally.slowest = max(tally.slowest, time.monotonic() - begun)
        tally.outcomes[name][answer.outcome] += 1
        left = sorted(file.name for file in worker.temporary.iterdir())
        num_open_files = num_open_files or answer.num_open_files
        if answer.is_fault or answer.num_children or left or answer.num_open_files > num_open_files:
            tally.faults.append(
                f"number {number} ({name}, {mutation}): {answer.outcome}, {answer.num_children} "
                f"processes, {answer.num_open_files} open files, temporary: {left}"
            )
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, keep / f"{seed}-{number}{path.suffix}")
            num_open_files = None  # it may be another process from here on
            _empty(worker.temporary)
        if number in (num_files // 10, num_files - 1):
            tally.memory.append(answer.memory)
        path.unlink()
    worker.close()
    return tally


def mutated(source: Path, folder: Path, seed: int, number: int) -> tuple[Path, str]:
    """Writes a mutated copy of a file; returns its path and the name of the mutation."""
    generator = random.Random(f"{seed}/{number}/{source.name}")
    mutation = generator.choice(MUTATIONS)
    data = bytearray(source.read_bytes())
    mutation(generator, data)
    path = folder / f"mutated{source.suffix}"
    path.write_bytes(data)
    return path, mutation.__name__


def cut_off(generator: random.Random, data: bytearray) -> None:
    """Removes the end."""
    del data[generator.randrange(1, len(data)) :]


def flip_bits(generator: random.Random, data: bytearray) -> None:
    """Flips 1 to 64 bits anywhere."""
    for _ in range(generator.choice((1, 4, 16, 64))):
        data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)


def zero_range(generator: random.Random, data: bytearray) -> None:
    """Zeroes up to a fifth of the file."""
    start = generator.randrange(len(data))
    length = generator.randrange(1, max(2, min(len(data) // 5, len(data) - start)))
    data[start : start + length] = bytes(length)


def swap_ranges(generator: random.Random, data: bytearray) -> None:
    """Swaps two ranges of the same length, up to a tenth of the file each."""
    length = generator.randrange(1, max(2, len(data) // 10))
    first, second = sorted(generator.randrange(len(data) - length + 1) for _ in range(2))
    second = max(second, first + length)
    if second + length <= len(data):
        one, other = data[first : first + length], data[second : second + length]
        data[first : first + length], data[second : second + length] = other, one


def replace_numbers(generator: random.Random, data: bytearray) -> None:
    """Puts extreme or random numbers into the first or last kilobyte, where headers are."""
    for _ in range(generator.randint(1, 4)):
        size = generator.choice((1, 2, 4, 8))
        place = generator.randrange(max(1, min(1024, len(data) - size)))
        if generator.random() < 0.5:
            place = max(0, len(data) - size - place)
        extremes = (0, 1, (1 << 8 * size) - 1, (1 << (8 * size - 1)) - 1, 1 << (8 * size - 1))
        number = generator.choice((*extremes, generator.getrandbits(8 * size)))
        data[place : place + size] = number.to_bytes(size, generator.choice(("big", "little")))


MUTATIONS: tuple[Mutation, ...] = (cut_off, flip_bits, zero_range, swap_ranges, replace_numbers)


def _seed_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yields the formats and a sound file of each."""
    from PIL import Image

    from tests.videos import portrait_frames, write_video

    frames = portrait_frames(12, size=(144, 192))
    for name, (file, encoder, options) in _VIDEOS.items():
        path = folder / file
        pixel_format = _PIXEL_FORMATS.get(encoder, "yuv420p")
        yield (
            name,
            write_video(path, frames, 12, encoder, pixel_format=pixel_format, arguments=options),
        )
    for name, (file, more) in _STILLS.items():
        Image.fromarray(frames[0]).save(folder / file, **more)
        yield name, folder / file


class Worker:
    """A process that predicts, which may die."""

    def __init__(self, folder: Path):
        """Starts the process; `folder` is for its model and its temporary files."""
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self._model = folder / "model"
        self._start()

    def predict(self, path: Path) -> Answer:
        """Returns what came of a file; the process is started again if it died or took too long."""
        try:
            self._pipe.send(path)
            if self._pipe.poll(_SECONDS):
                return self._pipe.recv()
            outcome = "too slow"
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self._process.join(10)
            outcome = f"died with {self._process.exitcode}"
        self.close()
        self._start()
        return Answer(outcome, is_fault=True, num_children=0, num_open_files=0, memory=0)

    def close(self) -> None:
        """Ends the process."""
        self._pipe.close()
        self._process.kill()
        self._process.join()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(
            target=_predict_all, args=(other, self._model, self.temporary), daemon=True
        )
        self._process.start()
        other.close()
        if not self._pipe.poll(_WARM_UP_SECONDS):
            raise SystemExit("The process that predicts did not start.")
        self._pipe.recv()


def _predict_all(pipe: Connection, model: Path, temporary: Path) -> None:
    """Answers each path with an `Answer`, until the other end is closed."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    tempfile.tempdir = str(temporary)
    from dfjax.errors import VideoError
    from dfjax.predictor import Predictor
    from dfjax.video.limits import VideoLimits
    from tests.tiny import tiny_detector

    if not (model / "config.json").exists():
        tiny_detector().save_pretrained(model)
    limits = VideoLimits(max_decode_seconds=_SECONDS_OF_DECODING)
    predictor = Predictor.from_pretrained(model, limits=limits)
    predictor.warm_up()
    pipe.send("ready")
    while True:
        try:
            path = pipe.recv()
        except EOFError:
            return
        is_fault = False
        try:
            predictor(path)
            outcome = "answer"
        except VideoError as error:
            outcome = type(error).__name__
        except Exception as error:  # what we look for
            outcome, is_fault = f"{type(error).__name__}: {error}"[:80], True
        for thread in threading.enumerate():
            # Asking a file where it is from may outlast the error that it cannot be judged.
            if thread.name.startswith("origin"):
                thread.join(timeout=10)
        pipe.send(Answer(outcome, is_fault, *_state()))


def _state() -> tuple[int, int, int]:
    """Returns this process's numbers of children and open files, and its memory in bytes."""
    children = 0
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that has just ended
            children += len((task / "children").read_text().split())
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return children, len(os.listdir("/proc/self/fd")), pages * os.sysconf("SC_PAGE_SIZE")


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


if __name__ == "__main__":
    main()
