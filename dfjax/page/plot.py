"""The plot of the scores over time, as an SVG that needs no script and no other host.

Across, everything is in per cent of the width, so that text and marks keep their size on a phone
and on a wide screen alike. Colours come from the page's style sheet, so that dark mode works.
"""

from html import escape

import numpy as np

from dfjax.prediction import Decision, Prediction, TrackFrameScore, TrackScore
from dfjax.shown_numbers import clock, percent, threshold_percent

_TOP = 14  # pixels above 100%
_HEIGHT = 200  # pixels from 100% down to 0%
_BOTTOM = 30  # pixels under 0%, for the times

_LABEL_ROOM = 0.08  # of the height, that two labels of the axis need

_TICK_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)  # seconds

# One outline per face, around (0, 0), so that faces differ by more than their colour.
_MARKS = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",  # circle
    "M-3.6-3.6h7.2v7.2h-7.2z",  # square
    "M0-4.8 4.4 3.4H-4.4z",  # triangle
    "M0-5 5 0 0 5-5 0z",  # diamond
    "M0 4.8 4.4-3.4H-4.4z",  # triangle, point down
    "M-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",  # plus
    "M-4.5-2.2h9v4.4h-9z",  # bar
    "M-2.2-4.5h4.4v9h-4.4z",  # upright bar
)


def score_plot(prediction: Prediction) -> str:
    """Returns the figure as HTML: one mark per face and frame, both thresholds, a legend.

    Args:
      prediction: One with at least one track.

    Returns:
      A `<figure>`; every mark is an element of class `df-point` with its numbers in `data-`
      attributes and in a tooltip.
    """
    duration = max(prediction.video.duration, prediction.frames[-1].timestamp)
    step = _longest_step(prediction)
    tracks = "".join(
        _track(track, duration, step, prediction.decision) for track in prediction.tracks
    )
    description = _description(prediction)
    legend = "".join(_legend_entry(track, prediction.decision) for track in prediction.tracks)
    return (
        '<figure class="df-plot">'
        f'<div class="df-plot-area"><div class="df-plot-axis" aria-hidden="true">'
        f"{_axis_labels(prediction.decision)}</div>"
        f'<svg role="img" aria-labelledby="df-plot-title df-plot-desc" width="100%" '
        f'height="{_TOP + _HEIGHT + _BOTTOM}">'
        '<title id="df-plot-title">Probability of manipulation over time</title>'
        f'<desc id="df-plot-desc">{escape(description)}</desc>'
        f"{_background(prediction.decision)}{_time_axis(duration)}{tracks}"
        f'</svg></div><ul class="df-legend">{legend}{_threshold_legend(prediction.decision)}</ul>'
        "</figure>"
    )


def mark(track_id: int) -> str:
    """Returns the little SVG that stands for a face in the legend and next to its crops."""
    return (
        f'<svg class="df-mark {_track_class(track_id)}" width="28" height="12" aria-hidden="true">'
        '<line class="df-line" x1="0" x2="28" y1="6" y2="6"/>'
        f'<path class="df-dot" transform="translate(14 6)" d="{_MARKS[track_id % 8]}"/></svg>'
    )


def tick_times(duration: float) -> list[float]:
    """Returns at most six round times from 0 to `duration`, seconds, to be marked on the axis."""
    if duration <= 0:
        return []
    steps = (step for step in _TICK_STEPS if duration / step <= 5)
    step = next(steps, 3600 * np.ceil(duration / 5 / 3600))
    return [round(n * float(step), 3) for n in range(int(duration / step + 1e-9) + 1)]


def _y(probability: float) -> float:
    """Returns how far down a probability is drawn, pixels."""
    return round(_TOP + (1 - probability) * _HEIGHT, 2)


def _x(timestamp: float, duration: float) -> float:
    """Returns how far across a time is drawn, per cent. A still picture sits in the middle."""
    return round(100 * timestamp / duration, 3) if duration > 0 else 50.0


def _track_class(track_id: int) -> str:
    return f"df-track-{track_id % 8}"


def _longest_step(prediction: Prediction) -> float:
    """Returns the time between two marks, seconds, over which no line is drawn: a face was gone."""
    times = [frame.timestamp for frame in prediction.frames]
    return 1.75 * float(np.median(np.diff(times))) if len(times) > 2 else float("inf")


def _background(decision: Decision) -> str:
    """Returns the zones of the three verdicts, the grid and the two thresholds."""
    fake, real, end = _y(decision.fake_above), _y(decision.real_below), _y(0.0)
    zones = [("fake", _TOP, fake), ("uncertain", fake, real), ("real", real, end)]
    parts = [
        f'<rect class="df-zone df-zone-{name}" x="0" width="100%" y="{top:g}" '
        f'height="{bottom - top:g}"/>'
        for name, top, bottom in zones
        if bottom > top
    ]
    parts += [
        f'<line class="df-grid" x1="0" x2="100%" y1="{_y(p):g}" y2="{_y(p):g}"/>'
        for p in (1.0, 0.75, 0.5, 0.25, 0.0)
    ]
    parts += [
        f'<line class="df-threshold df-threshold-{name}" data-threshold="{value}" '
        f'x1="0" x2="100%" y1="{_y(value):g}" y2="{_y(value):g}"/>'
        for name, value in (("fake", decision.fake_above), ("real", decision.real_below))
    ]
    return "".join(parts)


