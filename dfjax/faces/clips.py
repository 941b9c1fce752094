"""Turns a file, or frames, into face clips, for both training and the app.

Both call these functions, so a crop that the app scores is bit for bit the same as the crop in a
training set prepared from the same file.
"""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from os import PathLike

import numpy as np

from dfjax.config import Config
from dfjax.faces.crops import crop_landmarks, crop_rows, detail
from dfjax.faces.detection import FaceDetector, Faces
from dfjax.faces.finding import find_in_video
from dfjax.faces.held_frames import (
    CropKey,
    Cropped,
    crop_keys,
    there,
)
from dfjax.faces.sampled import SampledFrames
from dfjax.faces.searching import LOOKING, OnCrops, OnProgress, search_file
from dfjax.faces.shots import colours, num_in_shot, shots_of, views
from dfjax.faces.tracks import FaceTrack, linked_faces
from dfjax.video.decode import Findings
from dfjax.video.info import VideoInfo, as_found, describe_frames
from dfjax.video.limits import VideoLimits
from dfjax.video.reading import probe

CROPS_VERSION = 4
"""Raised when the same file with the same config gives other crops than before."""

_ALIKE_SINCE = 1
"""The oldest version whose crops differ from today's in rare files only, so that they may be mixed.
2: videos with long still stretches or that are interlaced only from some picture on, and grey
pictures of 16 bits that are turned. 3: H.264 and H.265 in MPEG program streams. 4: single
pictures that lie on their side."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FaceClip:
    """One face, followed through the sampled frames of a video, n of which show it."""

    track_id: int
    frame_indices: np.ndarray  # int64 [n], increasing, into the sampled frames
    frames: np.ndarray  # uint8 [n, S, S, 3] RGB face crops
    boxes_xyxy: np.ndarray  # int64 [n, 4], pixels of the displayed video, max exclusive
    landmarks: np.ndarray  # float32 [n, 5, 2], xy in pixels of the crop, as in `Faces.landmarks`
    shot_frames: int | None = None  # sampled frames of its shot; None: not known
    scales: np.ndarray | None = None  # float64 [n], from `shown_scales`; None: 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class FaceClips:
    """All the faces in one file, or in frames passed in."""

    info: VideoInfo
    timestamps: np.ndarray  # float64 [T], seconds, of the sampled frames
    bursts: np.ndarray  # int64 [T], the number of each one's burst, in the order of reading
    clips: tuple[FaceClip, ...]
    decode_seconds: float  # probing the file, and waiting for its frames
    face_seconds: float
    num_blurred: int = 0  # faces left out because they are too blurred compared with the others
    num_with_face: int = 0  # sampled frames that show a face, be it left out or not; 0: not known
    is_crowded: bool = False  # whether faces were left out because there are too many
    is_turned: bool = False  # whether they were found only once the pictures were turned
    is_damaged: bool = False  # whether something in the file could not be decoded as recorded


def crops_kind(version: int) -> int:
    """Returns the version that stands for all whose crops may be mixed with those of this one."""
    return _ALIKE_SINCE if _ALIKE_SINCE <= version <= CROPS_VERSION else version


def read_face_clips(
    path: str | PathLike[str],
    config: Config,
    face_detector: FaceDetector,
    *,
    limits: VideoLimits = VideoLimits(),
    info: VideoInfo | None = None,
    sampled: SampledFrames | None = None,
    on_progress: OnProgress | None = None,
    on_crops: OnCrops | None = None,
) -> FaceClips:
    """Samples a video, finds and follows its faces, and crops them; see `face_clips`.

    Args:
      path: A video or a still picture; a still gives clips of one frame.
      config: Its parts `video`, `faces`, `tracks` and `crops` are used.
      face_detector: Made from `config.faces`.
      limits: How much the file may cost to read.
      info: What `probe` returned for this file with these limits; None: probe it now.
      sampled: Its frames, if they have been read already, as `info` says; None: read them now.
      on_progress: Called with the progress of this function.
      on_crops: Called with crops as soon as no later frame concerns them, while more are decoded.
        What it takes counts as time for faces.

    Raises:
      VideoError: The file cannot be read as a video.
    """
    report = on_progress or (lambda fraction, stage: None)
    give = on_crops or (lambda crops: None)
    info = info or probe(path, limits)
    probed, waited = info.read_seconds, 0.0
    started = time.perf_counter()
    searched = search_file(path, config, face_detector, limits, info, report, give, sampled)
    first = searched.findings
    if (shown := as_found(info, first.sizes, is_interlaced=first.is_interlaced)) is not info:
        waited = searched.seconds_waited
        spent = info.read_seconds + first.read_seconds
        info = dataclasses.replace(shown, read_seconds=spent)
        searched = search_file(path, config, face_detector, limits, info, report, give)
    found = _follow(
        searched.frames,
        np.array(searched.timestamps, np.float64),
        searched.faces,
        searched.colours,
        config,
        info,
        searched.findings.sizes or None,
        searched.crops,
    )
    report(1.0, LOOKING)
    waited += searched.seconds_waited
    return dataclasses.replace(
        found,
        decode_seconds=probed + waited,
        face_seconds=time.perf_counter() - started - waited,
        is_damaged=is_damaged(info, searched.findings),
    )


def is_damaged(info: VideoInfo, findings: Findings) -> bool:
    """Returns whether something in a video could not be decoded as it was recorded."""
    times = info.frame_times
    return findings.is_damaged or (times is not None and times.is_damaged)


def shown_scales(sizes: Sequence[tuple[int, int]] | None, info: VideoInfo) -> np.ndarray | None:
    """Returns how many times as large as it was recorded each picture is shown: float64 [T].

    None: all are shown as they are.

    Args:
      sizes: Height and width of each picture as displayed; None: those of the video.
      info: The video.
    """
    if sizes is None or not info.is_fitted:
        return None
    heights, widths = np.array(sizes, np.float64).T
    return np.minimum(info.height / heights, info.width / widths)


def face_clips(
    frames: Sequence[np.ndarray],
    timestamps: np.ndarray,
    config: Config,
    face_detector: FaceDetector,
    *,
    info: VideoInfo | None = None,
    on_progress: OnProgress | None = None,
) -> FaceClips:
    """Finds and follows the faces in frames that are in memory, and crops them.

    A face with less than `config.crops.min_detail` is left out if another one has more: nobody can
    say whether a blurred figure in the background was manipulated, so it must not decide the
    verdict on the video. If all are blurred, all are kept.

    Args:
      frames: T frames, uint8 [H, W, 3] RGB, all of the same size; at least one.
      timestamps: float [T], seconds, increasing.
      config: Its parts `faces`, `tracks` and `crops` are used.
      face_detector: Made from `config.faces`.
      info: The video that they come from; boxes are given in its pixels. None: described from the
        frames themselves.
      on_progress: Called with the progress of this function.

    Raises:
      ValueError: There are no frames, they differ in size or are not pictures, or the times do not
        match them.

    Example:
      >>> import numpy as np
      >>> from dfjax.config import Config
      >>> from dfjax.faces.clips import face_clips
      >>> from dfjax.faces.detection import FaceDetector
      >>> config = Config()
      >>> frames = np.zeros((3, 120, 160, 3), np.uint8)  # nobody is in them
      >>> face_clips(frames, np.arange(3) / 25, config, FaceDetector(config.faces)).clips
      ()
    """
    described = describe_frames(frames, timestamps)
    report = on_progress or (lambda fraction, stage: None)
    started = time.perf_counter()
    times = np.asarray(timestamps, np.float64)
    num_searched = 0

    def count(faces: Sequence[Faces], are_done: bool) -> None:
        nonlocal num_searched
        del are_done
        num_searched += len(faces)
        report(0.95 * num_searched / len(frames), LOOKING)

    faces = find_in_video(zip(times.tolist(), frames, strict=True), face_detector, count)
    shares = [colours(frame) for frame in frames]
    found = _follow(frames, times, faces, shares, config, info or described, None, {})
    report(1.0, LOOKING)
    return dataclasses.replace(found, face_seconds=time.perf_counter() - started)


def _follow(
    frames: Sequence[np.ndarray | None],
    timestamps: np.ndarray,
    faces: Sequence[Faces],
    shares: Sequence[np.ndarray],
    config: Config,
    info: VideoInfo,
    sizes: Sequence[tuple[int, int]] | None,
    known: Mapping[CropKey, Cropped],
) -> FaceClips:
    """Follows the faces of T frames, and crops them.

    Args:
      frames: As for `crop_faces`.
      timestamps: As for `face_clips`.
      faces: Those in each frame.
      shares: The `colours` of each frame.
      config: Its parts `tracks` and `crops` are used.
      info: The video that they come from; boxes are given in its pixels.
      sizes: Height and width of the picture in each frame, if it does not fill it. None: it does.
      known: As for `crop_faces`.
    """
    shots = shots_of(shares)
    if sizes is not None:
        shots = shots + views(sizes)
    linked = linked_faces(faces, timestamps, config.tracks, shots=shots)
    scales = shown_scales(sizes, info)
    found = crop_faces(frames, timestamps, linked.tracks, config, info, scales=scales, known=known)
    clips = (
        dataclasses.replace(clip, shot_frames=num_in_shot(shots, clip.frame_indices))
        for clip in found.clips
    )
    return dataclasses.replace(
        found,
        clips=tuple(clips),
        num_with_face=linked.num_frames,
        is_crowded=linked.is_crowded,
        is_turned=any(each.quarter_turns for each in faces),
    )


def crop_faces(
    frames: Sequence[np.ndarray | None],
    timestamps: np.ndarray,
    tracks: Sequence[FaceTrack],
    config: Config,
    info: VideoInfo,
    *,
    scales: np.ndarray | None = None,
    known: Mapping[CropKey, Cropped] | None = None,
) -> FaceClips:
    """Crops faces that were found, without those that are blurred beside clearer ones.

    Args:
      frames: As for `face_clips`; None: let go, since all of its faces are known.
      timestamps: As for `face_clips`.
      tracks: The faces, in pixels of the frames.
      config: Its part `crops` is used.
      info: The video that they come from; boxes are given in its pixels.
      scales: Of the frames, from `shown_scales`.
      known: Crops that were made already, by `crop_keys`.
    """
    size = next(frame.shape[:2] for frame in frames if frame is not None)
    clips = []
    for track in tracks:
        clips.append(
            FaceClip(
                track_id=track.id,
                frame_indices=track.frame_indices,
                frames=_crops_of(track, frames, timestamps, config, known or {}),
                boxes_xyxy=shown_boxes(track.boxes_xyxy, info, size),
                landmarks=crop_landmarks(track, timestamps, config.crops),
                scales=None if scales is None else scales[track.frame_indices],
            )
        )
    return clear_ones(clips, timestamps, config, info)


def _crops_of(
    track: FaceTrack,
    frames: Sequence[np.ndarray | None],
    timestamps: np.ndarray,
    config: Config,
    known: Mapping[CropKey, Cropped],
) -> np.ndarray:
    """Returns the crops of a track, uint8 [n, S, S, 3]; as for `crop_faces`."""
    keys = crop_keys(track, timestamps)
    is_new = np.array([key not in known for key in keys])
    crops = np.empty((len(keys), *[config.crops.image_size] * 2, 3), np.uint8)
    rows = np.flatnonzero(is_new)
    pictures = [there(frames[index]) for index in track.frame_indices[rows]]
    crops[is_new] = crop_rows(pictures, track, rows, timestamps, config.crops)
    for row in np.flatnonzero(~is_new).tolist():
        crops[row] = known[keys[row]].pixels
    return crops


def shown_boxes(boxes: np.ndarray, info: VideoInfo, size: tuple[int, int]) -> np.ndarray:
    """Returns boxes in the pixels that a viewer sees: int64 [n, 4].

    Large frames are scaled down while decoding.

    Args:
      boxes: float [n, 4], pixels of the frames.
      info: The video.
      size: Height and width of the frames.
    """
    scale = np.array([info.width / size[1], info.height / size[0]] * 2)
    limits = np.array([info.width, info.height] * 2)
    return np.clip(np.round(boxes * scale), 0, limits).astype(np.int64)


def clear_ones(
    clips: Sequence[FaceClip], timestamps: np.ndarray, config: Config, info: VideoInfo
) -> FaceClips:
    """Returns the clips without those that are blurred beside clearer ones."""
    clear = clips
    if config.crops.min_detail > 0 and len(clips) > 1:
        clear = [clip for clip in clips if detail(clip.frames) >= config.crops.min_detail] or clips
    return FaceClips(
        info=info,
        timestamps=timestamps,
        bursts=np.arange(len(timestamps)) // config.video.burst_frames,
        clips=tuple(clear),
        decode_seconds=0.0,
        face_seconds=0.0,
        num_blurred=len(clips) - len(clear),
    )
