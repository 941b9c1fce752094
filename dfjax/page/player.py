"""The player with the faces drawn over it, and frames for those files that no browser plays."""

import itertools
import json
import math
import secrets
from pathlib import PurePath
from typing import Any

import numpy as np
from PIL import Image

from dfjax.config import VideoConfig
from dfjax.page.rendering import render
from dfjax.prediction import Prediction
from dfjax.reporting.crops import jpeg_uri
from dfjax.video.limits import VideoLimits
from dfjax.video.reading import probe, read_frames
from dfjax.words import words

NUM_MOMENTS = 24
"""Frames at most that are shown of a file that the browser cannot play."""

_FRAME_PIXELS = 640 * 360

_MANY_FACES = 3  # with more of them, their boxes carry no more than a number


def file_key(path: str) -> str:
    """Returns what tells an upload apart: Gradio's digest of its content, and its name.

    A result carries it, so that it is only ever shown beside the file that it is for. The same is
    done with the browser's own path in `preview.js`.

    Args:
      path: Of the upload, in the folder that is named after the digest.
    """
    return "/".join(PurePath(path).parts[-2:])


def player(prediction: Prediction) -> str:
    """Returns the player as HTML; `player.js` puts the file in, which the browser has already."""
    video = prediction.video
    has_room = len(prediction.tracks) <= _MANY_FACES
    return render(
        "player.html",
        width=video.width,
        height=video.height,
        is_still=video.duration <= 0,
        moments=json.dumps(moments(prediction)),
        faces=[
            {
                "id": track.id,
                "css": f"df-track-{track.id % 8}",
                "name": words.evidence.face.format(number=track.id + 1)
                if has_room
                else str(track.id + 1),
            }
            for track in prediction.tracks
        ],
    )


def moments(prediction: Prediction, most: int = NUM_MOMENTS) -> list[float]:
    """Returns when to show single frames, seconds, increasing: the telling ones, and some spread.

    Args:
      prediction: With at least one frame.
      most: How many at most.
    """
    times = [frame.timestamp for frame in prediction.frames]
    highest = [max(t.frames, key=lambda f: f.probability_fake).timestamp for t in prediction.tracks]
    middles = [(segment.start + segment.end) / 2 for segment in prediction.segments]
    inside = [min(times, key=lambda time: abs(time - middle)) for middle in middles]
    spread = np.linspace(0, len(times) - 1, min(most, len(times))).round().astype(int)
    # The spread ones fill the places that are left, from the coarsest grid to the finest.
    order = sorted(range(len(spread)), key=lambda n: -(n & -n) if n else -math.inf)
    wanted = itertools.chain(inside, highest, (times[spread[n]] for n in order))
    return sorted(itertools.islice(dict.fromkeys(wanted), most))


def frames_at(path: str, times: Any, limits: VideoLimits) -> str:
    """Returns frames of a file as HTML: a list of small JPEGs, each with its time.

    Args:
      path: The file.
      times: What the browser asks for: seconds as a player shows them, increasing.
      limits: How much the file may cost to read.

    Raises:
      ValueError: `times` is not such a list, or too long.
      VideoError: The file cannot be read.
    """
    wanted = np.array(times, np.float64)
    if wanted.ndim != 1 or not 0 < len(wanted) <= NUM_MOMENTS or not np.isfinite(wanted).all():
        raise ValueError(f"times has to be a list of 1 to {NUM_MOMENTS} seconds.")
    info = probe(path, limits)
    config = VideoConfig(num_frames=NUM_MOMENTS, burst_frames=1, max_frame_pixels=_FRAME_PIXELS)
    asked = np.unique(np.maximum(wanted - info.delay, 0.0))
    frames = read_frames(path, config, limits=limits, info=info, timestamps=asked)
    pictures = [
        {
            "time": round(time + info.delay, 4),
            "picture": jpeg_uri(Image.fromarray(frame), quality=80),
        }
        for time, frame in frames
    ]
    # Asked for again, the same frames are an answer of their own: browsers act on what differs.
    sent = secrets.token_hex(4)
    return render("frames.html", file=file_key(path), sent=sent, pictures=pictures)
