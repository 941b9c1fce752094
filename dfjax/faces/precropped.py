"""Pictures that are already face crops: they become one-frame clips and are not cropped again."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from dfjax.config import Config
from dfjax.errors import VideoError
from dfjax.faces.clips import FaceClip, FaceClips
from dfjax.faces.detection import FaceDetector, Faces
from dfjax.video.film import FPS
from dfjax.video.reading import VideoInfo, probe, read_frames

_GREY = 127


def open_crop(path: Path, config: Config) -> tuple[VideoInfo, np.ndarray]:
    """Reads a picture that is already a face crop.

    Returns:
      What the file is, and the picture, uint8 [S, S, 3] RGB.

    Raises:
      VideoError: The file cannot be read, or is not a square picture.
    """
    info = probe(path)
    if not info.is_still or info.width != info.height:
        raise VideoError(
            f"{info.name!r} is {info.width}x{info.height}, {info.codec}; a face crop must be a "
            "square picture. Prepare it as an ordinary picture instead."
        )
    ((_, picture),) = read_frames(path, config.video, info=info)
    return info, picture


def detect_in_crops(pictures: Sequence[np.ndarray], face_detector: FaceDetector) -> list[Faces]:
    """Finds faces in pictures that a face may fill to the edge.

    MTCNN needs some room around a face. A picture in which it finds none is searched again with
    grey padding of half its side all around. Without this, it misses the crude fakes of the DFDC
    more than anything else, and they would be missing from the training set.

    Args:
      pictures: uint8 [S, S, 3] RGB each.
      face_detector: Gets them all at once.

    Returns:
      The faces of each picture, in its pixels.
    """
    faces = face_detector.detect(pictures)
    missed = [n for n, found in enumerate(faces) if not len(found.boxes_xyxy)]
    margins = [len(pictures[n]) // 2 for n in missed]
    wider = [
        np.pad(pictures[n], ((margin, margin), (margin, margin), (0, 0)), constant_values=_GREY)
        for n, margin in zip(missed, margins, strict=True)
    ]
    for n, margin, found in zip(missed, margins, face_detector.detect(wider), strict=True):
        faces[n] = Faces(
            boxes_xyxy=found.boxes_xyxy - margin,
            landmarks=found.landmarks - margin,
            confidences=found.confidences,
        )
    return faces


def crop_clips(info: VideoInfo, picture: np.ndarray, faces: Faces, config: Config) -> FaceClips:
    """Makes a clip of a picture that is a face crop; it is only resized, if necessary.

    Args:
      info: What the file is.
      picture: uint8 [S, S, 3] RGB.
      faces: The faces found in it. The largest gives the landmarks. Without one there is no clip:
        what somebody else's detector cut out may be a hand or a lamp.
      config: Its part `crops` is used.
    """
    clips: tuple[FaceClip, ...] = ()
    if len(faces.boxes_xyxy):
        sides = faces.boxes_xyxy[:, 2:] - faces.boxes_xyxy[:, :2]
        largest = int(np.argmax(sides.prod(axis=1)))
        size = config.crops.image_size
        to_file, to_crop = info.width / len(picture), size / len(picture)
        box = np.clip(np.round(faces.boxes_xyxy[largest] * to_file), 0, info.width)
        clips = (
            FaceClip(
                track_id=0,
                frame_indices=np.array([0]),
                frames=_resized(picture, size)[None],
                boxes_xyxy=box.astype(np.int64)[None],
                landmarks=(faces.landmarks[largest] * to_crop).astype(np.float32)[None],
            ),
        )
    return FaceClips(
        info=info, timestamps=np.zeros(1), clips=clips, decode_seconds=0.0, face_seconds=0.0
    )


def filmed_clips(
    path: Path, transforms: np.ndarray, picture: np.ndarray, clips: FaceClips, config: Config
) -> FaceClips:
    """Reads a film of a face crop, every frame of which is a crop of the face.

    Args:
      path: The file that `film` wrote.
      transforms: What `film` returned.
      picture: uint8 [S, S, 3] RGB.
      clips: What `crop_clips` returned for the picture: one clip.
      config: Its parts `video` and `crops` are used.

    Raises:
      VideoError: The film cannot be read.
    """
    (of_picture,) = clips.clips
    size = config.crops.image_size
    info = probe(path)
    times, frames = zip(*read_frames(path, config.video, info=info), strict=True)
    timestamps = np.array(times)
    transforms = transforms[np.round(timestamps * FPS).astype(np.int64)]
    side = len(frames[0])

    def moved(points: np.ndarray) -> np.ndarray:
        turned = np.einsum("tij,kj->tki", transforms[:, :, :2], points)
        return turned + transforms[:, None, :, 2]

    landmarks = moved(of_picture.landmarks[0] * (len(picture) / size))
    corners = of_picture.boxes_xyxy[0].reshape(2, 2) * (len(picture) / clips.info.width)
    boxes = np.clip(np.round(moved(corners)), 0, side).astype(np.int64)
    clip = FaceClip(
        track_id=0,
        frame_indices=np.arange(len(frames)),
        frames=np.stack([_resized(frame, size) for frame in frames]),
        boxes_xyxy=boxes.reshape(-1, 4),
        landmarks=(landmarks * (size / side)).astype(np.float32),
    )
    return FaceClips(
        info=info, timestamps=timestamps, clips=(clip,), decode_seconds=0.0, face_seconds=0.0
    )


def _resized(picture: np.ndarray, size: int) -> np.ndarray:
    """Returns a square picture with a side of `size` pixels."""
    if len(picture) == size:
        return picture
    square = Image.fromarray(picture).resize(
        (size, size), Image.Resampling.BICUBIC, reducing_gap=3.0
    )
    return np.asarray(square)
