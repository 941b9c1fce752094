"""The face crops that were judged, as pictures inside the page itself."""

from typing import Any

import numpy as np

from dfjax.page.plot import mark
from dfjax.page.rendering import render
from dfjax.prediction import Decision, Prediction, TrackScore
from dfjax.reporting.crops import crop_uri, shown_frames
from dfjax.shown_numbers import clock, frame_value, percent
from dfjax.words import words

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


def _strip(track: TrackScore, crops: np.ndarray, decision: Decision) -> dict[str, Any]:
    """Returns what the template shows of one face."""
    probabilities = np.array([frame.probability_fake for frame in track.frames])
    shown = [
        (crops[index], track.frames[index]) for index in shown_frames(probabilities, NUM_CROPS)
    ]
    name = words.evidence.face.format(number=track.id + 1)
    return {
        "name": name,
        "mark": mark(track.id),
        "percent": percent(track.probability_fake, decision),
        "seen": f"{clock(track.start)} – {clock(track.end)}" if track.end > track.start else "",
        "left_out": words.evidence.left_out[track.left_out] if track.left_out else "",
        "crops": [
            {
                "picture": crop_uri(crop, _CROP_SIDE),
                "seek": frame.timestamp,
                "time": clock(frame.timestamp, decimals=2),
                "value": frame_value(frame.probability_fake),
                "label": words.evidence.crop.format(
                    face=name,
                    time=clock(frame.timestamp, decimals=2),
                    value=frame_value(frame.probability_fake),
                ),
                "bar": f"{100 * frame.probability_fake:.0f}",
            }
            for crop, frame in shown
        ],
    }
