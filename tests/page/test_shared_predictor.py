import threading

import pytest

from dfjax.errors import AbandonedError
from dfjax.page.shared_predictor import SharedPredictor
from tests.page.samples import SamplePredictor


class Slow(SamplePredictor):
    """Notes what happens, and lets the test decide when the warm-up ends."""

    def __init__(self):
        super().__init__()
        self.done, self.at_once, self.most_at_once = [], 0, 0
        self.go = threading.Event()

    def warm_up(self):
        assert self.go.wait(10)
        self.done.append("warm-up")

    def __call__(self, path, *, effort="standard", on_progress=None):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        prediction = super().__call__(path, effort=effort, on_progress=on_progress)
        self.at_once -= 1
        self.done.append(path)
        return prediction


def test_the_first_video_waits_for_the_warm_up_and_is_told_so():
    predictor = Slow()
    scorer = SharedPredictor(predictor)
    warming = scorer.start_warm_up()
    stages, told = [], threading.Event()

    def on_progress(fraction, stage):
        stages.append(stage)
        told.set()

    check = threading.Thread(target=scorer, args=("fake.mp4", on_progress))
    check.start()
    assert told.wait(10)
    assert predictor.done == []
    predictor.go.set()
    check.join(10)
    warming.join(10)
    assert predictor.done == ["warm-up", "fake.mp4"]
    assert stages[0] == "Getting the model ready" and "Scoring faces" in stages


def test_who_has_gone_waits_no_longer():
    predictor = Slow()
    scorer = SharedPredictor(predictor)
    warming, told = scorer.start_warm_up(), []

    def on_progress(fraction, stage):
        told.append(stage)
        if len(told) > 1:
            raise AbandonedError("gone")

    with pytest.raises(AbandonedError):
        scorer("fake.mp4", on_progress)
    predictor.go.set()
    warming.join(10)
    assert predictor.done == ["warm-up"] and set(told) == {"Getting the model ready"}


def test_who_waits_for_another_video_is_told_so():
    predictor, stages, begun = SamplePredictor(), [], threading.Event()
    scorer, may_end = SharedPredictor(predictor), threading.Event()

    def hold(fraction, stage):
        begun.set()
        assert may_end.wait(10)

    def note(fraction, stage):
        stages.append(stage)
        may_end.set()

    first = threading.Thread(target=scorer, args=("real.mp4", hold))
    first.start()
    assert begun.wait(10)
    scorer("fake.mp4", note)
    first.join(10)
    assert stages[0] == "Waiting for its turn"


def test_videos_are_scored_one_at_a_time():
    predictor = Slow()
    scorer = SharedPredictor(predictor)
    threads = [
        threading.Thread(target=scorer, args=(f"{n}.mp4", lambda fraction, stage: None))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(predictor.done) == 8 and predictor.most_at_once == 1
