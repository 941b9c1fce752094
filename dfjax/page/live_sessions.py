"""The visitors whose cameras are scored at the moment: a few, each for a while."""

import dataclasses
import math
import secrets
import threading
import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np

from dfjax.inference.live import LiveScore
from dfjax.page import live_texts
from dfjax.page.limits import PageLimits
from dfjax.page.refusal import Refusal

IDLE_SECONDS = 10.0
"""A session without a frame for so long is over: its visitor has left."""


class ScoreFrame(Protocol):
    """Scores the frames of one stream; see `dfjax.inference.live.LiveScorer`."""

    def warm_up(self) -> None:
        """Compiles all that a camera can need."""

    def __call__(self, frame: np.ndarray, timestamp: float, /) -> LiveScore:
        """Returns the score after the next frame."""
        ...


@runtime_checkable
class LivePredictor(Protocol):
    """A predictor that can score cameras too."""

    def live(self) -> ScoreFrame:
        """Returns what scores the frames of one stream."""
        ...


@dataclasses.dataclass(eq=False)
class _Session:
    """One visitor's stream."""

    client: str
    score: ScoreFrame
    begun: float
    seen: float
    last: float = -math.inf  # time of the frame before, seconds
    busy: threading.Lock = dataclasses.field(default_factory=threading.Lock)


class LiveSessions:
    """Holds what is known of each stream, and drops it when its visitor has left.

    No frame is kept. Frames of different visitors are scored one after the other.
    """

    def __init__(
        self,
        predictor: LivePredictor,
        limits: PageLimits = PageLimits(),
        clock: Callable[[], float] = time.monotonic,
    ):
        """Takes what makes scorers, and the limits; `clock` tells the seconds."""
        self._predictor, self._limits, self._clock = predictor, limits, clock
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()  # of the sessions
        self._turn = threading.Lock()  # of the model
        self._ready = threading.Event()

    def __len__(self) -> int:
        return len(self._sessions)

    def get_ready(self) -> None:
        """Compiles what cameras need; before that, no session can be opened."""
        self._predictor.live().warm_up()
        self._ready.set()

    def open(self, client: str) -> str:
        """Returns the name of a new session, which nobody can guess.

        Raises:
          Refusal: The client has one, there are too many, or the model is not ready.
        """
        if not self._ready.is_set():
            raise Refusal(503, "live_unready", live_texts.NOT_READY, retry_after=30)
        self.sweep()
        with self._lock:
            if any(session.client == client for session in self._sessions.values()):
                raise Refusal(429, "live_own", live_texts.ONE_EACH, retry_after=10)
            if len(self._sessions) >= self._limits.max_live_sessions:
                raise Refusal(503, "live_full", live_texts.ALL_TAKEN, retry_after=60)
            name, now = secrets.token_urlsafe(16), self._clock()
            self._sessions[name] = _Session(client, self._predictor.live(), now, now)
        return name

    def score(self, name: str, client: str, frame: np.ndarray, timestamp: float) -> LiveScore:
        """Scores the next frame of a session.

        Args:
          name: Of the session.
          client: Whose frame it is.
          frame: uint8 [H, W, 3] RGB.
          timestamp: When it was taken, seconds.

        Raises:
          Refusal: There is no such session of this client, its time is over, it has not waited for
            the answer to its last frame, or this one is not later.
        """
        self.sweep()
        session = self._sessions.get(name)
        if session is None or session.client != client:
            raise Refusal(404, "live_gone", live_texts.SESSION_OVER)
        if not session.busy.acquire(blocking=False):
            raise Refusal(429, "live_early", live_texts.TOO_EARLY, retry_after=1)
        try:
            if not (math.isfinite(timestamp) and timestamp > session.last):
                raise Refusal(400, "malformed", live_texts.NO_TIME)
            session.seen, session.last = self._clock(), timestamp
            with self._turn:
                return session.score(frame, timestamp)
        finally:
            session.seen = self._clock()
            session.busy.release()

    def close(self, name: str, client: str) -> None:
        """Ends a session, if the client has one of this name."""
        with self._lock:
            session = self._sessions.get(name)
            if session is not None and session.client == client:
                del self._sessions[name]

    def sweep(self) -> None:
        """Ends the sessions whose visitors have left, or whose time is over."""
        now = self._clock()
        with self._lock:
            self._sessions = {
                name: session
                for name, session in self._sessions.items()
                if session.busy.locked()
                or (
                    now - session.seen < IDLE_SECONDS
                    and now - session.begun < self._limits.max_live_seconds
                )
            }
