"""Holds the frames of a video until their faces are cropped, and no longer."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dfjax.config import MAX_TRACKS, CropConfig, TrackConfig
from dfjax.faces.crops import crop_landmarks, crop_rows
from dfjax.faces.detection import Faces
from dfjax.faces.following import Frame
from dfjax.faces.glances import APART
from dfjax.faces.shots import shots_of, views
from dfjax.faces.tracks import FaceTrack, LinkedFaces, linked_faces

_DEVIATIONS = 10
"""How many standard deviations of the smoothing away a frame is that has no part in a crop."""

CropKey = tuple[float, bytes]
"""When a face is seen, seconds, and its box in the frame."""


class Seen(NamedTuple):
    """What is kept of a frame."""

    faces: Faces
    colours: np.ndarray
    size: tuple[int, int]  # height and width of the picture as displayed, before it was fitted


class AheadCrop(NamedTuple):
    """A crop that is known before all of the video has been read."""

    burst: int  # the number of the burst that it is from
    pixels: np.ndarray  # uint8 [S, S, 3]


class Cropped(NamedTuple):
    """One face in one frame."""

    pixels: np.ndarray  # uint8 [S, S, 3]
    landmarks: np.ndarray  # float32 [5, 2]
    confidence: float  # of the detector


def there(picture: np.ndarray | None) -> np.ndarray:
    """Returns a picture that was not let go."""
    assert picture is not None, "pictures are let go of which all faces are cropped"
    return picture


def crop_keys(track: FaceTrack, times: np.ndarray) -> list[CropKey]:
    """Returns what the crops of a track are known by.

    Args:
      track: N faces.
      times: float64 [T], seconds, of all frames.
    """
    seen_at = times[track.frame_indices].tolist()
    return [(time, box.tobytes()) for time, box in zip(seen_at, track.boxes_xyxy, strict=True)]


def faces_held(config: TrackConfig) -> int:
    """Returns of how many faces in a frame the crops are held, at most.

    They are more than are kept in the end, for the largest of a look need not be those of the
    video.
    """
    return min(2 * config.max_tracks, MAX_TRACKS)


def every_face(config: TrackConfig) -> TrackConfig:
    """Returns how faces are linked of which nobody knows yet whether they will be kept."""
    return dataclasses.replace(config, min_frames=1, max_tracks=faces_held(config))


def likely_kept(
    crops: Mapping[CropKey, Cropped], config: TrackConfig, bursts: Mapping[float, int]
) -> list[AheadCrop]:
    """Returns those crops that will most likely be kept.

    They are surely faces, while others are only if they are seen for long, and there is no choice
    to be made among them, as in a crowd.

    Args:
      crops: Those that are known.
      config: Which faces are kept.
      bursts: The number of the burst at each time, seconds.
    """
    sure = {key: crop for key, crop in crops.items() if crop.confidence >= config.min_confidence}
    num_at = collections.Counter(time for time, _ in sure)
    return [
        AheadCrop(bursts[time], crop.pixels)
        for (time, _), crop in sure.items()
        if num_at[time] <= config.max_tracks
    ]


def link(
    seen: Sequence[Seen], times: np.ndarray, shots: np.ndarray, config: TrackConfig
) -> LinkedFaces:
    """Links the faces of frames, in each of which `config.max_tracks` limits how many are kept."""
    faces = [each.faces for each in seen]
    return linked_faces(faces, times, config, shots=shots, at_once=True)


def shots_seen(seen: Sequence[Seen]) -> np.ndarray:
    """Returns the number of each frame's shot, int64 [n]; a turned picture is another shot."""
    return shots_of([each.colours for each in seen]) + views([each.size for each in seen])


class HeldFrames:
    """The frames that are yet to be cropped, and those before them on which crops depend.

    A crop depends on the frames up to a second before and after, or more if it is smoothed over
    more. Where looks are further apart, all frames of a look are cropped and let go before the next
    one comes. Who is who depends on all that was seen before, which is kept; if there is no room
    for that (`most_beside`), on the second before those frames.
    """

    def __init__(self, crops: CropConfig, tracks: TrackConfig, *, most_beside: int | None = None):
        """Holds none yet.

        Args:
          crops: How faces are cropped.
          tracks: Which are, going by the frames that are held.
          most_beside: Frames before and after those that are cropped, at most, however near they
            are; None: there is room for all of them.
        """
        self._crops, self._tracks = crops, tracks
        self._most_beside = most_beside
        self._reach = max(APART, _DEVIATIONS * crops.smoothing)
        self._times: list[float] = []
        self._pictures: list[np.ndarray | None] = []  # None: let go
        self._seen: list[Seen] = []
        self._num_cropped = 0

    def __len__(self) -> int:
        """Returns how many frames are held."""
        return sum(picture is not None for picture in self._pictures)

    def add(self, frames: Sequence[Frame], seen: Sequence[Seen]) -> None:
        """Takes frames, which are later than all before, and what was found in them."""
        self._times += [time for time, _ in frames]
        self._pictures += [picture for _, picture in frames]
        self._seen += seen

    def crop(self, upcoming: float) -> dict[CropKey, Cropped]:
        """Crops the faces of those frames that no later one concerns, and lets go of what can go.

        Args:
          upcoming: The time of the next frame, seconds; infinite if there is none.

        Returns:
          The crops of the largest faces.
        """
        times = np.array(self._times)
        end = int(np.searchsorted(times, upcoming - self._reach))
        if self._most_beside is not None:
            end = max(end, len(times) - self._most_beside)
        crops = self._cropped(times, end) if end > self._num_cropped else {}
        self._num_cropped = end
        if self._most_beside is None:
            self._pictures[: self._num_cropped] = [None] * self._num_cropped
        else:
            start = self._needed_from(np.append(times, upcoming), self._most_beside)
            for kept in (self._times, self._pictures, self._seen):
                del kept[:start]
            self._num_cropped -= start
        return crops

    def _cropped(self, times: np.ndarray, end: int) -> dict[CropKey, Cropped]:
        """Returns the crops of the held frames up to `end` that have none yet."""
        crops = {}
        for track in link(self._seen, times, shots_seen(self._seen), self._tracks).tracks:
            indices = track.frame_indices
            rows = np.flatnonzero((indices >= self._num_cropped) & (indices < end))
            pictures = [there(self._pictures[index]) for index in indices[rows]]
            pixels = crop_rows(pictures, track, rows, times, self._crops)
            points = crop_landmarks(track, times, self._crops)
            keys = crop_keys(track, times)
            for row, crop in zip(rows.tolist(), pixels, strict=True):
                crops[keys[row]] = Cropped(crop, points[row], float(track.confidences[row]))
        return crops

    def _needed_from(self, times: np.ndarray, most_beside: int) -> int:
        """Returns the first of the frames on which crops depend that are not made yet."""
        first = start = self._num_cropped
        while (
            start > max(0, first - most_beside)
            and times[start] - times[start - 1] <= self._reach
            and times[first] - times[start - 1] <= self._reach + APART
        ):
            start -= 1
        return start