def _axis_labels(decision: Decision) -> str:
    """Returns the percentages next to the plot: the thresholds, and round ones with room.

    Whole ones, for the column is narrow; the legend has the thresholds in full.
    """
    thresholds = {"fake": decision.fake_above, "real": decision.real_below}
    if decision.fake_above == decision.real_below:
        del thresholds["real"]
    labels = [("df-axis-" + name, value) for name, value in thresholds.items()]
    taken = list(thresholds.values())
    for value in (0.0, 1.0, 0.5):
        if all(abs(value - other) >= _LABEL_ROOM for other in taken):
            labels.append(("", value))
            taken.append(value)
    return "".join(
        f'<span class="{name}" style="top:{_y(value):g}px">{100 * value:.0f}%</span>'
        for name, value in labels
    )


def _threshold_legend(decision: Decision) -> str:
    if decision.is_withheld:
        return ""
    entries = (
        ("fake", f"likely fake above {threshold_percent(decision.fake_above)}"),
        ("real", f"likely real below {threshold_percent(decision.real_below)}"),
    )
    return "".join(
        '<li><svg class="df-mark" width="28" height="12" aria-hidden="true">'
        f'<line class="df-threshold df-threshold-{name}" x1="0" x2="28" y1="6" y2="6"/></svg> '
        f"{words}</li>"
        for name, words in entries
    )


def _time_axis(duration: float) -> str:
    y = _y(0.0)
    if duration <= 0:
        return f'<text class="df-tick" x="50%" y="{y + 20:g}" text-anchor="middle">still</text>'
    parts = []
    for time in tick_times(duration):
        x = _x(time, duration)
        anchor = "start" if x < 3 else "end" if x > 94 else "middle"
        parts.append(
            f'<line class="df-grid" x1="{x}%" x2="{x}%" y1="{y:g}" y2="{y + 5:g}"/>'
            f'<text class="df-tick" x="{x}%" y="{y + 20:g}" text-anchor="{anchor}">'
            f"{clock(time)}</text>"
        )
    return "".join(parts)


def _track(track: TrackScore, duration: float, step: float, decision: Decision) -> str:
    lines = "".join(_line(run, duration) for run in _runs(track.frames, step))
    points = "".join(
        f'<svg class="df-point" data-track="{track.id}" data-timestamp="{frame.timestamp}" '
        f'data-probability="{frame.probability_fake}" x="{_x(frame.timestamp, duration)}%" '
        f'y="{_y(frame.probability_fake):g}" overflow="visible">'
        f"<title>Face {track.id + 1} at {clock(frame.timestamp)}: "
        f"{escape(percent(frame.probability_fake, decision))}</title>"
        f'<path class="df-dot" d="{_MARKS[track.id % 8]}"/></svg>'
        for frame in track.frames
    )
    return f'<g class="{_track_class(track.id)}">{lines}{points}</g>'


def _line(frames: list[TrackFrameScore], duration: float) -> str:
    """Returns the line through neighbouring marks, drawn in thousandths of the plot's width."""
    corners = " ".join(
        f"{10 * _x(f.timestamp, duration):.2f},{_y(f.probability_fake) - _TOP:.2f}" for f in frames
    )
    return (
        f'<svg x="0" y="{_TOP}" width="100%" height="{_HEIGHT}" overflow="visible" '
        f'viewBox="0 0 1000 {_HEIGHT}" preserveAspectRatio="none">'
        f'<polyline class="df-line" vector-effect="non-scaling-stroke" points="{corners}"/></svg>'
    )


def _runs(frames: tuple[TrackFrameScore, ...], step: float) -> list[list[TrackFrameScore]]:
    """Splits a track where the face was gone; runs of one mark need no line and are left out."""
    runs = [[frames[0]]]
    for before, frame in zip(frames, frames[1:], strict=False):
        if frame.timestamp - before.timestamp > step:
            runs.append([])
        runs[-1].append(frame)
    return [run for run in runs if len(run) > 1]


def _legend_entry(track: TrackScore, decision: Decision) -> str:
    number = escape(percent(track.probability_fake, decision))
    return f"<li>{mark(track.id)} Face {track.id + 1} <strong>{number}</strong></li>"


def _description(prediction: Prediction) -> str:
    """Returns what the plot shows, in words."""
    decision = prediction.decision
    sentences = [
        f"Likely fake is said above {threshold_percent(decision.fake_above)}, "
        f"likely real below {threshold_percent(decision.real_below)}."
    ]
    for track in prediction.tracks:
        scores = [frame.probability_fake for frame in track.frames]
        sentences.append(
            f"Face {track.id + 1}, {len(scores)} frames from {clock(track.start)} to "
            f"{clock(track.end)}: from {percent(min(scores), decision)} "
            f"to {percent(max(scores), decision)}."
        )
    return " ".join(sentences)
