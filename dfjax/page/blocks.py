"""The page put together: its parts, and the events that join them."""

import dataclasses
import json
import logging
from collections.abc import Callable, Sequence
from typing import Any, get_args

import gradio as gr

from dfjax.errors import DfjaxError
from dfjax.page import texts
from dfjax.page.batch import join_batch, lay_out_batch
from dfjax.page.batch_endpoint import add_batch_endpoint
from dfjax.page.cards import ON_LOAD, ExampleVideo, example_cards
from dfjax.page.checks import check_upload
from dfjax.page.effort import effort_choice
from dfjax.page.events import (
    OFFER_VIDEOS,
    ONE_AT_A_TIME,
    SAY_LANGUAGE,
    Parts,
    frames_place,
    join,
    result_script,
    spoken_place,
)
from dfjax.page.fair_queue import CHECKS
from dfjax.page.health import Health
from dfjax.page.how_good import how_good
from dfjax.page.language import language_of
from dfjax.page.limits import PageLimits
from dfjax.page.live import live_tab
from dfjax.page.live_sessions import LivePredictor, LiveSessions
from dfjax.page.player import file_key, frames_at
from dfjax.page.rendering import script_of
from dfjax.page.result import render_error, render_result
from dfjax.page.shared_predictor import SharedPredictor, VideoPredictor
from dfjax.page.upload import UploadBlocks, upload_name
from dfjax.prediction import Prediction
from dfjax.video.limits import VideoLimits
from dfjax.video.sampling import Effort
from dfjax.words import ENGLISH, LANGUAGES, language, speaking, translated, words

_LOG = logging.getLogger(__name__)

# Gradio knows a function that reports progress by a default value of this type.
_PROGRESS = gr.Progress()

SWEEP_SECONDS = 300
"""Time between two looks for uploaded files that are old enough to be deleted."""

KEEP_SECONDS = 1800
"""Age at which an uploaded file is deleted. Not at once after its check: Gradio stores a file under
its content, so a second visitor may be waiting for the verdict on the same file."""

_Score = Callable[[dict[str, Any], Any, gr.Progress], Prediction]

_MAX_WAITING = 16  # videos in the queue; later visitors are asked to come back


def build_page(
    predictor: VideoPredictor,
    examples: Sequence[ExampleVideo] = (),
    *,
    warm_up: bool = True,
    limits: PageLimits = PageLimits(),
    health: Health | None = None,
) -> UploadBlocks:
    """Returns the page and its API, `/predict` and `/predict_batch`, ready for `server.serving`.

    Args:
      predictor: Scores the videos; called for one at a time.
      examples: Videos to offer for a try.
      warm_up: Compile in the background from now on, so that the first visitor waits less.
      limits: What visitors may cost.
      health: Where checks are counted, and where it is noted that the model is ready; None: nobody
        asks.

    Raises:
      VideoError: An example cannot be read.
    """
    health = health or Health()
    scorer = SharedPredictor(predictor)
    live = LiveSessions(predictor, limits) if isinstance(predictor, LivePredictor) else None

    def on_ready() -> None:
        health.ready.set()
        if live is not None:
            live.get_ready()

    if warm_up:
        scorer.start_warm_up(on_ready)
    else:
        on_ready()
    score = _score_with(scorer, health)
    page = _compose(predictor, examples, score, live, limits)
    for code in LANGUAGES:
        if code != ENGLISH:
            with speaking(code):
                other = _compose(predictor, examples, score, live, limits)
            page.translations = {**page.translations, code: other.config}
    return page.queue(
        max_size=_MAX_WAITING, api_open=False, default_concurrency_limit=4, limits=limits
    )


