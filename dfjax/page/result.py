"""What the page shows after a check, as HTML. Whatever came from a visitor is escaped."""

from dfjax.page.downloads import downloads
from dfjax.page.faces import face_strips
from dfjax.page.origin import provenance_card, says_something
from dfjax.page.player import player
from dfjax.page.plot import score_plot
from dfjax.page.rendering import render
from dfjax.page.verdict import ICONS, spoken_summary
from dfjax.prediction import Prediction
from dfjax.reporting.decision_sentences import withheld
from dfjax.reporting.frame_values import value_rows
from dfjax.reporting.reasons import explain
from dfjax.reporting.scale import scale
from dfjax.shown_numbers import clock
from dfjax.words import words


def render_result(prediction: Prediction, file: str = "") -> str:
    """Returns the verdict, its reasons, the player, the faces, the facts and the report as HTML.

    What a screen reader says of it is in `data-spoken`; so it is for `render_error`.

    Args:
      prediction: Of the file.
      file: Which file it is for, `player.file_key`; the page shows it beside no other.
    """
    probability, decision = prediction.probability_fake, prediction.decision
    is_withheld = decision.is_withheld and prediction.label == "uncertain"
    return render(
        "result.html",
        prediction=prediction,
        file=file,
        spoken=spoken_summary(prediction),
        icon=ICONS[prediction.label],
        explanation=(
            withheld(decision) if is_withheld else words.verdict.explanations[prediction.label]
        ),
        measured=None if probability is None else scale(probability, decision),
        explanation_of=explain(prediction),
        player=player(prediction) if prediction.tracks else "",
        plot=score_plot(prediction) if prediction.tracks else "",
        rows=value_rows(prediction),
        faces=face_strips(prediction),
        facts=_facts(prediction),
        provenance=provenance_card(prediction),
        says_something=says_something(prediction.provenance),
        downloads=downloads(prediction),
    )


def render_error(
    message: str, title: str | None = None, *, file: str = "", is_english: bool = False
) -> str:
    """Returns the panel that says why there is no verdict.

    Args:
      message: The reason, as plain text.
      title: What went wrong, in a few words; None: the check.
      file: Which file it is about, as for `render_result`.
      is_english: That the message is, whatever language the page speaks.
    """
    return render(
        "error.html",
        message=message,
        title=title or words.page.not_checked,
        file=file,
        is_english=is_english,
    )


def _looks(prediction: Prediction) -> dict[str, str]:
    """Returns how much of a video was looked at, under a name; nothing of a still picture."""
    coverage = prediction.coverage
    if coverage.looks < 2:
        return {}
    looks = words.result.looks.format(count=coverage.looks, gap=clock(coverage.longest_gap))
    return {words.result.looked_at: looks}


def _facts(prediction: Prediction) -> dict[str, str]:
    """Returns the facts about video and check, under their names."""
    video, seconds = prediction.video, prediction.seconds
    still = video.duration <= 0
    length = words.result.still if still else clock(video.duration)
    if video.fps > 0 and not still:
        length = words.result.at_rate.format(length=length, rate=f"{video.fps:.4g}")
    return {
        words.result.faces_followed: str(len(prediction.tracks)),
        words.result.frames_scored: str(video.frames_scored),
        **_looks(prediction),
        words.result.length: length,
        words.result.picture: f"{video.width} × {video.height}",
        words.result.time_taken: f"{seconds.decode + seconds.faces + seconds.score:.1f} s",
    }
