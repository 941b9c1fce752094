"""Reads a long video look by look, and keeps the crops of its faces, not its frames."""

import dataclasses
import math
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from os import PathLike
from typing import NamedTuple

import numpy as np

from dfjax.config import MAX_CROP_BYTES, Config, VideoConfig
from dfjax.faces.clips import (
    LOOKING,
    FaceClip,
    FaceClips,
    OnCrops,
    OnProgress,
    clear_ones,
    is_damaged,
    shown_boxes,
    shown_scales,
)
from dfjax.faces.detection import FaceDetector
from dfjax.faces.finding import FACE_BATCH
from dfjax.faces.following import Frame, batches, detect_in_video
from dfjax.faces.glances import APART, looks_at_faces, nearest, times_with_faces
from dfjax.faces.held_frames import (
    CropKey,
    Cropped,
    HeldFrames,
    Seen,
    crop_keys,
    every_face,
    faces_held,
    likely_kept,
    link,
    shots_seen,
)
from dfjax.faces.shots import colours, num_in_shot
from dfjax.video.ahead import read_ahead
from dfjax.video.decode import Findings
from dfjax.video.info import VideoInfo, as_found
from dfjax.video.limits import VideoLimits
from dfjax.video.reading import frame_size, read_frames, read_keyframes
from dfjax.video.sampling import GRID_SECONDS, burst_sizes

_CLOSER = 1.5
"""Seconds before and after a look at which it is looked again."""

_FOR_CLOSER_LOOKS = 4
"""One in so many frames is kept for closer looks, if not all of the video can be seen."""

_MOST_GLANCES = 512  # at keyframes

_MOST_NEAR = 32  # frames planned so near each other that they are held together

_GLANCE_SIDE = 320  # pixels, the longer side of these

_MOST_BESIDE = 16
"""Frames that are held before and after those that are cropped, at most. At 25 a second they are
two thirds of one, and what lies further away moves a crop by a billionth."""


def most_frames(config: Config) -> int:
    """Returns of how many frames a `LongVideo` may hold the crops, if each is full of faces.

    Args:
      config: Its parts `tracks` and `crops` are used.
    """
    return MAX_CROP_BYTES // (3 * faces_held(config.tracks) * config.crops.image_size**2)


