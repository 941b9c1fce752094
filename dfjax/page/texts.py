"""The words of the page that do not depend on a video."""

from dfjax.page.rendering import render
from dfjax.prediction import ModelSummary
from dfjax.video.reading import Effort

TITLE = "dfjax · deepfake check"

DESCRIPTION = (
    "Check whether the faces in a video were manipulated: a verdict, a probability, "
    "and a score for every frame that was looked at."
)

FILE_TAB = "Video file"

CHOOSE_FIRST = "Choose a video or one of the examples first, then press “Check this video”."

OUR_FAULT = (
    "Something went wrong on our side, and nothing was decided about your video. "
    "Please try once more; if it happens again, another video may still work."
)

ENDING = "The server is being restarted. Please try again in a minute."

HOW_TO_UPLOAD = (
    "The upload cannot be read. Send one file as multipart/form-data, in a field named “files”, "
    "with a file name."
)

HOW_TO_CALL = (
    'The request cannot be understood. POST {"data": [FILE]} to /gradio_api/call/predict; '
    "GET /gradio_api/info says what FILE is."
)

NO_VIDEO = "No video was sent."

EFFORT = "How closely to look"

EFFORT_INFO = "It makes a difference for videos longer than half a minute."

EFFORTS: dict[Effort, str] = {"quick": "Quick", "standard": "Standard", "thorough": "Thorough"}

WHAT_EFFORT_IS = 'The effort has to be "quick", "standard" or "thorough".'

WHAT_A_FILE_IS = (
    'The video has to be given as {"path": PATH, "meta": {"_type": "gradio.FileData"}}, where PATH '
    "is what POST /gradio_api/upload returned."
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
