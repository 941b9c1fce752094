"""The page as visitors use it, in a real Chromium."""

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect, sync_playwright

from tests.e2e.conftest import App, check_contract
from tests.videos import run_ffmpeg

CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium"),
]

# Chromium by itself asks its maker for updates and the like.
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]

WAIT = 60_000  # milliseconds, for a verdict


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def open_page(app: App, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens the page in a fresh browser profile; afterwards, nothing may have gone astray."""
    requests: list[str] = []
    errors: list[str] = []
    contexts = []

    def open_(
        width: int = 1280, scheme: Literal["light", "dark"] = "light", locale: str = "en-US"
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 844}, color_scheme=scheme, locale=locale
        )
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda message: errors.append(message.text) if message.type == "error" else None,
        )
        page.goto(app.url)
        expect(page.locator("#df-check")).to_be_visible(timeout=WAIT)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert requests
    strange = [r for r in requests if urlsplit(r).scheme not in ("data", "blob")]
    assert {urlsplit(request).netloc for request in strange} == {urlsplit(app.url).netloc}
    assert errors == []


def choose(page: Page, file: Path | FilePayload) -> None:
    page.set_input_files("#df-upload input[type=file]", file)
    expect(page.locator(".df-preview")).to_be_visible(timeout=WAIT)


def check(page: Page, label: str) -> None:
    page.click("#df-check")
    expect(page.locator(f".df-result[data-label={label}]")).to_be_visible(timeout=WAIT)


def no_sideways_scrolling(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_video_gets_a_verdict_a_plot_the_faces_and_a_report(open_page, clips, tmp_path):
    page = open_page()
    choose(page, clips / "one face.mp4")
    check(page, "uncertain")
    expect(page.get_by_role("heading", name="Uncertain", exact=True)).to_be_visible()
    expect(page.locator("#df-spoken [role=status]")).to_contain_text("Verdict: Uncertain")

    with page.expect_download() as download:
        page.get_by_role("link", name="Data (JSON)").click()
    assert download.value.suggested_filename == "one_face-report.json"
    download.value.save_as(tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    check_contract(report)
    assert report["video"]["name"] == "one face.mp4"

    # What the page shows is what the report says.
    article = page.locator(".df-result")
    assert float(article.get_attribute("data-probability")) == report["probability_fake"]
    shown = re.search(r"[\d.]+", page.locator(".df-number").inner_text())
    assert shown and float(shown.group()) == pytest.approx(
        100 * report["probability_fake"], abs=0.5
    )
    lane = page.get_by_role("slider", name="Face 1, frame by frame")
    rows = json.loads(lane.get_attribute("data-frames"))
    for (time, probability, *_), frame in zip(rows, report["frames"], strict=True):
        assert time == pytest.approx(frame["timestamp"], abs=1e-4)
        assert probability == pytest.approx(frame["probability_fake"], abs=1e-4)
    assert page.locator("[data-threshold]").count() == 2
    assert page.locator(".df-lane-area [data-threshold]").count() == 0
    crops = page.locator(".df-face img")
    assert crops.count() == len(report["frames"])
    assert all(crops.evaluate_all("images => images.map(i => i.naturalWidth > 0)"))


def test_a_report_that_was_downloaded_opens_by_itself_and_prints(
    open_page, browser, clips, tmp_path
):
    page = open_page()
    choose(page, clips / "one face.mp4")
    check(page, "uncertain")
    for name, ending in (("Report (HTML)", "html"), ("Frames (CSV)", "csv")):
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        assert download.value.suggested_filename == f"one_face-report.{ending}"
        download.value.save_as(tmp_path / f"report.{ending}")
    table = (tmp_path / "report.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(table) == 1 + page.locator(".df-scrub").evaluate_all(
        "all => all.reduce((sum, lane) => sum + JSON.parse(lane.dataset.frames).length, 0)"
    )

    requests: list[str] = []
    context = browser.new_context(offline=True)
    report = context.new_page()
    report.on("request", lambda request: requests.append(request.url))
    report.goto((tmp_path / "report.html").as_uri())
    expect(report.get_by_role("heading", name="Uncertain", exact=True)).to_be_visible()
    expect(report.get_by_role("rowheader", name="SHA-256")).to_be_visible()
    pictures = report.locator("img")
    assert pictures.count() == page.locator(".df-face img").count()
    assert all(pictures.evaluate_all("images => images.map(i => i.naturalWidth > 0)"))
    assert report.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    assert [url for url in requests if not url.startswith(("data:", "file:"))] == []
    context.close()


def test_several_files_are_checked_one_after_another_and_sorted(open_page, clips, tmp_path):
    page = open_page()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(urlsplit(request.url).path.rsplit("/")[-1]))
    page.get_by_role("tab", name="Several files").click()
    chosen = ("pattern.mp4", "broken.mp4", "one face.mp4", "two.mp4")
    page.set_input_files(".df-drop input", [clips / name for name in chosen])
    page.get_by_role("button", name="Check all").press("Enter")
    # Whoever uses the keyboard is not thrown back to the beginning of the page.
    expect(page.locator(".df-batch").get_by_role("button", name="Stop")).to_be_focused()
    rows = page.locator(".df-batch tbody tr")
    expect(page.locator(".df-batch [role=status]")).to_have_text("4 of 4 done", timeout=WAIT)
    # What takes the place of "Stop" loses nothing to whoever presses it a moment too late.
    buttons = page.locator(".df-batch-bar .df-button:visible")
    expect(buttons).to_have_text(["Download the table (CSV)", "Clear the list"])
    expect(page.locator(".df-batch table")).to_be_focused()
    # A file is sent when the one before it has its answer, and then asks for one check.
    assert [name for name in sent if name in ("upload", "join")] == 4 * ["upload", "join"]
    labels = rows.evaluate_all("rows => rows.map(row => row.dataset.label)")
    assert labels == ["uncertain", "uncertain", "no_face", "error"]
    percents = [rows.nth(n).locator("td").last.inner_text() for n in (0, 1)]
    assert percents == sorted(percents, reverse=True)

    page.get_by_role("button", name="Show the result of two.mp4").press("Enter")
    expect(page.locator(".df-batch-result .df-name")).to_have_text("two.mp4")
    expect(page.locator(".df-batch-result .df-face")).to_have_count(2)
    expect(page.locator(".df-batch-result .df-probability")).to_have_css("margin-top", "20px")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the table").click()
    download.value.save_as(tmp_path / "all.csv")
    with (tmp_path / "all.csv").open(encoding="utf-8-sig", newline="") as file:
        header, *lines = csv.reader(file)
    assert len(lines) == 4 and header[:2] == ["video", "verdict"]
    assert {line[0] for line in lines} == set(chosen)
    assert no_sideways_scrolling(page)

    # The results are in the browser alone, so it asks before they are lost.
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.get_by_role("tab", name="One video").click()
    choose(page, clips / "one face.mp4")
    expect(page.locator(".df-preview")).to_be_visible()
    page.reload()
    assert asked == ["beforeunload"]


def test_two_people_are_two_faces_with_marks_of_their_own(open_page, clips):
    page = open_page()
    choose(page, clips / "two.mp4")
    check(page, "uncertain")
    expect(page.locator(".df-face")).to_have_count(2)
    shapes = page.locator(".df-lane-head .df-dot").evaluate_all(
        "dots => dots.map(d => d.getAttribute('d') + getComputedStyle(d).fill)"
    )
    assert len(set(shapes)) == 2


def test_a_video_without_a_face_is_never_called_real(open_page, clips):
    page = open_page()
    choose(page, clips / "pattern.mp4")
    check(page, "no_face")
    expect(page.get_by_role("heading", name="No face found")).to_be_visible()
    text = page.locator("#df-result").inner_text()
    assert not re.search(r"likely (real|fake)|\d\s*%", text, re.IGNORECASE)


def test_a_broken_file_gets_a_sentence_and_the_page_still_works(open_page, clips):
    page = open_page()
    choose(page, clips / "broken.mp4")
    expect(page.get_by_text("This browser cannot play the file")).to_be_visible(timeout=WAIT)
    check(page, "error")
    expect(page.locator("#df-result")).to_contain_text("broken.mp4")
    assert "Traceback" not in page.content()
    page.get_by_label("Clear").first.click()
    expect(page.get_by_role("heading", name="How it works")).to_be_visible()
    choose(page, clips / "one face.mp4")
    check(page, "uncertain")


def test_without_a_video_there_is_nothing_to_check_and_the_limits_are_said(open_page):
    page = open_page()
    expect(page.locator("#df-check")).to_be_disabled()
    expect(page.get_by_text("Up to 200 MiB and 4 hours")).to_be_visible()


def test_the_language_of_the_foot_goes_before_that_of_the_browser(open_page, clips):
    page = open_page(locale="en-US")
    page.get_by_role("link", name="Español").click()
    expect(page.locator("html")).to_have_attribute("lang", "es")
    expect(page.get_by_role("link", name="English")).to_be_visible()
    choose(page, clips / "pattern.mp4")
    page.locator("#df-check").click()
    expect(page.get_by_role("heading", name="No se encontró ningún rostro")).to_be_visible(
        timeout=WAIT
    )


def wait_for_time(page: Page, seconds: float) -> None:
    """Waits until the player shows a moment."""
    page.wait_for_function(
        "time => Math.abs(document.querySelector('video.df-media').currentTime - time) < 0.01",
        arg=seconds,
    )


def test_mouse_and_keyboard_lead_through_the_video(open_page, clips):
    page = open_page()
    choose(page, clips / "one face.mp4")
    check(page, "uncertain")
    video = page.locator("video.df-media")
    expect(video).to_be_visible()
    expect(page.locator("#df-preview")).to_be_hidden()  # there is one player
    page.wait_for_function("document.querySelector('video.df-media').readyState >= 2")
    lane = page.get_by_role("slider", name="Face 1, frame by frame")
    times = [row[0] for row in json.loads(lane.get_attribute("data-frames"))]

    page.locator(".df-crop").nth(5).click()
    wanted = float(page.locator(".df-crop").nth(5).get_attribute("data-seek"))
    wait_for_time(page, wanted)
    page.get_by_text("Show the values of all frames").click()
    row = page.locator("tr[data-seek]").nth(2)
    row.get_by_role("button").focus()
    page.keyboard.press("Enter")
    wait_for_time(page, times[2])

    lane.focus()
    for key, time in (("Home", times[0]), ("ArrowRight", times[1]), ("End", times[-1])):
        page.keyboard.press(key)
        wait_for_time(page, time)
    assert re.match(r"Face 1 at [\d.]+ s: \d+ of 100", lane.get_attribute("aria-valuetext"))

    # Somewhere in the lane: the readout follows the pointer, and a click the time under it.
    box = lane.bounding_box()
    middle = times[len(times) // 2]
    duration = float(page.locator(".df-timeline").get_attribute("data-duration"))
    place = {"x": box["width"] * middle / duration, "y": 20}
    lane.hover(position=place)  # not by the mouse: the page may still scroll
    expect(page.locator(".df-readout")).to_contain_text("·")
    lane.click(position=place)
    wait_for_time(page, middle)

    # The box lies over the face, in the pixels that the report names.
    frame = page.evaluate(
        """() => {
          const box = document.querySelector(".df-box").getBoundingClientRect();
          const screen = document.querySelector(".df-screen").getBoundingClientRect();
          return [(box.x - screen.x) / screen.width, (box.y - screen.y) / screen.height];
        }"""
    )
    _, _, left, top, *_ = json.loads(lane.get_attribute("data-frames"))[len(times) // 2]
    assert frame == pytest.approx([left / 100, top / 100], abs=0.01)


def test_times_are_those_of_the_player_where_the_clock_of_a_file_begins_later(
    open_page, clips, tmp_path
):
    later = tmp_path / "later.mkv"
    run_ffmpeg("-i", clips / "one face.mp4", "-c", "copy", "-output_ts_offset", "5", later)
    page = open_page()
    choose(page, later)
    check(page, "uncertain")
    crop = page.locator(".df-crop").nth(5)
    page.wait_for_function("document.querySelector('video.df-media').currentTime > 5")
    crop.click()
    seek = float(crop.get_attribute("data-seek"))
    assert 0 < seek < 2
    wait_for_time(page, 5 + seek)
    expect(page.locator(".df-box")).to_be_visible()


@pytest.mark.parametrize("name", ["unplayable.avi", "heard.mp4"])
def test_a_file_that_the_browser_cannot_play_is_shown_in_frames(open_page, clips, name):
    page = open_page()
    choose(page, clips / name)
    expect(page.get_by_text("This browser cannot play the file")).to_be_visible(timeout=WAIT)
    expect(page.locator(".df-poster")).to_be_visible(timeout=WAIT)
    check(page, "uncertain")
    picture = page.locator(".df-player img.df-media")
    expect(picture).to_have_attribute("src", re.compile("^data:image/jpeg"), timeout=WAIT)
    first = picture.get_attribute("src")
    page.locator(".df-crop").last.click()
    assert picture.get_attribute("src") != first
    expect(page.locator(".df-box")).to_be_visible()


def test_no_bar_and_no_control_disappears_on_a_narrow_screen_in_print_or_forced_colours(
    open_page, clips
):
    page = open_page()
    choose(page, clips / "two.mp4")
    check(page, "uncertain")
    drawn = ".df-meter, .df-meter b, .df-lane-area, .df-bars path, .df-crop img, .df-bar i"
    count = page.locator(drawn).count()

    def visible(selector: str) -> int:
        return page.locator(selector).evaluate_all(
            "all => all.filter(e => e.getBoundingClientRect().height > 0).length"
        )

    page.set_viewport_size({"width": 320, "height": 700})
    page.wait_for_function("document.documentElement.clientWidth <= 320")
    page.wait_for_timeout(300)  # for the layout to settle
    assert no_sideways_scrolling(page) and visible(drawn) == count
    page.emulate_media(forced_colors="active")
    # What is filled with colour alone must not be filled with that of the page.
    kept = page.locator(".df-meter b, .df-bar i, .df-scale i").evaluate_all(
        "all => all.every(e => getComputedStyle(e).forcedColorAdjust === 'none')"
    )
    assert kept and visible(drawn) == count
    assert visible("#df-check, .df-button") == 4
    page.emulate_media(forced_colors="none", media="print")
    assert visible(drawn) == count and visible("#df-check") == 0
    assert len(page.pdf()) > 10_000


def test_an_example_is_scored_live_when_it_is_clicked(open_page):
    page = open_page()
    cards = page.locator("[data-example]")
    expect(cards).to_have_count(2)
    expect(page.locator(".df-verdict")).to_have_count(0)
    cards.nth(1).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".df-verdict")).to_be_visible(timeout=WAIT)
    expect(page.locator(".df-name")).to_contain_text("astronaut")
    expect(page.locator("video.df-media")).to_be_visible()


def test_a_gif_is_taken_too(open_page, clips):
    page = open_page()
    choose(page, clips / "moving.gif")
    expect(page.locator(".df-preview img")).to_be_visible()
    check(page, "uncertain")
    # Every browser plays it; none stops it at a frame.
    instead = page.locator(".df-player .df-instead")
    expect(instead).to_contain_text("cannot stop it", timeout=WAIT)


def test_a_file_name_is_text_and_never_markup(open_page, clips):
    page = open_page()
    name = "<img src=x onerror=window.caught=1>\"'&{{7*7}}${7*7}.mp4"
    video = (clips / "one face.mp4").read_bytes()
    choose(page, {"name": name, "mimeType": "video/mp4", "buffer": video})
    page.click("#df-check")
    expect(page.locator("#df-spoken [role=status]")).not_to_be_empty()
    expect(page.locator(".df-result[data-label=uncertain]")).to_be_visible(timeout=WAIT)
    assert page.evaluate("window.caught") is None
    expect(page.locator(".df-name")).to_have_text(name)


def test_a_phone_shows_all_without_sideways_scrolling_and_moves_to_the_result(open_page, clips):
    page = open_page(width=390, scheme="dark")
    assert page.locator("body.dark, .dark body, html.dark").count()
    assert no_sideways_scrolling(page)
    choose(page, clips / "one face.mp4")
    check(page, "uncertain")
    assert no_sideways_scrolling(page)
    expect(page.get_by_role("heading", name="Uncertain", exact=True)).to_be_in_viewport(
        timeout=WAIT
    )
    labels = page.locator(".df-tick").evaluate_all(
        "texts => texts.map(t => [t.getBoundingClientRect().left, t.getBoundingClientRect().right])"
    )
    assert all(right < left for (_, right), (left, _) in zip(labels, labels[1:], strict=False))
    assert page.locator(".df-tick").first.evaluate("t => getComputedStyle(t).fontSize") == "12px"


def test_the_page_says_what_it_is_and_what_it_cannot_tell(open_page):
    page = open_page()
    assert "deepfake" in page.title()
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.get_by_role("heading", level=1).count() == 1
    expect(page.get_by_role("heading", name="What this cannot tell")).to_be_visible()
    expect(page.get_by_text("tiny-model")).to_be_visible()
    assert page.locator("meta[name=description]").count()


def test_a_spanish_browser_gets_spanish_and_a_list_plays_its_files(open_page, clips):
    page = open_page(locale="es-MX", width=390)
    assert page.locator("html").get_attribute("lang") == "es"
    expect(page.get_by_role("heading", level=1)).to_have_text("¿Es un deepfake este video?")
    expect(page.locator("#df-check")).to_have_text("Comprobar este video")
    page.get_by_role("tab", name="Varios archivos").click()
    page.set_input_files(
        "#df-batch input[type=file]", [clips / "one face.mp4", clips / "unplayable.avi"]
    )
    page.get_by_role("button", name="Comprobar todos").click()
    page.get_by_role("button", name="Mostrar el resultado de one face.mp4").click(timeout=WAIT)
    panel = page.locator(".df-batch-result")
    expect(panel.get_by_role("heading", name="No concluyente", exact=True)).to_be_visible()
    assert no_sideways_scrolling(page)
    video = panel.locator("video.df-media")
    assert video.evaluate("video => video.src").startswith("blob:")  # nothing is sent once more
    crop = panel.locator(".df-crop").last
    crop.click()
    page.wait_for_function(
        "([video, time]) => !video.seeking && Math.abs(video.currentTime - time) < 0.02",
        arg=[video.element_handle(), float(crop.get_attribute("data-seek"))],
    )
    expect(panel.locator(".df-box")).to_be_visible()
    page.get_by_role("button", name="Mostrar el resultado de unplayable.avi").click(timeout=WAIT)
    expect(panel.locator("img.df-media")).to_be_visible(timeout=WAIT)
    expect(panel.get_by_text("Este navegador no puede reproducir")).to_be_visible()
