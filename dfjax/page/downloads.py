"""The files that a visitor can keep of a result. They lie in the page itself, not on the server."""

import base64

from dfjax.json_values import dumps
from dfjax.page.rendering import render
from dfjax.prediction import Prediction
from dfjax.reporting.spreadsheets import ENCODING, frames_csv
from dfjax.reporting.video_report import html_report, report_name
from dfjax.words import words


def downloads(prediction: Prediction) -> str:
    """Returns the links to the report, the data and the table of frames, as HTML."""
    frames = frames_csv(prediction).encode(ENCODING)
    files = (
        (words.keeping.report, ".html", "text/html", html_report(prediction).encode()),
        (words.keeping.data, ".json", "application/json", dumps(prediction.to_dict()).encode()),
        (words.keeping.frames, ".csv", "text/csv", frames),
    )
    return render(
        "downloads.html",
        model=prediction.model,
        files=[
            {
                "label": label,
                "id": f"df-download-{ending[1:]}",
                "name": report_name(prediction.video.name, ending),
                "address": f"data:{kind};base64,{base64.b64encode(content).decode()}",
            }
            for label, ending, kind, content in files
        ],
    )
