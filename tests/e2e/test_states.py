"""What the page shows while checks run, end and are given up, in a real Chromium.

The predictor waits for the test, so that nothing depends on how fast the machine is.
"""

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import (
    Browser,
    FilePayload,
    Page,
    Request,
    Route,
    expect,
    sync_playwright,
)

from dfjax.page.limits import PageLimits
from dfjax.page.player import NUM_MOMENTS
from tests.e2e.test_browser import CHROMIUM, QUIET, choose
from tests.page.serving import Server, served, wait_for
from tests.videos import moving_pattern, portrait_frames, write_video

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium"),
]


@pytest.fixture(scope="module", autouse=True)
def patient() -> Iterator[None]:
    """What is expected of the page has 20 s to come, on a machine that is busy as well."""
    expect.set_options(timeout=20_000)
    yield
    expect.set_options(timeout=None)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Callable[..., FilePayload]:
    """Returns a video by its name, which says what is predicted of it."""
    folder = tmp_path_factory.mktemp("files")
    video = write_video(folder / "any.mp4", portrait_frames(10)).read_bytes()

    def named(name: str, content: bytes = video) -> FilePayload:
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


def start(page: Page, server: Server, name: str) -> None:
    """Starts the check of the file that was chosen, and waits until it runs."""
    page.click("#df-check")
    wait_for(lambda: server.predictor.begun[-1:] == [name])


def hold(page: Page, address: str) -> list[Route]:
    """Returns where the requests to an address are kept, until the test lets them go."""
    held: list[Route] = []
    page.route(address, lambda route: held.append(route))
    return held


def wait_in(page: Page, condition: Callable[[], bool]) -> None:
    """Waits until something is so, while requests go on."""
    wait_for(lambda: bool(page.wait_for_timeout(20) or condition()))


def open_streams(page: Page) -> set[Request]:
    """Returns a set in which the streams of answers are that begin from now on, while open."""
    streams: set[Request] = set()

    def begin(request: Request) -> None:
        if "/queue/data" in request.url:
            streams.add(request)

    def end(request: Request) -> None:
        streams.discard(request)

    page.on("request", begin)
    page.on("requestfinished", end)
    page.on("requestfailed", end)
    return streams


def settle(page: Page) -> None:
    """Waits until the page has shown what it knows: until it was drawn twice."""
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


@pytest.mark.parametrize("content", [None, b"nothing that a browser plays"])
def test_a_button_that_can_be_pressed_stays_where_it_is(page, server, files, content):
    """Else the press ends on something else, and no click comes of it."""
    held = hold(page, "**/gradio_api/file=**")
    choose(page, files("any.mp4") if content is None else files("any.mp4", content))
    button = page.locator("#df-check")
    expect(button).to_be_enabled()
    place = button.bounding_box()
    wait_in(page, lambda: bool(held))
    page.unroute_all(behavior="ignoreErrors")  # lets go what was held
    page.wait_for_function("""() => {
        const video = document.querySelector(".df-preview video");
        return video.readyState >= 1 || video.hidden;
    }""")
    assert button.bounding_box() == place


def test_a_verdict_never_lands_beside_another_video(page, shut, files):
    choose(page, files("fake one.mp4"))
    start(page, shut, "fake one.mp4")
    page.get_by_label("Clear").first.click()
    choose(page, files("real two.mp4"))
    wait_for(lambda: shut.queue.counts() == (0, 0))  # the first check has been given up
    shut.predictor.gate.set()
    expect(page.get_by_role("heading", name="How it works")).to_be_visible()
    expect(page.locator("#df-check")).to_be_enabled()
    expect(page.locator("#df-spoken [role=status]")).to_contain_text("real two.mp4")
    page.click("#df-check")
    expect(page.locator(".df-result[data-label=real]")).to_be_visible()
    expect(page.locator(".df-name")).to_have_text("real two.mp4")
    assert "fake one.mp4" not in shut.predictor.ended


def test_an_answer_that_comes_too_late_is_not_shown(page, shut, files):
    """As if it had been on its way when the file was changed."""
    choose(page, files("fake late.mp4"))
    start(page, shut, "fake late.mp4")
    page.evaluate("""() => {
        document.querySelector("#df-preview [data-file]").dataset.file = "another";
        delete document.body.dataset.dfChecked;
    }""")
    shut.predictor.gate.set()
    expect(page.locator("#df-check")).to_be_enabled()
    expect(page.get_by_role("heading", name="How it works")).to_be_visible()
    expect(page.locator(".df-result")).to_have_count(0)
    expect(page.locator("#df-spoken [role=status]")).not_to_contain_text("Verdict")


