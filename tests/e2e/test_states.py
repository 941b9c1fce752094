"""What the page shows while checks run, end and are given up, in a real Chromium.

The predictor waits for the test, so that nothing depends on how fast the machine is.
"""

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from dfjax.page.limits import PageLimits
from tests.e2e.test_browser import CHROMIUM, QUIET, choose
from tests.page.serving import Server, served
from tests.videos import portrait_frames, write_video

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Callable[[str], object]:
    """Returns a video by its name, which says what is predicted of it."""
    folder = tmp_path_factory.mktemp("files")
    video = write_video(folder / "any.mp4", portrait_frames(10)).read_bytes()

    def named(name: str, content: bytes = video) -> object:
        return {"name": name, "mimeType": "video/mp4", "buffer": content}

    return named


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    with (
        pytest.MonkeyPatch.context() as patch,
        served(tmp_path_factory.mktemp("uploads"), patch, limits=PageLimits()) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def browser(server: Server) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(server.url)
    expect(page.locator("#df-check")).to_be_visible(timeout=60_000)
    yield page
    server.predictor.gate.set()
    page.close()
    assert errors == []


@pytest.fixture
def shut(server: Server) -> Iterator[Server]:
    """The server with its gate shut: checks begin, and wait."""
    server.predictor.gate.clear()
    yield server
    server.predictor.gate.set()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.02)


def start(page: Page, server: Server, name: str) -> None:
    """Starts the check of the file that was chosen, and waits until it runs."""
    page.click("#df-check")
    wait_for(lambda: server.predictor.begun[-1:] == [name])


def test_a_verdict_never_lands_beside_another_video(page, shut, files):
    choose(page, files("fake one.mp4"))
    start(page, shut, "fake one.mp4")
    page.get_by_label("Clear").first.click()
    choose(page, files("real two.mp4"))
    wait_for(lambda: shut.queue.counts() == (0, 0))  # the first check has been given up
    shut.predictor.gate.set()
    expect(page.get_by_role("heading", name="How it works")).to_be_visible()
    expect(page.locator("#df-check")).to_be_enabled()
    page.click("#df-check")
    expect(page.locator(".df-result[data-label=real]")).to_be_visible(timeout=20_000)
    expect(page.locator(".df-name")).to_have_text("real two.mp4")
    assert "fake one.mp4" not in shut.predictor.ended


def test_an_answer_that_comes_too_late_is_not_shown(page, shut, files):
    """As if it had been on its way when the file was changed."""
    choose(page, files("fake late.mp4"))
    start(page, shut, "fake late.mp4")
    page.evaluate("document.querySelector('#df-preview [data-file]').dataset.file = 'another'")
    shut.predictor.gate.set()
    expect(page.locator("#df-check")).to_be_enabled(timeout=20_000)
    expect(page.get_by_role("heading", name="How it works")).to_be_visible()
    expect(page.locator(".df-result")).to_have_count(0)


def test_a_double_click_is_one_check(page, shut, files):
    begun = len(shut.predictor.begun)
    choose(page, files("real double.mp4"))
    page.dblclick("#df-check")
    wait_for(lambda: len(shut.predictor.begun) > begun)
    expect(page.locator("#df-check")).to_be_disabled()
    expect(page.locator("#df-spoken [role=status]")).to_have_text("Scoring faces")
    shut.predictor.gate.set()
    expect(page.locator(".df-result[data-label=real]")).to_be_visible(timeout=20_000)
    expect(page.locator("#df-check")).to_be_enabled()
    expect(page.locator("#df-cancel")).to_be_hidden()
    assert len(shut.predictor.begun) == begun + 1


def test_cancel_stops_the_check_on_the_server_and_the_next_one_can_start(page, shut, files):
    choose(page, files("fake cancelled.mp4"))
    start(page, shut, "fake cancelled.mp4")
    abandoned = shut.health.total("dfjax_checks_total", outcome="abandoned")
    page.click("#df-cancel")
    # The gate stays shut: only giving up can end it.
    wait_for(lambda: shut.health.total("dfjax_checks_total", outcome="abandoned") > abandoned)
    assert shut.queue.counts() == (0, 0)
    expect(page.locator("#df-spoken [role=status]")).to_contain_text("cancelled")
    expect(page.locator("#df-cancel")).to_be_hidden()
    shut.predictor.gate.set()
    page.click("#df-check")
    expect(page.locator(".df-result[data-label=fake]")).to_be_visible(timeout=20_000)


def test_a_check_that_fails_can_be_tried_again(page, server, files):
    for name in ("bug.mp4", "broken.mp4"):
        choose(page, files(name))
        page.click("#df-check")
        expect(page.locator(".df-result[data-label=error]")).to_be_visible(timeout=20_000)
        expect(page.locator("#df-check")).to_be_enabled()
        page.get_by_label("Clear").first.click()
        expect(page.locator("#df-check")).to_be_disabled()
    # A file that is no longer on the server: Gradio itself says so, and the check never begins.
    choose(page, files("real gone.mp4"))
    gone = page.get_by_text("The file is not, or no longer, on this server")
    # Nor can a browser play it. It then asks for frames, which nobody sees, and so in silence.
    with page.expect_response("**/queue/join*"):
        for path in server.uploads.glob("*/real gone.mp4"):
            path.unlink()
        page.dispatch_event("#df-preview video", "error")
    wait_for(lambda: server.queue.counts() == (0, 0))
    page.click("#df-check")
    expect(gone).to_be_visible()
    expect(page.locator("#df-check")).to_be_enabled()
    expect(gone).to_have_count(1)
