"""The words of the page that do not depend on a video."""

from dfjax.page.rendering import render
from dfjax.prediction import ModelSummary

TITLE = "dfjax · deepfake check"

DESCRIPTION = (
    "Check whether the faces in a video were manipulated: a verdict, a probability, "
    "and a score for every frame that was looked at."
)

CHOOSE_FIRST = "Choose a video or one of the examples first, then press “Check this video”."

OUR_FAULT = (
    "Something went wrong on our side, and nothing was decided about your video. "
    "Please try once more; if it happens again, another video may still work."
)


def header() -> str:
    """Returns the head of the page."""
    return render("header.html")


def how_it_works(num_frames: int) -> str:
    """Returns what stands in the place of the result before there is one."""
    return render("how_it_works.html", num_frames=num_frames)


def privacy_note(minutes_kept: int) -> str:
    """Returns the line under the upload; `minutes_kept` is how long a file can stay at most."""
    return render("privacy_note.html", minutes_kept=minutes_kept)


def limits() -> str:
    """Returns what a verdict cannot tell."""
    return render("limits.html")


def footer(model: ModelSummary) -> str:
    """Returns the foot of the page: model, version and terms."""
    return render("footer.html", model=model)
