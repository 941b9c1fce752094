"""Links the faces found in sampled frames into face tracks, one per person.

Frames are sampled evenly over a video, so neighbours are 0.2 s apart in a short clip and 20 s apart
in a long one. What counts as the same face therefore depends on time: boxes must overlap if the gap
is short; as it grows, a face may have moved at `TrackConfig.max_speed` for up to a second.
"""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dfjax.config import TrackConfig
from dfjax.faces.boxes import overlaps, suppress

if TYPE_CHECKING:  # at run time it would import jax, which linking does not need
    from dfjax.faces.detection import Faces

_MOTION_SECONDS = 1.0  # how far ahead a face's motion predicts where it will be
_STAY_SECONDS = 1.0  # a real face stays at least this long; anything shorter is a false detection
_DUPLICATE_OVERLAP = 0.65  # intersection over the smaller box, for two boxes of the same face
_TURN_COST = 0.1  # of a face that stops or turns back instead of moving on; 1 is no match
_NO_MATCH = 1.0  # cost of leaving a face without a partner


@dataclasses.dataclass(frozen=True)
class FaceTrack:
    """One person's face over the sampled frames of a video.

    Attributes:
      id: 0, 1, … in order of first appearance, then from left to right.
      frame_indices: int64 [N], increasing, of the sampled frames in which the face was seen.
      boxes_xyxy: float32 [N, 4], pixels of the frame, max exclusive.
      landmarks: float32 [N, 5, 2], xy in pixels, in the order of `Faces.landmarks`.
      confidences: float32 [N], in [0, 1].
      quarter_turns: int64 [N], as in `Faces.quarter_turns`.
    """

    id: int
    frame_indices: np.ndarray
    boxes_xyxy: np.ndarray
    landmarks: np.ndarray
    confidences: np.ndarray
    quarter_turns: np.ndarray


class LinkedFaces(NamedTuple):
    """The faces of a video, of which some may be left out."""

    tracks: list[FaceTrack]  # ordered by id
    is_crowded: bool  # whether faces were left out because there are more than `max_tracks`
    num_frames: int  # how many frames show a face, be it left out or not


@dataclasses.dataclass(frozen=True)
class _Sightings:
    """The faces of all frames in one list, in an order that does not depend on the detector's."""

    frame_indices: np.ndarray  # int64 [M], not decreasing
    times: np.ndarray  # float64 [M], seconds, of those frames
    shots: np.ndarray  # int64 [M], of those frames
    boxes_xyxy: np.ndarray  # float64 [M, 4]
    landmarks: np.ndarray  # float32 [M, 5, 2]
    confidences: np.ndarray  # float32 [M]
    quarter_turns: np.ndarray  # int64 [M]
    centres: np.ndarray  # float64 [M, 2], of the boxes
    sides: np.ndarray  # float64 [M], of squares with the same area as the boxes


def link_faces(
    faces: Sequence["Faces"],
    timestamps: np.ndarray,
    config: TrackConfig = TrackConfig(),
    *,
    shots: np.ndarray | None = None,
) -> list[FaceTrack]:
    """Returns the tracks of `linked_faces`, at most `config.max_tracks` of them."""
    return linked_faces(faces, timestamps, config, shots=shots).tracks


