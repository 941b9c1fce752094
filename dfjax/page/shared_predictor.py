"""One predictor for all visitors: one video at a time, the first after the warm-up."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from dfjax.config import Config
from dfjax.page.texts import WAITING
from dfjax.prediction import ModelSummary, Prediction
from dfjax.video.limits import VideoLimits
from dfjax.video.sampling import Effort

_LOOK_SECONDS = 0.5  # between two chances for a check that waits to be given up

OnProgress = Callable[[float, str], None]


class VideoPredictor(Protocol):
    """What the page needs of a `dfjax.Predictor`."""

    model: ModelSummary
    config: Config
    limits: VideoLimits

    @property
    def evaluation(self) -> Mapping[str, Any] | None:
        """What was measured of these weights; None: nothing is known."""
        ...

    def warm_up(self) -> None:
        """Compiles all that any video can need."""

    def __call__(
        self, path: str, *, effort: Effort = "standard", on_progress: OnProgress | None = None
    ) -> Prediction:
        """Scores one file."""
        ...


class SharedPredictor:
    """Holds a predictor and the lock that lets in one video at a time."""

    def __init__(self, predictor: VideoPredictor):
        self._predictor = predictor
        self._lock = threading.Lock()
        self._is_warming_up = False

    def start_warm_up(self, on_ready: Callable[[], None] = lambda: None) -> threading.Thread:
        """Compiles in the background, so that the page opens at once; returns the thread.

        A video that comes meanwhile waits for it: compiling twice would take longer.

        Args:
          on_ready: Called once all is compiled.
        """
        ready = threading.Event()

        def warm_up() -> None:
            with self._lock:
                self._is_warming_up = True
                ready.set()
                self._predictor.warm_up()
                self._is_warming_up = False
            on_ready()

        thread = threading.Thread(target=warm_up, name="warm-up", daemon=True)
        thread.start()
        ready.wait()
        return thread

    def __call__(
        self, path: str, on_progress: OnProgress, *, effort: Effort = "standard"
    ) -> Prediction:
        """Scores one file, when its turn has come.

        Raises:
          DfjaxError: The file cannot be scored; the message is for the visitor.
        """
        self._wait(on_progress)
        try:
            on_progress(0.0, "Reading the video")
            return self._predictor(path, effort=effort, on_progress=on_progress)
        finally:
            self._lock.release()

    def _wait(self, on_progress: OnProgress) -> None:
        """Takes the lock. Who has gone meanwhile waits no longer, since `on_progress` raises then.

        A check that was given up has the lock until its next step.
        """
        seconds = 0.0
        while not self._lock.acquire(timeout=seconds):
            stage = "Getting the model ready" if self._is_warming_up else WAITING
            on_progress(0.0, stage)
            seconds = _LOOK_SECONDS
