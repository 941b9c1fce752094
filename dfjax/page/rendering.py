"""The page's scripts, and its templates filled in, with every value escaped wherever it is from."""

from pathlib import Path
from typing import Any

import jinja2

from dfjax.words import translated, words

_TEMPLATES = jinja2.Environment(
    loader=jinja2.ChoiceLoader(
        # The second has what the page shares with the report on a video.
        [jinja2.PackageLoader("dfjax.page"), jinja2.PackageLoader("dfjax.reporting")]
    ),
    autoescape=True,  # where a template says `safe`, the piece was made by dfjax itself
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals.update(words=words, translated=translated)


def render(template: str, **values: Any) -> str:
    """Returns a template of `templates/` as HTML, with every value escaped.

    Its own words are those of the language that is spoken.

    Args:
      template: Its file name.
      **values: What it speaks of.

    Raises:
      jinja2.UndefinedError: It speaks of something that is not among them.
    """
    return _TEMPLATES.get_template(template).render(values)


def script_of(name: str) -> str:
    """Returns a script of this folder."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