def test_a_double_click_is_one_check(page, shut, files):
    begun = len(shut.predictor.begun)
    choose(page, files("real double.mp4"))
    page.dblclick("#df-check")
    wait_for(lambda: len(shut.predictor.begun) > begun)
    expect(page.locator("#df-check")).to_be_disabled()
    expect(page.locator("#df-spoken [role=status]")).to_have_text("Scoring faces")
    shut.predictor.gate.set()
    expect(page.locator(".df-result[data-label=real]")).to_be_visible()
    expect(page.locator("#df-check")).to_be_enabled()
    expect(page.locator("#df-cancel")).to_be_hidden()
    assert len(shut.predictor.begun) == begun + 1


def test_cancel_stops_the_check_on_the_server_and_the_next_one_can_start(page, shut, files):
    choose(page, files("fake cancelled.mp4"))
    start(page, shut, "fake cancelled.mp4")
    abandoned = shut.health.total("dfjax_checks_total", outcome="abandoned")
    page.locator("#df-cancel").press("Enter")
    # The gate stays shut: only giving up can end it.
    wait_for(lambda: shut.health.total("dfjax_checks_total", outcome="abandoned") > abandoned)
    wait_for(lambda: shut.queue.counts() == (0, 0))
    expect(page.locator("#df-spoken [role=status]")).to_contain_text("cancelled")
    expect(page.locator("#df-cancel")).to_be_hidden()
    expect(page.locator("#df-result")).to_be_focused()
    expect(page.get_by_role("heading", name="How it works")).to_be_visible()
    shut.predictor.gate.set()
    page.click("#df-check")
    expect(page.locator(".df-result[data-label=fake]")).to_be_visible()


def test_a_check_is_cancelled_even_before_the_server_has_taken_it(page, shut, files):
    choose(page, files("fake early.mp4"))
    streams = open_streams(page)
    held = hold(page, "**/queue/join*")
    page.click("#df-check")
    page.click("#df-cancel")
    wait_in(page, lambda: bool(held))
    with page.expect_response("**/cancel") as cancelled:
        held[0].continue_()
    assert cancelled.value.ok
    wait_for(lambda: shut.queue.counts() == (0, 0))
    expect(page.locator("#df-spoken [role=status]")).to_contain_text("cancelled")
    expect(page.locator("#df-check")).to_be_enabled()
    shut.predictor.gate.set()
    wait_in(page, lambda: not streams)  # nothing more can come
    settle(page)
    expect(page.get_by_role("heading", name="How it works")).to_be_visible()


def test_a_check_that_is_refused_is_over_though_it_was_cancelled(page, server, files):
    choose(page, files("real refused.mp4"))
    held = hold(page, "**/queue/join*")
    page.click("#df-check")
    page.click("#df-cancel")
    wait_in(page, lambda: bool(held))
    held[0].fulfill(status=503, json={"detail": "The queue is full."})
    expect(page.locator("#df-cancel")).to_be_hidden()
    expect(page.locator("#df-check")).to_be_enabled()


def test_nothing_more_is_said_of_a_check_that_was_cancelled(page, shut, files):
    choose(page, files("fake cancelled.mp4"))
    start(page, shut, "fake cancelled.mp4")
    page.click("#df-cancel")
    expect(page.locator("#df-spoken [role=status]")).to_contain_text("cancelled")
    # As if it had been on its way.
    page.evaluate("""() => {
        const late = "<p class=progress-level-inner>A late stage - 10%</p>";
        document.getElementById("df-result").insertAdjacentHTML("beforeend", late);
    }""")
    settle(page)
    expect(page.locator("#df-spoken [role=status]")).to_contain_text("cancelled")


def test_a_screen_reader_hears_words_and_no_key_of_a_translation(page, files):
    page.evaluate("""() => {
        window.heard = [];
        new MutationObserver(() => {
            for (const place of document.querySelectorAll("[role=status]"))
                window.heard.push(place.textContent);
        }).observe(document, {subtree: true, childList: true, characterData: true});
    }""")
    choose(page, files("fake heard.mp4"))
    page.click("#df-check")
    # Gradio says something every five seconds at most.
    page.wait_for_function("window.heard.some((text) => /complete|^ *Done/.test(text))")
    assert [text for text in page.evaluate("window.heard") if "common." in text] == []


def test_a_screen_reader_hears_when_a_file_has_been_uploaded(page, files):
    choose(page, files("real <b>&.mp4"))
    expect(page.locator("#df-spoken [role=status]")).to_have_text(
        "real <b>&.mp4 has been uploaded and can be checked."
    )