def _compose(
    predictor: VideoPredictor,
    examples: Sequence[ExampleVideo],
    score: _Score,
    live: LiveSessions | None,
    limits: PageLimits,
) -> UploadBlocks:
    """Returns the page in the language that is spoken; the arguments are of `build_page`."""
    empty = texts.how_it_works(predictor.config.video.num_frames)
    with UploadBlocks(
        title=words.page.title,
        analytics_enabled=False,
        delete_cache=(SWEEP_SECONDS, KEEP_SECONDS),
    ) as page:
        _html(texts.header())
        weighs = predictor.config.calibration.evidence is not None
        may = texts.upload_limits(limits, predictor.limits)
        with gr.Tabs(elem_id="df-tabs"):
            with gr.Tab(words.batch.one_video):
                parts = _lay_out(examples, empty, may, has_efforts=weighs, limits=limits)
            with gr.Tab(words.batch.several_files):
                batch = lay_out_batch(may, has_efforts=weighs, limits=limits)
            if live is not None:
                with gr.Tab(words.live.tab):
                    live_tab(limits)
        page.live = live
        _html(texts.limits())
        _html(how_good(predictor.evaluation, predictor.model))
        _html(texts.footer(predictor.model))
        frames = _frames_with(predictor.limits)
        join(
            parts,
            check=_check_with(score),
            pick=_pick_from(examples),
            frames_at=frames,
            empty=empty,
        )
        join_batch(batch, score, frames, parts.frames)
        page.load(fn=None, js=SAY_LANGUAGE.replace("LANGUAGE", language()))
        page.load(fn=None, js=ONE_AT_A_TIME)
        page.load(fn=None, js=OFFER_VIDEOS)
        names = script_of("names.js").replace("MORE_TABS", json.dumps(words.page.more_tabs))
        page.load(fn=None, js=names)
        _add_endpoint(_predict_with(score), [parts.video, parts.effort])
        add_batch_endpoint(parts.effort, limits)
    return page


