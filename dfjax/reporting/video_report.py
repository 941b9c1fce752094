"""The report on one video, to keep and to send: one HTML file that needs nothing else."""

import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import jinja2
import numpy as np

from dfjax.prediction import Prediction, TrackScore
from dfjax.reporting.crops import crop_uri, shown_frames
from dfjax.reporting.decision_sentences import withheld
from dfjax.reporting.frame_values import value_rows
from dfjax.reporting.reasons import explain
from dfjax.reporting.scale import scale
from dfjax.reporting.shown_provenance import shown_provenance
from dfjax.shown_numbers import clock, clocks, frame_value, percent, threshold_percent
from dfjax.words import language, translated, words

HeatMaps = Mapping[tuple[int, int], np.ndarray]
"""By `TrackScore.id` and index among its `frames`: uint8 [S,S,3] RGB, the crop overlaid."""

_NAME_BYTES = 150  # of a video's name in that of its report; file systems take 255 of all
_NUM_CROPS = 8  # of a face
_CROP_SIDE = 144  # pixels: sharp in print as well
_CROP_QUALITY = 88
_NUM_TICKS = 6  # of the time axis, at most
_TICK_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)  # seconds

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("dfjax.reporting"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def html_report(prediction: Prediction, *, heat_maps: HeatMaps | None = None) -> str:
    """Returns the report as an HTML page that loads nothing, and prints well.

    Whatever came from the file (its name, what its credentials say) is escaped.

    Args:
      prediction: The answer; crops are shown of the faces that are in its `clips`.
      heat_maps: Shown beside their crops.
    """
    explanation = words.verdict.explanations[prediction.label]
    if prediction.decision.is_withheld and prediction.label == "uncertain":
        explanation = withheld(prediction.decision)
    probability = prediction.probability_fake
    return _TEMPLATES.get_template("video_report.html").render(
        words=words,
        language=language(),
        translated=translated,
        prediction=prediction,
        title=words.verdict.titles[prediction.label],
        explanation=explanation,
        checked=words.report.checked.format(time=_time(prediction.checked_at)),
        measured=None if probability is None else scale(probability, prediction.decision),
        explanation_of=explain(prediction),
        lanes=_lanes(prediction),
        rows=value_rows(prediction),
        ticks=_ticks(_span(prediction)),
        stretches=_stretches(prediction),
        faces=_faces(prediction, heat_maps or {}),
        provenance=shown_provenance(prediction.provenance),
        tables=_tables(prediction),
        foot=words.report.foot.format(version=prediction.model.version),
    )


def report_name(video_name: str, ending: str) -> str:
    """Returns a file name for a report that is safe on every system, from the video's name.

    Letters, with their marks, and digits of any script are kept.

    Args:
      video_name: The video's file name.
      ending: What the report's name ends with, such as ".html".
    """
    stem = unicodedata.normalize("NFC", video_name.rsplit(".", 1)[0])
    kept = (c if c in "._-" or unicodedata.category(c)[0] in "LMN" else " " for c in stem)
    safe = re.sub(" +", "_", "".join(kept)).strip("._")
    short = safe.encode()[:_NAME_BYTES].decode(errors="ignore")  # the cut may have split a letter
    return f"{short or 'video'}-report{ending}"


class _Span(NamedTuple):
    """The times between which everything is drawn, seconds."""

    start: float
    end: float

    @property
    def duration(self) -> float:
        return self.end - self.start

    def across(self, timestamp: float) -> float:
        """Returns how far across a time is drawn, per cent. A still picture is in the middle."""
        return round(100 * (timestamp - self.start) / self.duration, 3) if self.duration else 50.0


def _span(prediction: Prediction) -> _Span:
    """Returns the times of a video, or of frames in memory, whose clock need not begin at 0."""
    duration = prediction.video.duration
    times = [frame.timestamp for frame in prediction.frames]
    if times and not 0 <= times[0] <= duration:
        return _Span(times[0], max(times[-1], times[0] + duration))
    return _Span(0.0, max([duration, *times]))


def _ticks(span: _Span) -> list[dict[str, Any]]:
    """Returns a few round times for the axis."""
    duration = span.duration
    if duration <= 0:
        return [{"at": 50.0, "text": words.report.still}]
    steps = (step for step in _TICK_STEPS if duration / step < _NUM_TICKS)
    step = float(next(steps, 3600 * np.ceil(duration / _NUM_TICKS / 3600)))
    times = [round(n * step, 3) for n in range(int(duration / step + 1e-9) + 1)]
    first = math.ceil(span.start / step - 1e-9) * step
    times = [round(first + time, 3) for time in times if first + time <= span.end + 1e-9]
    decimals = 1 if step < 1 else 0
    return [{"at": span.across(time), "text": clock(time, decimals)} for time in times]


def _lanes(prediction: Prediction) -> list[dict[str, Any]]:
    """Returns the row of the timeline of each face."""
    span = _span(prediction)
    lanes = []
    for track in prediction.tracks:
        start, end = span.across(track.start), span.across(track.end)
        segments = [segment for segment in prediction.segments if segment.track == track.id]
        lanes.append(
            {
                "name": _face_name(track.id),
                "start": start,
                "width": round(end - start, 3),
                "stretches": [
                    {
                        "at": span.across(segment.start),
                        "width": round(span.across(segment.end) - span.across(segment.start), 3),
                    }
                    for segment in segments
                ],
                "bars": [
                    {
                        "at": span.across(frame.timestamp),
                        "height": round(max(2.0, 100 * frame.probability_fake), 1),
                    }
                    for frame in track.frames
                ],
            }
        )
    return lanes


def _stretches(prediction: Prediction) -> list[str]:
    return [
        words.report.stretch.format(
            face=_face_name(segment.track),
            start=start,
            end=end,
            percent=percent(segment.probability_fake, prediction.decision),
        )
        for segment in prediction.segments
        for start, end in [clocks(segment.start, segment.end)]
    ]


def _face_name(track_id: int) -> str:
    return words.report.face.format(number=track_id + 1)


def _faces(prediction: Prediction, heat_maps: HeatMaps) -> list[dict[str, Any]]:
    """Returns what is shown of each face, the most suspicious one first; then those left out."""
    tracks = sorted(
        prediction.tracks,
        key=lambda track: (track.left_out is not None, -track.probability_fake),
    )
    return [_face(prediction, track, heat_maps) for track in tracks]


def _face(prediction: Prediction, track: TrackScore, heat_maps: HeatMaps) -> dict[str, Any]:
    name = _face_name(track.id)
    crops = []
    if track.id in prediction.clips:
        probabilities = np.array([frame.probability_fake for frame in track.frames])
        for index in shown_frames(probabilities, _NUM_CROPS):
            frame, heat_map = track.frames[index], heat_maps.get((track.id, index))
            time = clock(frame.timestamp, decimals=2)
            crops.append(
                {
                    "picture": _picture(prediction.clips[track.id][index]),
                    "heat_map": None if heat_map is None else _picture(heat_map),
                    "alt": words.report.crop.format(face=name, time=time),
                    "time": time,
                    "value": frame_value(frame.probability_fake),
                }
            )
    lasts = track.end > track.start
    return {
        "name": name,
        "percent": percent(track.probability_fake, prediction.decision),
        "seen": words.report.seen.format(start=clock(track.start), end=clock(track.end))
        if lasts
        else "",
        "left_out": words.evidence.left_out[track.left_out] if track.left_out else "",
        "crops": crops,
    }


def _picture(picture: np.ndarray) -> str:
    return crop_uri(picture, _CROP_SIDE, quality=_CROP_QUALITY)


def _tables(prediction: Prediction) -> list[tuple[str, list[tuple[str, str]]]]:
    """Returns the facts: per table its name, and rows of a name and a value."""
    named = (
        (words.report.file, _file_facts),
        (words.report.check, _check_facts),
        (words.report.model, _model_facts),
    )
    return [
        (name, [(words.report.facts[key], value) for key, value in facts(prediction).items()])
        for name, facts in named
    ]


def _file_facts(prediction: Prediction) -> dict[str, str]:
    video = prediction.video
    facts = {"name": video.name}
    if video.sha256 is not None and video.size_bytes is not None:
        facts["sha256"] = video.sha256
        facts["size"] = words.report.bytes.format(
            shown=_size(video.size_bytes), exact=f"{video.size_bytes:,}"
        )
        facts["format"] = f"{video.codec}, {video.container}"
    facts["picture"] = f"{video.width} × {video.height}"
    length = clock(video.duration)
    if video.fps > 0:
        length = words.report.at_rate.format(length=length, rate=f"{video.fps:.4g}")
    facts["length"] = length if video.duration > 0 else words.report.still
    return facts


def _check_facts(prediction: Prediction) -> dict[str, str]:
    coverage = prediction.coverage
    facts = {
        "time": _time(prediction.checked_at),
        "effort": words.page.efforts[coverage.effort].lower(),
        "frames": words.report.with_face.format(
            sampled=coverage.frames_sampled, scored=prediction.video.frames_scored
        ),
        "faces": str(len(prediction.tracks)),
    }
    if coverage.looks > 1:
        facts |= {"looks": str(coverage.looks), "gap": clock(coverage.longest_gap)}
    return facts


def _model_facts(prediction: Prediction) -> dict[str, str]:
    model, decision = prediction.model, prediction.decision
    facts = {"model": model.id}
    if model.revision is not None:
        facts["revision"] = model.revision
    facts["digest"] = model.digest or words.report.unknown
    facts["version"] = f"dfjax {model.version}"
    facts["fake_above"] = threshold_percent(decision.fake_above)
    facts["real_below"] = threshold_percent(decision.real_below)
    rates = (
        ("false_positive_rate", decision.false_positive_rate, words.report.at_most),
        ("false_negative_rate", decision.false_negative_rate, words.report.at_most_fake),
    )
    for key, rate, text in rates:
        known = rate is not None
        facts[key] = text.format(rate=threshold_percent(rate)) if known else words.report.unknown
    return facts


def _size(num_bytes: int) -> str:
    """Returns a size in the unit in which it is read best."""
    size, unit = float(num_bytes), "B"
    for larger in ("kB", "MB", "GB"):
        if size < 999.5:  # else it would be rounded to four digits
            break
        size, unit = size / 1000, larger
    return f"{size:.3g} {unit}"


def _time(checked_at: str) -> str:
    """Returns a time in UTC as people write it."""
    time = datetime.fromisoformat(checked_at)
    return words.report.date.format(
        day=time.day,
        month=words.report.months[time.month - 1],
        year=time.year,
        time=f"{time:%H:%M:%S}",
    )