def test_of_a_file_that_is_too_large_the_page_says_so_until_another_is_chosen(
    page, files, tmp_path
):
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(PageLimits().max_upload_bytes + 1)  # takes no room on most disks
    page.set_input_files("#df-upload input[type=file]", large)
    told = page.locator("#df-result").get_by_text("larger than the limit of 200 MiB")
    expect(told).to_be_visible()
    expect(page.locator("#df-spoken [role=status]")).to_contain_text("larger than the limit")
    choose(page, files("real next.mp4"))
    expect(told).to_have_count(0)


def test_the_page_for_programs_can_be_read_on_a_phone(page, server):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{server.url}/api")
    widths = page.locator("td").evaluate_all("cells => cells.map((cell) => cell.offsetWidth)")
    assert widths and min(widths) > 300


def test_the_check_after_a_cancelled_one_is_not_taken_for_it(page, shut, files):
    choose(page, files("fake again.mp4"))
    streams = open_streams(page)
    start(page, shut, "fake again.mp4")
    wait_in(page, lambda: bool(streams))
    held = hold(page, "**/reset*")
    page.click("#df-cancel")
    wait_in(page, lambda: bool(held) and not streams and shut.queue.counts() == (0, 0))
    settle(page)
    # Gradio has yet to say for the second time that the first one failed.
    expect(page.locator("#df-check")).to_be_disabled()
    held[0].continue_()
    begun = len(shut.predictor.begun)
    page.click("#df-check")
    wait_in(page, lambda: len(shut.predictor.begun) > begun)
    expect(page.locator("#df-spoken [role=status]")).to_have_text("Scoring faces")
    expect(page.locator("#df-cancel")).to_be_visible()
    shut.predictor.gate.set()
    expect(page.locator(".df-result[data-label=fake]")).to_be_visible()


def test_a_file_is_taken_whatever_it_is_called(page, server, files):
    with page.expect_file_chooser() as chooser:
        page.locator("#df-upload").get_by_role("button").first.click()
    assert "video/*" in chooser.value.element.get_attribute("accept")
    unknown = files("real but without an ending") | {"mimeType": "application/octet-stream"}
    chooser.value.set_files(unknown)
    expect(page.locator(".df-preview")).to_be_visible()
    page.click("#df-check")
    expect(page.locator(".df-result[data-label=real]")).to_be_visible()


def test_a_check_that_fails_can_be_tried_again(page, server, files):
    for name in ("bug.mp4", "broken.mp4"):
        choose(page, files(name))
        page.click("#df-check")
        expect(page.locator(".df-result[data-label=error]")).to_be_visible()
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
    # The card is not behind Gradio's "Error".
    expect(page.locator(".df-result[data-label=error] h2")).to_be_visible()
    expect(page.locator("#df-result .error")).to_be_hidden()
    expect(page.locator("#df-spoken [role=status]")).to_contain_text("could not begin")


def begin_list(page: Page, *listed: FilePayload) -> None:
    """Opens the tab for several files, adds some, and begins to check them."""
    page.get_by_role("tab", name="Several files").click()
    page.set_input_files("#df-batch input[type=file]", list(listed))
    page.get_by_role("button", name="Check all").click()


def hurry(page: Page) -> None:
    """Makes the page wait for a moment where it would wait for ten seconds or more."""
    page.evaluate("""() => {
        const wait = window.setTimeout;
        window.setTimeout = (deed, time, ...rest) => wait(deed, time >= 9000 ? 50 : time, ...rest);
    }""")


def states(page: Page) -> list[str]:
    return page.locator("#df-batch tbody .df-batch-verdict").all_inner_texts()


def test_a_list_whose_connection_is_lost_ends_and_keeps_its_answers(page, shut, files):
    page.on("dialog", lambda dialog: dialog.dismiss())
    listened = []

    def break_off(route):
        listened.append(route)
        route.continue_() if len(listened) == 1 else route.abort()

    page.route("**/queue/data*", break_off)
    begin_list(page, files("real a.mp4"), files("real b.mp4"), files("real c.mp4"))
    expect(page.get_by_text("In the queue or being checked")).to_be_visible()
    with page.expect_event("dialog", timeout=20_000) as asked:  # as Gradio loads the page anew
        shut.predictor.gate.set()
    assert asked.value.type == "beforeunload"
    status = page.locator("#df-batch [role=status]")
    expect(status).to_contain_text("The connection to the server was lost")
    expect(status).to_contain_text("1 of 3 done")
    assert states(page) == ["Likely real", "Not checked", "Not checked"]
    visible = {do: page.locator(f"[data-do={do}]").is_visible() for do in ("check", "stop", "csv")}
    assert visible == {"check": False, "stop": False, "csv": True}


