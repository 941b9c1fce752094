import asyncio
import csv
import io
import json

import gradio as gr
import pytest

from dfjax.page.blocks import build_page
from dfjax.page.limits import PageLimits
from dfjax.reporting.spreadsheets import VIDEO_COLUMNS
from dfjax.words import words
from tests.page.samples import SamplePredictor

LIMITS = PageLimits(max_upload_bytes=12_345)


@pytest.fixture(scope="module")
def page():
    async def build():
        return build_page(SamplePredictor(), warm_up=False, limits=LIMITS)

    # Outside of a running event loop, Gradio makes one of its own and never closes it.
    return asyncio.run(build())


@pytest.fixture(scope="module")
def check_one(page):
    (function,) = {f.fn for f in page.fns.values() if f.name == "check_one"}
    return lambda name: json.loads(function({"path": f"/tmp/x/{name}"}, "standard"))


def lines(answer):
    return list(csv.DictReader(io.StringIO(answer["csv"]), VIDEO_COLUMNS))


def test_a_file_of_a_list_gets_what_a_single_video_gets(check_one, page):
    (check,) = {f.fn for f in page.fns.values() if f.name == "check"}
    answer = check_one("real.mp4")
    assert answer["html"] == check({"path": "/tmp/x/real.mp4"}, "standard")
    assert (answer["label"], answer["percent"]) == ("real", "6%")
    (line,) = lines(answer)
    assert (line["video"], line["verdict"]) == ("real.mp4", "real")


def test_a_video_without_a_face_has_no_number(check_one):
    answer = check_one("no_face.mp4")
    assert (answer["probability"], answer["percent"]) == (None, "")


def test_a_file_that_cannot_be_read_is_a_line_with_its_reason(check_one):
    answer = check_one("broken.mp4")
    (line,) = lines(answer)
    assert answer["label"] == "error" and "no frame that can be decoded" in answer["html"]
    assert line["video"] == "broken.mp4" and "no frame that can be decoded" in line["error"]


@pytest.mark.parametrize("orig_name", ["real WOW!.mp4", "../«real» Año?.mp4"])
@pytest.mark.parametrize("path", ["/tmp/x/real.mp4", "/tmp/x/broken.mp4"])
def test_a_file_is_named_as_its_owner_names_it(page, path, orig_name):
    (function,) = {f.fn for f in page.fns.values() if f.name == "check_one"}
    answer = json.loads(function({"path": path, "orig_name": orig_name}, "standard"))
    (line,) = lines(answer)
    assert line["video"] == orig_name.removeprefix("../")


def test_an_error_that_nobody_foresaw_tells_nothing_of_the_inside(check_one, caplog):
    answer = check_one("bug.mp4")
    assert lines(answer)[0]["error"] == words.page.our_fault
    assert "secret" not in json.dumps(answer) and "an inner secret" in caplog.text


def test_a_check_of_a_list_needs_a_file(page):
    (function,) = {f.fn for f in page.fns.values() if f.name == "check_one"}
    with pytest.raises(gr.Error, match="No video"):
        function(None, "standard")


def test_each_file_waits_in_the_queue_of_all_checks_and_takes_one_place(page):
    (event,) = [f for f in page.fns.values() if f.name == "check_one"]
    assert (event.concurrency_id, event.concurrency_limit, event.queue) == ("score", 1, True)
    upload, _ = event.inputs
    assert isinstance(upload, gr.File) and upload.file_count == "single"


def test_the_browser_knows_how_large_a_file_may_be(page):
    (board,) = [b for b in page.blocks.values() if getattr(b, "elem_id", "") == "df-batch"]
    assert '"max_bytes": 12345' in board.js_on_load and "SETTINGS" not in board.js_on_load
