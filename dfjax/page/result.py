"""What the page shows after a check, as HTML. Whatever came from a visitor is escaped."""

import base64
import re

from dfjax.json_values import dumps
from dfjax.page.faces import face_strips
from dfjax.page.plot import clock, score_plot
from dfjax.page.rendering import render
from dfjax.page.verdict import VERDICTS, decision_sentence, percent, withheld
from dfjax.prediction import Decision, Prediction


def render_result(prediction: Prediction) -> str:
    """Returns the verdict, the plot, the faces, the facts and the report as HTML."""
    probability, decision = prediction.probability_fake, prediction.decision
    verdict = VERDICTS[prediction.label]
    is_withheld = decision.is_withheld and prediction.label == "uncertain"
    report = base64.b64encode(dumps(prediction.to_dict()).encode()).decode()
    return render(
        "result.html",
        prediction=prediction,
        model=prediction.model,
        verdict=verdict,
        explanation=withheld(decision) if is_withheld else verdict.explanation,
        measured=None if probability is None else _measured(probability, decision),
        plot=score_plot(prediction) if prediction.tracks else "",
        rows=_table(prediction),
        segments=[
            {
                "face": f"Face {segment.track + 1}",
                "time": f"{clock(segment.start)} – {clock(segment.end)}",
                "percent": percent(segment.probability_fake, decision),
            }
            for segment in prediction.segments
        ],
        faces=face_strips(prediction),
        facts=_facts(prediction),
        report=report,
        report_name=report_name(prediction.video.name),
    )


def render_error(message: str, title: str = "This video could not be checked") -> str:
    """Returns the panel that says why there is no verdict; `message` is plain text."""
    return render("error.html", message=message, title=title)


def report_name(video_name: str) -> str:
    """Returns a file name for the report that is safe on every system, from the video's name."""
    stem = video_name.rsplit(".", 1)[0]
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", stem).strip("._")[:80]
    return f"{safe or 'video'}-report.json"


def _measured(probability: float, decision: Decision) -> dict[str, str]:
    """Returns the probability in words, and the zones and the pointer of its scale in per cent."""
    real, fake = 100 * decision.real_below, 100 * decision.fake_above
    return {
        "percent": percent(probability, decision),
        "rule": decision_sentence(decision),
        "real": f"{real:g}",
        "uncertain": f"{fake - real:g}",
        "fake": f"{100 - fake:g}",
        "pointer": f"{100 * probability:.2f}",
    }


def _table(prediction: Prediction) -> list[tuple[str, list[str]]]:
    """Returns the plot's numbers: a row for each time, a cell for each face."""
    columns = [
        {
            frame.timestamp: percent(frame.probability_fake, prediction.decision)
            for frame in track.frames
        }
        for track in prediction.tracks
    ]
    return [
        (clock(frame.timestamp), [column.get(frame.timestamp, "–") for column in columns])
        for frame in prediction.frames
    ]


def _looks(prediction: Prediction) -> dict[str, str]:
    """Returns how much of a video was looked at, under a name; nothing of a still picture."""
    coverage = prediction.coverage
    if coverage.looks < 2:
        return {}
    return {"Looked at": f"{coverage.looks} times, up to {clock(coverage.longest_gap)} apart"}


def _facts(prediction: Prediction) -> dict[str, str]:
    """Returns the facts about video and check, under their names."""
    video, seconds = prediction.video, prediction.seconds
    still = video.duration <= 0
    length = "Still picture" if still else clock(video.duration)
    if video.fps > 0 and not still:
        length += f" at {video.fps:.4g} fps"
    return {
        "Faces followed": str(len(prediction.tracks)),
        "Frames scored": str(video.frames_scored),
        **_looks(prediction),
        "Length": length,
        "Picture": f"{video.width} × {video.height}",
        "Time taken": f"{seconds.decode + seconds.faces + seconds.score:.1f} s",
    }
