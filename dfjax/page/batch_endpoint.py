"""Several videos in one call of the API: each waits its turn, as if it had been sent alone."""

import asyncio
from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.data_classes import PredictBodyInternal
from gradio.server_messages import ProcessCompletedMessage, ProgressMessage

from dfjax.errors import AbandonedError
from dfjax.page import texts
from dfjax.page.fair_queue import FairQueue, current_event
from dfjax.page.limits import PageLimits
from dfjax.page.upload import upload_name
from dfjax.prediction import failure_report
from dfjax.words import words

_MAX_BATCHES = 8  # of all clients, that are under way at the same time

_LOOK_SECONDS = 0.5  # between two looks for a place in the queue, or for whether anybody waits

# Gradio knows a function that reports progress by a default value of this type.
_PROGRESS = gr.Progress()

_Report = Callable[[float, str], None]


def add_batch_endpoint(effort: gr.Radio, limits: PageLimits) -> None:
    """Adds the endpoint `/predict_batch` to the page that is being built.

    Args:
      effort: Gives the effort; the same as for one video.
      limits: Say how many files a call may have.
    """
    videos = gr.File(label="Videos", file_count="multiple", visible=False)
    file = {"path": "clip.mp4", "meta": {"_type": "gradio.FileData"}}
    videos.example_payload = lambda: [file]
    gr.Button(visible=False).click(
        _predict_batch_with(limits),
        inputs=[videos, effort],
        preprocess=False,
        outputs=gr.JSON(label="Predictions", visible=False),
        api_name="predict_batch",
        concurrency_limit=_MAX_BATCHES,
        concurrency_id="batch",
    )


def _predict_batch_with(limits: PageLimits) -> Callable:
    """Returns the function behind the endpoint; Gradio shows its docstring to callers."""

    async def predict_batch(
        videos: list[dict[str, Any]] | None,
        effort: str = "standard",
        progress: gr.Progress = _PROGRESS,
    ) -> list[dict[str, Any]]:
        """Judges several videos, one after the other. A file that cannot be judged has "error".

        Args:
            videos: Uploaded videos or pictures.
            effort: How much of a long video is looked at: "quick", "standard" or "thorough".
            progress: Filled in by Gradio.

        Returns:
            A list with the JSON of /predict for each video, in the order in which they came.
        """
        running = current_event()
        if not videos or running is None:
            raise gr.Error(texts.NO_VIDEO, print_exception=False)
        if len(videos) > limits.max_batch_files:
            message = texts.TOO_MANY_FILES.format(found=len(videos), limit=limits.max_batch_files)
            raise gr.Error(message, print_exception=False)
        queue, event_id = running
        answers: list[dict[str, Any]] = []
        with queue.part_of(event_id) as session:
            for index, video in enumerate(videos):

                def report(fraction: float, stage: str, index: int = index) -> None:
                    done = (index + fraction) / len(videos)
                    progress(done, desc=f"{index + 1} of {len(videos)}: {stage}")

                try:
                    answers.append(await _check(queue, event_id, session, [video, effort], report))
                except gr.Error as error:
                    answers.append(failure_report(upload_name(video), error.message))
                except AbandonedError as error:
                    raise gr.Error(str(error), print_exception=False) from error
        return answers

    return predict_batch


async def _check(
    queue: FairQueue, parent: str, session: str, data: list[Any], report: _Report
) -> dict[str, Any]:
    """Returns what `/predict` answers, once its turn has come.

    Args:
      queue: Where to wait.
      parent: The event that the check is a part of.
      session: Of the parent's parts.
      data: Arguments of `/predict`.
      report: Called with the fraction done, 0 to 1, and a few words that name the stage.

    Raises:
      gr.Error: The file cannot be judged.
      AbandonedError: Whoever asked has gone.
    """
    if "error" in data[0]:
        raise gr.Error(data[0]["error"], print_exception=False)
    report(0.0, texts.WAITING)
    event = queue.event_ids_to_events[parent]
    (predict,) = [f for f in queue.blocks.fns.values() if f.api_name == "predict"]
    body = PredictBodyInternal(
        data=data, fn_index=predict._id, session_hash=session, request=event.request
    )
    taken, found, why = await queue.push(body, event.request, event.username)
    while not taken and why == "queue_full":
        _require_wanted(queue, parent)
        await asyncio.sleep(_LOOK_SECONDS)
        taken, found, why = await queue.push(body, event.request, event.username)
    if not taken:
        raise gr.Error(str(found), print_exception=False)
    messages = queue.pending_messages_per_session[session]
    try:
        while True:
            _require_wanted(queue, parent)
            try:
                message = await asyncio.wait_for(messages.get(), _LOOK_SECONDS)
            except TimeoutError:
                continue
            if isinstance(message, ProgressMessage):
                for unit in message.progress_data[-1:]:
                    report(unit.progress or 0.0, unit.desc or "")
            elif isinstance(message, ProcessCompletedMessage):
                if not message.success:
                    raise gr.Error(message.output["error"] or words.page.our_fault)
                (prediction,) = message.output["data"]
                return prediction.root  # of the JSON that Gradio has made of it
    except AbandonedError:
        await queue.clean_events(event_id=str(found))
        raise


def _require_wanted(queue: FairQueue, event_id: str) -> None:
    if not queue.is_wanted(event_id):
        raise AbandonedError("Whoever asked for these checks has gone.")
