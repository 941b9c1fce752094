import asyncio
import threading

import gradio as gr
import numpy as np
import pytest

from dfjax.inference.live import LiveScore
from dfjax.page.limits import PageLimits
from dfjax.page.live import live_tab
from dfjax.page.live_sessions import IDLE_SECONDS, LiveSessions
from dfjax.page.refusal import Refusal
from dfjax.words import speaking
from tests.page.samples import SampleLive

FRAME = np.zeros((4, 4, 3), np.uint8)


class LivePredictor:
    """Makes scorers, and knows them."""

    def __init__(self):
        self.made: list[SampleLive] = []

    def live(self) -> SampleLive:
        self.made.append(SampleLive())
        return self.made[-1]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock) -> LiveSessions:
    limits = PageLimits(max_live_sessions=2, max_live_seconds=60)
    sessions = LiveSessions(LivePredictor(), limits, clock)
    sessions.get_ready()
    return sessions


def refused(function, *arguments) -> str:
    with pytest.raises(Refusal) as caught:
        function(*arguments)
    return caught.value.reason


def test_each_session_has_a_scorer_of_its_own(sessions):
    one, other = sessions.open("a"), sessions.open("b")
    assert one != other
    assert [sessions.score(one, "a", FRAME, t).timestamp for t in (1.0, 2.0)] == [1.0, 2.0]
    assert sessions.score(other, "b", FRAME, 0.5).timestamp == 0.5


def test_a_frame_has_to_be_later_than_the_one_before(sessions):
    name = sessions.open("a")
    sessions.score(name, "a", FRAME, 1.0)
    for time in (1.0, 0.5, float("nan"), float("inf")):
        assert refused(sessions.score, name, "a", FRAME, time) == "malformed"
    sessions.score(name, "a", FRAME, 1.5)


def test_nobody_scores_or_ends_the_session_of_another(sessions):
    name = sessions.open("a")
    assert refused(sessions.score, name, "b", FRAME, 1.0) == "live_gone"
    sessions.close(name, "b")
    sessions.score(name, "a", FRAME, 1.0)


def test_a_client_has_one_session_and_all_together_a_few(sessions):
    first = sessions.open("a")
    assert refused(sessions.open, "a") == "live_own"
    sessions.open("b")
    assert refused(sessions.open, "c") == "live_full"
    sessions.close(first, "a")
    sessions.open("c")


def test_who_leaves_is_forgotten_with_all_that_was_known(sessions, clock):
    name = sessions.open("a")
    clock.now += IDLE_SECONDS - 1
    sessions.score(name, "a", FRAME, 1.0)
    clock.now += IDLE_SECONDS - 1
    sessions.sweep()
    assert len(sessions) == 1
    clock.now += 2
    sessions.sweep()
    assert len(sessions) == 0
    assert refused(sessions.score, name, "a", FRAME, 2.0) == "live_gone"


def test_a_session_ends_after_its_time_even_if_frames_come(sessions, clock):
    name = sessions.open("a")
    for second in range(1, 60):
        clock.now = float(second)
        sessions.score(name, "a", FRAME, float(second))
    clock.now = 60.0
    assert refused(sessions.score, name, "a", FRAME, 60.0) == "live_gone"


def test_a_frame_that_does_not_wait_for_the_last_ones_answer_is_refused(sessions, clock):
    name = sessions.open("a")
    scorer = sessions._sessions[name].score
    begun, gate = threading.Event(), threading.Event()

    def slow(frame, timestamp) -> LiveScore:
        begun.set()
        assert gate.wait(10)
        return LiveScore(timestamp=timestamp, probability_fake=None, faces=())

    scorer.on_frame = slow
    thread = threading.Thread(target=sessions.score, args=(name, "a", FRAME, 1.0))
    thread.start()
    try:
        assert begun.wait(10)
        assert refused(sessions.score, name, "a", FRAME, 2.0) == "live_early"
        clock.now += 2 * IDLE_SECONDS
        sessions.sweep()
        assert len(sessions) == 1, "it is not idle while its frame is being scored"
    finally:
        gate.set()
        thread.join()


def test_no_session_is_opened_before_the_model_is_ready():
    assert refused(LiveSessions(LivePredictor()).open, "a") == "live_unready"


@pytest.mark.parametrize("code, said", [("en", "After 2.5 minutes"), ("es", "A los 2.5 minutos")])
def test_the_tab_says_after_how_long_a_session_ends(code, said):
    async def laid_out():  # outside of an event loop, Gradio makes one and never closes it
        with speaking(code), gr.Blocks(analytics_enabled=False):
            return live_tab(PageLimits(max_live_seconds=150))

    assert said in asyncio.run(laid_out()).value
