"""The live tab in a real Chromium, whose camera films a clip."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.e2e.conftest import App
from tests.e2e.test_browser import QUIET, WAIT
from tests.videos import portrait_frames, write_video

CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium"),
]

_OWN_FACE = re.compile(r"Face \d+ · [\d<>]+ ?\d*%")


@pytest.fixture(scope="module")
def camera(tmp_path_factory) -> Path:
    """A file that Chromium shows as its camera, again and again."""
    path = tmp_path_factory.mktemp("camera") / "portrait.mjpeg"
    return write_video(path, portrait_frames(24), codec="mjpeg", pixel_format="yuvj420p")


def test_the_camera_gets_boxes_and_a_score_until_it_is_stopped(app: App, camera: Path):
    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    fake.append(f"--use-file-for-fake-video-capture={camera}")
    before = {path for path in app.temporary.rglob("*") if path.is_file()}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *fake])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(app.url)
        page.get_by_role("tab", name="Live camera").click(timeout=WAIT)
        live, start = page.locator(".df-live"), page.get_by_role("button", name="Start the camera")
        # The model may still be being compiled; the page says so, and one starts again.
        expect(start).to_be_visible(timeout=WAIT)
        for _ in range(60):
            start.click()
            page.wait_for_function("document.querySelector('.df-live').dataset.state != 'asking'")
            if live.get_attribute("data-state") == "on":
                break
            expect(page.locator(".df-live-state")).to_contain_text("being made ready")
            page.wait_for_timeout(1000)

        expect(page.locator(".df-live-boxes span")).to_have_text(_OWN_FACE, timeout=WAIT)
        expect(page.locator(".df-live-state")).to_contain_text("Score")
        expect(page.locator(".df-live-spoken")).to_contain_text("There is a score now")
        expect(page.locator(".df-live-pace")).to_have_text(
            re.compile(r"[\d.]+ frames a second · \d+ left out · answer in \d+ ms")
        )
        # Boxes are drawn anew for each answer, so both places are asked for at once.
        page.wait_for_function("""() => {
            const [picture, box] = [".df-live-picture video", ".df-live-boxes div"].map(
                (name) => document.querySelector(name)?.getBoundingClientRect());
            return picture && box?.width && picture.left < box.left && box.right < picture.right;
        }""")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

        # An answer that is being read when the camera is stopped is not shown any more.
        page.evaluate("""() => {
            window.read = Response.prototype.json;
            Response.prototype.json = async function () {
                const value = await window.read.call(this);
                await new Promise((done) => { window.letGo = done; });
                return value;
            };
        }""")
        page.wait_for_function("Boolean(window.letGo)")
        page.get_by_role("button", name="Stop").click()
        page.evaluate("() => { Response.prototype.json = window.read; window.letGo(); }")
        expect(page.locator(".df-live-boxes div")).to_have_count(0)
        expect(page.locator(".df-live-state")).to_have_text("The camera is off.")
        expect(start).to_be_focused()
        # The session went with it: a client has one, and can open it again at once.
        with page.expect_response(lambda answer: answer.url.endswith("/live")) as opened:
            start.click()
        assert opened.value.status == 200
        # Where the camera stops by itself, who stands on the button stays there.
        page.wait_for_function("document.querySelector('.df-live').dataset.state == 'on'")
        expect(page.get_by_role("button", name="Stop")).to_be_focused()
        page.evaluate("""() => document.querySelector(".df-live video").srcObject
            .getVideoTracks()[0].dispatchEvent(new Event("ended"))""")
        expect(page.locator(".df-live-state")).to_have_text("The camera is off.")
        expect(start).to_be_focused()
        # Leaving the tab stops the camera, and takes the focus along.
        with page.expect_response(lambda answer: answer.url.endswith("/live")):
            start.click()
        page.wait_for_function("document.querySelector('.df-live').dataset.state == 'on'")
        other = page.get_by_role("tab", name="One video")
        other.click()
        page.wait_for_function("document.querySelector('.df-live')?.dataset.state !== 'on'")
        expect(other).to_be_focused()
        assert errors == []
        browser.close()
    assert {path for path in app.temporary.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "error, sentence",
    [
        ("NotFoundError", "No camera was found. Connect one, then start again."),
        ("NotReadableError", "Another program is using the camera. Close it, then start again."),
        ("NotAllowedError", "The browser gave no camera: NotAllowedError. Allow it for this page"),
    ],
)
def test_a_camera_that_does_not_start_is_told_with_its_remedy_and_keeps_the_focus(
    app: App, error: str, sentence: str
):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page()
        page.add_init_script(
            "navigator.mediaDevices.getUserMedia = "
            f"() => Promise.reject(new DOMException('', '{error}'));"
        )
        page.goto(app.url)
        page.get_by_role("tab", name="Live camera").click(timeout=WAIT)
        start = page.get_by_role("button", name="Start the camera")
        start.press("Enter", timeout=WAIT)
        expect(page.locator(".df-live-state")).to_contain_text(sentence)
        expect(start).to_be_focused()
        browser.close()
