"""Runs ffmpeg on an untrusted file and reads its output, within limits.

The binary is imageio-ffmpeg's, called by its absolute path. It gets the file as an open descriptor,
and `fd` is the only protocol that it may use: whatever the file contains, ffmpeg can open neither
another file nor an address, and no character in the file's name can have a meaning to it.
"""

import collections
import dataclasses
import os
import re
import selectors
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

import numpy as np

from dfjax.errors import VideoError, VideoTimeError
from dfjax.video.confinement import confine
from dfjax.video.executable import ffmpeg_executable, other_ffmpeg_needed
from dfjax.video.formats import open_plain

# What phones, cameras, browsers and editing programs put into the containers that are read. Of two
# decoders of one codec, ffmpeg takes the first that it has; they give the same pixels.
_DECODERS = (
    "h264,hevc,vp8,vp9,libvpx,libvpx-vp9,libdav1d,libaom-av1,mpeg4,mjpeg,gif,prores,"
    "mpeg1video,mpeg2video,ffv1,rawvideo,apng,webp_anim,"
    "h263,flv,vp6f,vp6a,wmv1,wmv2,wmv3,vc1,msmpeg4v2,msmpeg4,dvvideo,dnxhd"
)

# Audio decoders are not needed, so they are not whitelisted. ffmpeg reports that each time, and for
# sound in MP2 also that the second decoder that it tries is not the first.
_ABOUT_SOUND = ("not on whitelist", "AVCodecContext was allocated for")

# The time at which the last picture before a break is shown may have been guessed from those after.
_ACROSS_BREAKS = "setts=pts=if(eq(DTS\\,NOPTS)+between((PTS-DTS)*TB\\,0\\,10)\\,PTS\\,DTS):dts=DTS"

# A message begins with what it is about. What a file says of itself may look like one further in.
_COMPLAINT = re.compile(r"(\[[^\]]+ @ \w+\] )*\[(error|fatal)\]")
_BY_DECODER = re.compile(rf"\[({_DECODERS.replace(',', '|')}) @ ")
_OPENED = "[info] Input #0, "  # what comes before is about opening the file

_MAX_LOG_BYTES = 1 << 20  # of ffmpeg's messages; the rest is discarded
_CHUNK_BYTES = 1 << 16
_CPU_PER_WAIT = 4  # seconds that a thread may work for each that we may wait; we do other things

SHOW = "showinfo=checksum=0"
"""The filter that lets `FfmpegRun` know the shape of each frame. It takes the log level "info"."""

_SHOWN = re.compile(
    rb"\[Parsed_showinfo_\d+ @ \w+\] \[info\] n: *\d+ [^\n]*"
    rb" fmt:(\w+) [^\n]*sar:(\d+)/(\d+) s:(\d+)x(\d+) i:(\w) "
)


class Stopwatch:
    """Seconds spent waiting for ffmpeg on one video, and what is left of the limit."""

    def __init__(self, limit: float, spent: float = 0.0):
        self.limit = limit
        self.spent = spent

    @property
    def remaining(self) -> float:
        """Seconds left, at least 0."""
        return max(0.0, self.limit - self.spent)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Counts the time inside. What a caller does between two frames is not counted."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.spent += time.monotonic() - started


@dataclasses.dataclass(frozen=True, kw_only=True)
class MediaFile:
    """A file that has been identified, and how it may be read."""

    path: Path
    name: str  # safe to display
    demuxer: str  # the one demuxer that ffmpeg may use on it
    max_pixels: int  # of one coded frame
    stream: str = "V:0"  # which one is read, as ffmpeg's `-map` calls it
    decoder: str | None = None  # None: the usual one of the codec
    has_breaks: bool = False  # whether its clock restarts or jumps; then ffmpeg makes one that runs


class Shape(NamedTuple):
    """What a decoded frame is, turned as displayed, before it is scaled."""

    height: int  # pixels
    width: int
    aspect: Fraction  # of a pixel, width over height; 0: not known
    pixel_format: str  # as ffmpeg calls it
    is_interlaced: bool  # whether it is marked as consisting of two pictures, line by line


class Picture(NamedTuple):
    """A decoded frame as it was delivered."""

    time: Fraction  # seconds by the file's own clock
    pixels: np.ndarray  # uint8 [H, W, C]
    shape: Shape | None  # None: `SHOW` is not among the filters