def linked_faces(
    faces: Sequence["Faces"],
    timestamps: np.ndarray,
    config: TrackConfig = TrackConfig(),
    *,
    shots: np.ndarray | None = None,
    at_once: bool = False,
) -> LinkedFaces:
    """Links the faces of a video into tracks.

    Each frame's faces are assigned to the existing tracks at the lowest total cost (distance from
    the predicted position, and change of size). A track ends when its face has been missing for
    more than `max_gap` frames, and at a cut: whoever is at the same place afterwards may be someone
    else, so the same person is a new track then. Tracks with fewer than `min_frames` faces are
    dropped, except confident ones that are short only because samples are far apart, or without
    which the video would have no face at all.

    Args:
      faces: The faces found in each of T sampled frames.
      timestamps: float [T], seconds, increasing.
      config: Limits on what may be one face.
      shots: int64 [T], the number of each frame's shot, as from `shot_numbers`; None: there is one.
      at_once: Whether `max_tracks` holds for each frame, not for the whole video. In an edited
        video, one person is another track after each cut.

    Returns:
      At most `max_tracks` tracks, in all or in any one frame; if there are more, the largest and
      longest-seen.

    Raises:
      ValueError: `faces` and `timestamps` differ in length, or time does not increase.
    """
    timestamps = np.asarray(timestamps, np.float64)
    if timestamps.shape != (len(faces),):
        raise ValueError(
            f"Faces of {len(faces)} frames came with timestamps of shape {timestamps.shape}; "
            "give one time per frame."
        )
    if np.any(np.diff(timestamps) <= 0):
        raise ValueError("timestamps must increase from frame to frame; sort the frames by time.")

    shots = np.zeros(len(faces), np.int64) if shots is None else shots
    sightings = _gather(faces, timestamps, shots)
    tracks: list[list[int]] = []  # rows of `sightings`
    for frame_index in np.unique(sightings.frame_indices):
        _extend(tracks, sightings, int(frame_index), config)
    real = _select(sightings, tracks, timestamps, shots, config)
    most = config.max_tracks
    tracks = _at_once(sightings, real, most) if at_once else real[:most]
    first = [(sightings.frame_indices[t[0]], *sightings.boxes_xyxy[t[0]]) for t in tracks]
    ordered = [tracks[i] for i in sorted(range(len(tracks)), key=first.__getitem__)]
    return LinkedFaces(
        tracks=[_face_track(sightings, track, number) for number, track in enumerate(ordered)],
        is_crowded=len(tracks) < len(real),
        num_frames=len({index for track in real for index in sightings.frame_indices[track]}),
    )


class FaceTracker:
    """Links the faces of a stream frame by frame, as `link_faces` links those of a whole video.

    It remembers no more than the last second of the faces that may still come back. Short tracks
    are not dropped, since nobody knows yet how long they will be.
    """

    def __init__(self, config: TrackConfig = TrackConfig(), *, most_seconds: float = np.inf):
        """Takes the limits.

        Args:
          config: As for `link_faces`.
          most_seconds: For how long a face may be away. Whoever comes after that is someone new,
            unless the frames themselves are further apart.
        """
        self._config, self._most_seconds = config, most_seconds
        self._sightings = _gather([], np.zeros(0), np.zeros(0, np.int64))
        self._tracks: list[list[int]] = []  # rows of `_sightings`
        self._ids: list[int] = []  # of the tracks
        self._num_frames = self._num_tracks = 0

    def update(
        self, faces: "Faces", timestamp: float, shot: int = 0
    ) -> list[tuple[FaceTrack, np.ndarray]]:
        """Returns the tracks that are seen in the next frame, with the last second of each.

        Args:
          faces: The faces found in the frame.
          timestamp: Of the frame, seconds; later than that of the frame before.
          shot: The number of the frame's shot, as from `shot_numbers`.

        Returns:
          Ordered by id: each track, and the float64 [N] timestamps of its N frames, seconds, which
          its `frame_indices` index.
        """
        found = _gather([faces], np.array([timestamp], np.float64), np.array([shot]))
        index = self._num_frames
        self._num_frames += 1
        self._forget(index - 1, timestamp)
        found = dataclasses.replace(found, frame_indices=found.frame_indices + index)
        both = zip(_columns(self._sightings), _columns(found), strict=True)
        self._sightings = _Sightings(*map(np.concatenate, both))
        if len(found.frame_indices):
            _extend(self._tracks, self._sightings, index, self._config)
        new = range(self._num_tracks, self._num_tracks + len(self._tracks) - len(self._ids))
        self._ids += new
        self._num_tracks += len(new)
        self._forget(index, timestamp)
        seen = [
            (_face_track(self._sightings, track, number), self._sightings.times[track])
            for number, track in zip(self._ids, self._tracks, strict=True)
            if self._sightings.frame_indices[track[-1]] == index
        ]
        return [
            (dataclasses.replace(track, frame_indices=np.arange(len(times))), times)
            for track, times in seen
        ]

    def scale(self, factor: float) -> None:
        """Gives the faces that are known the places that they have in larger or smaller frames.

        Args:
          factor: Side of the coming frames over that of the frames before.
        """
        known = self._sightings
        self._sightings = dataclasses.replace(
            known,
            boxes_xyxy=known.boxes_xyxy * factor,
            landmarks=known.landmarks * np.float32(factor),
            centres=known.centres * factor,
            sides=known.sides * factor,
        )

    def _forget(self, index: int, now: float) -> None:
        """Forgets the tracks that end with a frame, and all but the last second of the others."""

        def may_come_back(last: int) -> bool:
            is_away = indices[last] < index and now - times[last] > self._most_seconds
            return index - indices[last] <= self._config.max_gap and not is_away

        times, indices = self._sightings.times, self._sightings.frame_indices
        open_tracks = [
            (number, [row for row in track if times[row] >= times[track[-1]] - _MOTION_SECONDS])
            for number, track in zip(self._ids, self._tracks, strict=True)
            if may_come_back(track[-1])
        ]
        rows = sorted(row for _, track in open_tracks for row in track)
        place_of = {row: place for place, row in enumerate(rows)}
        self._sightings = _Sightings(*(column[rows] for column in _columns(self._sightings)))
        self._ids = [number for number, _ in open_tracks]
        self._tracks = [[place_of[row] for row in track] for _, track in open_tracks]


