"""The live tab: the camera's picture with boxes over it, and the score of the last seconds."""

import json

import gradio as gr

from dfjax.inference.live import ENOUGH_SECONDS, WINDOW_SECONDS
from dfjax.page.limits import PageLimits
from dfjax.page.rendering import render, script_of
from dfjax.page.routes import LIVE
from dfjax.words import words


def live_tab(limits: PageLimits) -> gr.HTML:
    """Adds the content of the tab.

    Args:
      limits: What visitors may cost; a session's length is said.
    """
    content = render(
        "live.html",
        about=words.live.about.format(minutes=f"{limits.max_live_seconds / 60:g}"),
        settings=json.dumps(
            {
                "words": words.live.in_the_browser.as_dict(),
                "needed": ENOUGH_SECONDS,
                "window": WINDOW_SECONDS,
                "address": LIVE,
            }
        ),
    )
    return gr.HTML(
        content, js_on_load=script_of("live.js"), apply_default_css=False, elem_id="df-live"
    )
