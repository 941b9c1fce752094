"""The live tab: the camera's picture with boxes over it, and the score of the last seconds."""

import json
from pathlib import Path

import gradio as gr

from dfjax.page import live_texts
from dfjax.page.rendering import render
from dfjax.page.routes import LIVE


def live_tab() -> gr.HTML:
    """Adds the content of the tab."""
    content = render(
        "live.html",
        texts=live_texts,
        settings=json.dumps({**live_texts.for_browser(), "address": LIVE}),
    )
    script = (Path(__file__).parent / "live.js").read_text(encoding="utf-8")
    return gr.HTML(content, js_on_load=script, apply_default_css=False, elem_id="df-live")
