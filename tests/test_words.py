import re
import string
from importlib import resources
from typing import get_args

import pytest

from dfjax.config import VideoConfig
from dfjax.video.sampling import Effort, plan_looks
from dfjax.words import ENGLISH, LANGUAGES, preferred_language, speaking, translated, words
from dfjax.words.catalogue import catalogue

OTHERS = [code for code in LANGUAGES if code != ENGLISH]


def flat(content, path=""):
    """Yields each sentence with the names that lead to it."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content)
    for name, value in pairs:
        if isinstance(value, str):
            yield f"{path}{name}", value
        else:
            yield from flat(value, f"{path}{name}.")


def blanks(sentence):
    return sorted(field for _, field, _, _ in string.Formatter().parse(sentence) if field)


@pytest.mark.parametrize("code", OTHERS)
def test_each_language_has_the_same_words_with_the_same_blanks(code):
    english, other = dict(flat(catalogue(ENGLISH))), dict(flat(catalogue(code)))
    assert list(english) == list(other)
    assert {name: blanks(text) for name, text in english.items()} == {
        name: blanks(text) for name, text in other.items()
    }
    assert catalogue(code)["language"] == code


def test_every_word_is_used():
    pages = ("dfjax.page", "dfjax.reporting")
    sources = "".join(
        file.read_text(encoding="utf-8")
        for folder in (*pages, *(f"{page}.templates" for page in pages), "dfjax.words")
        for file in resources.files(folder).iterdir()
        if file.name.endswith((".py", ".html", ".js"))
    )
    by_value = {"sentences", "titles", "explanations", "efforts", "status", "called", "facts"}
    by_value |= {"slices", "fields", "holds", "splits"}
    unused = [
        path
        for path, _ in flat(catalogue(ENGLISH))
        if not by_value & set(path.split("."))
        and not re.search(rf"\b{[p for p in path.split('.') if not p.isdigit()][-1]}\b", sources)
    ]
    assert unused == []


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_length_from_which_an_effort_is_said_to_matter_is_that_of_the_plan(code):
    (length,) = re.findall(r"\d+", catalogue(code)["page"]["effort_info"])
    config = VideoConfig(num_frames=16, burst_frames=2)  # of the model that comes with dfjax
    planned = [
        [plan_looks(seconds, config, effort) for effort in get_args(Effort)]
        for seconds in (float(length), float(length) + 0.1)
    ]
    assert len(set(planned[0])) == 1 < len(set(planned[1]))


def test_a_template_has_no_words_of_its_own():
    names = {"dfjax", "Model"}
    files = [
        file
        for room in ("dfjax.page", "dfjax.reporting")
        for file in resources.files(room).joinpath("templates").iterdir()
        if file.name.endswith(".html")
    ]
    for file in files:
        if file.name == "api.html":  # for programs, which are spoken to in English
            continue
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", file.read_text(encoding="utf-8"))
        in_attributes = re.findall(r'(?:aria-label|alt|title)="([^"]*)"', text)
        said = " ".join([re.sub(r"<[^>]*>", " ", text), *in_attributes])
        assert set(re.findall(r"[^\W\d_]{2,}", said)) <= names, file.name


@pytest.mark.parametrize(
    ("accept_language", "code"),
    [
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("en-US,en;q=0.9,es;q=0.8", "en"),
        ("de-DE, es;q=0.5, en;q=0.4", "es"),
        ("es;q=0, en;q=0.1", "en"),
        ("ES", "es"),
        ("de", "en"),
        ("", "en"),
        (";;q=,es;q=x,,", "es"),
    ],
)
def test_a_visitor_gets_the_language_that_the_browser_likes_best(accept_language, code):
    assert preferred_language(accept_language) == code


def test_a_language_is_spoken_where_it_was_asked_for_and_nowhere_else():
    with speaking("es"):
        assert words.verdict.titles.uncertain == "No concluyente"
        with speaking("en"):
            assert words.verdict.titles.uncertain == "Uncertain"
        assert words.verdict.titles.no_face == "No se encontró ningún rostro"
    assert words.verdict.titles.no_face == "No face found"


def test_a_sentence_of_another_part_is_recognised_with_its_numbers():
    sentence = "A face was found in only 4 of 10 frames; the rest were not judged."
    assert translated(sentence) == sentence
    with speaking("es"):
        said = translated(sentence)
    assert said == "Se encontró un rostro en solo 4 de 10 fotogramas; los demás no se juzgaron."
    assert translated("Somebody else's sentence.") is None


def test_words_that_do_not_exist_are_an_error():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = words.page.nonsense
