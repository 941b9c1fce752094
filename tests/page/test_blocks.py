import asyncio
import base64
import dataclasses
import json
import re

import gradio as gr
import pytest

from dfjax.config import CalibrationConfig
from dfjax.page import texts
from dfjax.page.blocks import build_page
from dfjax.page.fair_queue import FairQueue
from dfjax.page.limits import PageLimits
from dfjax.page.upload import UploadBlocks
from dfjax.video.limits import VideoLimits
from tests.evaluation.clips import EVIDENCE
from tests.page.samples import SamplePredictor


@pytest.fixture(scope="module")
def page():
    async def build():
        return build_page(SamplePredictor(), warm_up=False)

    # Outside of a running event loop, Gradio makes one of its own and never closes it.
    return asyncio.run(build())


def test_every_event_refuses_addresses_and_takes_nothing_but_a_file_and_an_effort(page):
    assert isinstance(page, UploadBlocks)
    # Those without a function run in the browser alone; the server refuses them.
    events = [function for function in page.fns.values() if function.fn is not None]
    inputs = [block for function in events for block in function.inputs]
    assert inputs
    assert {type(block) for block in inputs} == {gr.File, gr.Radio}


def test_the_api_is_for_one_file_and_for_several_and_its_output_is_json(page):
    public = [f for f in page.fns.values() if f.api_visibility == "public"]
    assert [f.api_name for f in public] == ["predict", "predict_batch"]
    assert [type(block) for f in public for block in f.outputs] == [gr.JSON, gr.JSON]


def test_scoring_goes_through_one_bounded_queue(page):
    scoring = [f for f in page.fns.values() if f.concurrency_id == "score"]
    assert len(scoring) == 3  # the button, a file of a list, the API
    assert all(f.queue and f.concurrency_limit == 1 for f in scoring)
    assert isinstance(page._queue, FairQueue)
    assert page._queue.max_waiting and not page.api_open


def test_nothing_is_sent_home_and_old_files_are_deleted(page):
    assert not page.analytics_enabled
    assert page.delete_cache is not None and max(page.delete_cache) <= 3600


def test_the_endpoints_are_documented(page):
    endpoints = page.get_api_info()["named_endpoints"]
    assert "deepfake" in json.dumps(endpoints["/predict"])
    for endpoint in endpoints.values():
        described = json.dumps(endpoint)
        assert "clip.mp4" in described and "http" not in described


def call(page, name, file, effort: object = "standard"):
    (function,) = {f.fn for f in page.fns.values() if f.name == name}
    return function(file, effort)


def test_the_limits_are_said_before_the_upload(page):
    shown = [block.value for block in page.blocks.values() if isinstance(block, gr.HTML)]
    assert any(
        "Up to 200 MiB and 4 hours, as MP4" in value and "HEIC" not in value for value in shown
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(14_400, "4 hours"), (9000, "2.5 hours"), (3700, "61.6 minutes"), (100, "100 seconds")],
)
def test_the_longest_duration_is_said_in_few_digits_and_is_no_more_than_is_taken(seconds, said):
    video = dataclasses.replace(VideoLimits(), max_duration=seconds)
    assert f"and {said}," in texts.upload_limits(PageLimits(), video)


def test_there_is_nothing_to_check_at_first(page):
    (check,) = [b for b in page.blocks.values() if getattr(b, "elem_id", None) == "df-check"]
    assert not check.interactive


def test_the_effort_reaches_the_predictor_and_must_be_one_of_three(page):
    for name in ("check", "predict"):
        call(page, name, {"path": "real.mp4"}, "thorough")
        with pytest.raises(gr.Error, match="quick"):
            call(page, name, {"path": "real.mp4"}, "endless")
        with pytest.raises(gr.Error, match="quick"):
            call(page, name, {"path": "real.mp4"}, ["quick"])


def test_efforts_are_offered_for_a_model_that_weighs_evidence_only():
    async def build(predictor):
        return build_page(predictor, warm_up=False)

    plain, weighing = SamplePredictor(), SamplePredictor()
    weighing.config = dataclasses.replace(
        weighing.config, calibration=CalibrationConfig(evidence=EVIDENCE)
    )
    shown = []
    for predictor in (plain, weighing):
        page = asyncio.run(build(predictor))
        shown += [block.visible for block in page.blocks.values() if isinstance(block, gr.Radio)]
    assert shown == 2 * [False] + 2 * [True]  # for one video, and for several files


def test_the_page_and_the_api_give_the_same_prediction(page):
    report = call(page, "predict", {"path": "real.mp4"})
    shown = call(page, "check", {"path": "real.mp4"})
    (encoded,) = re.findall(r'href="data:application/json;base64,([^"]+)"', shown)
    assert json.loads(base64.b64decode(encoded)) == report
    assert 'data-spoken="Verdict: Likely real.' in shown


def test_a_file_that_cannot_be_read_gets_its_sentence_on_the_page_and_in_the_api(page):
    shown = call(page, "check", {"path": "broken.mp4"})
    assert 'data-label="error"' in shown
    assert shown.count("no frame that can be decoded") == 2  # to be read, and to be spoken
    with pytest.raises(gr.Error, match="no frame that can be decoded"):
        call(page, "predict", {"path": "broken.mp4"})


def test_a_result_names_the_file_that_it_is_for(page):
    for name in ("real.mp4", "broken.mp4", "bug.mp4"):
        shown = call(page, "check", {"path": f"/uploads/digest/{name}"})
        assert f'data-file="digest/{name}"' in shown


def test_a_check_can_be_cancelled_and_a_change_of_the_file_cancels_it(page):
    (check,) = [index for index, f in page.fns.items() if f.name == "check"]
    cancelling = [f for f in page.fns.values() if check in f.cancels]
    assert {event for f in cancelling for _, event in f.targets} == {"click", "change"}


def test_frames_are_sent_of_an_upload_and_nothing_of_nonsense(page, tmp_path):
    (frames,) = {f.fn for f in page.fns.values() if f.name == "frames"}
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"no video at all" * 100)
    for video, data in (
        (None, {"times": [0]}),
        ({"path": str(path)}, {"times": [0]}),
        ({"path": str(path)}, {"times": "soon"}),
        ({"path": str(path)}, None),
    ):
        assert frames(video, gr.EventData(None, data)) == ""


def test_an_error_that_nobody_foresaw_tells_a_visitor_nothing_of_the_inside(page, caplog):
    shown = call(page, "check", {"path": "bug.mp4"})
    assert shown.count("on our side") == 2  # to be read, and to be spoken
    assert "secret" not in shown
    assert "an inner secret" in caplog.text


def test_no_endpoint_takes_an_example_that_does_not_exist(page):
    (pick,) = [f for f in page.fns.values() if f.name == "pick"]
    assert pick.fn is not None
    for index in (0, -1, "0", None, True):
        with pytest.raises(gr.Error, match="no such example"):
            pick.fn(gr.EventData(None, {"index": index}))
    with pytest.raises(gr.Error, match="no such example"):
        pick.fn(gr.EventData(None, {}))
