"""What is said to programs, which is English, and the parts of the page that know no video."""

import math

from dfjax.page.limits import PageLimits
from dfjax.page.rendering import render
from dfjax.prediction import ModelSummary
from dfjax.video.formats import KINDS_OF_PICTURE, KINDS_OF_VIDEO
from dfjax.video.limits import VideoLimits
from dfjax.words import LANGUAGES, language, words
from dfjax.words.catalogue import catalogue

ENDING = "The server is being restarted. Please try again in a minute."

NO_ROOM = "There is no room for uploads at the moment. Try again in some minutes."

HOW_TO_UPLOAD = (
    "The upload cannot be read. Send one file as multipart/form-data, in a field named “files”, "
    "with a file name."
)

HOW_TO_CALL = (
    'The request cannot be understood. POST {"data": [FILE]} to /gradio_api/call/predict; '
    "GET /gradio_api/info says what FILE is."
)

NO_FUNCTION = "There is no such function. The API has predict, and predict_batch for several files."

NO_VIDEO = "No video was sent."

TOO_MANY_FILES = "{found} files were sent; the limit is {limit} at once. Send the others later."

WAITING = "Waiting for its turn"

WHAT_EFFORT_IS = 'The effort has to be "quick", "standard" or "thorough".'

WHAT_A_FILE_IS = (
    'The video has to be given as {"path": PATH, "meta": {"_type": "gradio.FileData"}}, where PATH '
    "is what POST /gradio_api/upload returned."
)

HOW_TO_GIVE_A_FILE = (
    "Give the path that this returns: curl -F files=@clip.mp4 {root}/gradio_api/upload . "
    "Or give a file of up to {max_bytes:,} bytes itself, as data:video/mp4;base64,…"
)

WHAT_BASE64_IS = "The file has to be given as data:video/mp4;base64, followed by its content."

WHAT_FILES_ARE = f"Several videos have to be given as a list of files. {WHAT_A_FILE_IS}"


def header() -> str:
    """Returns the head of the page."""
    return render("header.html")


def how_it_works(num_frames: int) -> str:
    """Returns what stands in the place of the result before there is one."""
    return render("how_it_works.html", num_frames=num_frames)


def upload_limits(page: PageLimits, video: VideoLimits) -> str:
    """Returns the line under the upload that says what may be chosen."""
    megabytes = min(page.max_upload_bytes, video.max_file_bytes) / 1024**2
    units = ((3600, words.page.hours), (60, words.page.minutes), (1, words.page.seconds))
    length, unit = next((one for one in units if video.max_duration >= 2 * one[0]), units[-1])
    # Rounded down: what is promised is taken.
    longest = unit.format(number=f"{math.floor(10 * video.max_duration / length) / 10:g}")
    return render(
        "upload_limits.html",
        megabytes=f"{megabytes:g}",
        longest=longest,
        videos=_kinds(KINDS_OF_VIDEO),
        pictures=_kinds(KINDS_OF_PICTURE),
    )


def _kinds(names: str) -> str:
    """Returns a list of formats, "A, B or C", in the language that is spoken."""
    return names.replace(" or ", f" {words.page.or_word} ")


def privacy_note(minutes_kept: int) -> str:
    """Returns the line under the upload; `minutes_kept` is how long a file can stay at most."""
    return render("privacy_note.html", minutes_kept=minutes_kept)


def limits() -> str:
    """Returns what a verdict cannot tell."""
    return render("limits.html")


def footer(model: ModelSummary) -> str:
    """Returns the foot of the page: model, version, terms, and the page in other languages."""
    others = {
        code: catalogue(code)["page"]["language_name"] for code in LANGUAGES if code != language()
    }
    return render("footer.html", model=model, others=others)
