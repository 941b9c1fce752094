"""What the page shows after a check, as HTML. Whatever came from a visitor is escaped."""

import base64
import re
from html import escape

from dfjax.config import dumps
from dfjax.page.faces import face_strips
from dfjax.page.plot import clock, score_plot
from dfjax.page.verdict import VERDICTS, WITHHELD, decision_sentence, percent
from dfjax.prediction import Decision, Prediction


def render_result(prediction: Prediction) -> str:
    """Returns the verdict, the plot, the faces, the facts and the report as HTML."""
    probability = prediction.probability_fake
    value = "" if probability is None else f' data-probability="{probability}"'
    evidence = _evidence(prediction) if prediction.tracks else ""
    return (
        f'<article class="df-result" data-label="{prediction.label}"{value}>'
        f"{_verdict_card(prediction)}{_warnings(prediction)}{evidence}{_facts(prediction)}"
        f"{_report(prediction)}</article>"
    )


def render_error(message: str, title: str = "This video could not be checked") -> str:
    """Returns the panel that says why there is no verdict; `message` is plain text."""
    return (
        '<article class="df-result df-error" data-label="error"><section class="df-card">'
        '<svg class="df-icon" viewBox="0 0 24 24" aria-hidden="true">'
        '<path d="M8 2.5h8L21.5 8v8L16 21.5H8L2.5 16V8z"/><path d="m9 9 6 6m0-6-6 6"/></svg>'
        f"<div><h2>{escape(title)}</h2><p>{escape(message)}</p></div></section></article>"
    )


def report_name(video_name: str) -> str:
    """Returns a file name for the report that is safe on every system, from the video's name."""
    stem = video_name.rsplit(".", 1)[0]
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", stem).strip("._")[:80]
    return f"{safe or 'video'}-report.json"


def _verdict_card(prediction: Prediction) -> str:
    verdict = VERDICTS[prediction.label]
    decision = prediction.decision
    explanation = verdict.explanation
    if decision.is_withheld and prediction.label == "uncertain":
        explanation = WITHHELD
    measured = ""
    if prediction.probability_fake is not None:
        number = escape(percent(prediction.probability_fake, decision))
        measured = (
            '<div class="df-probability"><p><span>Probability of manipulation</span> '
            f'<strong class="df-number">{number}</strong></p>'
            f"{_meter(prediction.probability_fake, decision)}"
            f'<p class="df-muted">{escape(decision_sentence(decision))}</p></div>'
        )
    return (
        f'<section class="df-card df-verdict df-{prediction.label}"><div class="df-headline">'
        f'<svg class="df-icon" viewBox="0 0 24 24" aria-hidden="true">{verdict.icon}</svg>'
        f'<div><p class="df-name" title="{escape(prediction.video.name)}">'
        f"{escape(prediction.video.name)}</p>"
        f"<h2>{verdict.title}</h2><p>{explanation}</p></div></div>{measured}</section>"
    )


def _meter(probability: float, decision: Decision) -> str:
    """Returns the scale from 0% to 100% with its zones and a pointer. The text says it all too."""
    real, fake = 100 * decision.real_below, 100 * decision.fake_above
    return (
        '<div class="df-meter" aria-hidden="true"><div class="df-scale">'
        f'<i class="df-zone-real" style="width:{real:g}%"></i>'
        f'<i class="df-zone-uncertain" style="width:{fake - real:g}%"></i>'
        f'<i class="df-zone-fake" style="width:{100 - fake:g}%"></i></div>'
        f'<b style="left:{100 * probability:.2f}%"></b>'
        "<p><span>likely real</span><span>likely fake</span></p></div>"
    )


def _warnings(prediction: Prediction) -> str:
    if not prediction.warnings:
        return ""
    items = "".join(f"<li>{escape(warning)}</li>" for warning in prediction.warnings)
    return f'<section class="df-warnings"><h3>Please note</h3><ul>{items}</ul></section>'


def _evidence(prediction: Prediction) -> str:
    return (
        '<section class="df-card"><h3>Score over time</h3>'
        '<p class="df-muted">One mark for each face in each frame that was looked at. '
        "Higher means more signs of manipulation.</p>"
        f"{score_plot(prediction)}{_table(prediction)}</section>"
        '<section class="df-card"><h3>Faces that were judged</h3>'
        '<p class="df-muted">The verdict follows the most suspicious face.</p>'
        f"{face_strips(prediction)}</section>"
    )


def _table(prediction: Prediction) -> str:
    """Returns the plot's numbers as a table, for those who cannot use the plot."""
    decision = prediction.decision
    head = "".join(f'<th scope="col">Face {track.id + 1}</th>' for track in prediction.tracks)
    columns = [
        {frame.timestamp: frame.probability_fake for frame in track.frames}
        for track in prediction.tracks
    ]
    rows = "".join(
        f'<tr><th scope="row">{clock(frame.timestamp)}</th>'
        + "".join(
            f"<td>{escape(percent(column[frame.timestamp], decision))}</td>"
            if frame.timestamp in column
            else "<td>–</td>"
            for column in columns
        )
        + "</tr>"
        for frame in prediction.frames
    )
    return (
        '<details class="df-table"><summary>Show the numbers</summary><div tabindex="0" '
        'role="region" aria-label="Scores as a table"><table><thead><tr>'
        f'<th scope="col">Time</th>{head}</tr></thead><tbody>{rows}</tbody></table></div></details>'
    )


def _facts(prediction: Prediction) -> str:
    video, seconds = prediction.video, prediction.seconds
    still = video.duration <= 0
    length = "Still picture" if still else clock(video.duration)
    if video.fps > 0 and not still:
        length += f" at {video.fps:.4g} fps"
    facts = {
        "Faces followed": str(len(prediction.tracks)),
        "Frames scored": str(video.frames_scored),
        "Length": length,
        "Picture": f"{video.width} × {video.height}",
        "Time taken": f"{seconds.decode + seconds.faces + seconds.score:.1f} s",
    }
    rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items())
    return f'<section class="df-card"><h3>What was found</h3><dl>{rows}</dl></section>'


def _report(prediction: Prediction) -> str:
    """Returns the link that saves the JSON. It carries the file, so the server keeps no copy."""
    encoded = base64.b64encode(dumps(prediction.to_dict()).encode()).decode()
    model = prediction.model
    revision = f" @ {escape(model.revision[:12])}" if model.revision else ""
    return (
        f'<section class="df-report"><a class="df-button" id="df-download" '
        f'download="{report_name(prediction.video.name)}" '
        f'href="data:application/json;base64,{encoded}">Download the report (JSON)</a>'
        f'<span class="df-muted">Model: {escape(model.id)}{revision}, '
        f"dfjax {escape(model.version)}</span></section>"
    )
