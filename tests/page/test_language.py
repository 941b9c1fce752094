"""The language of a visitor: of the page, of a result, and what is left in English."""

import asyncio
import dataclasses
import json
import re
from types import SimpleNamespace

import gradio as gr
import pytest

from dfjax.data.sources import title
from dfjax.page.blocks import build_page
from dfjax.page.how_good import how_good
from dfjax.page.result import render_result
from dfjax.prediction import Segment
from dfjax.reporting.video_report import html_report
from dfjax.words import speaking
from tests.page.samples import MODEL, SamplePredictor, sample_prediction
from tests.page.test_how_good import REPORT

SPANISH = {"accept-language": "es-AR,es;q=0.9,en;q=0.8"}

SMALL = (
    "The faces are small (at least half are under 64 pixels high), so there is little detail to "
    "judge."
)

CAVEAT = "It was only tried on mice."


@pytest.fixture(scope="module")
def page():
    async def build():
        return build_page(SamplePredictor(), warm_up=False)

    # Outside of a running event loop, Gradio makes one of its own and never closes it.
    return asyncio.run(build())


@pytest.fixture(scope="module")
def functions(page):
    return {function.name: function.fn for function in page.fns.values()}


def sentences(page):
    """Returns what of a page is at least three words long: its texts, and its attributes."""
    page = re.sub(r"<style.*?</style>|data:[^\"]*", "", page, flags=re.DOTALL)
    labels = re.findall(r'(?:aria-label|aria-description|alt|data-words)="([^"]*)"', page)
    said = {text.strip() for text in [*re.split(r"<[^>]*>", page), *labels]}
    return {text for text in said if len(re.findall(r"\b[^\W\d_]{2,}\b", text)) >= 3}


def predictions():
    stretch = Segment(track=0, start=1.0, end=2.0, probability_fake=0.9)
    for label in ("fake", "real", "uncertain", "no_face"):
        prediction = sample_prediction(label, warnings=(SMALL, CAVEAT))
        yield prediction
        if label != "no_face":
            yield dataclasses.replace(prediction, segments=(stretch,))


def test_nothing_of_a_result_or_report_stays_english_but_what_the_model_says_itself():
    for prediction in predictions():
        for show in (render_result, html_report):
            english = show(prediction)
            with speaking("es"):
                spanish = show(prediction)
            assert sentences(english) & sentences(spanish) == {CAVEAT}
            assert f'<li lang="en">{CAVEAT}</li>' in spanish
            assert "Los rostros son pequeños" in spanish


def test_nothing_of_how_good_it_is_stays_english_but_the_names_of_data_sets():
    english = how_good(REPORT, MODEL)
    with speaking("es"):
        spanish = how_good(REPORT, MODEL)
    names = {title(row["dataset"]) for row in REPORT["figures"]["verdicts_per_dataset"]}
    assert sentences(english) and sentences(english) & sentences(spanish) <= names


def test_the_page_is_in_the_language_of_who_asks(http, served_page):
    english = http.get(f"{served_page.url}/", headers={"accept-language": "de"})
    spanish = http.get(f"{served_page.url}/", headers=SPANISH)
    for answer, code in ((english, "en"), (spanish, "es")):
        assert f'lang="{code}"' in answer.text
        assert answer.headers["content-language"] == code
        assert "accept-language" in answer.headers["vary"].lower()
    configs = [
        http.get(f"{served_page.url}/config", headers=headers).json() for headers in ({}, SPANISH)
    ]
    shown, same = ("title", "components", "dependencies"), ("layout", "root", "version")
    assert [configs[0][key] == configs[1][key] for key in shown] == [False] * 3
    assert [configs[0][key] == configs[1][key] for key in same] == [True] * 3
    for part in ("components", "dependencies"):
        ids = [[each["id"] for each in config[part]] for config in configs]
        assert ids[0] == ids[1]
    values = [
        "".join(str(each["props"].get("value")) for each in config["components"])
        for config in configs
    ]
    assert sentences(values[0]) and not sentences(values[0]) & sentences(values[1])
    assert "Comprobar este video" in spanish.text and "Check this video" in english.text


@pytest.mark.parametrize(
    ("query", "asked_for", "code"),
    [("?lang=es", "en", "es"), ("?lang=en", "es", "en"), ("?lang=xx", "es", "es")],
)
def test_the_address_of_the_page_goes_before_what_the_browser_likes(
    http, served_page, functions, query, asked_for, code
):
    answer = http.get(f"{served_page.url}/{query}", headers={"accept-language": asked_for})
    assert answer.headers["content-language"] == code
    other = {"en": "es", "es": "en"}[code]
    assert f"?lang={other}" in answer.text and f"?lang={code}" not in answer.text
    # The page sends its query along with each event.
    request = SimpleNamespace(
        headers={"accept-language": asked_for}, query_params={"lang": query.split("=")[1]}
    )
    shown = functions["check"]({"path": "/tmp/x/real.mp4"}, "standard", request=request)
    assert ("auténtico" in shown) == (code == "es")


def test_a_result_is_in_the_language_of_who_asked_and_an_error_says_that_it_is_english(functions):
    request = SimpleNamespace(headers=SPANISH)

    def check(name):
        return functions["check"]({"path": f"/tmp/x/{name}"}, "standard", request=request)

    result = check("real.mp4")
    assert "<h2>Probablemente auténtico</h2>" in result
    spoken = "Veredicto: Probablemente auténtico. Probabilidad de manipulación: 6%."
    assert f'data-spoken="{spoken}"' in result
    result = check("broken.mp4")
    assert "No se pudo comprobar este archivo" in result
    assert re.search(r'<p lang="en">broken.mp4 has no frame', result)
    one = functions["check_one"]({"path": "/tmp/x/fake.mp4"}, "standard", request=request)
    assert json.loads(one)["title"] == "Probablemente falso"
    assert "<h2>Likely real</h2>" in functions["check"]({"path": "/tmp/x/real.mp4"}, "standard")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("check", "El archivo no está"),
        ("check_one", "El archivo no está"),
        ("predict", "no longer"),
    ],
)
def test_a_visitor_is_told_in_their_language_that_a_file_is_gone(page, name, sentence):
    (event,) = [function for function in page.fns.values() if function.name == name]
    gone = {"path": "/tmp/x/gone.mp4", "meta": {"_type": "gradio.FileData"}}
    request = SimpleNamespace(headers=SPANISH)
    with pytest.raises(gr.Error, match=sentence):
        asyncio.run(page.process_api(event, [gone, "standard"], request=request))


def test_the_api_speaks_english_whatever_the_program_asks_for(served_page):
    client = served_page.client(**SPANISH)
    for name, kind in (("broken.mp4", "error"), ("real.mp4", "complete")):
        path = served_page.upload(client, name, name.encode())
        event = served_page.ask(client, path).json()["event_id"]
        said = served_page.listen(client, event)
        assert said[0] == kind
        if kind == "error":
            assert "no frame that can be decoded" in said[1]["error"]
