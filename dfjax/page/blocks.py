"""The page put together: its parts, and the events that join them."""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import gradio as gr

from dfjax.errors import DfjaxError
from dfjax.page import live_texts, texts
from dfjax.page.cards import ON_LOAD, ExampleVideo, example_cards
from dfjax.page.checks import check_upload
from dfjax.page.health import Health
from dfjax.page.limits import PageLimits
from dfjax.page.live import live_tab
from dfjax.page.live_sessions import LivePredictor, LiveSessions
from dfjax.page.result import render_error, render_result
from dfjax.page.shared_predictor import SharedPredictor, VideoPredictor
from dfjax.page.upload import UploadBlocks
from dfjax.page.verdict import spoken_summary
from dfjax.prediction import Prediction
from dfjax.video.reading import Effort
from dfjax.video.suffixes import STILL_SUFFIXES, VIDEO_SUFFIXES

_LOG = logging.getLogger(__name__)

# Gradio knows a function that reports progress by a default value of this type.
_PROGRESS = gr.Progress()

# Some systems know no type for these endings, so they are named in addition to the type.
_FILE_TYPES = ["video", *VIDEO_SUFFIXES, *STILL_SUFFIXES]

# On a phone the result lies below the fold. Where it is in sight already, nothing moves. What is
# above it may still be growing, so its place is checked once more, unless the visitor moved.
_SHOW_RESULT = """() => {
  const result = document.getElementById("df-result");
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const show = () => {
    const top = result.getBoundingClientRect().top;
    if (top < 0 || top > 0.6 * window.innerHeight)
      result.scrollIntoView({block: "start", behavior: calm ? "auto" : "smooth"});
  };
  const again = setTimeout(show, 1000);
  for (const moved of ["wheel", "touchmove", "keydown"])
    window.addEventListener(moved, () => clearTimeout(again), {once: true, passive: true});
  show();
}"""

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
    """Returns the page and its API endpoint `/predict`, ready for `server.serving`.

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
    empty = texts.how_it_works(predictor.config.video.num_frames)
    with UploadBlocks(
        title=texts.TITLE,
        analytics_enabled=False,
        delete_cache=(SWEEP_SECONDS, KEEP_SECONDS),
    ) as page:
        _html(texts.header())
        weighs = predictor.config.calibration.evidence is not None
        with gr.Tabs():
            with gr.Tab(texts.FILE_TAB):
                parts = _lay_out(examples, empty, has_efforts=weighs)
            if live is not None:
                with gr.Tab(live_texts.TAB):
                    live_tab()
        page.live = live
        _html(texts.limits())
        _html(texts.footer(predictor.model))
        _join(parts, _check_with(score), _pick_from(examples), empty)
        _add_endpoint(_predict_with(score), [parts.video, parts.effort])
    return page.queue(
        max_size=_MAX_WAITING, api_open=False, default_concurrency_limit=4, limits=limits
    )


class _Parts(NamedTuple):
    """What a visitor uses, and what answers."""

    video: gr.File
    effort: gr.Radio
    preview: gr.HTML
    button: gr.Button
    picker: gr.HTML  # of the examples
    result: gr.HTML
    spoken: gr.HTML  # for screen readers


def _lay_out(examples: Sequence[ExampleVideo], empty: str, *, has_efforts: bool) -> _Parts:
    """Adds the two columns of the page: what goes in, and what comes out."""
    cards = example_cards(examples) if examples else ""
    with gr.Row(elem_id="df-main"):
        with gr.Column(scale=2, min_width=300):
            video = gr.File(
                label="Video",
                file_types=_FILE_TYPES,
                height=170,
                elem_id="df-upload",
            )
            # Gradio's own example in the API's documentation is an address, and a PDF.
            video.example_payload = lambda: {
                "path": "clip.mp4",
                "meta": {"_type": "gradio.FileData"},
            }
            preview = _html("", elem_id="df-preview")
            effort = gr.Radio(
                [(texts.EFFORTS[effort], effort) for effort in get_args(Effort)],
                value="standard",
                label=texts.EFFORT,
                info=texts.EFFORT_INFO,
                visible=has_efforts,
                elem_id="df-effort",
            )
            button = gr.Button("Check this video", variant="primary", elem_id="df-check")
            _html(texts.privacy_note((SWEEP_SECONDS + KEEP_SECONDS) // 60))
            picker = _html(cards, js_on_load=ON_LOAD, visible=bool(cards), elem_id="df-examples")
        with gr.Column(scale=3, min_width=300):
            result = _html(empty, elem_id="df-result")
            spoken = _html(
                "",
                html_template='<p role="status" aria-live="polite">${value}</p>',
                elem_id="df-spoken",
            )
    return _Parts(video, effort, preview, button, picker, result, spoken)


def _join(parts: _Parts, check: Callable, pick: Callable, empty: str) -> None:
    """Adds the events of the page."""
    checking = {
        "fn": check,
        "inputs": [parts.video, parts.effort],
        "outputs": [parts.result, parts.spoken],
        "preprocess": False,
        "show_progress_on": parts.result,
        "api_visibility": "private",
        "concurrency_limit": 1,
        "concurrency_id": "score",
    }
    parts.button.click(fn=None, js=_SHOW_RESULT)
    parts.button.click(**checking).then(fn=None, js=_SHOW_RESULT)
    picked = parts.picker.click(
        pick, outputs=parts.video, show_progress="hidden", queue=False, api_visibility="private"
    )
    picked.then(fn=None, js=_SHOW_RESULT)
    picked.then(**checking).then(fn=None, js=_SHOW_RESULT)
    script = (Path(__file__).parent / "preview.js").read_text(encoding="utf-8")
    parts.video.change(
        fn=None,
        js=script.replace("EMPTY_RESULT", json.dumps(empty)),
        inputs=parts.video,
        outputs=[parts.preview, parts.result, parts.spoken],
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
            video: An uploaded video (MP4, MOV, AVI, WebM, MKV, FLV, WMV, …) or picture; no address.
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
        video: dict[str, Any] | None, effort: str, progress: gr.Progress = _PROGRESS
    ) -> tuple[str, str]:
        """Returns the result for the page, and the sentence that a screen reader says."""
        if video is None:
            return render_error(texts.CHOOSE_FIRST, "No video yet"), texts.CHOOSE_FIRST
        try:
            prediction = score(video, effort, progress)
        except DfjaxError as error:
            return render_error(str(error)), f"This video could not be checked. {error}"
        except gr.Error:
            raise
        except Exception:
            # The last line before a stranger: the log gets the traceback, the visitor a sentence.
            _LOG.exception("a check failed")
            return render_error(texts.OUR_FAULT, "The check failed"), texts.OUR_FAULT
        return render_result(prediction), spoken_summary(prediction)

    return check


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
            progress(fraction, desc=stage)

        return check_upload(scorer, health, video["path"], report, effort=effort)

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
        concurrency_id="score",
    )
