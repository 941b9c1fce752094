"""Several files: a table that fills as they are checked, one at a time, through the same queue.

The browser keeps the list. It uploads a file when its turn comes, and then asks for one check as
for a single video: so a long list takes one place in the queue, overtakes nobody, and has no file
on the server before it is needed. Results stay in the browser.
"""

import json
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import gradio as gr

from dfjax.errors import DfjaxError
from dfjax.page import texts
from dfjax.page.effort import effort_choice
from dfjax.page.fair_queue import CHECKS
from dfjax.page.language import language_of
from dfjax.page.limits import PageLimits
from dfjax.page.player import file_key
from dfjax.page.rendering import render, script_of
from dfjax.page.result import render_error, render_result
from dfjax.page.upload import ACCEPTED, upload_name
from dfjax.prediction import Prediction, failure_report
from dfjax.reporting.spreadsheets import VIDEO_COLUMNS, csv_header, csv_lines, video_rows
from dfjax.shown_numbers import percent
from dfjax.words import speaking, words

_LOG = logging.getLogger(__name__)

_PROGRESS = gr.Progress()


class BatchParts(NamedTuple):
    """What a visitor uses, and what passes between browser and server."""

    effort: gr.Radio
    upload: gr.File  # nobody sees it: the browser puts there what it has uploaded
    board: gr.HTML
    answer: gr.HTML  # nobody sees it: the browser takes the answer from it


def lay_out_batch(what_to_choose: str, *, has_efforts: bool, limits: PageLimits) -> BatchParts:
    """Adds the list of files to the page that is being built.

    Args:
      what_to_choose: The line that says it, as HTML.
      has_efforts: Whether the model can look more or less closely.
      limits: What visitors may cost; the browser is told the size of a file.
    """
    effort = effort_choice(is_offered=has_efforts, elem_classes="df-effort")
    upload = gr.File(visible=False)
    board = gr.HTML(
        render("batch.html", accepted=ACCEPTED, what_to_choose=what_to_choose),
        apply_default_css=False,
        js_on_load=_script(limits),
        elem_id="df-batch",
    )
    answer = gr.HTML("", html_template="", apply_default_css=False, elem_id="df-batch-answer")
    return BatchParts(effort, upload, board, answer)


def join_batch(
    parts: BatchParts,
    score: Callable[[dict[str, Any], Any, gr.Progress], Prediction],
    frames_at: Callable,
    frames: gr.HTML,
) -> None:
    """Adds the events of the list: a check, what becomes of its answer, and frames of a result.

    Args:
      parts: What `lay_out_batch` returned.
      score: Scores an upload as Gradio describes it.
      frames_at: Takes an upload and the event that asks, and returns frames of it as HTML.
      frames: Where they come in.
    """
    checked = parts.board.click(
        _check_with(score),
        inputs=[parts.upload, parts.effort],
        outputs=parts.answer,
        js="(upload, effort) => [window.dfBatch.sent(), effort]",
        preprocess=False,
        show_progress="hidden",
        api_visibility="private",
        concurrency_limit=1,
        concurrency_id=CHECKS,
    )
    checked.success(fn=None, js="(answer) => { window.dfBatch.take(answer); }", inputs=parts.answer)
    checked.failure(fn=None, js="() => { window.dfBatch.fail(); }")
    parts.board.need_frames(
        frames_at,
        inputs=parts.upload,
        outputs=frames,
        js="() => [window.dfBatch.shown()]",
        trigger_mode="multiple",  # another file may be opened before the frames of one are there
        preprocess=False,
        show_progress="hidden",
        api_visibility="private",
        concurrency_limit=1,
        concurrency_id="frames",
    )


def _script(limits: PageLimits) -> str:
    """Returns what the browser runs, with its words and limits filled in."""
    script = script_of("batch.js")
    settings = {
        "columns": VIDEO_COLUMNS,
        "header": csv_header(VIDEO_COLUMNS),
        "max_bytes": limits.max_upload_bytes,
        "words": words.batch.in_the_browser.as_dict(),
    }
    return script.replace("SETTINGS", json.dumps(settings))


def _check_with(score: Callable[[dict[str, Any], Any, gr.Progress], Prediction]) -> Callable:
    """Returns the function that checks one file of the list."""

    def check_one(
        video: dict[str, Any] | None,
        effort: str,
        progress: gr.Progress = _PROGRESS,
        request: gr.Request | None = None,
    ) -> str:
        """Returns what the browser keeps of a file, as JSON."""
        if video is None:
            raise gr.Error(texts.NO_VIDEO, print_exception=False)
        with speaking(language_of(request)):
            try:
                prediction = score(video, effort, progress)
                return json.dumps(_answer(prediction, file_key(video["path"])))
            except DfjaxError as error:
                failure = {"message": str(error), "is_english": True}
            except gr.Error:
                raise
            except Exception:
                _LOG.exception("a check failed")
                failure = {"message": words.page.our_fault}
            return json.dumps(_failure(video, **failure))

    return check_one


def _answer(prediction: Prediction, file: str) -> dict[str, Any]:
    """Returns the line of the table, the lines of the CSV file, and the result itself."""
    probability = prediction.probability_fake
    return {
        "label": prediction.label,
        "title": words.verdict.titles[prediction.label],
        "probability": probability,
        "percent": "" if probability is None else percent(probability, prediction.decision),
        "csv": csv_lines(VIDEO_COLUMNS, video_rows(prediction.to_dict())),
        "html": render_result(prediction, file),
    }


def _failure(video: dict[str, Any], message: str, *, is_english: bool = False) -> dict[str, Any]:
    report = failure_report(upload_name(video), message)
    return {
        "label": "error",
        "title": words.batch.in_the_browser.failed,
        "probability": None,
        "percent": "",
        "csv": csv_lines(VIDEO_COLUMNS, video_rows(report)),
        "html": render_error(message, file=file_key(video["path"]), is_english=is_english),
    }
