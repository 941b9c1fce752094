"""The words of checking several files."""

ONE_VIDEO, SEVERAL_FILES = "One video", "Several files"

DROP = "Drop videos and pictures here"
CHOOSE = "or choose them"
INFO = (
    "They are checked one after another. Each is uploaded when its turn comes, and deleted from "
    "the server like any other video. The list and its results stay in this browser tab until you "
    "close it."
)
CHECK, STOP, CLEAR = "Check all", "Stop after this one", "Clear the list"
CSV = "Download the table (CSV)"
TABLE = "The most suspicious first"
FILE, VERDICT, PROBABILITY = "File", "Verdict", "Probability"
RESULT = "Result of the chosen file"

NOT_CHECKED = "Not checked"

IN_THE_BROWSER = {
    "waiting": "Waiting",
    "uploading": "Uploading",
    "checking": "In the queue or being checked",
    "room": "Waiting for room on the server",
    "stopped": NOT_CHECKED,
    "open": "Show the result of",
    "progress": "{done} of {all} checked",
    "too_large": "The file is larger than the limit of {limit} MiB.",
    "not_sent": "The file could not be uploaded. Check the connection and try again.",
    "not_taken": "The server did not answer. Try again later.",
    "file": "dfjax-results.csv",
}
"""What the browser fills in by itself."""