class FfmpegRun:
    """A running ffmpeg process: its output, the times of its frames, and its messages.

    Use it in a `with` block: whatever happens, the process is ended and its pipes are closed.
    """

    def __init__(
        self,
        source: MediaFile,
        stopwatch: Stopwatch,
        input_options: Sequence[str],
        output_options: Sequence[str],
        *,
        output: BinaryIO | None = None,
        log_level: str = "error",
    ):
        """Starts reading one video stream.

        Args:
          source: The file.
          stopwatch: Limits the time that is spent waiting for this run.
          input_options: Options for decoding and seeking. Times are the file's own, or, if its
            clock has breaks, those of one that runs on from the start of the file.
          output_options: Filters, codec and format of what is written.
          output: An open, seekable file to write to; None: a pipe that is read here.
          log_level: Which of ffmpeg's messages are kept.

        Raises:
          VideoError: The file cannot be opened, or ffmpeg cannot be run.
        """
        self._source = source
        self._stopwatch = stopwatch
        self._log = bytearray()
        self._times: collections.deque[Fraction] = collections.deque()
        self._times_text = b""
        self._shapes: collections.deque[Shape] = collections.deque()
        self._messages_text = b""
        times_read, times_write = os.pipe()
        try:
            command = [ffmpeg_executable(), "-hide_banner", "-nostdin", "-nostats"]
            command += ["-loglevel", f"level+{log_level}"]
            command += ["-protocol_whitelist", "fd", "-format_whitelist", source.demuxer]
            command += ["-codec_whitelist", _DECODERS, "-max_pixels", str(source.max_pixels)]
            if source.demuxer == "mov":
                command += ["-enable_drefs", "0", "-use_absolute_path", "0"]
            if source.demuxer == "mpeg":  # says the times of some of its pictures only
                command += ["-fflags", "+genpts"]
            command += ["-f", source.demuxer, *input_options]
            command += ["-bsf:v", _ACROSS_BREAKS] if source.has_breaks else ["-copyts"]
            if source.decoder is not None:
                command += ["-c:v", source.decoder]
            command += ["-fd", "0", "-i", "fd:", "-map", f"0:{source.stream}"]
            command += ["-stats_enc_pre", f"pipe:{times_write}"]
            command += ["-stats_enc_pre_fmt", "{pts} {tb}", "-enc_time_base", "filter"]
            command += [*output_options, "pipe:1" if output is None else "fd:"]  # both are stdout
            with open_plain(source.path) as file:
                self._process = _started(command, file, output, times_write)
            confine(
                self._process.pid,
                max_pixels=source.max_pixels,
                cpu_seconds=_CPU_PER_WAIT * num_threads() * stopwatch.limit,
                writes_file=output is not None,
            )
        except BaseException:
            os.close(times_read)
            raise
        finally:
            os.close(times_write)
        self._shapes_follow = any(SHOW in option for option in output_options)
        self._stdout, self._stderr = self._process.stdout, self._process.stderr
        self._times_pipe = open(times_read, "rb", buffering=0)
        self._pipes = [p for p in (self._stdout, self._stderr, self._times_pipe) if p is not None]
        self._selector = selectors.DefaultSelector()
        for pipe in self._pipes:
            self._selector.register(pipe, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process, if it still runs, and closes the pipes. Harmless when repeated."""
        if self._process.poll() is None:
            self._process.kill()
        self._selector.close()
        for pipe in self._pipes:
            pipe.close()
        self._process.wait()

    @property
    def log(self) -> list[str]:
        """The lines that ffmpeg has written so far, each with its level in brackets."""
        return self._log.decode(errors="replace").splitlines()

    @property
    def complaints(self) -> list[str]:
        """The messages that may mean a damaged picture.

        At the log level "info" they are without those of decoders that only find out what is in the
        file. In a recording that begins between two keyframes, they cannot but fail at first.
        """
        opened = self._opened()
        return [
            line for n, line in self._complaints() if n >= opened or not _BY_DECODER.match(line)
        ]

    @property
    def begins_late(self) -> bool:
        """Whether the file begins with what cannot be decoded; told at the log level "info"."""
        opened = self._opened()
        return any(n < opened and _BY_DECODER.match(line) for n, line in self._complaints())

    def _opened(self) -> int:
        """Returns the number of the line that says that the file is open; 0: there is none."""
        return next((n for n, line in enumerate(self.log) if line.startswith(_OPENED)), 0)

    def _complaints(self) -> list[tuple[int, str]]:
        """Returns the numbers of lines, and the lines, that are about more than sound."""
        return [
            (n, line)
            for n, line in enumerate(self.log)
            if _COMPLAINT.match(line) and not any(words in line for words in _ABOUT_SOUND)
        ]

    def read_lines(self) -> Iterator[str]:
        """Yields what is written to stdout, line by line, to its end."""
        chunk, rest = memoryview(bytearray(_CHUNK_BYTES)), b""
        while (num_bytes := self._read_stdout(chunk)) > 0:
            *lines, rest = (rest + chunk[:num_bytes]).split(b"\n")
            for line in lines:
                yield line.decode(errors="replace")
        if rest:
            yield rest.decode(errors="replace")

    def read_picture(self, size: tuple[int, int, int]) -> Picture | None:
        """Returns the next raw picture, or None at the end.

        Args:
          size: Height and width, pixels, and number of channels.
        """
        frame = np.empty(size, np.uint8)
        space = frame.reshape(-1).data
        while space:
            num_bytes = self._read_stdout(space)
            if num_bytes == 0:
                return None
            space = space[num_bytes:]
        timestamp = self.read_time()
        return None if timestamp is None else Picture(timestamp, frame, self.read_shape())

    def read_time(self) -> Fraction | None:
        """Returns the time of the next frame, seconds by the file's own clock; None at the end."""
        while not self._times and self._times_pipe in self._open_pipes():
            self._wait(None)
        return self._times.popleft() if self._times else None

    def read_shape(self) -> Shape | None:
        """Returns the shape of the next frame; None at the end, or if nothing tells it."""
        while not self._shapes and self._shapes_follow and self._stderr in self._open_pipes():
            self._wait(None)
        return self._shapes.popleft() if self._shapes else None

    def finish(self) -> int:
        """Waits until the process has ended by itself, and discards the rest of stdout.

        Returns:
          Its exit status: 0 on success.
        """
        chunk = memoryview(bytearray(_CHUNK_BYTES))
        while self._open_pipes():
            self._wait(chunk)
        return self._process.wait()

    def _open_pipes(self) -> set[object]:
        return {key.fileobj for key in self._selector.get_map().values()}

    def _read_stdout(self, space: memoryview) -> int:
        """Returns how many bytes of stdout were put into `space`; 0 when all pipes have ended."""
        while self._open_pipes():
            num_bytes = self._wait(space)
            if num_bytes > 0:
                return num_bytes
        return 0

    def _wait(self, space: memoryview | None) -> int:
        """Waits for any pipe and reads it; returns how many bytes of stdout are now in `space`.

        With no `space`, stdout is left alone.
        """
        with self._stopwatch.running():
            ready = self._selector.select(self._stopwatch.remaining)
            taken = sum(self._read(key, space) for key, _ in ready)
        # With a flood of output select never times out, so check the remaining time as well.
        if not ready or self._stopwatch.remaining == 0:
            self.close()
            raise VideoTimeError(
                f"Reading {self._source.name!r} took longer than the limit of "
                f"{self._stopwatch.limit:g} seconds. Cut it shorter or make its pictures smaller."
            )
        return taken

    def _read(self, key: selectors.SelectorKey, space: memoryview | None) -> int:
        """Reads a pipe that is ready; returns how many bytes of stdout that were."""
        if key.fileobj is self._stdout:
            if space is None:
                return 0
            num_bytes = os.readv(key.fd, [space])
        else:
            data = os.read(key.fd, _CHUNK_BYTES)
            num_bytes = len(data)
            if key.fileobj is self._stderr:
                self._log += data[: max(0, _MAX_LOG_BYTES - len(self._log))]
                self._keep_shapes(data)
            else:
                self._keep_times(data)
        if num_bytes == 0:
            self._selector.unregister(key.fileobj)
            if not self._open_pipes():
                self._require_own_end()
        return num_bytes if key.fileobj is self._stdout else 0

    def _require_own_end(self) -> None:
        """Checks that the process, whose pipes have ended, was not killed.

        What it wrote is then not all that is in the file, which need not be damaged.

        Raises:
          VideoError: It was.
        """
        status = self._process.wait()
        if status < 0:
            raise VideoError(
                f"{self._source.name!r} could not be read: the program that decodes it was ended "
                f"by signal {-status}. The file may be damaged, or memory may have run out: try "
                "again when less is running."
            )

    def _keep_times(self, data: bytes) -> None:
        *lines, self._times_text = (self._times_text + data).split(b"\n")
        for line in lines:
            ticks, unit = line.split()
            self._times.append(int(ticks) * Fraction(unit.decode()))

    def _keep_shapes(self, data: bytes) -> None:
        if not self._shapes_follow:
            return
        # A line that never ends must fill no memory either.
        *lines, self._messages_text = (self._messages_text[:_CHUNK_BYTES] + data).split(b"\n")
        for found in filter(None, map(_SHOWN.match, lines)):
            pixel_format, *numbers, lines = found.groups()
            over, under, width, height = map(int, numbers)
            aspect = Fraction(over, under) if under else Fraction(0)
            is_interlaced = lines in (b"T", b"B")  # which of the two was taken first
            shape = Shape(height, width, aspect, pixel_format.decode(), is_interlaced)
            self._shapes.append(shape)


def _started(
    command: Sequence[str], file: BinaryIO, output: BinaryIO | None, times_write: int
) -> subprocess.Popen[bytes]:
    """Starts ffmpeg.

    Raises:
      VideoError: It cannot be run.
    """
    try:
        return subprocess.Popen(
            command,
            bufsize=0,
            stdin=file,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(times_write,),
            # A process that reads strangers' files gets none of our secrets.
            env={"AV_LOG_FORCE_NOCOLOR": "1"},
        )
    except OSError as error:
        if error.filename is None:  # no process or pipe can be made
            raise VideoError(
                f"No program can be started to read videos: {error.strerror}. Try again when less "
                "is running."
            ) from error
        raise other_ffmpeg_needed(f"cannot be run ({error.strerror})") from error


def num_threads() -> int:
    """Returns how many threads decode one video; more would cost memory and gain little."""
    return max(1, min(4, os.cpu_count() or 1))
