"""The language of the page: that of its address, or else what a visitor's browser likes best."""

from collections.abc import Mapping
from typing import Any

import gradio as gr

from dfjax.words import LANGUAGES, preferred_language


def language_of(request: gr.Request | None) -> str:
    """Returns the language in which to answer an event; English if nobody is known to have asked.

    Args:
      request: That the event came with. Gradio's page sends its own query along.
    """
    headers = {} if request is None else request.headers
    return asked_language(headers, getattr(request, "query_params", {}))


def asked_language(headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    """Returns the language in which a request is to be answered.

    Args:
      headers: Of the request.
      query: Of its address; `lang` goes before what the browser likes, if it is one of ours.
    """
    chosen = query.get("lang")
    return chosen if chosen in LANGUAGES else preferred_language(headers.get("accept-language", ""))


def in_other_words(config: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Returns what Gradio sends of a page to browsers, with the words of another language.

    Args:
      config: Of the page that answers.
      other: Of a page that was laid out in the same way in the other language. Its parts have other
        numbers, which nobody knows, so only what they look like is taken from it.
    """
    components = [
        {**ours, "props": {**ours["props"], **_looks(theirs["props"])}}
        for ours, theirs in zip(config["components"], other["components"], strict=True)
    ]
    dependencies = [
        {**ours, "js": theirs["js"]}
        for ours, theirs in zip(config["dependencies"], other["dependencies"], strict=True)
    ]
    return {
        **config,
        "title": other["title"],
        "components": components,
        "dependencies": dependencies,
    }


_WORDED = ("value", "label", "info", "choices", "js_on_load")  # of a component


def _looks(props: dict[str, Any]) -> dict[str, Any]:
    return {name: props[name] for name in _WORDED if name in props}