def _lay_out(
    examples: Sequence[ExampleVideo],
    empty: str,
    what_to_choose: str,
    *,
    has_efforts: bool,
    limits: PageLimits,
) -> Parts:
    """Adds the two columns of the page: what goes in, and what comes out."""
    cards = example_cards(examples) if examples else ""
    with gr.Row(elem_id="df-main"):
        with gr.Column(scale=2, min_width=300):
            video = gr.File(label=words.page.video, height=170, elem_id="df-upload")
            # Gradio's own example in the API's documentation is an address, and a PDF.
            video.example_payload = lambda: {
                "path": "clip.mp4",
                "meta": {"_type": "gradio.FileData"},
            }
            _html(what_to_choose)
            preview = _html("", js_on_load=script_of("poster.js"), elem_id="df-preview")
            effort = effort_choice(is_offered=has_efforts, elem_id="df-effort")
            button = gr.Button(
                words.page.check, variant="primary", interactive=False, elem_id="df-check"
            )
            cancel = gr.Button(words.page.cancel, visible=False, elem_id="df-cancel")
            _html(texts.privacy_note((SWEEP_SECONDS + KEEP_SECONDS) // 60))
            picker = _html(cards, js_on_load=ON_LOAD, visible=bool(cards), elem_id="df-examples")
        with gr.Column(scale=3, min_width=300):
            script = result_script(limits.max_upload_bytes)
            result = _html(empty, js_on_load=script, elem_id="df-result")
    return Parts(
        *(video, effort, preview, button, cancel, picker, result, spoken_place(), frames_place())
    )


def _predict_with(score: _Score) -> Callable:
    """Returns the function behind the API's endpoint; Gradio shows its docstring to callers."""

    def predict(
        video: dict[str, Any] | None, effort: str = "standard", progress: gr.Progress = _PROGRESS
    ) -> dict[str, Any]:
        """Judges whether the faces in a video were manipulated (deepfake detection).

        Looks at some dozens of frames or more, follows every face, and returns a verdict
        ("real", "fake", "uncertain" or "no_face"), the calibrated probability of manipulation in
        [0, 1] (null without a face), a probability per frame and per face, the stretches of time
        that look manipulated, how much of the video was looked at, and the thresholds.

        Args:
            video: An uploaded video (MP4, MOV, AVI, WebM, MKV, …) or picture; no other address.
            effort: How much of a long video is looked at: "quick", "standard" or "thorough".
            progress: Filled in by Gradio.

        Returns:
            The prediction as JSON, schema_version 1.
        """
        if video is None:
            raise gr.Error(texts.NO_VIDEO, print_exception=False)
        try:
            return score(video, effort, progress).to_dict()
        except DfjaxError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return predict


def _check_with(score: _Score) -> Callable:
    """Returns the function behind the page's button."""

    def check(
        video: dict[str, Any] | None,
        effort: str,
        progress: gr.Progress = _PROGRESS,
        request: gr.Request | None = None,
    ) -> str:
        """Returns the result for the page."""
        with speaking(language_of(request)):
            return _check(score, video, effort, progress)

    return check


def _check(score: _Score, video: dict[str, Any] | None, effort: str, progress: gr.Progress) -> str:
    """Returns what `check` does, in the language that is spoken."""
    if video is None:
        return render_error(words.page.choose_first, words.page.no_video_yet)
    file = file_key(video["path"])
    try:
        prediction = score(video, effort, progress)
    except DfjaxError as error:
        return render_error(str(error), file=file, is_english=True)
    except gr.Error:
        raise
    except Exception:
        # The last line before a stranger: the log gets the traceback, the visitor a sentence.
        _LOG.exception("a check failed")
        return render_error(words.page.our_fault, words.page.check_failed, file=file)
    return render_result(prediction, file)


def _frames_with(limits: VideoLimits) -> Callable:
    """Returns the function that sends frames of a file that the browser cannot play."""

    def frames(video: dict[str, Any] | None, event: gr.EventData) -> str:
        """Returns frames at the times that the event names; nothing where that cannot be."""
        times = event._data.get("times") if isinstance(event._data, dict) else None
        try:
            return frames_at(video["path"], times, limits) if video else ""
        except (DfjaxError, ValueError, TypeError):
            # There is a sentence beside it already, and the check itself says what is wrong.
            return ""

    return frames


def _pick_from(examples: Sequence[ExampleVideo]) -> Callable:
    """Returns the function behind the cards of the examples."""

    def pick(event: gr.EventData) -> str:
        """Returns the example whose card was clicked."""
        # What comes with an event is whatever its sender wrote; it may be nothing.
        index = event._data.get("index") if isinstance(event._data, dict) else None
        if not isinstance(index, int) or not 0 <= index < len(examples):
            raise gr.Error("There is no such example.", print_exception=False)
        return str(examples[index].path)

    return pick


def _html(value: str, **settings: Any) -> gr.HTML:
    """Returns a piece of the page that only our own style sheet dresses."""
    return gr.HTML(value, apply_default_css=False, **settings)


def _score_with(scorer: SharedPredictor, health: Health) -> _Score:
    """Returns the function that scores an upload as Gradio describes it."""

    def score(video: dict[str, Any], effort: Any, progress: gr.Progress) -> Prediction:
        """Returns the prediction; the upload's path has been checked."""
        if effort not in get_args(Effort):
            raise gr.Error(texts.WHAT_EFFORT_IS, print_exception=False)

        def report(fraction: float, stage: str) -> None:
            progress(fraction, desc=translated(stage) or stage)

        prediction = check_upload(scorer, health, video["path"], report, effort=effort)
        named = dataclasses.replace(prediction.video, name=upload_name(video))
        return dataclasses.replace(prediction, video=named)

    return score


def _add_endpoint(predict: Any, inputs: list[Any]) -> None:
    """Adds the API's endpoint. It needs a component to be called by; a button nobody sees."""
    gr.Button(visible=False).click(
        predict,
        inputs=inputs,
        preprocess=False,
        outputs=gr.JSON(label="Prediction", visible=False),
        api_name="predict",
        concurrency_limit=1,
        concurrency_id=CHECKS,
    )
