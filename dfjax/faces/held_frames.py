"""Holds the frames of a long video until their faces are cropped, and no longer."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dfjax.config import MAX_TRACKS, Config, TrackConfig
from dfjax.faces.clips import views
from dfjax.faces.crops import crop_landmarks, crop_track
from dfjax.faces.detection import Faces
from dfjax.faces.finding import FACE_BATCH
from dfjax.faces.following import Frame
from dfjax.faces.glances import APART
from dfjax.faces.shots import shots_of
from dfjax.faces.tracks import LinkedFaces, linked_faces

_SECONDS_BEFORE = 2 * APART
"""Who is who in a frame depends on how faces moved in the second before those that its crop depends
on."""

_MOST_BESIDE = FACE_BATCH
"""Frames before and after those that are cropped, at most, however near they are. At 25 a second
they are two thirds of one, and what lies further away moves a crop by a billionth."""


class Seen(NamedTuple):
    """What is kept of a frame."""

    faces: Faces
    colours: np.ndarray
    size: tuple[int, int]  # height and width of the picture as displayed, before it was fitted


class Cropped(NamedTuple):
    """One face in one frame."""

    pixels: np.ndarray  # uint8 [S, S, 3]
    landmarks: np.ndarray  # float32 [5, 2]


def faces_held(config: TrackConfig) -> int:
    """Returns of how many faces in a frame the crops are held, at most.

    They are more than are kept in the end, for the largest of a look need not be those of the
    video.
    """
    return min(2 * config.max_tracks, MAX_TRACKS)


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

    A crop depends on the frames up to `APART` seconds before and after. Where looks are further
    apart than that, all frames of a look are cropped and let go before the next one comes.
    """

    def __init__(self, config: Config):
        """Holds none yet.

        Args:
          config: Its parts `tracks` and `crops` are used.
        """
        self._crops = config.crops
        self._every_face = dataclasses.replace(
            config.tracks,
            min_frames=1,
            min_confidence=0.0,
            max_tracks=faces_held(config.tracks),
        )
        self._frames: list[Frame] = []
        self._seen: list[Seen] = []
        self._num_cropped = 0

    def __len__(self) -> int:
        """Returns how many frames are held."""
        return len(self._frames)

    def add(self, frames: Sequence[Frame], seen: Sequence[Seen]) -> None:
        """Takes frames, which are later than all before, and what was found in them."""
        self._frames += frames
        self._seen += seen

    def crop(self, upcoming: float) -> dict[tuple[float, bytes], Cropped]:
        """Crops the faces of those frames that no later one concerns, and lets go of what can go.

        Args:
          upcoming: The time of the next frame, seconds; infinite if there is none.

        Returns:
          The crops of the largest faces, by time and box.
        """
        times = np.array([time for time, _ in self._frames])
        end = int(np.searchsorted(times, upcoming - APART))
        end = max(end, len(times) - _MOST_BESIDE)
        crops = self._cropped(times, end) if end > self._num_cropped else {}
        self._num_cropped = max(end, self._num_cropped)
        start = _needed_from(np.append(times, upcoming), self._num_cropped)
        self._frames, self._seen = self._frames[start:], self._seen[start:]
        self._num_cropped -= start
        return crops

    def _cropped(self, times: np.ndarray, end: int) -> dict[tuple[float, bytes], Cropped]:
        """Returns the crops of the held frames up to `end` that have none yet."""
        frames = [frame for _, frame in self._frames]
        crops = {}
        for track in link(self._seen, times, shots_seen(self._seen), self._every_face).tracks:
            pixels, _ = crop_track(frames, track, times, self._crops)
            points = crop_landmarks(track, times, self._crops)
            for row, index in enumerate(track.frame_indices.tolist()):
                if self._num_cropped <= index < end:
                    key = float(times[index]), track.boxes_xyxy[row].tobytes()
                    crops[key] = Cropped(pixels[index], points[row])
        return crops


def _needed_from(times: np.ndarray, first: int) -> int:
    """Returns the first of the frames on which the crops from the frame `first` on depend."""
    start = first
    while (
        start > max(0, first - _MOST_BESIDE)
        and times[start] - times[start - 1] <= APART
        and times[first] - times[start - 1] <= _SECONDS_BEFORE
    ):
        start -= 1
    return start
