"""The words of the live tab."""

from typing import Any

from dfjax.inference.live import ENOUGH_SECONDS, WINDOW_SECONDS

TAB = "Live camera"

TITLE = "Score your camera, as it films"

ABOUT = (
    "The number says how much the last seconds look like the fakes that the model knows. "
    "It is a score, not a verdict: how often it is wrong was measured on files, not on cameras. "
    "For a verdict, record a clip and check the file."
)

PRIVACY = (
    "Frames go to this server only while the camera is on, several a second. None is stored. "
    "What is remembered of a face is dropped when you stop, leave, or pause for ten seconds."
)

START, STOP = "Start the camera", "Stop"

WORDS = {
    "idle": "The camera is off.",
    "asking": "Waiting for the camera …",
    "noFace": "No face in view. That says nothing about what is real.",
    "waiting": "Looking at the face: {seen} of {needed} s.",
    "small": "The face is too small to be judged. Come closer.",
    "score": "Score {percent} over the last {seconds} s.",
    "scored": "There is a score now: {percent}.",
    "face": "Face {number}",
    "faceScore": "Face {number} · {percent}",
    "pace": "{rate} frames a second · {dropped} left out · answer in {delay} ms",
    "denied": "The browser gave no camera: {reason}. Allow it for this page, then start again.",
    "insecure": (
        "The browser allows a camera only on https pages and on this machine. "
        "Open the page at its https address."
    ),
    "lost": "The connection to the server broke off. Start again in a moment.",
    "hidden": "Stopped, because the tab was left.",
}
"""What the browser says; it fills in what is in braces."""

ONE_EACH = "A camera of yours is being scored already. Stop it, or wait ten seconds."

ALL_TAKEN = (
    "As many cameras are being scored as this server can bear. Try again in a minute, or check a "
    "file instead."
)

SESSION_OVER = "The session is over. Start the camera again."

TOO_EARLY = "The frame before is still being scored. Send the next one after its answer."

NO_FRAME = "A frame has to be a JPEG picture of at most {side} pixels a side."

NO_TIME = "The time of a frame has to be in the query as t, seconds, later than the one before."

NOT_READY = "The model is being made ready. Try again in a minute."


def for_browser() -> dict[str, Any]:
    """Returns what the script on the page needs to know."""
    return {"words": WORDS, "needed": ENOUGH_SECONDS, "window": WINDOW_SECONDS}
