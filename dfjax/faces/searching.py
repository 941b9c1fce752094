"""Looks for faces in the sampled frames of a file, and crops some, while the rest are decoded."""

import dataclasses
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from os import PathLike

import numpy as np

from dfjax.config import Config
from dfjax.faces.detection import FaceDetector, Faces
from dfjax.faces.finding import FACE_BATCH, find_in_video
from dfjax.faces.following import Frame
from dfjax.faces.held_frames import (
    AheadCrop,
    CropKey,
    Cropped,
    HeldFrames,
    Seen,
    every_face,
    likely_kept,
)
from dfjax.faces.sampled import SampledFrame, SampledFrames, sample_frames
from dfjax.video.ahead import read_ahead
from dfjax.video.decode import Findings
from dfjax.video.info import VideoInfo
from dfjax.video.limits import VideoLimits

LOOKING = "Reading the video, looking for faces"
"""The name of this stage in reports of progress."""

OnProgress = Callable[[float, str], None]
"""Called with the fraction done, 0 to 1, and a few words that name the stage."""

OnCrops = Callable[[list[AheadCrop]], None]
"""Called with crops, most or all of which will be in the result."""


@dataclasses.dataclass(kw_only=True)
class Searched:
    """The sampled frames of a file, the faces in each, and some crops of them."""

    timestamps: list[float] = dataclasses.field(default_factory=list)
    frames: list[np.ndarray | None] = dataclasses.field(default_factory=list)  # None: done with
    colours: list[np.ndarray] = dataclasses.field(default_factory=list)
    faces: list[Faces] = dataclasses.field(default_factory=list)
    crops: dict[CropKey, Cropped] = dataclasses.field(default_factory=dict)
    findings: Findings = dataclasses.field(default_factory=Findings)
    seconds_waited: float = 0.0  # for frames

    def held(self, part: slice) -> list[Frame]:
        """Returns times and pictures of frames of which none was let go."""
        both = zip(self.timestamps[part], self.frames[part], strict=True)
        return [(time, frame) for time, frame in both if frame is not None]

    def let_go(self, end: int) -> None:
        """Lets go of those of the first frames of which all faces are cropped."""
        for index in range(end):
            time, boxes = self.timestamps[index], self.faces[index].boxes_xyxy
            if all((time, box.tobytes()) in self.crops for box in boxes):
                self.frames[index] = None


def search_file(
    path: str | PathLike[str],
    config: Config,
    face_detector: FaceDetector,
    limits: VideoLimits,
    info: VideoInfo,
    report: OnProgress,
    give: OnCrops,
    sampled: SampledFrames | None = None,
) -> Searched:
    """Looks for faces in the sampled frames, and crops some, while the rest are decoded."""
    searched = Searched() if sampled is None else Searched(findings=sampled.findings)
    held = HeldFrames(config.crops, every_face(config.tracks))
    bursts: dict[float, int] = {}

    def read() -> Generator[SampledFrame, None, None]:
        if sampled is None:
            reading = sample_frames(path, config.video, limits, info, searched.findings)
            yield from read_ahead(reading, FACE_BATCH)
        else:
            while sampled.frames:
                yield sampled.frames.popleft()

    def frames() -> Generator[Frame, None, None]:
        with closing(read()) as coming:
            started = time.perf_counter()
            for timestamp, frame, shares in coming:
                searched.seconds_waited += time.perf_counter() - started
                bursts[timestamp] = len(searched.timestamps) // config.video.burst_frames
                searched.timestamps.append(timestamp)
                searched.frames.append(frame)
                searched.colours.append(shares)
                yield timestamp, frame
                started = time.perf_counter()

    def found(faces: Sequence[Faces], are_done: bool) -> None:
        start = len(searched.faces)
        searched.faces += faces
        end = len(searched.faces)
        report(0.95 * min(1.0, end / config.video.num_frames), LOOKING)
        if end == len(searched.frames):  # the last ones are cropped once all is known
            return
        part = slice(start, end)
        shares, sizes = searched.colours[part], searched.findings.sizes[part]
        seen = [Seen(*each) for each in zip(faces, shares, sizes, strict=True)]
        held.add(searched.held(part), seen)
        crops = held.crop(searched.timestamps[end])
        searched.crops |= crops
        give(likely_kept(crops, config.tracks, bursts))
        if are_done:
            searched.let_go(end)

    with closing(frames()) as coming:
        most = config.video.num_frames
        searched.faces = find_in_video(coming, face_detector, found, most_frames=most)
    return searched
