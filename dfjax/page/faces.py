"""The face crops that were judged, as pictures inside the page itself."""

import base64
import io
from html import escape

import numpy as np
from PIL import Image

from dfjax.page.plot import clock, mark
from dfjax.page.verdict import percent
from dfjax.prediction import Decision, Prediction, TrackScore

NUM_CROPS = 8
"""Crops shown per face."""

_CROP_SIDE = 112  # pixels: sharp at the size shown, and about 4 kB


def face_strips(prediction: Prediction) -> str:
    """Returns one strip of crops per face as HTML, the most suspicious face first.

    Faces whose crops are not in `prediction.clips` are left out. A strip spans the time in which
    the face was seen, and always holds the frame with the highest probability.
    """
    tracks = sorted(prediction.tracks, key=lambda track: -track.probability_fake)
    return "".join(
        _strip(track, prediction.clips[track.id], prediction.decision)
        for track in tracks
        if track.id in prediction.clips
    )


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


def _strip(track: TrackScore, crops: np.ndarray, decision: Decision) -> str:
    probabilities = np.array([frame.probability_fake for frame in track.frames])
    figures = []
    for index in shown_frames(probabilities):
        frame = track.frames[index]
        number = escape(percent(frame.probability_fake, decision))
        figures.append(
            f'<li><img src="{_data_uri(crops[index])}" width="{_CROP_SIDE}" height="{_CROP_SIDE}" '
            f'alt="Face {track.id + 1} at {clock(frame.timestamp)}">'
            f'<span class="df-crop-text"><span>{clock(frame.timestamp)}</span>'
            f"<strong>{number}</strong></span>"
            f'<span class="df-bar"><i style="width:{100 * frame.probability_fake:.0f}%"></i></span>'
            "</li>"
        )
    seen = f"{clock(track.start)} – {clock(track.end)}" if track.end > track.start else ""
    return (
        f'<section class="df-face" aria-label="Face {track.id + 1}"><h4>{mark(track.id)} '
        f"Face {track.id + 1} "
        f"<strong>{escape(percent(track.probability_fake, decision))}</strong>"
        f'<span class="df-muted">{seen}</span></h4><ul>{"".join(figures)}</ul></section>'
    )


def _data_uri(crop: np.ndarray) -> str:
    """Returns a crop, uint8 [S,S,3] RGB, as a small JPEG in a `data:` address."""
    picture = Image.fromarray(crop).resize((_CROP_SIDE, _CROP_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