class LongVideo:
    """A video whose frames do not fit in memory together, or need not.

    First one looks around, then perhaps more closely where it seems worth it. The crop of a face
    depends on those around it for less than a second, and looks are further apart. So the faces of
    a look are cropped at once, and joined to tracks at the end, by where they were. There may be a
    track for every shot, but a few crops of each frame are all that is held. If no face is found,
    nothing is searched any harder.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        config: Config,
        face_detector: FaceDetector,
        plan: VideoConfig,
        *,
        info: VideoInfo,
        limits: VideoLimits = VideoLimits(),
        on_crops: OnCrops | None = None,
    ):
        """Reads nothing yet.

        Args:
          path: The file.
          config: Its parts `tracks` and `crops` are used.
          face_detector: Made from `config.faces`.
          plan: From `plan_looks`.
          info: Of the file.
          limits: How much the file may cost to read.
          on_crops: As for `read_face_clips`.
        """
        self.info = info
        self._give = on_crops or (lambda crops: None)
        self._path, self._config, self._face_detector = path, config, face_detector
        # The limit is about memory, and only a few looks' frames are held at a time.
        share = math.ceil(plan.num_frames / config.video.num_frames)
        self._limits = dataclasses.replace(limits, max_output_bytes=share * limits.max_output_bytes)
        self._seen: dict[float, Seen] = {}
        self._bursts: dict[float, int] = {}
        self._crops: dict[CropKey, Cropped] = {}
        self._probed, self._seconds, self._waited = info.read_seconds, 0.0, 0.0
        self._is_damaged = self._is_interlaced = False
        self._plan, self._burst = plan, config.video.burst_frames
        looks = len(burst_sizes(plan))
        self._looks: list[_Look] = []
        self._frames_left = 0
        if looks * GRID_SECONDS < info.duration:
            self._frames_left = plan.num_frames // _FOR_CLOSER_LOOKS
            self._plan = dataclasses.replace(plan, num_frames=plan.num_frames - self._frames_left)

    def look_around(self, on_progress: OnProgress) -> None:
        """Looks at all of the video, or, if that is too much, mostly where faces are.

        Raises:
          VideoError: The file cannot be read.
        """
        started = time.perf_counter()
        times, at_keyframes = None, False
        if self._frames_left:
            on_progress(0.0, "Looking over the video")
            times, at_keyframes = self._glance()
        self._look(_Look(times, self._plan, at_keyframes), on_progress)
        self._seconds += time.perf_counter() - started

    def _glance(self) -> tuple[np.ndarray | None, bool]:
        """Returns when to look, None for evenly, and whether keyframes are then."""
        height, width = frame_size(self.info, self._plan)
        scale = min(1.0, _GLANCE_SIDE / max(height, width))
        small = max(1, round(height * scale)), max(1, round(width * scale))
        findings = Findings()
        keyframes = read_keyframes(
            self._path,
            self.info,
            small,
            most=_MOST_GLANCES,
            limits=self._limits,
            findings=findings,
        )
        with closing(keyframes):
            glanced, seen = times_with_faces(self._awaited(keyframes), self._face_detector)
        self._note(findings)
        self.info = as_found(self.info, [], is_interlaced=findings.is_interlaced)
        num_looks, duration = len(burst_sizes(self._plan)), self.info.duration
        most_near = _MOST_NEAR // self._plan.burst_frames
        times = looks_at_faces(glanced, seen, duration, num_looks, most_near)
        # Single frames may as well be those that are decoded without any other.
        if times is None and self._plan.burst_frames == 1 and 2 * len(glanced) >= num_looks:
            times = nearest(glanced, duration, num_looks)
            self._frames_left += num_looks - len(times)
            return times, True
        return times, False

    def look_closer(self, suspicious: np.ndarray, on_progress: OnProgress) -> bool:
        """Looks again around some moments, in bursts of frames in a row.

        Args:
          suspicious: float64 [n], seconds, of frames that were seen, the most suspicious first.
          on_progress: Called with the progress of this function.

        Returns:
          Whether it did: there may be no need, or no frames left.

        Raises:
          VideoError: The file cannot be read.
        """
        started = time.perf_counter()
        known = np.sort(np.array(list(self._seen)))
        chosen: list[float] = []
        most = self._frames_left // self._burst
        for moment in suspicious.tolist():
            if len(chosen) >= most:
                break
            for again in (moment - _CLOSER, moment + _CLOSER):
                taken = np.append(known, chosen)
                is_new = np.abs(taken - again).min(initial=np.inf) >= APART
                if is_new and 0 <= again < self.info.duration:
                    chosen.append(again)
        chosen = chosen[:most]
        if not chosen:
            return False
        self._frames_left = 0
        plan = dataclasses.replace(
            self._plan, num_frames=len(chosen) * self._burst, burst_frames=self._burst
        )
        self._look(_Look(np.sort(chosen), plan, at_keyframes=False), on_progress)
        self._seconds += time.perf_counter() - started
        return True

    def clips(self) -> FaceClips:
        """Returns the faces seen so far."""
        started = time.perf_counter()
        times = np.sort(np.array(list(self._seen), np.float64))
        seen = [self._seen[moment] for moment in times.tolist()]
        size = frame_size(self.info, self._plan)
        scales = shown_scales([each.size for each in seen], self.info) if seen else None
        shots = shots_seen(seen)
        linked = link(seen, times, shots, self._config.tracks)
        clips = []
        for track in linked.tracks:
            keys = crop_keys(track, times)
            kept = [row for row, key in enumerate(keys) if key in self._crops]
            if kept:
                cropped = [self._crops[keys[row]] for row in kept]
                clips.append(
                    FaceClip(
                        track_id=track.id,
                        frame_indices=track.frame_indices[kept],
                        frames=np.stack([crop.pixels for crop in cropped]),
                        boxes_xyxy=shown_boxes(track.boxes_xyxy[kept], self.info, size),
                        landmarks=np.stack([crop.landmarks for crop in cropped]),
                        shot_frames=num_in_shot(shots, track.frame_indices),
                        scales=None if scales is None else scales[track.frame_indices[kept]],
                    )
                )
        found = clear_ones(clips, times, self._config, self.info)
        self._seconds += time.perf_counter() - started
        return dataclasses.replace(
            found,
            bursts=np.array([self._bursts[moment] for moment in times.tolist()], np.int64),
            num_with_face=linked.num_frames,
            is_crowded=linked.is_crowded,
            decode_seconds=self._probed + self._waited,
            face_seconds=self._seconds - self._waited,
            is_damaged=self._is_damaged,
        )

    def _look(self, look: "_Look", on_progress: OnProgress) -> None:
        """Looks as planned; if a picture is not like those before, again as all looks so far."""
        self._looks.append(look)
        self._look_once(look, on_progress)
        sizes = [each.size for each in self._seen.values()]
        shown = as_found(self.info, sizes, is_interlaced=self._is_interlaced)
        if shown != self.info:
            self.info = shown
            self._seen, self._bursts, self._crops = {}, {}, {}
            for each in self._looks:
                self._look_once(each, on_progress)

    def _look_once(self, look: "_Look", on_progress: OnProgress) -> None:
        """Looks as planned."""
        findings = Findings()
        if look.at_keyframes:
            frames = read_keyframes(
                self._path,
                self.info,
                frame_size(self.info, look.plan),
                timestamps=look.times,
                limits=self._limits,
                findings=findings,
            )
        else:
            frames = read_frames(
                self._path,
                look.plan,
                limits=self._limits,
                info=self.info,
                timestamps=look.times,
                findings=findings,
            )
        self._read(frames, findings, look.plan, on_progress)

    def _read(
        self,
        frames: Generator[Frame, None, None],
        findings: Findings,
        plan: VideoConfig,
        on_progress: OnProgress,
    ) -> None:
        """Looks for faces in frames, and crops them."""
        crops, tracks = self._config.crops, self._config.tracks
        held = HeldFrames(crops, every_face(tracks), most_beside=_MOST_BESIDE)
        done, num_read, upcoming = 0, 0, 0.0
        first_burst = max(self._bursts.values(), default=-1) + 1

        def coming(frames: Iterable[Frame]) -> Iterator[Frame]:
            nonlocal upcoming, num_read
            for frame in self._awaited(frames):
                upcoming = frame[0]
                self._bursts[upcoming] = first_burst + num_read // plan.burst_frames
                num_read += 1
                yield frame
            upcoming = math.inf

        with closing(read_ahead(frames, FACE_BATCH)) as ahead:
            for batch in batches(coming(ahead), FACE_BATCH):
                times, pictures = zip(*batch, strict=True)
                found = detect_in_video(pictures, times, self._face_detector)
                sizes = findings.sizes[done : done + len(batch)]
                each = zip(found, map(colours, pictures), sizes, strict=True)
                seen = [Seen(*of_frame) for of_frame in each]
                self._seen.update(zip(times, seen, strict=True))
                held.add(batch, seen)
                cropped = held.crop(upcoming)
                self._crops |= cropped
                self._give(likely_kept(cropped, tracks, self._bursts))
                done += len(batch)
                on_progress(min(1.0, done / plan.num_frames), LOOKING)
        self._is_damaged |= is_damaged(self.info, findings)
        self._is_interlaced |= findings.is_interlaced
        self._note(findings)

    def _awaited(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Yields frames, and counts the time that they are waited for."""
        started = time.perf_counter()
        for frame in frames:
            self._waited += time.perf_counter() - started
            yield frame
            started = time.perf_counter()
        self._waited += time.perf_counter() - started

    def _note(self, findings: Findings) -> None:
        """Counts the time that reading took against what is left of the limit."""
        spent = self.info.read_seconds + findings.read_seconds
        self.info = dataclasses.replace(self.info, read_seconds=spent)


class _Look(NamedTuple):
    """Which frames are read."""

    times: np.ndarray | None  # float64 [n], seconds, increasing; None: evenly
    plan: VideoConfig
    at_keyframes: bool
