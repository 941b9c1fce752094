import re
from importlib import resources

import jinja2
import pytest

from dfjax.page.rendering import render

TEMPLATES = {
    file.name: file.read_text(encoding="utf-8")
    for file in resources.files("dfjax.page").joinpath("templates").iterdir()
}


def test_nothing_but_what_the_project_makes_itself_goes_in_unescaped():
    unescaped = {
        name for text in TEMPLATES.values() for name in re.findall(r"([\w.]+) *\| *safe", text)
    }
    assert unescaped == {
        *("icon", "player", "plot", "lane.mark", "faces", "face.mark"),
        *("provenance", "downloads", "what_to_choose"),
    }
    assert not any("autoescape" in text or "Markup" in text for text in TEMPLATES.values())


def test_a_value_is_text_and_never_markup_or_a_template():
    page = render("error.html", file="", title="<b>", message="{{ 7 * 7 }} & \"'", is_english=False)
    assert "<h2>&lt;b&gt;</h2>" in page
    assert "<p>{{ 7 * 7 }} &amp; &#34;&#39;</p>" in page


def test_a_value_that_is_missing_is_an_error_and_never_an_empty_place():
    with pytest.raises(jinja2.UndefinedError, match="message"):
        render("error.html", file="", title="No message", is_english=False)
