"""Cuts a steady, upright clip of one face out of the frames in which it was tracked.

Training and the app both crop here, and pixels are whole numbers, so the same frames give
bit-identical crops.

Positions are continuous: pixel i covers [i, i + 1), so a whole frame is (0, 0, width, height).
"""

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from dfjax.config import CropConfig
from dfjax.faces.tracks import FaceTrack
from dfjax.resampling import resize, sample_affine

_THREADS = max(1, min(4, os.cpu_count() or 1))  # that cut; resampling does not hold the interpreter

_DETAIL_SIZE = 112  # pixels per side; smaller crops are measured as they are
_DETAIL_EDGE = 0.18  # share of the crop's side, at each edge, that is not face
_MAX_ROLL = math.radians(45)  # a detector of upright faces finds none that are tilted further

# The face frame, in units of the distance from the eyes to the mouth. The constants are medians of
# MTCNN's boxes on wide videos, so that `margin` means the same with either anchor. A box cannot do
# it alone: in a picture that a face fills, MTCNN's boxes are a tenth smaller.
_EYES_TO_MOUTH = 1.15  # that distance over the distance between the eyes, of a face from the front
_FACE_SIDE = 2.5  # of the face
_FACE_MIDDLE = 0.3  # how far below the eyes it lies
_MIN_SIDE = 0.5  # of the face over the box's longer side


def crop_transforms(
    track: FaceTrack, timestamps: np.ndarray, config: CropConfig = CropConfig()
) -> np.ndarray:
    """Returns the similarity transforms that map a track's frames to its crops.

    The middle of the face is mapped to the middle of the crop, the face's side times
    `config.margin` to the crop's side, and the face is turned upright. With the anchor "landmarks",
    middle and side follow from eyes and mouth, wherever the picture ends. With "box", they are the
    middle and the longer side of the face box.

    Position, log size and roll are each smoothed over time: at every frame a straight line is
    fitted with Gaussian weights of `config.smoothing` seconds. Jitter of the detector then does not
    make the crop jitter; steady motion is followed without lag, even next to gaps and at the ends;
    and samples that are far apart stay as they are.

    Args:
      track: N faces.
      timestamps: float [T], seconds, of all sampled frames; `track.frame_indices` indexes it.
      config: Size, margin and smoothing.

    Returns:
      float64 [N, 2, 3]: crop_xy = matrix @ (frame_x, frame_y, 1), in pixels.
    """
    middles, sides = _face_squares(track, config)
    poses = np.column_stack([middles, np.log(sides), _roll(track)])
    times = np.asarray(timestamps, np.float64)[track.frame_indices]
    x, y, log_side, roll = _smooth(poses, times, config.smoothing).T

    scale = config.image_size / (config.margin * np.exp(log_side))
    cos, sin = scale * np.cos(roll), scale * np.sin(roll)
    middle = config.image_size / 2
    return np.stack(
        [
            np.stack([cos, sin, middle - cos * x - sin * y], axis=-1),
            np.stack([-sin, cos, middle + sin * x - cos * y], axis=-1),
        ],
        axis=1,
    )


def crop_rule(config: CropConfig) -> str:
    """Returns how to cut a face out of a picture, in words for people who have their own tools."""
    if config.anchor == "box":
        rule = (
            "Its middle is that of the face's box as MTCNN finds it, and its side "
            f"{config.margin:g} times the longer one of the box."
        )
    else:
        side = config.margin * _FACE_SIDE
        rule = (
            f"Its middle lies {_FACE_MIDDLE:g} of the distance from the eyes to the mouth below "
            f"the eyes. Its side is {side:g} times that distance, or {side * _EYES_TO_MOUTH:g} "
            "times that between the eyes if this is more."
        )
    return (
        f"An upright square, scaled to {config.image_size} pixels, RGB, black outside the picture. "
        f"{rule} Over the frames of a video, place, size and angle are smoothed with a standard "
        f"deviation of {config.smoothing:g} seconds."
    )


