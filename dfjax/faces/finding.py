"""Finds the faces in pictures, also where one fills the picture or is hard to see."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from dfjax.faces.detection import NUM_FRAMES, FaceDetector, Faces
from dfjax.faces.following import Frame, batches, detect_in_video

FACE_BATCH = 8
"""Pictures that are worked on at once, in whole bursts. More are no faster, and take memory."""

_RARELY = 4
"""Faces in less than one in so many frames are so rare that the video may lie on its side."""

_RARELY_AGAIN = 2
"""Likewise where faces were found only in another attempt, in which some lie on their side."""

_FRAMES_TO_TURN = 8  # of a video, to find out

_CERTAIN = 0.98  # confidence of a face in a turned picture, where any three more may be mistaken

_GREY = 127
_ROOM = 0.5  # of a picture's longer side, added on each side
_DARKEST, _BRIGHTEST = 1, 99  # percentiles that become black and white


def hardly_any(num_with_face: int, num_frames: int) -> bool:
    """Returns whether faces are so rare in the frames of a video that it may lie on its side."""
    return num_with_face * _RARELY < num_frames


def find_in_video(
    frames: Iterable[Frame],
    face_detector: FaceDetector,
    on_found: Callable[[Sequence[Faces], bool], None] = lambda faces, are_done: None,
    *,
    most_frames: int | None = None,
) -> list[Faces]:
    """Finds the faces in the frames of a video; if there is hardly any, it tries harder.

    A video without any face is searched again with room around its frames, and with their contrast
    raised. One that lies on its side or stands on its head, because a phone's mark of how it was
    held got lost, is searched as it was filmed. So is a single picture, where a face is found with
    more certainty that way.

    Args:
      frames: Times, seconds, increasing, and pictures: uint8 [H, W, 3] RGB each. They are taken a
        few at a time, so they may be on their way.
      face_detector: Made from `config.faces`.
      on_found: Called with the faces of the next few frames, and whether no frame so far will be
        searched again. Where one is, other faces may be found in it.
      most_frames: How many frames will come, at most. Once faces are known in enough of them,
        frames are let go as soon as they are searched.

    Returns:
      The faces of each frame, in its pixels. A face in a picture that was searched again may reach
      beyond the picture. `Faces.quarter_turns` says where pictures were turned.
    """
    seen: list[np.ndarray] = []
    faces: list[Faces] = []
    are_done = False
    for batch in batches(frames, FACE_BATCH):
        times, pictures = zip(*batch, strict=True)
        found = detect_in_video(pictures, times, face_detector)
        faces += found
        are_done = (
            most_frames is not None
            and not _are_rare(faces, most_frames, _RARELY)
            and (most_frames > 1 or _is_certain(found[0]))
        )
        seen = [] if are_done else [*seen, *pictures]
        on_found(found, are_done)
    if are_done:
        return faces
    if len(faces) == 1:
        return _or_turned(seen, faces, face_detector)
    if any(map(_any, faces)):
        return _unless_rare(seen, faces, _RARELY, face_detector)
    return _unless_rare(seen, _search_again(seen, face_detector), _RARELY_AGAIN, face_detector)


def find_in_pictures(pictures: Sequence[np.ndarray], face_detector: FaceDetector) -> list[Faces]:
    """Finds the faces in pictures that have nothing to do with each other.

    Each picture gives what `find_in_video` gives for it alone.

    Args:
      pictures: uint8 [H, W, 3] RGB each.
      face_detector: Gets them all at once.

    Returns:
      As `find_in_video`.
    """
    return _or_turned(pictures, face_detector.detect(pictures), face_detector)


def _or_turned(
    pictures: Sequence[np.ndarray], faces: Sequence[Faces], face_detector: FaceDetector
) -> list[Faces]:
    """Returns the faces of pictures, or what comes of trying harder where none is certain.

    Unlike in a video, no other frame tells that a face was mistaken: in a picture that lies on its
    side, one that is not certain may be found across the true one.

    Args:
      pictures: As for `find_in_pictures`.
      faces: Those found in them.
      face_detector: Finds upright faces.
    """
    found = [
        (None if _is_certain(upright) else _lying(picture, face_detector)) or upright
        for picture, upright in zip(pictures, faces, strict=True)
    ]
    missed = [n for n, known in enumerate(found) if not _any(known)]
    found_later = _search_again([pictures[n] for n in missed], face_detector)
    for n, later in zip(missed, found_later, strict=True):
        found[n] = later
    return found


def _lying(picture: np.ndarray, face_detector: FaceDetector) -> Faces | None:
    """Returns the faces of a picture as they are once turned, if one of them is certain."""
    turned = {n: face_detector.detect([np.rot90(picture, n)])[0] for n in (1, 2, 3)}
    turns = max(turned, key=lambda n: turned[n].confidences.max(initial=0.0))
    if not _is_certain(turned[turns]):
        return None
    return _turn_back(turned[turns], picture.shape, turns)


def _unless_rare(
    frames: Sequence[np.ndarray], faces: list[Faces], rarely: int, face_detector: FaceDetector
) -> list[Faces]:
    """Returns the faces of frames, or, where there are few, those that come of turning the frames.

    Args:
      frames: As for `find_in_video`.
      faces: Those found in them.
      rarely: Faces in less than one in so many frames are few.
      face_detector: Finds upright faces.
    """
    if not _are_rare(faces, len(frames), rarely):
        return faces
    return _turned(frames, faces, face_detector) or faces


def _are_rare(faces: Iterable[Faces], num_frames: int, rarely: int) -> bool:
    """Returns whether less than one in so many of all frames shows one of these faces."""
    return sum(map(_any, faces)) * rarely < num_frames


def _turned(
    frames: Sequence[np.ndarray], faces: Sequence[Faces], face_detector: FaceDetector
) -> list[Faces] | None:
    """Returns the faces of frames as they are once turned, if there are plainly more.

    A few frames decide by how many quarters of a turn.

    Args:
      frames: As for `find_in_video`.
      faces: Those found upright.
      face_detector: Finds upright faces.
    """
    few = np.unique(np.linspace(0, len(frames) - 1, _FRAMES_TO_TURN).round().astype(int)).tolist()
    upright = sum(_any(faces[n]) for n in few)
    best, turns = 0, 0
    for tried in (1, 2, 3):
        found = face_detector.detect([np.rot90(frames[n], tried) for n in few])
        count = sum(map(_is_certain, found))
        if count > best:
            best, turns = count, tried
    if best <= 2 * upright or best * _RARELY < len(few):
        return None
    return [
        _turn_back(found, frame.shape, turns)
        for start in range(0, len(frames), FACE_BATCH)
        for batch in [frames[start : start + FACE_BATCH]]
        for found, frame in zip(
            face_detector.detect([np.rot90(frame, turns) for frame in batch]), batch, strict=True
        )
    ]


def _turn_back(faces: Faces, shape: tuple[int, ...], turns: int) -> Faces:
    """Returns faces in the pixels of a picture, from those of `np.rot90(picture, turns)`."""
    height, width = shape[:2]
    corners = faces.boxes_xyxy.reshape(-1, 2, 2)
    landmarks = faces.landmarks
    for turn in range(turns):
        # A quarter turn to the left took (x, y) to (y, side - x).
        side = width if (turns - turn) % 2 else height
        corners, landmarks = (
            np.stack([side - points[..., 1], points[..., 0]], axis=-1)
            for points in (corners, landmarks)
        )
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=-1)
    return Faces(
        boxes_xyxy=boxes.astype(np.float32),
        landmarks=landmarks.astype(np.float32),
        confidences=faces.confidences,
        quarter_turns=turns,
    )


def _is_certain(faces: Faces) -> bool:
    return bool(np.any(faces.confidences > _CERTAIN))


def _any(faces: Faces) -> bool:
    return len(faces.boxes_xyxy) > 0


def _search_again(pictures: Sequence[np.ndarray], face_detector: FaceDetector) -> list[Faces]:
    """Searches pictures with room around them and, if need be, with their contrast raised.

    MTCNN needs some room around a face: without it, it misses every twentieth face that fills its
    picture, and the crude fakes among them more than anything else. What is still missed is very
    dark, or tinted, or hardly a face. With room around it, a picture takes four times as much
    memory, so no more are held than the detector works on.
    """
    return [
        found
        for start in range(0, len(pictures), NUM_FRAMES)
        for found in _search_batch_again(pictures[start : start + NUM_FRAMES], face_detector)
    ]


def _search_batch_again(
    pictures: Sequence[np.ndarray], face_detector: FaceDetector
) -> Iterator[Faces]:
    rooms = [round(_ROOM * max(picture.shape[:2])) for picture in pictures]
    faces = face_detector.detect(list(map(_with_room, pictures, rooms)))
    missed = [n for n, found in enumerate(faces) if not _any(found)]
    brighter = [_with_room(_with_contrast(pictures[n]), rooms[n]) for n in missed]
    for n, found in zip(missed, face_detector.detect(brighter), strict=True):
        faces[n] = found
    for found, room in zip(faces, rooms, strict=True):
        yield Faces(
            boxes_xyxy=found.boxes_xyxy - room,
            landmarks=found.landmarks - room,
            confidences=found.confidences,
        )


def _with_room(picture: np.ndarray, room: int) -> np.ndarray:
    return np.pad(picture, ((room, room), (room, room), (0, 0)), constant_values=_GREY)


def _with_contrast(picture: np.ndarray) -> np.ndarray:
    """Returns a picture with each channel stretched from black to white."""
    low, high = np.percentile(picture, (_DARKEST, _BRIGHTEST), axis=(0, 1))
    stretched = (picture - low) * (255 / np.maximum(high - low, 1))
    return np.clip(np.round(stretched), 0, 255).astype(np.uint8)