def test_a_check_whose_connection_is_lost_says_so_also_when_the_page_was_loaded_anew(
    page, shut, files
):
    page.evaluate("""() => {
        const every = window.setInterval;
        window.setInterval = (deed, time, ...rest) => every(deed, Math.min(time, 50), ...rest);
    }""")
    page.route("**/queue/data*", lambda route: route.abort())
    page.route("**/app_id*", lambda route: route.abort())
    choose(page, files("fake lost.mp4"))
    page.click("#df-check")
    told = page.locator("#df-result").get_by_text("The connection to the server was lost")
    expect(told).to_be_visible()
    expect(page.locator("#df-spoken [role=status]")).to_contain_text("connection")
    with page.expect_event("load"):
        page.unroute("**/app_id*")
    expect(told).to_be_visible()
    choose(page, files("real next.mp4"))
    expect(told).to_have_count(0)


def test_a_list_waits_for_the_connection_and_can_be_checked_later(page, server, files):
    hurry(page)
    uploads = []

    def fail(route):
        uploads.append(route)
        route.abort("internetdisconnected") if len(uploads) <= 2 else route.continue_()

    page.route("**/upload*", fail)
    begin_list(page, files("real a.mp4"), files("fake b.mp4"))
    status = page.locator("#df-batch [role=status]")
    expect(status).to_have_text("2 of 2 done")
    assert states(page) == ["Likely fake", "Likely real"]
    page.get_by_role("button", name="Clear the list").click()
    page.unroute("**/upload*")

    page.route("**/upload*", lambda route: route.abort("internetdisconnected"))
    begin_list(page, files("real a.mp4"), files("fake b.mp4"))
    expect(status).to_contain_text("0 of 2 done. The file could not be uploaded")
    assert states(page) == ["Not checked", "Not checked"]
    page.unroute("**/upload*")
    page.get_by_role("button", name="Check all").click()
    expect(status).to_have_text("2 of 2 done")


def test_a_file_of_a_list_that_has_gone_from_the_server_is_sent_again(page, server, files):
    hurry(page)

    def lose(route):
        for path in server.uploads.glob("*/real lost.mp4"):
            path.unlink()
        route.continue_()

    page.route("**/queue/join*", lose, times=1)
    begin_list(page, files("real lost.mp4"), files("fake b.mp4"))
    expect(page.locator("#df-batch [role=status]")).to_have_text("2 of 2 done")
    assert states(page) == ["Likely fake", "Likely real"]


def test_a_list_that_waits_for_room_stops_at_once(page, server, files):
    full = {"status": 503, "json": {"detail": "The queue is full."}}
    page.route("**/queue/join*", lambda route: route.fulfill(**full))
    begin_list(page, files("real a.mp4"), files("real b.mp4"))
    expect(page.get_by_text("Waiting for room on the server")).to_be_visible()
    page.get_by_role("button", name="Stop after this one").click()
    expect(page.get_by_role("button", name="Check all")).to_be_visible()
    assert states(page) == ["Not checked", "Not checked"]
    page.unroute("**/queue/join*")
    page.get_by_role("button", name="Check all").click()
    expect(page.locator("#df-batch [role=status]")).to_have_text("2 of 2 done")


def test_a_list_that_is_stopped_waits_for_no_room(page, server, files):
    held = hold(page, "**/upload*")
    begin_list(page, files("real a.mp4"), files("real b.mp4"))
    wait_in(page, lambda: bool(held))
    page.get_by_role("button", name="Stop after this one").click()
    held[0].fulfill(status=429, headers={"Retry-After": "120"}, body="Come back later.")
    expect(page.get_by_role("button", name="Check all")).to_be_visible()
    assert states(page) == ["Not checked", "Not checked"]


def test_frames_of_what_no_browser_plays_come_each_time_and_keys_pass_between_them(
    page, server, files, tmp_path
):
    video = write_video(tmp_path / "any.avi", moving_pattern(240), codec="mpeg4", fps=6)
    begin_list(page, files("real a.avi", video.read_bytes()), files("fake b.mp4"))
    for name in ("real a.avi", "fake b.mp4", "real a.avi"):
        page.get_by_role("button", name=f"Show the result of {name}").click()
        expect(page.locator(".df-batch-result .df-name")).to_have_text(name)
        if name == "real a.avi":
            picture = page.locator(".df-batch-result img.df-media")
            expect(picture).to_be_visible()
    # More frames were scored than are sent, so several have the same picture.
    lane = page.locator(".df-batch-result .df-scrub")
    rows = json.loads(lane.get_attribute("data-frames"))
    assert len(rows) > NUM_MOMENTS
    lane.press("Home")
    for index in range(1, len(rows)):
        lane.press("ArrowRight")
        assert lane.get_attribute("aria-valuenow") == str(index)
