"""What happens on the page when a visitor does something."""

import json
from collections.abc import Callable
from typing import NamedTuple

import gradio as gr

from dfjax.page.fair_queue import CHECKS
from dfjax.page.rendering import script_of
from dfjax.page.result import render_error
from dfjax.page.upload import ACCEPTED
from dfjax.words import words

# On a phone the result lies below the fold. Where it is in sight already, nothing moves. What is
# above it may still be growing, so its place is checked once more, unless the visitor moved.
_SHOW_RESULT = """() => {
  const result = document.getElementById("df-result");
  if (!("dfBusy" in document.body.dataset) && !result.querySelector(".df-result")) return;
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

# Nothing is said of a check that was cancelled, by the button or because another file was chosen.
_SAY_RESULT = """() => {
  const shown = document.querySelector("#df-result [data-spoken]")?.dataset;
  const isWanted = shown && shown.file === document.body.dataset.dfChecked;
  return isWanted ? shown.spoken : {__type__: "update"};
}"""

ONE_AT_A_TIME = """() => {
  let isTaken = false, isUnwanted = false;  // the check, by the server; by the visitor
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#df-cancel") && !isTaken) {
      isUnwanted = true;
      event.stopImmediatePropagation();
    }
    if (!event.target.closest?.("#df-check")) return;
    if ("dfBusy" in document.body.dataset) event.stopImmediatePropagation();
    else {
      document.body.dataset.dfBusy = "";
      isTaken = isUnwanted = false;
    }
  }, true);
  new PerformanceObserver((list) => {
    // Of a refused one Gradio says itself that it failed. Older browsers do not know the status.
    const isJoined = ({name, responseStatus = 200}) =>
      name.includes("/queue/join") && responseStatus === 200;
    if (!list.getEntries().some(isJoined)) return;
    isTaken = true;
    if (isUnwanted) document.getElementById("df-cancel")?.click();
    isUnwanted = false;
  }).observe({type: "resource"});
}"""
"""For when the page is loaded: makes a double click one check, since Gradio's button can be clicked
again before the first click has disabled it. And keeps a click on "Cancel" until the server has
taken the check: Gradio does not know before what it has to cancel."""

SAY_LANGUAGE = """() => { document.documentElement.lang = "LANGUAGE"; }"""
"""For when the page is loaded: tells screen readers its language. Gradio names the browser's, which
may be another where the page's address names one."""

OFFER_VIDEOS = f"""() => {{
  document.addEventListener("click", (event) => {{
    const input = event.target.closest?.("#df-upload")?.querySelector("input[type=file]");
    if (input) input.accept = "{ACCEPTED}";
  }}, true);
}}"""
"""For when the page is loaded: makes the browser's dialog offer videos and pictures. Gradio would
refuse all other names if it were told of them, but a file is known by what is in it."""

# The button that is disabled loses the focus, so it goes to where the answer will be.
_BEGIN = """(file) => {
  const chosen = Array.isArray(file) ? file[0] : file;
  const result = document.getElementById("df-result");
  document.body.dataset.dfChecked =
    document.querySelector("#df-preview .df-preview")?.dataset.file ?? "";
  if (document.activeElement?.id === "df-check") {
    result.tabIndex = -1;
    result.focus({preventScroll: true});
  }
  const name = chosen?.orig_name || "";
  return [
    {__type__: "update", interactive: false},
    {__type__: "update", visible: true},
    WORDS.checking.replace("{name}", () => name),
  ];
}"""

# So does "Cancel", which is hidden.
_END = """(file) => {
  delete document.body.dataset.dfBusy;
  if (document.activeElement?.id === "df-cancel") {
    const result = document.getElementById("df-result");
    result.tabIndex = -1;
    result.focus({preventScroll: true});
  }
  const chosen = Array.isArray(file) ? file[0] : file;
  return [
    {__type__: "update", interactive: Boolean(chosen?.url)},
    {__type__: "update", visible: false},
  ];
}"""

# To Gradio a check that was cancelled has failed twice before it is over; one that could not begin
# has failed, and is not over.
_END_OF_FAILURE = """(file) => {
  if ("dfChecked" in document.body.dataset) return (END)(file);
  const asItIs = {__type__: "update"};
  return [asItIs, asItIs];
}""".replace("END", _END)

_CANCELLED = """() => {
  delete document.body.dataset.dfChecked;
  return [EMPTY_RESULT, WORDS.cancelled];
}"""

# A check that could not begin says nothing itself. To Gradio, one that was cancelled, by the button
# or because another file was chosen, has failed as well.
_NOT_TAKEN = """() => {
  const file = document.querySelector("#df-preview .df-preview")?.dataset.file;
  const asItIs = {__type__: "update"};
  if (file === undefined || file !== document.body.dataset.dfChecked) return [asItIs, asItIs];
  const place = document.createElement("div");
  place.innerHTML = NO_RESULT;
  place.firstElementChild.dataset.file = file;
  return [place.innerHTML, WORDS.notTaken];
}"""

# An example is checked at once, when it has arrived and the button can be pressed.
_CHECK_EXAMPLE = """(file) => {
  const chosen = Array.isArray(file) ? file[0] : file;
  const preview = document.querySelector("#df-preview .df-preview");
  if (!("dfPicked" in document.body.dataset) || !chosen || preview?.dataset.url !== chosen.url)
    return;
  delete document.body.dataset.dfPicked;
  const press = (tries) => {
    const button = document.getElementById("df-check");
    if (!button.disabled) button.click();
    else if (tries) setTimeout(press, 50, tries - 1);
  };
  press(200);
}"""

