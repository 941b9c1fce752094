"""Follows the faces of a still picture through a film of it."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dfjax.config import Config
from dfjax.faces.clips import FaceClips, crop_faces
from dfjax.faces.tracks import FaceTrack
from dfjax.video.film import FPS
from dfjax.video.reading import probe, read_frames


def filmed_clips(
    path: Path, transforms: np.ndarray, tracks: Sequence[FaceTrack], config: Config
) -> FaceClips:
    """Reads a film of a picture; where its faces are follows from how the camera moved.

    Args:
      path: The file that `film` wrote.
      transforms: What `film` returned.
      tracks: The faces of the picture, in its pixels.
      config: Its parts `video` and `crops` are used.

    Raises:
      VideoError: The film cannot be read.
    """
    info = probe(path)
    times, frames = zip(*read_frames(path, config.video, info=info), strict=True)
    timestamps = np.array(times)
    seen = transforms[np.round(timestamps * FPS).astype(np.int64)]
    moved = [_moved(track, seen) for track in tracks]
    return crop_faces(frames, timestamps, moved, config, info)


def _moved(track: FaceTrack, transforms: np.ndarray) -> FaceTrack:
    """Returns a track of one frame, moved by each of the transforms [T, 2, 3]."""

    def move(points: np.ndarray) -> np.ndarray:
        turned = np.einsum("tij,kj->tki", transforms[:, :, :2], points)
        return turned + transforms[:, None, :, 2]

    left, top, right, bottom = track.boxes_xyxy[0]
    corners = move(np.array([[left, top], [right, top], [left, bottom], [right, bottom]]))
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    return dataclasses.replace(
        track,
        frame_indices=np.arange(len(transforms)),
        boxes_xyxy=boxes.astype(np.float32),
        landmarks=move(track.landmarks[0]).astype(np.float32),
        confidences=np.repeat(track.confidences, len(transforms)),
    )