def _columns(sightings: _Sightings) -> tuple[np.ndarray, ...]:
    return tuple(vars(sightings).values())


def _face_track(sightings: _Sightings, track: Sequence[int], number: int) -> FaceTrack:
    return FaceTrack(
        id=number,
        frame_indices=sightings.frame_indices[track],
        boxes_xyxy=sightings.boxes_xyxy[track].astype(np.float32),
        landmarks=sightings.landmarks[track],
        confidences=sightings.confidences[track],
        quarter_turns=sightings.quarter_turns[track],
    )


def _gather(faces: Sequence["Faces"], timestamps: np.ndarray, shots: np.ndarray) -> _Sightings:
    """Returns the faces of all frames; of two boxes on one face, only the more confident."""
    frame_indices, boxes, landmarks, confidences, turns = [], [], [], [], []
    for frame_index, found in enumerate(faces):
        frame_boxes = np.asarray(found.boxes_xyxy, np.float64).reshape(-1, 4)
        frame_confidences = np.asarray(found.confidences, np.float32)
        order = np.lexsort((*frame_boxes.T, -frame_confidences))
        order = order[np.all(frame_boxes[order, :2] < frame_boxes[order, 2:], axis=1)]
        kept = suppress(
            frame_boxes[order], frame_confidences[order], _DUPLICATE_OVERLAP, of_smaller=True
        )
        order = order[kept]
        frame_indices.append(np.full(len(order), frame_index, np.int64))
        boxes.append(frame_boxes[order])
        landmarks.append(np.asarray(found.landmarks, np.float32).reshape(-1, 5, 2)[order])
        confidences.append(frame_confidences[order])
        turns.append(np.full(len(order), found.quarter_turns, np.int64))
    indices = np.concatenate([np.empty(0, np.int64), *frame_indices])
    all_boxes = np.concatenate([np.empty((0, 4)), *boxes])
    return _Sightings(
        frame_indices=indices,
        times=timestamps[indices],
        shots=shots[indices],
        boxes_xyxy=all_boxes,
        landmarks=np.concatenate([np.empty((0, 5, 2), np.float32), *landmarks]),
        confidences=np.concatenate([np.empty(0, np.float32), *confidences]),
        quarter_turns=np.concatenate([np.empty(0, np.int64), *turns]),
        centres=(all_boxes[:, :2] + all_boxes[:, 2:]) / 2,
        sides=np.sqrt(np.prod(all_boxes[:, 2:] - all_boxes[:, :2], axis=-1)),
    )


def _extend(
    tracks: list[list[int]], sightings: _Sightings, frame_index: int, config: TrackConfig
) -> None:
    """Extends the tracks with the faces of one frame, or starts new ones.

    It looks only at this frame and earlier ones, so live frames can be linked as they arrive.
    `FaceTracker` does.
    """
    rows = np.flatnonzero(sightings.frame_indices == frame_index)
    open_tracks = [
        track
        for track in tracks
        if frame_index - sightings.frame_indices[track[-1]] <= config.max_gap + 1
        and sightings.shots[track[-1]] == sightings.shots[rows[0]]
    ]
    partners = _assign(sightings, open_tracks, rows, config)
    for row, track in zip(rows.tolist(), partners, strict=True):
        if track is None:
            tracks.append([row])
        else:
            track.append(row)