_FRAMES_CAME = """
watch("value", () => document.dispatchEvent(new CustomEvent("df-frames")));
"""
"""js_on_load of the place where frames come in."""

_SPOKEN = """
element.setAttribute("role", "status");
element.setAttribute("aria-live", "polite");
watch("value", () => { element.textContent = props.value; });
"""
"""js_on_load of what is said to screen readers: the region itself has to outlive its words, which
may hold a file's name and are text, never markup."""


class Parts(NamedTuple):
    """What a visitor uses, and what answers."""

    video: gr.File
    effort: gr.Radio
    preview: gr.HTML
    button: gr.Button
    cancel: gr.Button
    picker: gr.HTML  # of the examples
    result: gr.HTML
    spoken: gr.HTML  # for screen readers
    frames: gr.HTML  # of a file that the browser cannot play


def join(parts: Parts, *, check: Callable, pick: Callable, frames_at: Callable, empty: str) -> None:
    """Adds the events of the page.

    Args:
      parts: Of the page.
      check: Takes the upload and the effort, and returns the result.
      pick: Takes the click on an example, and returns its path.
      frames_at: Takes the upload and the event that asks, and returns frames of it as HTML.
      empty: What stands in the place of the result before there is one.
    """
    video, result, spoken = parts.video, parts.result, parts.spoken
    buttons = [parts.button, parts.cancel]
    # First of all, so that nothing else comes of a second click.
    parts.button.click(
        fn=None, js=_fill_in(_BEGIN, empty), inputs=video, outputs=[*buttons, spoken]
    )
    parts.button.click(fn=None, js=_SHOW_RESULT)
    checking = parts.button.click(
        check,
        inputs=[video, parts.effort],
        outputs=result,
        preprocess=False,
        show_progress_on=result,
        api_visibility="private",
        concurrency_limit=1,
        concurrency_id=CHECKS,
    )
    checking.then(fn=None, js=_END, inputs=video, outputs=buttons)
    checking.failure(fn=None, js=_END_OF_FAILURE, inputs=video, outputs=buttons)
    checking.failure(fn=None, js=_fill_in(_NOT_TAKEN, empty), outputs=[result, spoken])
    checking.then(fn=None, js=_SAY_RESULT, outputs=spoken)
    checking.then(fn=None, js=_SHOW_RESULT)
    parts.cancel.click(
        fn=None, js=_fill_in(_CANCELLED, empty), outputs=[result, spoken], cancels=checking
    )
    picked = parts.picker.click(
        pick, outputs=video, show_progress="hidden", queue=False, api_visibility="private"
    )
    picked.then(fn=None, js=_CHECK_EXAMPLE, inputs=video)
    changed = video.change(
        fn=None,
        js=_fill_in(script_of("preview.js"), empty),
        inputs=video,
        outputs=[parts.preview, result, spoken, parts.button],
        cancels=checking,
    )
    changed.then(fn=None, js=_CHECK_EXAMPLE, inputs=video)
    for asking in (parts.preview, parts.result):
        asking.need_frames(
            frames_at,
            inputs=video,
            outputs=parts.frames,
            trigger_mode="multiple",  # another file may be chosen before the frames are there
            preprocess=False,
            show_progress="hidden",
            api_visibility="private",
            concurrency_limit=1,
            concurrency_id="frames",
        )


def frames_place() -> gr.HTML:
    """Adds the place where frames come in; the scripts take them from there."""
    return gr.HTML(
        "", apply_default_css=False, js_on_load=_FRAMES_CAME, visible="hidden", elem_id="df-frames"
    )


def spoken_place() -> gr.HTML:
    """Adds what only screen readers say."""
    return gr.HTML(
        "", html_template="", apply_default_css=False, js_on_load=_SPOKEN, elem_id="df-spoken"
    )


def result_script(max_bytes: int) -> str:
    """Returns what brings a result to life, and says why there will be none.

    Args:
      max_bytes: Of a file that is uploaded.
    """
    too_large = words.batch.in_the_browser.too_large.format(limit=max_bytes // 2**20)
    troubles = {
        "maxBytes": max_bytes,
        "tooLarge": _trouble(too_large, words.page.not_checked),
        "lost": _trouble(words.page.lost, words.page.check_failed),
    }
    script = script_of("troubles.js").replace("TROUBLES", json.dumps(troubles))
    return script_of("player.js") + script


def _trouble(sentence: str, title: str) -> dict[str, str]:
    """Returns the panel that says why there is no result, and what a screen reader says."""
    # Without the name of a file: it stands beside none.
    panel = render_error(sentence, title).replace(' data-file=""', "")
    return {"panel": panel, "sentence": sentence}


def _fill_in(script: str, empty: str) -> str:
    """Returns a script with its words, the empty result and the error in it."""
    said = {
        "ready": words.evidence.ready,
        "checking": words.evidence.checking,
        "cancelled": words.evidence.cancelled,
        "notTaken": words.page.not_taken,
        "cannotPlay": words.evidence.cannot_play,
        "video": words.evidence.chosen_video,
        "picture": words.evidence.chosen_picture,
    }
    for name, word in said.items():
        script = script.replace(f"WORDS.{name}", json.dumps(word))
    no_result = render_error(words.page.not_taken)
    script = script.replace("NO_RESULT", json.dumps(no_result))
    return script.replace("EMPTY_RESULT", json.dumps(empty))
