"""The page without a mouse, or without a screen, in a real Chromium."""

import dataclasses
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from dfjax.config import CalibrationConfig, Config
from dfjax.page.limits import PageLimits
from dfjax.page.rendering import script_of
from dfjax.shown_numbers import clock
from tests.e2e.test_browser import CHROMIUM, QUIET
from tests.evaluation.clips import EVIDENCE
from tests.page.serving import served

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium"),
]

# Of what has the focus: what it is, and whether a ring around it or its label is seen as a whole.
RING = """() => {
  const focused = document.activeElement, ringed = focused.closest("label") ?? focused;
  for (const moving of document.getAnimations()) moving.finish();
  const {outlineStyle, outlineWidth, outlineOffset} = getComputedStyle(ringed);
  const grown = parseFloat(outlineWidth) + parseFloat(outlineOffset);
  const {left, top, right, bottom} = ringed.getBoundingClientRect();
  let isWhole = outlineStyle === "solid" && parseFloat(outlineWidth) >= 2;
  for (let around = ringed.parentElement; around; around = around.parentElement) {
    const box = around.getBoundingClientRect();
    if (around === document.body || getComputedStyle(around).overflow === "visible") continue;
    isWhole &&= left - grown >= box.left - 1 && right + grown <= box.right + 1 &&
      top - grown >= box.top - 1 && bottom + grown <= box.bottom + 1;
  }
  return [focused.textContent.trim() || focused.value || "", isWhole];
}"""


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Iterator[Page]:
    """The page in Spanish, of a model that can look more or less closely."""
    calibration = CalibrationConfig(evidence=EVIDENCE)
    config = dataclasses.replace(Config(), calibration=calibration)
    uploads = tmp_path_factory.mktemp("uploads")
    with (
        pytest.MonkeyPatch.context() as patch,
        served(uploads, patch, limits=PageLimits(), config=config) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(locale="es")
        page.goto(server.url)
        expect(page.locator("#df-check")).to_be_visible(timeout=60_000)
        yield page
        browser.close()


def test_where_the_keyboard_is_can_be_seen(page):
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        reached.append(page.evaluate(RING))
    assert [what for what, is_whole in reached if not is_whole] == []
    # Three tabs, the upload, the efforts as one stop, and in the foot two links.
    assert len(reached) == 7 and "standard" in dict(reached)


def test_the_efforts_are_one_choice_with_a_name(page):
    group = page.get_by_role("group", name="Con cuánto detalle mirar")
    group.get_by_role("radio", name="Normal").focus()
    page.keyboard.press("ArrowRight")
    expect(group.get_by_role("radio", name="Exhaustivo")).to_be_checked()


def test_the_upload_has_its_name_in_the_visitor_s_language(page):
    expect(page.get_by_role("button", name="Coloque el archivo aquí")).to_be_visible()


def test_what_opens_the_tabs_without_room_has_its_name_in_the_visitor_s_language(page):
    page.set_viewport_size({"width": 320, "height": 720})
    expect(page.get_by_role("button", name="Más pestañas")).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 720})


def test_two_frames_of_a_look_are_told_apart_by_the_time_that_is_said(page):
    """In the timeline as beside the faces, and so after the first minute too."""
    (source,) = re.findall(r"function clock.*?\n}", script_of("player.js"), re.DOTALL)
    times = [0.0, 4.2, 59.99, 94.3333, 94.4166, 3599.994, 3600.0, 5025.1]
    said = page.evaluate(f"(times) => {{ {source}; return times.map(clock); }}", times)
    assert said == [clock(time, decimals=2) for time in times]
    assert len(set(said)) == len(times)


# Of each tab or effort: whether it is chosen, and the lines that the system leaves it.
LINES = """all => all.map((one) => {
  const {borderStyle, outlineStyle, textDecorationLine} = getComputedStyle(one);
  const isChosen = one.ariaSelected === "true" || one.control?.checked === true;
  return [isChosen, [borderStyle, outlineStyle, textDecorationLine].join()];
})"""


def test_what_is_chosen_can_be_seen_where_the_system_takes_the_colours(page):
    page.emulate_media(forced_colors="active")
    for tab in ("Un video", "Varios archivos"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(200)  # what has just been clicked is on its way to its look
        for choices in ("#df-tabs [role=tab]", "fieldset label:visible"):
            lines = page.locator(choices).evaluate_all(LINES)
            (chosen,) = [line for is_chosen, line in lines if is_chosen]
            assert chosen not in [line for is_chosen, line in lines if not is_chosen], (tab, lines)
    page.get_by_role("tab", name="Un video").click()
    page.emulate_media(forced_colors="none")