def crop_track(
    frames: Sequence[np.ndarray],
    track: FaceTrack,
    timestamps: np.ndarray,
    config: CropConfig = CropConfig(),
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the crops of one face, one per frame, and a mask of where it was present.

    Anything outside the frame is black. Mirrored skin would be texture that no camera saw, with a
    seam: exactly what a detector of manipulated faces looks for.

    Args:
      frames: T frames, uint8 [H, W, 3] RGB; those without the face are ignored.
      track: The face.
      timestamps: float [T], seconds.
      config: Size, margin and smoothing.

    Returns:
      The clip, uint8 [T, S, S, 3], zero where the face is absent, and `frame_mask`, bool [T], True
      where it is present.

    Raises:
      ValueError: The number of frames differs from the number of timestamps.
    """
    if len(frames) != len(timestamps):
        raise ValueError(
            f"{len(frames)} frames came with {len(timestamps)} timestamps; give one per frame."
        )
    clip = np.zeros((len(frames), config.image_size, config.image_size, 3), np.uint8)
    frame_mask = np.zeros(len(frames), bool)
    frame_mask[track.frame_indices] = True
    indices = track.frame_indices
    pictures = [frames[index] for index in indices]
    clip[indices] = crop_rows(pictures, track, np.arange(len(indices)), timestamps, config)
    return clip, frame_mask


def crop_rows(
    pictures: Sequence[np.ndarray],
    track: FaceTrack,
    rows: np.ndarray,
    timestamps: np.ndarray,
    config: CropConfig = CropConfig(),
) -> np.ndarray:
    """Returns some of the crops of `crop_track`, without the frames between: uint8 [n, S, S, 3].

    Args:
      pictures: The n frames that they are cut from.
      track: The face, all of which says where its crops lie.
      rows: int [n], which of the track's N faces they are.
      timestamps: As for `crop_track`.
      config: As for `crop_track`.
    """
    transforms = crop_transforms(track, timestamps, config)[rows]
    crops = np.empty((len(rows), config.image_size, config.image_size, 3), np.uint8)

    def cut(place: int, picture: np.ndarray, transform: np.ndarray) -> None:
        crops[place] = _crop(picture, transform, config.image_size)

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="crop") as pool:
        list(pool.map(cut, range(len(rows)), pictures, transforms))
    return crops


def crop_latest(
    frame: np.ndarray,
    track: FaceTrack,
    timestamps: np.ndarray,
    config: CropConfig = CropConfig(),
) -> np.ndarray:
    """Returns the crop of the last frame of a track: uint8 [S, S, 3].

    It is the last one of `crop_track`, for which the pictures before are not needed.

    Args:
      frame: uint8 [H, W, 3] RGB, the last one that shows the face.
      track: The face, up to this frame.
      timestamps: As for `crop_transforms`.
      config: Size, margin and smoothing.
    """
    return _crop(frame, crop_transforms(track, timestamps, config)[-1], config.image_size)


def crop_landmarks(
    track: FaceTrack, timestamps: np.ndarray, config: CropConfig = CropConfig()
) -> np.ndarray:
    """Returns a track's landmarks in its crops: float32 [N, 5, 2], xy in crop pixels.

    Args:
      track: N faces.
      timestamps: float [T], seconds, of all sampled frames.
      config: As for `crop_track`.
    """
    transforms = crop_transforms(track, timestamps, config)
    points = np.einsum("nij,nkj->nki", transforms[:, :, :2], track.landmarks)
    return (points + transforms[:, None, :, 2]).astype(np.float32)


def detail(crops: np.ndarray) -> float:
    """Returns how much fine detail the crops of a face show, regardless of light and contrast.

    This is the standard deviation of the Laplacian divided by that of the luma, in the middle of a
    crop at 112 pixels; the median over the crops. It is lower for a face that is out of focus or
    only a few pixels in size.

    Args:
      crops: uint8 [n, S, S, 3] RGB, n at least 1.
    """
    values = []
    for crop in crops:
        grey = Image.fromarray(crop).convert("L")
        if len(crop) > _DETAIL_SIZE:
            grey = grey.resize((_DETAIL_SIZE, _DETAIL_SIZE), Image.Resampling.BOX)
        luma = np.asarray(grey, np.float64)
        edge = round(_DETAIL_EDGE * len(luma))
        luma = luma[edge:-edge, edge:-edge]
        around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
        laplacian = around - 4 * luma[1:-1, 1:-1]
        values.append(laplacian.std() / max(float(luma.std()), 1.0))
    return float(np.median(values))


def _face_squares(track: FaceTrack, config: CropConfig) -> tuple[np.ndarray, np.ndarray]:
    """Returns the middles [N, 2] and the sides [N] of a track's faces, pixels of the frame."""
    boxes = np.asarray(track.boxes_xyxy, np.float64)
    box_sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    if config.anchor == "box":
        return (boxes[:, :2] + boxes[:, 2:]) / 2, box_sides
    across, down, eyes = _face_lines(track.landmarks)
    # When a head turns, the eyes come together; when it nods, they approach the mouth. The longer
    # line has been foreshortened less.
    lengths = np.linalg.norm(across, axis=1) * _EYES_TO_MOUTH, np.linalg.norm(down, axis=1)
    # Landmarks that coincide are a detector's error, and a side of zero has no logarithm.
    sides = np.maximum(_FACE_SIDE * np.maximum(*lengths), _MIN_SIDE * box_sides)
    return eyes + _FACE_MIDDLE * down, sides


def _face_lines(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns eye to eye, eyes to mouth, and the middle of the eyes: float64 [N, 2] each."""
    left_eye, right_eye, _, left_mouth, right_mouth = np.moveaxis(
        np.asarray(landmarks, np.float64), 1, 0
    )
    eyes = (left_eye + right_eye) / 2
    return right_eye - left_eye, (left_mouth + right_mouth) / 2 - eyes, eyes


def _roll(track: FaceTrack) -> np.ndarray:
    """Returns how far each face leans to the right in the picture, radians: float64 [N].

    Where the picture had to be turned for its faces to be found, they lean that much further.

    Two lines give the angle: from eye to eye, and from the eyes down to the mouth. The error of a
    line's direction is inversely proportional to its length, so each is weighted by its squared
    length. In profile the eyes nearly coincide, and the vertical line decides alone.
    """
    across, down, _ = _face_lines(track.landmarks)
    down_turned = np.stack([down[:, 1], -down[:, 0]], axis=-1)  # parallel to `across` in a face
    lines = np.stack([across, down_turned])
    x, y = np.sum(lines * np.linalg.norm(lines, axis=-1, keepdims=True), axis=0).T
    found = (x + 1j * y) * (-1j) ** track.quarter_turns  # as the detector saw it
    return np.clip(np.angle(found), -_MAX_ROLL, _MAX_ROLL) + track.quarter_turns * (np.pi / 2)


def _smooth(values: np.ndarray, times: np.ndarray, seconds: float) -> np.ndarray:
    """Returns `values` [N, K] smoothed over `times` [N] by local lines with Gaussian weights.

    Source: local linear regression, Cleveland, "Robust Locally Weighted Regression and Smoothing
    Scatterplots", JASA 1979, with a Gaussian of fixed width.
    """
    if seconds == 0:
        return values
    away = (times[None, :] - times[:, None]) / seconds
    weights = np.exp(-0.5 * np.square(away))
    total, first, second = (np.sum(weights * away**power, axis=1) for power in range(3))
    second = second + 1e-9  # a value with no neighbours stays as it is
    line = second[:, None] - first[:, None] * away
    smoothing = weights * line / (total * second - np.square(first))[:, None]
    return smoothing @ values


def _crop(frame: np.ndarray, transform: np.ndarray, size: int) -> np.ndarray:
    """Returns the crop of one frame, uint8 [size, size, 3].

    First the upright square around the crop is resized to the crop's scale, with a filter that
    covers all source pixels (otherwise fine patterns would alias); only then is it rotated.
    """
    scale = math.hypot(transform[0, 0], transform[1, 0])
    cos, sin = transform[0, 0] / scale, transform[0, 1] / scale
    x, y = size / 2 - transform[:, 2]
    middle = np.array([cos * x - sin * y, sin * x + cos * y]) / scale  # of the face, in the frame
    # Two extra pixels per side for the bicubic kernel; even, so nothing shifts by half a pixel.
    upright_size = size + 2 * math.ceil((size * (abs(cos) + abs(sin)) - size) / 2 + 2)
    half = upright_size / scale / 2
    left, top = np.floor(middle - half).astype(int)
    right, bottom = np.ceil(middle + half).astype(int)
    box = (middle[0] - half - left, middle[1] - half - top)
    upright = resize(
        _cut(frame, left, top, right, bottom),
        (upright_size, upright_size),
        (*box, box[0] + 2 * half, box[1] + 2 * half),
    )
    offset = upright_size / 2 - np.array([cos - sin, sin + cos]) * size / 2
    back = np.array([[cos, -sin, offset[0]], [sin, cos, offset[1]]])
    return sample_affine(upright, back, (size, size))


def _cut(frame: np.ndarray, left: int, top: int, right: int, bottom: int) -> np.ndarray:
    """Returns frame[top:bottom, left:right], black where that is outside the frame."""
    height, width = frame.shape[:2]
    inside = frame[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        return np.ascontiguousarray(inside)
    region = np.zeros((bottom - top, right - left, 3), np.uint8)
    y, x = max(-top, 0), max(-left, 0)
    region[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return region