def _assign(
    sightings: _Sightings, tracks: list[list[int]], rows: np.ndarray, config: TrackConfig
) -> list[list[int] | None]:
    """Returns, for each of the new faces `rows`, the track that it continues, or None."""
    partners: list[list[int] | None] = [None] * len(rows)
    if not tracks:
        return partners
    last = np.array([track[-1] for track in tracks])
    boxes, sides = sightings.boxes_xyxy, sightings.sides
    time = float(sightings.times[rows[0]])
    shifts = np.stack([_predicted_shift(sightings, track, time) for track in tracks])

    # The cost is a squared distance, so that two faces that move half the way are cheaper than one
    # that jumps. So people less than half a face apart are mixed up if one leaves as another comes.
    reach = config.max_speed * np.minimum(time - sightings.times[last], _MOTION_SECONDS)
    scale = np.sqrt(sides[last][:, None] * sides[rows][None, :])
    offsets = sightings.centres[rows][None, :] - sightings.centres[last][:, None]
    from_last = np.linalg.norm(offsets, axis=-1) / scale
    from_predicted = np.linalg.norm(offsets - shifts[:, None], axis=-1) / scale
    limit = np.maximum(reach, 1.0)[:, None]
    moved = np.minimum(np.square(from_predicted / limit), np.square(from_last / limit) + _TURN_COST)
    resized = np.abs(np.log(sides[rows][None, :] / sides[last][:, None]))
    most_resized = max(np.log(config.max_size_ratio), 1e-6)
    cost = moved + np.square(resized / most_resized)

    overlap = np.maximum(
        overlaps(boxes[last], boxes[rows]),
        overlaps(boxes[last] + np.tile(shifts, 2), boxes[rows]),
    )
    near = np.minimum(from_last, from_predicted) <= reach[:, None]
    allowed = near | ((overlap > 0) & (overlap >= config.min_overlap))
    cost = np.where(allowed, np.minimum(cost, _NO_MATCH), _NO_MATCH)
    for i, j in _cheapest(cost):
        if cost[i, j] < _NO_MATCH:
            partners[j] = tracks[i]
    return partners


def _cheapest(cost: np.ndarray) -> Sequence[tuple[int, int]]:
    """Returns the pairs of rows and columns that together cost the least."""
    if cost.size == 1:
        return [(0, 0)]
    # Imported here because it takes a quarter of a second, and most videos show one face only.
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(cost)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _predicted_shift(sightings: _Sightings, track: list[int], time: float) -> np.ndarray:
    """Returns how far a track's face moves by `time` at constant velocity: float64 [2]."""
    last = sightings.times[track[-1]]
    if time - last > _MOTION_SECONDS:
        return np.zeros(2)
    recent = [row for row in track if sightings.times[row] >= last - _MOTION_SECONDS]
    times = sightings.times[recent] - sightings.times[recent].mean()
    if len(recent) < 2:
        return np.zeros(2)
    velocity = times @ sightings.centres[recent] / (times @ times)
    return velocity * (time - last)


def _select(
    sightings: _Sightings,
    tracks: list[list[int]],
    timestamps: np.ndarray,
    shots: np.ndarray,
    config: TrackConfig,
) -> list[list[int]]:
    """Returns the tracks that are real faces, the largest and longest-seen first."""
    enough = min(config.min_frames, len(timestamps))
    confident = [
        track
        for track in tracks
        if sightings.confidences[track].max() >= config.min_confidence or len(track) >= enough
    ]
    seen_enough = [
        track
        for track in confident
        if len(track) >= enough or len(track) >= _expected(sightings, track, timestamps, shots)
    ]
    # A video counts as "no face" only if none was found: a brief track is better than none.
    kept = seen_enough or confident
    sides = sightings.sides
    kept.sort(key=lambda track: (-sides[track].sum(), track[0]))
    return kept


def _expected(
    sightings: _Sightings, track: list[int], timestamps: np.ndarray, shots: np.ndarray
) -> int:
    """Returns in how many samples a face is that stays a second in the shot of a track.

    Samples may come in bursts. Then these are the ones of a burst, or fewer if it spans a cut.
    """
    times = timestamps[shots == sightings.shots[track[0]]]
    most = 1
    for time in sightings.times[track]:
        near = times[np.abs(times - time) <= _STAY_SECONDS / 2]
        if len(near) > 1:
            a_second = int(_STAY_SECONDS * (len(near) - 1) / (near[-1] - near[0]))
            most = max(most, min(len(near), a_second))
    return most


def _at_once(sightings: _Sightings, tracks: list[list[int]], most: int) -> list[list[int]]:
    """Returns the first of the tracks, except those that would make more than `most` in a frame."""
    num_seen = np.zeros(sightings.frame_indices.max(initial=-1) + 1, np.int64)
    kept = []
    for track in tracks:
        frames = sightings.frame_indices[track]
        if num_seen[frames].max() < most:
            num_seen[frames] += 1
            kept.append(track)
    return kept
