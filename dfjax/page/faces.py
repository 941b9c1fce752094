"""The face crops that were judged, as pictures inside the page itself."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from dfjax.page import evidence_texts as words
from dfjax.page.plot import clock, frame_value, mark
from dfjax.page.rendering import render
from dfjax.page.verdict import percent
from dfjax.prediction import Decision, Prediction, TrackScore

NUM_CROPS = 8
"""Crops shown per face."""

_CROP_SIDE = 112  # pixels: sharp at the size shown, and about 4 kB


def face_strips(prediction: Prediction) -> str:
    """Returns one strip of crops per face as HTML.

    The most suspicious face comes first, and those without a say last. Faces whose crops are not in
    `prediction.clips` are left out. A strip spans the time in which the face was seen, and always
    holds the frame with the highest probability.
    """
    tracks = sorted(
        prediction.tracks, key=lambda track: (track.left_out is not None, -track.probability_fake)
    )
    faces = [
        _strip(track, prediction.clips[track.id], prediction.decision)
        for track in tracks
        if track.id in prediction.clips
    ]
    return render("faces.html", faces=faces, side=_CROP_SIDE)


def shown_frames(probabilities: np.ndarray, num_shown: int = NUM_CROPS) -> list[int]:
    """Returns which frames of a face to show: evenly spread, and the highest among them.

    Args:
      probabilities: float [N], probability_fake of each frame.
      num_shown: How many to choose at most, at least 1.
    """
    count = len(probabilities)
    if count <= num_shown:
        return list(range(count))
    chosen = np.linspace(0, count - 1, num_shown).round().astype(int)
    highest = int(np.argmax(probabilities))
    chosen[np.argmin(np.abs(chosen - highest))] = highest
    return chosen.tolist()


def _strip(track: TrackScore, crops: np.ndarray, decision: Decision) -> dict[str, Any]:
    """Returns what the template shows of one face."""
    probabilities = np.array([frame.probability_fake for frame in track.frames])
    shown = [(crops[index], track.frames[index]) for index in shown_frames(probabilities)]
    name = words.FACE.format(number=track.id + 1)
    return {
        "name": name,
        "mark": mark(track.id),
        "percent": percent(track.probability_fake, decision),
        "seen": f"{clock(track.start)} – {clock(track.end)}" if track.end > track.start else "",
        "left_out": words.LEFT_OUT[track.left_out] if track.left_out else "",
        "crops": [
            {
                "picture": _data_uri(crop),
                "seek": frame.timestamp,
                "time": clock(frame.timestamp),
                "value": frame_value(frame.probability_fake),
                "label": words.CROP.format(
                    face=name,
                    time=clock(frame.timestamp),
                    value=frame_value(frame.probability_fake),
                ),
                "bar": f"{100 * frame.probability_fake:.0f}",
            }
            for crop, frame in shown
        ],
    }


def _data_uri(crop: np.ndarray) -> str:
    """Returns a crop, uint8 [S,S,3] RGB, as a small JPEG in a `data:` address."""
    picture = Image.fromarray(crop).resize((_CROP_SIDE, _CROP_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
