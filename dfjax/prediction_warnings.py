"""The warnings that come with a verdict."""

import math
from collections.abc import Sequence

import numpy as np

from dfjax.config import Config
from dfjax.faces.clips import FaceClips
from dfjax.prediction import Decision, Label, TrackScore
from dfjax.video.pictures import can_convert_hdr

_MOST_NAMED = 3  # streams that are not judged, in one warning

_SMALL_FACE = 64
"""Pixels: a smaller face box must be enlarged so much that it contains little evidence."""

LOOK_GAP = 0.5
"""Seconds between frames of two different looks."""

LOOKED_AT_CLOSELY = 6.0
"""Seconds between two looks; a reader is told if there are more."""

# What tells a warning apart among those of a prediction, for those who explain a verdict.
NO_FACE = "No face was found, so nothing was judged."
SMALLEST_FACE = r"faces smaller than (?P<pixels>\d+) pixels"  # a regular expression
TURNED = "The picture lies on its side or stands on its head."
RARELY_SEEN = "A face was found in only"
FAR_APART = "seconds of the video lie between two looks at it"
SMALL = "The faces are small"
BLURRED = "Faces that are too blurred to judge were left out"
OTHER_STREAM = "The file also holds another video, which was not judged"
CUT_OFF = "The file was cut off"
DAMAGED = "The file is damaged in places."


def prediction_warnings(read: FaceClips, frames_scored: int, config: Config) -> tuple[str, ...]:
    """Returns what a reader of a verdict must know about it, as sentences.

    Args:
      read: The faces that were found.
      frames_scored: Number of sampled frames in which a face was scored.
      config: The model's.
    """
    warnings = []
    if read.info.is_still:
        warnings.append(
            "This is a single picture, so nothing that only shows in motion was checked."
        )
    warnings += _file_warnings(read)
    if not read.clips:
        longer_side = max(read.info.width, read.info.height)
        smallest = math.ceil(config.faces.min_face_size * longer_side / config.faces.image_size)
        warnings.append(
            f"{NO_FACE} This says nothing about the file's origin. "
            f"In a picture of this size, faces smaller than {smallest} pixels are not searched for."
            + _looks_at(read)
        )
        return tuple(warnings)
    if read.is_turned:
        warnings.append(
            f"{TURNED} Its faces were found by turning it, and judged as if it were upright."
        )
    if config.calibration.caveat is not None:
        warnings.append(config.calibration.caveat)
    num_frames = len(read.timestamps)
    num_with_face = max(read.num_with_face, frames_scored)
    if num_with_face < num_frames / 2:
        warnings.append(
            f"{RARELY_SEEN} {num_with_face} of {num_frames} frames; the rest were not judged."
        )
    looks = _looks(read)
    between = float(np.diff(looks).max()) if len(looks) > 1 else 0.0
    if between > LOOKED_AT_CLOSELY:
        warnings.append(
            f"Up to {between:.0f} {FAR_APART}; what was changed for less time than that may have "
            "been missed."
        )
    boxes = np.concatenate([clip.boxes_xyxy for clip in read.clips])
    if np.median(boxes[:, 3] - boxes[:, 1]) < _SMALL_FACE:
        warnings.append(
            f"{SMALL} (at least half are under {_SMALL_FACE} pixels high), "
            "so there is little detail to judge."
        )
    if read.num_blurred:
        warnings.append(f"{BLURRED}: {read.num_blurred}. The verdict is based on the others.")
    if read.is_crowded:
        num_kept = len(read.clips) + read.num_blurred
        warnings.append(f"There are many faces; only the {num_kept} most prominent were judged.")
    return tuple(warnings)


def unheard_warnings(
    label: Label, tracks: Sequence[TrackScore], decision: Decision
) -> tuple[str, ...]:
    """Returns a warning if a video is called real, but a face that has no say would not be.

    Args:
      label: Of the video.
      tracks: Its faces.
      decision: Labels a face by itself.
    """
    unheard = [
        track
        for track in tracks
        if track.left_out == "short" and decision.label(track.probability_fake) != "real"
    ]
    if label != "real" or not unheard:
        return ()
    worst = max(unheard, key=lambda track: track.probability_fake)
    return (
        f"At {worst.start:.1f} s, a face (or what was taken for one) is seen too briefly to have a "
        "say. By itself, it would not be called real. If it is a face, cut that part out and have "
        "it judged.",
    )


def _looks_at(read: FaceClips) -> str:
    """Returns a sentence on how often a video was looked at, for one in which no face was found."""
    if read.info.is_still:
        return ""
    looks = _looks(read)
    often = "once"
    if len(looks) > 1:
        often = f"{len(looks)} times, up to {np.diff(looks).max():.0f} s apart"
    return f" The video was looked at {often}, also turned by each quarter."


def _looks(read: FaceClips) -> np.ndarray:
    """Returns when each look at a video begins, seconds."""
    return read.timestamps[np.diff(read.timestamps, prepend=-np.inf) > LOOK_GAP]


def _file_warnings(read: FaceClips) -> list[str]:
    """Returns what a reader must know about the file itself."""
    info, warnings = read.info, []
    if info.is_cut_off:
        warnings.append(
            f"{CUT_OFF}: its end is missing, and only the {info.duration:.1f} seconds "
            "that are there were judged."
        )
    elif read.is_damaged:
        warnings.append(f"{DAMAGED} What is left of a damaged picture can look manipulated.")
    if info.other_streams:
        # Without a word between them: translations take this part over as it is.
        named = ", ".join(info.other_streams[:_MOST_NAMED])
        more = len(info.other_streams) - _MOST_NAMED
        warnings.append(
            f"{OTHER_STREAM}: stream {named}"
            + (f", +{more}" if more > 0 else "")
            + ". Save it as a file of its own to have it judged."
        )
    if info.is_disabled:
        warnings.append("The file says that its picture is not to be shown; some players do not.")
    if info.colour.is_hdr and not can_convert_hdr():
        warnings.append(
            "This is an HDR video, and the installed ffmpeg lacks the filter zscale to convert its "
            "colours, so they were judged paler than they are."
        )
    if info.is_fitted:
        warnings.append(
            "The picture changes its size or shape within the video. Boxes are given in a frame of "
            f"{info.width}x{info.height} pixels, into which each picture was fitted."
        )
    return warnings
